"""A run as it goes on, in a terminal: which case, how far, and what its samples say so far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Self

from .benchmark import Benchmark, Case
from .measuring import spread
from .reports.figures import figure, remark
from .results import Result
from .running import Watcher

if TYPE_CHECKING:
    from rich.console import Console

    from krnlpy.device import Device

_PERIOD: Final = 0.2
"""Seconds between pictures. They are drawn between samples only, by the thread that takes them."""


class Display(Watcher):
    """Shows a run in a terminal while the ``with`` block is open.

    Args:
        console: of the terminal.
    """

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            *(TextColumn("{task.fields[device]}", markup=False), BarColumn(20), TimeElapsedColumn()),
            TextColumn("{task.description}", markup=False),
        )
        # A thread that draws would take its share of what is timed.
        self._progress = Progress(*columns, console=console, auto_refresh=False, transient=True)
        self._task: Any = None
        self._case: tuple[Benchmark, Case] | None = None
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin_device(self, device: Device, series: int) -> None:
        """Another line."""
        self._task = self._progress.add_task("", total=series, device=device.name)

    def begin_case(self, benchmark: Benchmark, case: Case) -> None:
        """Says which."""
        self._case = benchmark, case
        self._say(f"{benchmark.name} {case.label}: made ready and verified", at_once=True)

    def sampled(self, samples: Sequence[float]) -> None:
        """Says what the samples are so far."""
        assert self._case is not None  # samples are of a case
        benchmark, case = self._case
        seconds = median(samples)
        value = seconds / case.amount if benchmark.unit == "s" else case.amount / seconds
        found = f"{figure(value, benchmark.unit)}, spread {spread(samples):.1%} of {len(samples)} samples"
        self._say(f"{benchmark.name} {case.label}: {found}")

    def end_case(self, result: Result) -> None:
        """Prints what became of it."""
        said = figure(result.value, result.unit) if result.is_timed else ""
        parts = [part for part in (said, remark(result)) if part]
        line = f"{result.benchmark} {result.label}: {', '.join(parts)}"
        self._progress.console.print(line, markup=False, highlight=False, style="dim")

    def end_series(self) -> None:
        """Moves the bar."""
        self._progress.advance(self._task)
        self._progress.refresh()

    def _say(self, text: str, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._drawn >= _PERIOD:
            self._drawn = now
            self._progress.update(self._task, description=text)
            self._progress.refresh()
