"""Finding the fastest of several ways to launch a kernel: all must compute the same; then they are measured in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.backend.timing import Clock, Span, Timer
from krnlpy.buffers.buffer import Buffer
from krnlpy.errors import DriverDefect, LimitExceeded, MissingFeatures, TuningError
from krnlpy.views import strides as views

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.signature import ParameterSpec

_LEAST_ROUNDS, _MOST_ROUNDS = 3, 50
_SLOWER = 1.5
"""A configuration whose best time is so many times the best median has lost."""
_PRECISION = 0.02
"""Of a median, relative to it, at which there is nothing left to find out."""

Launch = Callable[[tuple[Any, ...]], None]


@dataclass(frozen=True)
class Trial:
    """What was found out about a configuration.

    Attributes:
        seconds: median of its times; None where it was not measured.
        count: of the times.
        reason: why the device can't run it, or "".
    """

    config: Mapping[str, Any]
    seconds: float | None = None
    count: int = 0
    reason: str = ""


@dataclass(frozen=True)
class TuningResult:
    """The choice among configurations, and what it was made by.

    Attributes:
        config: the one chosen.
        trials: of each configuration, in order; empty where nothing was measured.
        clock: ``device`` if the times are the device's own.

    >>> from krnlpy import Buffer, ItemMut, autotune, f32, kernel
    >>> @autotune([{"threads": 64}, {"threads": 256}], seconds=0.01)
    ... @kernel
    ... def double(x: ItemMut[f32]):
    ...     x *= 2.0
    >>> result = double.tune(Buffer.ones(1000))
    >>> [(trial.config["threads"], trial.count > 0) for trial in result.trials]
    [(64, True), (256, True)]
    >>> result.config in ({"threads": 64}, {"threads": 256})
    True
    """

    config: Mapping[str, Any]
    trials: tuple[Trial, ...] = ()
    clock: Clock = "host"

    def __post_init__(self) -> None:
        if not isinstance(self.config, Mapping):
            raise TuningError(f"a result with the configuration {self.config!r}: expected one by names, as a dict")
        if not isinstance(self.trials, tuple) or not all(isinstance(trial, Trial) for trial in self.trials):
            raise TuningError("a result has a tuple of trials: krnlpy makes it where a kernel is tuned")

    def __str__(self) -> str:
        """A line for each configuration."""
        lines = []
        for trial in self.trials:
            mark = "*" if trial.config == self.config else " "
            found = trial.reason or "not measured"
            if trial.seconds is not None:
                found = f"{1e6 * trial.seconds:12.1f} us, median of {trial.count}"
            lines.append(f"{mark} {described(trial.config)}: {found}")
        return "\n".join(lines) or f"* {described(self.config)}: not measured"


def described(config: Mapping[str, Any]) -> str:
    """A configuration in words: ``TILE=16, threads=(16, 16)``."""
    return ", ".join(f"{name}={value}" for name, value in config.items()) or "no changes"


class ArgumentCopies:
    """Arguments of a launch in which all memory that the kernel may write is replaced by copies.

    The copies take as many bytes as the buffers that are written span, and lie as these lie: what shares memory goes on
    sharing it.

    Attributes:
        arguments: to launch with.
        written: names and buffers of what the kernel may write.
    """

    def __init__(self, parameters: Sequence[ParameterSpec], arguments: Sequence[Any]) -> None:
        buffers = [a for a in arguments if isinstance(a, Buffer) and a.memory is not None]
        mutable = {
            id(a.memory)
            for p, a in zip(parameters, arguments, strict=True)
            if isinstance(a, Buffer) and p.mutable and a.memory is not None
        }
        ranges: dict[int, tuple[Any, int, int]] = {}
        for buffer in buffers:
            memory = buffer.memory
            if id(memory) in mutable:
                facts = views.facts(buffer.shape, buffer.strides)
                begin, end = ((buffer.offset + place) * buffer.dtype.size for place in (facts.low, facts.high))
                _, first, last = ranges.get(id(memory), (memory, begin, end))
                ranges[id(memory)] = memory, min(first, begin) // 16 * 16, max(last, end)
        self._backend = buffers[0].device.backend if buffers else None
        self._copies = {
            key: (memory, begin, self._backend.allocate(end - begin), end - begin)
            for key, (memory, begin, end) in ranges.items()
            if self._backend is not None
        }
        self.arguments = tuple(self._copied(a) for a in arguments)
        self.written = [
            (p.name, a) for p, a in zip(parameters, self.arguments, strict=True) if isinstance(a, Buffer) and p.mutable
        ]

    def _copied(self, argument: Any) -> Any:
        if not isinstance(argument, Buffer) or id(argument.memory) not in self._copies:
            return argument
        _, begin, copy, _ = self._copies[id(argument.memory)]
        offset = argument.offset - begin // argument.dtype.size
        return Buffer(argument.device, argument.dtype, copy, argument.shape, argument.strides, offset)

    def restore(self) -> None:
        """Gives the copies the values of what they are copies of."""
        if self._backend is not None:
            for memory, begin, copy, nbytes in self._copies.values():
                self._backend.copy(memory, begin, copy, 0, nbytes)

    def values(self) -> list[np.ndarray[Any, Any]]:
        """What is written, downloaded."""
        return [buffer.numpy() for _, buffer in self.written]


@dataclass(frozen=True)
class Tolerance:
    """How much results of floats may differ: by ``atol + rtol * abs(value)``. Both 0: not by a bit."""

    rtol: float = 0.0
    atol: float = 0.0


def fastest(
    kernel: str,
    configs: Sequence[Mapping[str, Any]],
    launches: Sequence[Launch],
    copies: ArgumentCopies,
    varied: ArgumentCopies | None,
    timer: Timer,
    tolerance: Tolerance,
    seconds: float,
    budget: float | None,
) -> TuningResult:
    """Runs each configuration, compares what they compute, and measures them in turn.

    In turn, round after round, so that a device that changes its clock rate does so for all. A configuration that has
    lost takes no part in further rounds; they end when the medians are known well, or the time is up.

    Args:
        varied: the arguments with other numbers, where they have too few to tell configurations apart by.
        seconds: to measure for at most, beside compiling each configuration and running it once; at least one round is
            measured.
        budget: seconds for everything; configurations that are not compiled by then are left out. None: no end.

    Raises:
        TuningError: two configurations computed different values.
        LimitExceeded: the device can run none of them.
    """
    end = None if budget is None else perf_counter() + budget
    reasons = _checked(kernel, configs, launches, [copies, *([varied] if varied else [])], tolerance, end)
    running = [i for i, reason in enumerate(reasons) if not reason]
    if not running:
        listed = "; ".join(f"{described(c)}: {r}" for c, r in zip(configs, reasons, strict=True))
        raise LimitExceeded(f"{kernel}: the device can run none of its {len(configs)} configurations: {listed}")
    if end is not None:
        seconds = min(seconds, max(end - perf_counter(), 0.0))
    times = _measured(running, launches, copies, timer, seconds)
    medians = {i: median(found) for i, found in times.items() if found}
    best = min(medians, key=lambda i: medians[i])
    trials = [
        Trial(MappingProxyType(dict(config)), medians.get(i), len(times.get(i, ())), reasons[i])
        for i, config in enumerate(configs)
    ]
    return TuningResult(trials[best].config, tuple(trials), timer.clock)


def _checked(
    kernel: str,
    configs: Sequence[Mapping[str, Any]],
    launches: Sequence[Launch],
    inputs: Sequence[ArgumentCopies],
    tolerance: Tolerance,
    end: float | None,
) -> list[str]:
    """For each configuration "", or why it is left out. The first that runs says what is right for each input."""
    reasons = []
    first: Mapping[str, Any] | None = None
    right: list[list[np.ndarray[Any, Any]]] = []
    for config, launch in zip(configs, launches, strict=True):
        if first is not None and end is not None and perf_counter() >= end:
            reasons.append("the budget was used up before its turn")
            continue
        try:
            results = [_result(launch, copies) for copies in inputs]
        except (DriverDefect, LimitExceeded, MissingFeatures) as error:
            reasons.append(str(error))
            continue
        reasons.append("")
        if first is None:
            first, right = config, results
            continue
        for place, (copies, expected, found) in enumerate(zip(inputs, right, results, strict=True)):
            if difference := _difference_of_all(copies, expected, found, tolerance):
                numbers = ", with random numbers in place of equal ones" if place else ""
                raise TuningError(
                    f"{kernel}: its configurations disagree: {described(first)} and {described(config)} compute"
                    f" different values of {difference}{numbers}. If that is the rounding of floats, rtol= and atol="
                    " of autotune say how much is right; else one of them is wrong"
                )
    return reasons


def _result(launch: Launch, copies: ArgumentCopies) -> list[np.ndarray[Any, Any]]:
    copies.restore()
    launch(copies.arguments)
    return copies.values()


def _difference_of_all(
    copies: ArgumentCopies,
    expected: Sequence[np.ndarray[Any, Any]],
    found: Sequence[np.ndarray[Any, Any]],
    tolerance: Tolerance,
) -> str:
    """The first buffer that differs, and how; or ""."""
    for (name, _), a, b in zip(copies.written, expected, found, strict=True):
        if difference := _difference(a, b, tolerance):
            return f"{name}, {difference}"
    return ""


def _difference(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], tolerance: Tolerance) -> str:
    if not (tolerance.rtol or tolerance.atol) or a.dtype.kind in "iub":
        size = a.dtype.itemsize
        equal = a.view(f"u{size}") == b.view(f"u{size}")
    else:
        wide, other = a.astype(np.float64), b.astype(np.float64)
        with np.errstate(all="ignore"):
            equal = np.abs(wide - other) <= tolerance.atol + tolerance.rtol * np.abs(wide)
        equal |= (wide == other) | (np.isnan(wide) & np.isnan(other))
    if equal.all():
        return ""
    at = tuple(map(int, np.argwhere(~equal)[0]))
    return f"{np.count_nonzero(~equal)} of {equal.size} elements, the first at {at}: {a[at]} and {b[at]}"


def _measured(
    running: list[int], launches: Sequence[Launch], copies: ArgumentCopies, timer: Timer, seconds: float
) -> dict[int, list[float]]:
    times: dict[int, list[float]] = {i: [] for i in running}
    end = perf_counter() + seconds
    for done in range(1, _MOST_ROUNDS + 1):
        spans: dict[int, Span] = {}
        for i in running:
            copies.restore()
            spans[i] = timer.time(partial(launches[i], copies.arguments))
        timer.finish()
        for i, span in spans.items():
            times[i].append(span.seconds)
        if perf_counter() >= end or len(times) == 1:
            break
        if done >= _LEAST_ROUNDS:
            best = min(median(times[i]) for i in running)
            running = [i for i in running if min(times[i]) <= _SLOWER * best]
            if len(running) == 1 or all(_is_known(times[i]) for i in running):
                break
    return times


def _is_known(times: list[float]) -> bool:
    """Whether more times would hardly move the median: by its standard error, estimated from the median deviation."""
    middle = median(times)
    deviation = median(abs(time - middle) for time in times)
    # 1.4826: from a median deviation to a standard one; 1.2533: from a mean's standard error to a median's.
    return 1.4826 * 1.2533 * deviation <= _PRECISION * middle * float(np.sqrt(len(times)))
