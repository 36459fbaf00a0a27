"""What a terminal shows of a run."""

from __future__ import annotations

import io

from rich.console import Console

from krnlpy import Device
from krnlpy.bench import display
from krnlpy.bench.display import Display
from krnlpy.bench.running import Pace, run
from krnlpy.errors import MissingFeatures

from . import fakes


def test_a_run_is_shown() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=160)
    lacking = fakes.benchmark("lacking", [fakes.case(1, error=MissingFeatures("[red]no f64"))])
    with Display(console) as watcher:
        run(
            [Device.host()],
            [fakes.benchmark("fake", [fakes.case(1000)]), lacking],
            False,
            watcher,
            Pace(9, 0.01, 0.001),
        )
    shown = text.getvalue()
    for word in ("host", "fake 1000 bytes: 1 MB/s", "lacking 1 bytes: unsupported: [red]no f64", "verified"):
        assert word in shown


def test_it_is_drawn_between_samples_and_not_too_often(monkeypatch: object) -> None:
    text = io.StringIO()
    shown = Display(Console(file=text, force_terminal=True, width=160))
    benchmark = fakes.benchmark("fake", [fakes.case(1000)])
    with shown:
        assert shown._progress.live.auto_refresh is False
        shown.begin_device(Device.host(), 1)
        shown.begin_case(benchmark, fakes.case(1000))
        before = len(text.getvalue())
        for _ in range(100):
            shown.sampled([0.001])
        assert len(text.getvalue()) == before
        shown._drawn -= display._PERIOD
        shown.sampled([0.001, 0.001])
        assert "spread 0.0% of 2 samples" in text.getvalue()[before:]
