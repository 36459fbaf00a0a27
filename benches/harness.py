"""How a benchmark is run: open every contender, verify every result, then time all of them in turn.

A benchmark is a sequence of cases. A case is one piece of work in one configuration that several contenders do. The
contenders take turns, one sample each (A B A B ...), so that whatever drifts while they run (clock rates, other
processes) falls on all of them alike. What other processes took of the processors meanwhile is kept with the result.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from krnlpy.bench import measuring
from krnlpy.bench.usage import Watch
from krnlpy.errors import LimitExceeded, MissingFeatures, OutOfMemory

MIN_TURNS = 5
MAX_TURNS = 1000
SAMPLE_SECONDS = 0.1
"""What a sample should last at least: long beside the clock's resolution and a switch between processes."""


class Unavailable(Exception):
    """A contender cannot run here; the message says why. The others still do."""


class VerificationError(Exception):
    """A contender computed something else than it should have."""


class Runner(measuring.Runner):
    """A contender that is ready to run: everything is allocated and on its device."""

    @abstractmethod
    def result(self) -> Any:
        """What the work computes, for the case's judge. Called once, before anything is timed."""

    def facts(self) -> Mapping[str, float]:
        """What else is worth telling of an iteration: names and numbers."""
        return {}


@dataclass(frozen=True)
class Contender:
    """Somebody who can do a case's work.

    Attributes:
        name: ``autograph``, ``krnlpy``, ``torch``, ...
        device: what it runs on.
        open: makes it ready. Raises Unavailable, or krnlpy's errors for what a device lacks.
        driver: name and version of the device's driver, or "".
        peer: whether it is somebody else's software.
        way: which of several ways to use it, or "".
    """

    name: str
    device: str
    open: Callable[[], Runner]
    driver: str = ""
    peer: bool = False
    way: str = ""

    @property
    def title(self) -> str:
        return f"{self.name} ({self.way})" if self.way else self.name

    @property
    def label(self) -> str:
        return f"{self.title} on {self.device}"


@dataclass(frozen=True)
class Case:
    """One piece of work in one configuration.

    Attributes:
        name: what is done.
        configuration: sizes, types and the like.
        contenders: who does it, in the order of their turns.
        judge: looks at a contender's result; raises VerificationError, or AssertionError as numpy.testing does.
        amount: how much an iteration does, in units of ``unit``: gives the rate. 0 where only time is of interest.
        unit: such as ``GB``.
        max_iterations: of a sample.
    """

    name: str
    configuration: Mapping[str, Any]
    contenders: Sequence[Contender]
    judge: Callable[[Any], None]
    amount: float = 0.0
    unit: str = ""
    max_iterations: int = 100_000

    @property
    def label(self) -> str:
        return f"{self.name} ({', '.join(f'{key} {value}' for key, value in self.configuration.items())})"


@dataclass(frozen=True)
class Measurement:
    """What was measured of a contender. ``samples`` are seconds an iteration, one a turn."""

    contender: Contender
    iterations: int
    samples: tuple[float, ...]
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def minimum(self) -> float:
        return min(self.samples)

    @property
    def quartiles(self) -> tuple[float, float]:
        """A quarter of the samples took less than the first, a quarter more than the second."""
        first, _, third = quantiles(self.samples, n=4, method="inclusive")
        return first, third


@dataclass(frozen=True)
class CaseResult:
    """What became of a case.

    Attributes:
        measurements: in the order of the contenders; empty where a result was wrong.
        skipped: label of a contender, and why it did not run.
        wrong: label of a contender, and what was wrong with its result.
        others: how many processors other processes kept busy meanwhile; None where that is not known.
    """

    case: Case
    measurements: tuple[Measurement, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    wrong: tuple[tuple[str, str], ...] = ()
    others: float | None = None

    @property
    def baseline(self) -> Measurement | None:
        """What ratios refer to: the first peer that ran, in the way in which it was fastest."""
        peers = [m for m in self.measurements if m.contender.peer]
        ways = [m for m in peers if m.contender.name == peers[0].contender.name]
        return min(ways, key=lambda m: m.median, default=None)


def run_case(case: Case, seconds: float, say: Callable[[str], None]) -> CaseResult:
    """Opens, verifies and times the contenders of a case.

    Args:
        case: the case.
        seconds: to spend on each contender's samples, at least ``MIN_TURNS`` turns in any case.
        say: is told what is skipped and what is wrong, line by line.
    """
    ready: list[tuple[Contender, Runner]] = []
    skipped: list[tuple[str, str]] = []
    wrong: list[tuple[str, str]] = []
    for contender in case.contenders:
        try:
            runner = contender.open()
            result = runner.result()
        except (Unavailable, MissingFeatures, OutOfMemory, LimitExceeded) as error:
            skipped.append((contender.label, str(error)))
            say(f"skipped: {contender.label}: {error}")
            continue
        try:
            case.judge(result)
        except (VerificationError, AssertionError) as error:
            wrong.append((contender.label, str(error)))
            say(f"wrong: {contender.label}: {error}")
        ready.append((contender, runner))
    if wrong:
        say("not timed: results are wrong")
        return CaseResult(case, skipped=tuple(skipped), wrong=tuple(wrong))
    watch = Watch()
    measurements, ended = measure(ready, seconds, case.max_iterations)
    others = watch.others()
    for label, reason in ended:
        say(f"skipped: {label}: {reason}")
    return CaseResult(case, measurements, (*skipped, *ended), others=others)


def measure(
    ready: Sequence[tuple[Contender, Runner]], seconds: float, max_iterations: int
) -> tuple[tuple[Measurement, ...], tuple[tuple[str, str], ...]]:
    """Samples of every contender, taken in turn; and which of them ended on the way, and why: they have no samples."""
    counts: dict[Contender, int] = {}
    samples: dict[Contender, list[float]] = {contender: [] for contender, _ in ready}
    ended: dict[Contender, str] = {}

    def attempt(step: Callable[[Contender, Runner], float]) -> float:
        """A step of each that has not ended yet; the seconds timed in all."""
        spent = 0.0
        for contender, runner in ready:
            if contender not in ended:
                try:
                    spent += step(contender, runner)
                except Unavailable as error:
                    ended[contender] = str(error)
        return spent

    def count(contender: Contender, runner: Runner) -> float:
        counts[contender] = measuring.iterations_for(runner, SAMPLE_SECONDS, max_iterations)
        return 0.0

    def sample(contender: Contender, runner: Runner) -> float:
        # Untimed: caches are the last contender's, and its threads may still be spinning.
        runner.sample(-(-counts[contender] // 10))
        taken = runner.sample(counts[contender])
        samples[contender].append(taken / counts[contender])
        return taken

    attempt(count)
    spent = 0.0
    for turn in range(MAX_TURNS):
        if turn >= MIN_TURNS and spent >= seconds * (len(ready) - len(ended)):
            break
        spent += attempt(sample)
    measurements = tuple(
        Measurement(contender, counts[contender], tuple(samples[contender]), dict(runner.facts()))
        for contender, runner in ready
        if contender not in ended
    )
    return measurements, tuple((contender.label, reason) for contender, reason in ended.items())
