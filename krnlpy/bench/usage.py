"""Who else used the processors: what others take while contenders are timed belongs to the result."""

from __future__ import annotations

import os
import time
from pathlib import Path

PROC = Path("/proc")


class Watch:
    """Starts to watch when it is made."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._start = time.perf_counter()
        self._before = _others(proc)

    def others(self) -> float | None:
        """How many processors other processes, and other virtual machines, have kept busy on average since the start.

        Counted are the processors that this process may run on. None where the system does not tell.
        """
        after, seconds = _others(self._proc), time.perf_counter() - self._start
        if self._before is None or after is None:
            return None
        return max(0.0, after - self._before) / seconds


def _others(proc: Path) -> float | None:
    """Seconds that the processors were busy, less those of this process and its children."""
    try:
        ticks = _busy(proc) - _own(proc)
        return float(ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, AttributeError, IndexError):
        return None


def _busy(proc: Path) -> int:
    """Ticks that this process's processors were busy."""
    ticks = 0
    processors = {f"cpu{index}" for index in os.sched_getaffinity(0)}
    for line in (proc / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name in processors:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks


def _own(proc: Path) -> int:
    """Ticks of this process and of all that it started, also of those that have ended."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in proc.glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()  # a name may hold blanks and parentheses
        except OSError:  # it has ended
            continue
        process = int(path.parent.name)
        parents[process] = int(fields[1])
        ticks[process] = sum(map(int, fields[11:15]))  # user and system: its own, and those of children that ended
    total, family = 0, {os.getpid()}
    while family:
        total += sum(ticks.get(process, 0) for process in family)
        family = {child for child, parent in parents.items() if parent in family}
    return total
