"""How samples are taken and judged, with work that only pretends to take time."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable, Iterator
from statistics import median

import pytest

from krnlpy.bench import measuring
from krnlpy.bench.measuring import MAX_SAMPLES, MIN_SAMPLES, STEADY, interval, measure, ratio_interval, spread


class Fake(measuring.Runner):
    """Takes as long as it is told, an iteration."""

    def __init__(self, seconds: Iterable[float]) -> None:
        self.seconds: Iterator[float] = iter(seconds)
        self.counts: list[int] = []

    def run(self, iterations: int) -> None:
        raise AssertionError("the fake has its own sample()")

    def sample(self, iterations: int) -> float:
        self.counts.append(iterations)
        return iterations * next(self.seconds)


def test_steady_work_is_sampled_as_often_as_must_be() -> None:
    fake = Fake(itertools.repeat(0.001))
    timing = measure(fake, 0.01, 1.0, 1000)
    assert len(timing.samples) == MIN_SAMPLES
    assert timing.median == pytest.approx(0.001) and timing.spread == pytest.approx(0, abs=1e-9)
    assert 10 <= timing.iterations <= 12


def test_restless_work_is_sampled_until_the_time_is_spent() -> None:
    timing = measure(Fake(itertools.cycle([0.01, 0.02, 0.03])), 0.01, 1.0, 1)
    assert timing.spread > STEADY
    assert 1.0 <= sum(timing.samples) < 1.04
    assert len(measure(Fake(itertools.cycle([1e-4, 2e-4])), 0.0, 1.0, 1).samples) == MAX_SAMPLES


def test_clocks_settle_before_anything_is_kept() -> None:
    """The first samples take ever less time, as on a device that wakes up."""
    falling = [0.001 * (1 + 2.0**-n) for n in range(8)]
    timing = measure(Fake(itertools.chain(falling, itertools.repeat(0.001))), 0.001, 1.0, 1)
    assert max(timing.samples) < 0.001 * (1 + STEADY)
    # It ends, too, where they never agree.
    doubling = Fake(0.001 * 2.0**n for n in itertools.count())
    measure(doubling, 0.001, 0.01, 1)
    assert len(doubling.counts) < 20


def test_a_sample_has_no_more_iterations_than_allowed() -> None:
    fake = Fake(itertools.repeat(1e-6))
    assert measure(fake, 0.1, 0.01, 32).iterations == 32 and max(fake.counts) == 32


def test_what_takes_long_has_few_samples() -> None:
    fake = Fake(itertools.chain([5.0], itertools.repeat(3.0)))
    timing = measure(fake, 0.01, 1.0, 1000, limit=20.0)
    assert (timing.iterations, timing.samples) == (1, (3.0, 3.0, 3.0, 3.0))
    assert measure(Fake(itertools.repeat(30.0)), 0.01, 1.0, 1000, limit=20.0).samples == (30.0,)


def test_what_becomes_slow_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    class Slow(Fake):
        def sample(self, iterations: int) -> float:
            taken = super().sample(iterations)
            clock[0] += taken
            return taken

    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    timing = measure(Slow(itertools.chain([0.01] * 4, itertools.repeat(5.0))), 0.01, 1.0, 1, limit=12.0)
    assert 1 <= len(timing.samples) < MIN_SAMPLES and clock[0] < 25


def test_progress_is_told() -> None:
    seen: list[int] = []
    measure(Fake(itertools.repeat(0.001)), 0.001, 1.0, 1, lambda samples: seen.append(len(samples)))
    assert seen == list(range(1, MIN_SAMPLES + 1))


def test_spread() -> None:
    # The quartiles of 1..101 are 26 and 76, the median is 51.
    assert spread([*range(1, 102)]) == pytest.approx(25 / 51)
    assert spread([3.0]) == 0 and spread([2.0, 2.0]) == 0


def test_the_interval_has_the_median_as_often_as_it_says() -> None:
    """Of 2,000 draws 95 %, less 5 standard deviations; of a one-sided and of a wild distribution."""
    generator = random.Random(0)
    for draw in (lambda: generator.expovariate(1.0), lambda: generator.gauss(0, 1) ** 3 + 10):
        true = median(draw() for _ in range(100_001))
        for count in (MIN_SAMPLES, 20):
            hits = 0
            for _ in range(2000):
                low, high = interval([draw() for _ in range(count)])
                hits += low <= true <= high
            assert hits >= 2000 * 0.95 - 5 * (2000 * 0.95 * 0.05) ** 0.5


def test_the_interval_becomes_narrower() -> None:
    generator = random.Random(1)
    few, many = ([generator.gauss(1, 0.1) for _ in range(count)] for count in (10, 200))
    widths = [high - low for low, high in map(interval, (few, many))]
    assert widths[1] < widths[0] / 2


def test_ratios() -> None:
    low, high = ratio_interval([2.0, 2.1, 2.2, 2.0, 2.1, 2.2, 2.1], [1.0] * 7)
    assert (low, high) == (2.0, 2.2)
    low, high = ratio_interval([1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0], [1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0])
    assert low < 1 < high
