"""What a benchmark is, and which there are: krnlpy's own, and those that installed packages name."""

from __future__ import annotations

import importlib.metadata
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from krnlpy.errors import BenchmarkError

from .measuring import Runner
from .results import described

if TYPE_CHECKING:
    from krnlpy.device import Device

GROUP: Final = "krnlpy.benchmarks"
"""Of entry points: each names a sequence of benchmarks."""

Configuration = Mapping[str, str | int]
"""Sizes, types and the like, by name."""


class Work(Runner):
    """Work that is ready to run on a device, and can tell whether it is done rightly.

    Args:
        device: where it runs.
    """

    def __init__(self, device: Device) -> None:
        self.device = device

    @abstractmethod
    def verify(self) -> None:
        """Does the work once. Called before anything is timed.

        Raises:
            AssertionError: the result is not that of the reference; as functions of ``numpy.testing`` raise it.
        """

    def wait(self) -> None:
        """Returns when the device is done."""
        self.device.wait()


@dataclass(frozen=True)
class Peak:
    """What the device did at most, that a figure is a share of: a case of another benchmark, which names it.

    Attributes:
        benchmark: its name.
        configuration: of the case; where ``bytes`` differ, the nearest is meant.
        otherwise: the peak that is meant where this one was not measured.
    """

    benchmark: str
    configuration: Configuration
    otherwise: Peak | None = None


@dataclass(frozen=True)
class Case:
    """Work in one configuration.

    Attributes:
        configuration: what is special about it. Together with the benchmark's name and revision it says what can be
            compared.
        amount: what an iteration does, in the benchmark's unit: bytes, floating-point operations, images.
        open: makes it ready on a device. Raises krnlpy's errors where the device cannot do it.
        peak: what its rate is a share of.
        most_iterations: of a sample.
        flops: of an iteration, where ``amount`` is something else and does not tell how long one takes. By it, or by an
            amount of the unit ``FLOP/s``, it is guessed how long the first case of a series takes.
    """

    configuration: Configuration
    amount: float
    open: Callable[[Device], Work]
    peak: Peak | None = None
    most_iterations: int = 10_000
    flops: float = 0.0

    @property
    def label(self) -> str:
        """The configuration in words."""
        return described(self.configuration)


@dataclass(frozen=True)
class Benchmark:
    """Something that is measured.

    Attributes:
        name: what the command calls it.
        title: what it is, in a few words.
        text: what a figure means: what ``krnlpy bench describe`` prints.
        unit: of a rate, such as ``B/s``; or ``s`` where the time itself is the figure, for each of ``amount``.
        series: makes the cases: those of a series become larger, and a device that is slow does the first ones alone.
        revision: changes with whatever changes the figures' meaning.
        is_quick: whether a quick run has it.
        peers: by a peer's name, the module that does the same with others' software: see
            :func:`krnlpy.bench.peers.serve`.
    """

    name: str
    title: str
    text: str
    unit: str
    series: Callable[[], Sequence[Sequence[Case]]]
    revision: int = 1
    is_quick: bool = True
    peers: Mapping[str, str] = field(default_factory=dict)


def benchmarks() -> tuple[Benchmark, ...]:
    """All of them: krnlpy's own first, then those of installed packages, in the order of their entry points' names.

    Raises:
        BenchmarkError: a package's cannot be loaded, or two have one name.
    """
    from .basics import BASICS

    found: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in BASICS}
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        try:
            more = tuple(point.load())
        except Exception as error:
            raise BenchmarkError(
                f"the benchmarks of {point.name} ({point.value}) can't be loaded: {type(error).__name__}: {error}"
            ) from error
        for benchmark in more:
            if not isinstance(benchmark, Benchmark):
                raise BenchmarkError(f"{point.value} has a {type(benchmark).__name__}: expected benchmarks")
            if found.setdefault(benchmark.name, benchmark) != benchmark:
                raise BenchmarkError(f"two benchmarks are called {benchmark.name!r}; the second is {point.value}'s")
    return tuple(found.values())


def chosen(names: Sequence[str], every: Sequence[Benchmark]) -> tuple[Benchmark, ...]:
    """Those that are named, in the order of all.

    Raises:
        BenchmarkError: there is no such benchmark.
    """
    known = {benchmark.name for benchmark in every}
    for name in names:
        if name not in known:
            raise BenchmarkError(f"no benchmark is called {name!r}; there are: {', '.join(b.name for b in every)}")
    return tuple(benchmark for benchmark in every if benchmark.name in names)
