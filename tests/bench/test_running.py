"""A run: what is verified, what goes wrong, what there is no time for."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from krnlpy import Device
from krnlpy.bench import basics, benchmark, running, usage
from krnlpy.bench.benchmark import Peak
from krnlpy.bench.results import Result
from krnlpy.bench.running import Pace, Watcher, run
from krnlpy.errors import BenchmarkError, DeviceLost, LimitExceeded, MissingFeatures
from tests.support.tiers import deep

from . import fakes

PACE = Pace(100.0, 0.01, 0.001)


def results(*benchmarks: benchmark.Benchmark, pace: Pace = PACE, **more: Any) -> list[Result]:
    (device,) = run([Device.host()], benchmarks, pace=pace, **more).devices
    return list(device.results)


def test_an_error_does_not_end_the_others() -> None:
    errors = [
        (MissingFeatures("it has no f64"), "unsupported", "it has no f64"),
        (LimitExceeded("too large"), "unsupported", "too large"),
        (MemoryError("no memory"), "unsupported", "no memory"),
        (AssertionError("1 is\n not 2"), "wrong", "1 is not 2"),
        (DeviceLost("gone"), "failed", "DeviceLost: gone"),
        (ZeroDivisionError("by zero"), "failed", "ZeroDivisionError: by zero"),
    ]
    broken = [fakes.benchmark(f"b{i}", [fakes.case(1, error=error)]) for i, (error, *_) in enumerate(errors)]
    *found, last = results(*broken, fakes.benchmark("good", [fakes.case(1000)]))
    assert [(r.status, r.reason) for r in found] == [(status, reason) for _, status, reason in errors]
    assert not any(r.is_timed for r in found)
    assert last.status == "steady" and last.value == pytest.approx(1e6)


def test_what_cannot_be_opened_or_sampled_is_told() -> None:
    def refuse(_: Device) -> benchmark.Work:
        raise OSError("no")

    class Breaks(fakes.Pretended):
        def sample(self, iterations: int) -> float:
            raise KeyError("x")

    found = results(fakes.failing("a", refuse), fakes.failing("b", lambda device: Breaks(device, 1.0)))
    assert [(r.status, r.reason) for r in found] == [("failed", "OSError: no"), ("failed", "KeyError: 'x'")]


def test_a_series_ends_with_what_there_is_no_time_for() -> None:
    cases = [fakes.case(10**n, seconds=1e-3 * 10**n) for n in range(6)]
    found = results(fakes.benchmark("a", cases), pace=Pace(2.0, 0.01, 0.001))
    assert [r.status for r in found] == ["steady", "steady", "steady", "no time"]
    assert "it would take about" in found[-1].reason
    later = results(fakes.benchmark("a", cases), pace=Pace(0.0, 0.01, 0.001))
    assert [r.status for r in later] == ["no time"]


def test_a_series_ends_with_what_the_device_cannot_do() -> None:
    cases = [fakes.case(1), fakes.case(2, error=MissingFeatures("no")), fakes.case(3)]
    assert [r.status for r in results(fakes.benchmark("a", cases))] == ["steady", "unsupported"]


def test_shares_are_of_the_peak_of_the_nearest_size() -> None:
    peaks = fakes.benchmark("copy", [fakes.case(1000, 1e-3), fakes.case(64000, 1e-1)])
    work = [fakes.case(900, 1e-3, peak=Peak("copy", {"bytes": 900})), fakes.case(32, 1e-4, peak=Peak("none", {}))]
    *_, near, without = results(peaks, fakes.benchmark("saxpy", work))
    assert near.share == pytest.approx(0.9) and near.peak == "copy 1000 bytes"
    assert without.share is None and without.peak == ""


def test_a_quick_run_leaves_out_what_is_not_quick() -> None:
    slow = fakes.benchmark("slow", [fakes.case(1)], is_quick=False)
    good = fakes.benchmark("good", [fakes.case(1)])
    assert [r.benchmark for r in results(slow, good, is_quick=True)] == ["good"]
    assert [r.benchmark for r in results(slow, good)] == ["slow", "good"]
    with pytest.raises(BenchmarkError, match="nothing to run"):
        run([Device.host()], [slow], is_quick=True)
    with pytest.raises(BenchmarkError, match="interpreter"):
        run([Device.interpreter()], [good])


def test_a_busy_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "machine", lambda: {**fakes.MACHINE, "load": 9.5})  # its own, of a run before
    monkeypatch.setattr(running, "is_on_battery", lambda: True)
    monkeypatch.setattr(usage.Watch, "others", lambda _: 1.25)
    report = run([Device.host()], [fakes.benchmark("good", [fakes.case(1)])], pace=PACE)
    busy, battery, others = report.warnings
    assert "took 1.2 of 4 processors" in busy and "battery" in battery and "1.2 processors" in others


class Slowing(fakes.Pretended):
    """Takes longer each time that it is made ready."""

    made = 0

    def __init__(self, device: Device, by: float) -> None:
        super().__init__(device, 0.001 * by**Slowing.made)
        Slowing.made += 1


@pytest.mark.parametrize(("by", "others", "is_told"), [(1.3, 0.0, True), (1.02, 0.0, False), (1.3, 1.5, False)])
def test_a_device_that_becomes_slower_is_told(
    by: float, others: float, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Slowing, "made", 0)
    monkeypatch.setattr(usage.Watch, "others", lambda _: others)
    work = replace(fakes.failing("work", lambda device: Slowing(device, by)), unit="FLOP/s")
    report = run([Device.host()], [work], pace=PACE)
    assert any("became slower" in warning for warning in report.warnings) is is_told
    (device,) = report.devices
    assert device.slower == (None if others else pytest.approx(by, rel=1e-3))


def test_a_watcher_is_told() -> None:
    seen: list[str] = []

    class Seeing(Watcher):
        def begin_device(self, device: Device, series: int) -> None:
            seen.append(f"{device.name}: {series}")

        def begin_case(self, benchmark: benchmark.Benchmark, case: benchmark.Case) -> None:
            seen.append(benchmark.name)

        def end_case(self, result: Result) -> None:
            seen.append(result.status)

        def end_series(self) -> None:
            seen.append("end")

    results(fakes.benchmark("a", [fakes.case(1)], [fakes.case(2)]), watcher=Seeing())
    assert seen == ["host: 2", "a", "steady", "end", "a", "steady", "end"]


def _points(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    points = [EntryPoint(f"p{i}", value, benchmark.GROUP) for i, value in enumerate(values)]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points)


MORE = (fakes.benchmark("more", [fakes.case(1)]),)
TWICE = (fakes.benchmark("copy", [fakes.case(1)]),)
WRONG = ("no benchmark",)


def test_packages_add_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    _points(monkeypatch, f"{__name__}:MORE")
    every = benchmark.benchmarks()
    assert [b.name for b in every] == [*(b.name for b in basics.BASICS), "more"]
    assert [b.name for b in benchmark.chosen(["more", "copy"], every)] == ["copy", "more"]
    with pytest.raises(BenchmarkError, match="no benchmark is called 'less'; there are: copy, "):
        benchmark.chosen(["less"], every)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:X", "p0 .*ModuleNotFoundError"),
        (f"{__name__}:NOTHING", "AttributeError"),
        (f"{__name__}:TWICE", "two benchmarks are called 'copy'"),
        (f"{__name__}:WRONG", "has a str"),
    ],
)
def test_packages_that_cannot_be_loaded_are_named(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _points(monkeypatch, value)
    with pytest.raises(BenchmarkError, match=message):
        benchmark.benchmarks()


@deep
def test_basics_on_a_device(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every result is right, and each is timed or says what the device lacks."""
    monkeypatch.setattr(basics, "BYTES", basics.BYTES[:1])
    monkeypatch.setattr(basics, "CHAIN_ITEMS", (1 << 10,))
    if device.info.kind == "interpreter":
        pytest.skip("it has no benchmarks")
    (found,) = run([device], basics.BASICS, pace=Pace(100.0, 0.001, 0.0001)).devices
    lacking = ("float", "cooperative matrices")
    bad = [r for r in found.results if not r.is_timed and not any(word in r.reason for word in lacking)]
    assert bad == []
    assert {r.benchmark for r in found.results} == {b.name for b in basics.BASICS}
