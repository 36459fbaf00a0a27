"""Who else used the processors, of a /proc that is made up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from krnlpy.bench import usage
from krnlpy.bench.usage import Watch

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2}, raising=False)
    return tmp_path


def processors(proc: Path, *busy: float) -> None:
    """Seconds that each was busy, half of them in the system's code; all were idle for 1,000 s."""
    halves = [round(seconds * TICKS / 2) for seconds in busy]
    lines = [f"cpu{i} {half} 0 {half} {1000 * TICKS} 7 0 0 0 5 0" for i, half in enumerate(halves)]
    (proc / "stat").write_text("\n".join(["cpu  9 9 9 9 9 9 9 9 9 9", *lines, "intr 123"]) + "\n")


def process(proc: Path, number: int, parent: int, own: float, ended_children: float = 0.0) -> None:
    folder = proc / str(number)
    folder.mkdir(exist_ok=True)
    ticks = f"{round(own * TICKS)} 0 {round(ended_children * TICKS)} 0"
    (folder / "stat").write_text(f"{number} (a (strange) name) S {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 20 0 1 0 0\n")


def others(proc: Path, watch: Watch, seconds: float) -> float:
    watch._start -= seconds  # as if so long had passed
    found = watch.others()
    assert found is not None
    return found


def test_what_others_take_is_what_this_process_and_its_children_do_not(proc: Path) -> None:
    processors(proc, 50, 60, 70)
    process(proc, os.getpid(), 1, own=10)
    process(proc, 1, 0, own=500)
    watch = Watch(proc)
    # Ours take 30 + 25 + 5 s of the 70 s that processors 0 and 2 are busy; processor 1 is not one of ours.
    processors(proc, 90, 200, 100)
    process(proc, os.getpid(), 1, own=40)
    process(proc, 900001, os.getpid(), own=25)
    process(proc, 900002, 900001, own=2, ended_children=3)
    process(proc, 900003, 1, own=100)
    assert others(proc, watch, 100) == pytest.approx(0.1, rel=1e-3)


def test_nobody_else(proc: Path) -> None:
    processors(proc, 50, 0, 70)
    process(proc, os.getpid(), 1, own=10)
    watch = Watch(proc)
    process(proc, os.getpid(), 1, own=11)  # counted a tick later than the processor's
    assert others(proc, watch, 100) == 0


def test_where_the_system_does_not_tell(proc: Path) -> None:
    assert Watch(proc).others() is None


def test_this_machine() -> None:
    if not (usage.PROC / "stat").exists() or not hasattr(os, "sched_getaffinity"):
        pytest.skip("no /proc/stat")
    found = Watch().others()
    assert found is not None and found >= 0
