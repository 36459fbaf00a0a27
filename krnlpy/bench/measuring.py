"""How work is timed: warmed up, in samples that are long beside the clock, until they agree."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

MIN_SAMPLES: Final = 7
"""With so many, the least and the greatest hold the median between them with a confidence of 98 %."""
MAX_SAMPLES: Final = 200
STEADY: Final = 0.03
"""The spread of samples that agree."""
_CONFIDENCE: Final = 0.95
_UNTIMED: Final = 4
"""Samples before those that are kept: they find out how many iterations one has, and settle clocks."""


class Runner(ABC):
    """Work that is ready to run: everything is allocated and on its device."""

    @abstractmethod
    def run(self, iterations: int) -> None:
        """Does the work so many times. May return before the device is done."""

    def wait(self) -> None:  # noqa: B027 - on the host, nothing to wait for is the rule
        """Returns when the device is done."""

    def sample(self, iterations: int) -> float:
        """Seconds that so many iterations take, the wait for the device at their end included."""
        start = time.perf_counter()
        self.run(iterations)
        self.wait()
        return time.perf_counter() - start


@dataclass(frozen=True)
class Timing:
    """Seconds an iteration, one a sample."""

    iterations: int
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the samples took less."""
        return median(self.samples)

    @property
    def spread(self) -> float:
        """Of the samples: see :func:`spread`."""
        return spread(self.samples)


def spread(samples: Sequence[float]) -> float:
    """Half of the distance between the quartiles, relative to the median: about half of the samples are no further from
    it.

    >>> spread([10, 10, 10, 11, 9]), spread([1.0])
    (0.0, 0.0)
    """
    if len(samples) < 2:
        return 0.0
    first, middle, third = quantiles(samples, n=4, method="inclusive")
    return (third - first) / 2 / middle


def interval(samples: Sequence[float]) -> tuple[float, float]:
    """Between which two samples the median of all that could have been taken lies, with a confidence of 95 %.

    Nothing is assumed of how they are distributed, only that they are independent: how many of n are below the median
    is binomial. Of fewer than 6 samples, the least and the greatest, which are less sure.

    Source: W. J. Conover, Practical Nonparametric Statistics, 3rd edition, 1999, section 3.2.

    >>> interval([5, 3, 4, 1, 2]), interval(range(1, 21))
    ((1, 5), (6, 15))
    """
    ordered = sorted(samples)
    count, place, below = len(ordered), 0, 0.0
    for fewer in range(count // 2):
        below += math.comb(count, fewer) / 2.0**count
        if below > (1 - _CONFIDENCE) / 2:
            break
        place = fewer
    return ordered[place], ordered[count - 1 - place]


def ratio_interval(numerator: Sequence[float], denominator: Sequence[float]) -> tuple[float, float]:
    """Between which numbers the ratio of two medians lies, with a confidence of at least 90 %.

    >>> ratio_interval([2.0] * 9, [1.0] * 9)
    (2.0, 2.0)
    """
    (low, high), (least, most) = interval(numerator), interval(denominator)
    return low / most, high / least


def iterations_for(runner: Runner, seconds: float, most: int) -> int:
    """Iterations that make a sample of about so many seconds; finding out is the warm-up."""
    runner.sample(1)
    count = 1
    while True:
        taken = runner.sample(count)
        if taken >= seconds or count >= most:
            return count
        wanted = count * seconds / max(taken, 1e-9)
        # One short sample says little; no more than tenfold at once.
        count = max(count + 1, min(round(wanted * 1.1), 10 * count, most))


def _few(runner: Runner, first: float, limit: float, progress: Callable[[Sequence[float]], None]) -> Timing:
    """Samples of work that takes too long for more: of one iteration each. The first is left out where another fits."""
    samples: list[float] = []
    spent = first
    while len(samples) < MIN_SAMPLES and spent + first <= limit:
        samples.append(runner.sample(1))
        spent += samples[-1]
        progress(samples)
    return Timing(1, tuple(samples or [first]))


def measure(
    runner: Runner,
    sample_seconds: float,
    seconds: float,
    most_iterations: int,
    progress: Callable[[Sequence[float]], None] = lambda _: None,
    limit: float = math.inf,
) -> Timing:
    """Samples until their spread is below STEADY, the time is spent, or there are MAX_SAMPLES.

    Before them the work is done untimed until two samples in turn agree, or a quarter of the time is spent: clock rates
    settle.

    Args:
        runner: the work.
        sample_seconds: what a sample should last.
        seconds: to spend; at least MIN_SAMPLES samples are taken in any case.
        most_iterations: of a sample.
        progress: is told the samples so far.
        limit: seconds after which it ends, however few samples there are, but for one.
    """
    began = time.perf_counter()
    first = runner.sample(1)
    if first * (MIN_SAMPLES + _UNTIMED) > limit:
        return _few(runner, first, limit, progress)
    count = iterations_for(runner, sample_seconds, most_iterations)
    warm, last = 0.0, runner.sample(count)
    while warm < seconds / 4:
        now = runner.sample(count)
        warm += now
        if abs(now - last) <= STEADY * last:
            break
        last = now
    samples: list[float] = []
    spent = 0.0
    while len(samples) < MAX_SAMPLES:
        if len(samples) >= MIN_SAMPLES and (spread(samples) <= STEADY or spent >= seconds):
            break
        if samples and time.perf_counter() - began >= limit:
            break
        taken = runner.sample(count)
        spent += taken
        samples.append(taken / count)
        progress(samples)
    return Timing(count, tuple(samples))
