"""A run: every device does every benchmark, verified before it is timed, within the time that there is."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

from krnlpy import __version__
from krnlpy.device import Device
from krnlpy.errors import (
    BenchmarkError,
    CompilerUnavailable,
    DeviceLost,
    DtypeError,
    LimitExceeded,
    MissingFeatures,
)

from .benchmark import Benchmark, Case, Peak, Work
from .machine import BUSY_OTHERS, is_on_battery, machine, versions
from .measuring import MIN_SAMPLES, STEADY, Timing, measure, ratio_interval
from .results import DeviceResults, Report, Result, Status
from .sensors import Sensors
from .usage import Watch

_LACKING: Final = (MissingFeatures, LimitExceeded, CompilerUnavailable, DtypeError, MemoryError)
"""What says that a device, or its memory, is not made for a case."""

_FIXED: Final = 0.3
"""Seconds of what it takes to make work ready that do not grow with it: compilation."""
_SLOWED: Final = 1.05
"""Times as long as at the start: what clocks that fell make of the same work at the end."""
LOOKED: Final = 0.5
"""Seconds before a run for which it is watched who else uses the processors."""
_USUAL: Final = 0.05
"""Of the greatest rate of arithmetic: what work has that nobody has measured yet."""


@dataclass(frozen=True)
class Pace:
    """How much time a run takes; all are seconds.

    Attributes:
        device: for all benchmarks of a device.
        case: for the samples of a case that is not steady before.
        sample: what one lasts at least.
    """

    device: float
    case: float
    sample: float


FULL: Final = Pace(170.0, 2.0, 0.05)
QUICK: Final = Pace(26.0, 0.5, 0.01)
# A prediction may be wrong by a case: with it, three minutes and half a minute.


class Watcher:
    """Is told what happens, to show it."""

    def begin_device(self, device: Device, series: int) -> None:
        """The next device, which has so many series of cases."""

    def begin_case(self, benchmark: Benchmark, case: Case) -> None:
        """A case is made ready and verified."""

    def sampled(self, samples: Sequence[float]) -> None:
        """The case has one more sample."""

    def end_case(self, result: Result) -> None:
        """What became of it."""

    def end_series(self) -> None:
        """What the device has time for of a series is done."""


def run(
    devices: Sequence[Device],
    benchmarks: Sequence[Benchmark],
    is_quick: bool = False,
    watcher: Watcher | None = None,
    pace: Pace | None = None,
) -> Report:
    """Runs benchmarks on devices. What goes wrong in one does not end the others.

    Args:
        devices: in order.
        benchmarks: in order; those that are not for a quick run are left out of one.
        is_quick: take less time.
        watcher: is told what happens.
        pace: how long it may take; None for that of a full, or of a quick run.

    Raises:
        BenchmarkError: there is nothing to run, or a device is the interpreter.
    """
    if is_quick:
        benchmarks = [benchmark for benchmark in benchmarks if benchmark.is_quick]
    if not devices or not benchmarks:
        raise BenchmarkError("there is nothing to run: no device, or no benchmark that a quick run has")
    if any(device.info.kind == "interpreter" for device in devices):
        raise BenchmarkError("the interpreter shows what is right, not what is fast: it has no benchmarks")
    before, date = {**machine(), "others": _others()}, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    pace = pace or (QUICK if is_quick else FULL)
    measured = [_Run(device, pace, watcher or Watcher()).all_of(benchmarks) for device in devices]
    warnings = [
        *_warnings_of_machine(before),
        *(warning for device in measured for warning in _warnings_of_device(device)),
    ]
    return Report(date, is_quick, __version__, before, versions(), tuple(warnings), tuple(measured))


def measured_on(
    device: Device, benchmarks: Sequence[Benchmark], pace: Pace, watcher: Watcher | None = None
) -> DeviceResults:
    """What a device alone makes of benchmarks.

    Raises:
        BenchmarkError: it is the interpreter.
    """
    if device.info.kind == "interpreter":
        raise BenchmarkError("the interpreter shows what is right, not what is fast: it has no benchmarks")
    return _Run(device, pace, watcher or Watcher()).all_of(benchmarks)


class _Run:
    """What a device does."""

    def __init__(self, device: Device, pace: Pace, watcher: Watcher) -> None:
        self._device, self._pace, self._watcher = device, pace, watcher
        self._results: list[tuple[Result, Peak | None]] = []
        self._end = self._longest = 0.0
        self._sensors = Sensors(device.info)
        self._first: tuple[Case, Timing] | None = None

    def all_of(self, benchmarks: Sequence[Benchmark]) -> DeviceResults:
        """All series, each in its share of the time that is left."""
        began = time.perf_counter()
        self._end = began + self._pace.device
        series = [(benchmark, cases) for benchmark in benchmarks for cases in benchmark.series()]
        self._watcher.begin_device(self._device, len(series))
        try:
            for place, (benchmark, cases) in enumerate(series):
                left = self._end - time.perf_counter()
                self._one_series(benchmark, cases, left / (len(series) - place))
                self._watcher.end_series()
            slower = self._slower()
        finally:
            conditions = self._sensors.stop()
        info = self._device.info
        results = [result for result, _ in self._results]
        return DeviceResults(
            *(info.index, info.name, info.kind, info.backend, info.vendor, info.driver, info.api_version),
            info.memory_bytes,
            round(time.perf_counter() - began, 3),
            tuple(_with_share(result, peak, results) for result, peak in self._results),
            conditions,
            slower,
        )

    def _one_series(self, benchmark: Benchmark, cases: Sequence[Case], seconds: float) -> None:
        """The cases, as long as the next one is likely to be done in time."""
        end = time.perf_counter() + seconds
        last: tuple[Case, float, float] | None = None
        for case in cases:
            left = end - time.perf_counter()
            needed = self._guess(benchmark, case) if last is None else _prediction(case, *last, self._pace)
            # A series that has its first case alone says more than a case more of another.
            limit = left if last else max(left, (self._end - time.perf_counter()) / 2)
            if limit < needed or seconds <= 0:
                reason = f"it would take about {needed:.2g} s" if needed else "the run's time was over"
                self._note(benchmark, case, "no time", reason)
                return
            self._watcher.begin_case(benchmark, case)
            result, ready = self._one(benchmark, case, limit, seconds / len(cases))
            if not result.is_timed:
                return
            last = case, ready, median(result.samples)
            self._longest = max(self._longest, ready)

    def _guess(self, benchmark: Benchmark, case: Case) -> float:
        """Seconds that the first case of a series takes, by what the device has shown so far; 0 if that is unknown."""
        flops = case.flops or (case.amount if benchmark.unit == "FLOP/s" else 0.0)
        rates = [r.value for r, _ in self._results if r.is_timed and r.unit == "FLOP/s"]
        if not flops or not rates:
            return 0.0
        iteration = flops / (_USUAL * max(rates))
        return max(_FIXED, self._longest) + (MIN_SAMPLES + 8) * max(self._pace.sample, iteration)

    def _one(self, benchmark: Benchmark, case: Case, limit: float, share: float) -> tuple[Result, float]:
        """A case: made ready, verified, timed; and how many seconds the first two took.

        Args:
            benchmark: that it is of.
            case: what is done.
            limit: seconds that it may take in all.
            share: seconds that it may take where it is not steady before.
        """
        began = time.perf_counter()
        try:
            work = case.open(self._device)
            work.verify()
        except AssertionError as error:
            return self._note(benchmark, case, "wrong", str(error)), 0.0
        except _LACKING as error:
            return self._note(benchmark, case, "unsupported", str(error)), 0.0
        except Exception as error:
            return self._failed(benchmark, case, error), 0.0
        ready, watch = time.perf_counter() - began, Watch()
        try:
            seconds = min(self._pace.case, share)
            timing = self._timed(work, case, seconds, self._watcher.sampled, max(limit - ready, seconds))
        except Exception as error:
            return self._failed(benchmark, case, error), 0.0
        others, reason = watch.others(), ""
        status: Status = "steady"
        if timing.spread > STEADY:
            status = "not steady"
            if others is not None and others > BUSY_OTHERS:
                reason = f"others took {others:.1f} processors"
        if len(timing.samples) < MIN_SAMPLES:
            count = len(timing.samples)
            status, reason = "not steady", f"there was time for {count} sample{'' if count == 1 else 's'}"
        if self._first is None and benchmark.unit == "FLOP/s":
            self._first = case, timing
        return self._note(benchmark, case, status, reason, timing.iterations, timing.samples, others), ready

    def _timed(
        self,
        work: Work,
        case: Case,
        seconds: float,
        progress: Callable[[Sequence[float]], None] = lambda _: None,
        limit: float = math.inf,
    ) -> Timing:
        with self._sensors.timing():
            return measure(work, self._pace.sample, seconds, case.most_iterations, progress, limit)

    def _slower(self) -> float | None:
        """How many times as long the first work that is bound by arithmetic takes now, at the least.

        None where it was not done, fails, or others used the processors.
        """
        if self._first is None or time.perf_counter() > self._end:
            return None
        case, before = self._first
        watch = Watch()
        try:
            now = self._timed(case.open(self._device), case, self._pace.case / 4)
        except Exception:
            return None  # it was done before: what is wrong now is told of other cases
        others = watch.others()
        if others is not None and others > BUSY_OTHERS:
            return None
        return round(ratio_interval(now.samples, before.samples)[0], 3)

    def _failed(self, benchmark: Benchmark, case: Case, error: Exception) -> Result:
        if isinstance(error, DeviceLost):
            self._device = Device(self._device.info)  # opened anew
        return self._note(benchmark, case, "failed", f"{type(error).__name__}: {error}")

    def _note(
        self,
        benchmark: Benchmark,
        case: Case,
        status: Status,
        reason: str,
        iterations: int = 0,
        samples: tuple[float, ...] = (),
        others: float | None = None,
    ) -> Result:
        result = Result(
            *(benchmark.name, benchmark.revision, case.configuration, status, benchmark.unit, case.amount),
            " ".join(reason.split())[:1000],
            iterations,
            samples,
            others,
        )
        self._results.append((result, case.peak))
        self._watcher.end_case(result)
        return result


def _prediction(case: Case, last: Case, ready: float, iteration: float, pace: Pace) -> float:
    """Seconds that a case takes, by those of the one before it: to be made ready and verified, and to be timed."""
    growth = case.flops / last.flops if case.flops and last.flops else case.amount / last.amount
    samples = MIN_SAMPLES + 4  # with those that find out how many iterations one has
    fixed = min(ready, _FIXED)
    return fixed + (ready - fixed) * growth + samples * max(pace.sample, iteration * growth)


def _with_share(result: Result, peak: Peak | None, results: Sequence[Result]) -> Result:
    """A result as a share of what the device did at most."""
    if peak is None or not result.is_timed:
        return result
    others = {name: value for name, value in peak.configuration.items() if name != "bytes"}
    candidates = [
        other
        for other in results
        if other.is_timed
        and (other.benchmark, other.unit) == (peak.benchmark, result.unit)
        and others.items() <= other.configuration.items()
    ]
    if not candidates:
        return _with_share(result, peak.otherwise, results)
    wanted = int(peak.configuration.get("bytes", 0))
    # Of those of other sizes the nearest, else the fastest.
    best = min(candidates, key=lambda found: (abs(int(found.configuration.get("bytes", 0)) - wanted), -found.value))
    return replace(result, share=result.value / best.value, peak=f"{best.benchmark} {best.label}")


def _others() -> float | None:
    """Processors that others use while this process does nothing. The load of a system tells less: it counts what this
    process did in the last minutes, such as a run before."""
    watch = Watch()
    time.sleep(LOOKED)
    others = watch.others()
    return None if others is None else round(others, 2)


def _warnings_of_machine(before: Mapping[str, Any]) -> list[str]:
    found = []
    if (before["others"] or 0) > BUSY_OTHERS:
        found.append(
            f"The machine was busy before the start: other processes took {before['others']:.1f} of {before['cores']}"
            " processors."
        )
    if is_on_battery():
        found.append("A battery drives the machine: it may be slower than at the mains, and slow down.")
    return found


def _warnings_of_device(device: DeviceResults) -> list[str]:
    found = []
    if device.kind == "cpu":
        found.append(f"{device.name} is a driver that runs on the CPU: its figures say nothing of any GPU.")
    if device.slower is not None and device.slower > _SLOWED:
        found.append(
            f"{device.label} became slower while it was measured: what it did first took {device.slower:.2f} times as"
            " long at the end. Its clock fell, as a device's does that is hot or draws too much power."
        )
    worst = max((result for result in device.results if result.others), key=lambda r: r.others or 0, default=None)
    if worst is not None and (worst.others or 0) > BUSY_OTHERS:
        found.append(
            f"Other processes took up to {worst.others:.1f} processors while {device.label} was measured"
            f" ({worst.benchmark} {worst.label})."
        )
    return found
