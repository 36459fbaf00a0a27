"""Schedules that are one formula."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import cos, pi
from typing import Any

from autograph.errors import AutographError

from .schedule import Schedule, described, whole, within


def constant(rate: float) -> Schedule:
    """The same rate at each step.

    Raises:
        AutographError: ``rate`` is not a number of at least 0.

    >>> from autograph.optim import schedules
    >>> schedules.constant(0.1)(1000)
    0.1
    """
    rate = within("constant: rate", rate)
    return Schedule(described("constant", rate), lambda step: rate)


def step(rate: float, every: int, factor: float = 0.1) -> Schedule:
    """The rate is multiplied by ``factor`` after each ``every`` steps: PyTorch's StepLR.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.step(0.5, every=10, factor=0.5)
    >>> [schedule(n) for n in (0, 9, 10, 20)]
    [0.5, 0.5, 0.25, 0.125]
    """
    rate, every = within("step: rate", rate), whole("step: every", every, 1)
    factor = within("step: factor", factor)
    return Schedule(described("step", rate, every=every, factor=factor), lambda n: float(rate * factor ** (n // every)))


def multi_step(rate: float, at: Sequence[int], factor: float = 0.1) -> Schedule:
    """The rate is multiplied by ``factor`` at each of some steps: PyTorch's MultiStepLR.

    Args:
        rate: of the first step.
        at: the steps, in ascending order; one that stands twice counts twice.
        factor: what the rate is multiplied by.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.multi_step(0.5, at=[10, 15], factor=0.5)
    >>> [schedule(n) for n in (9, 10, 15, 99)]
    [0.5, 0.25, 0.125, 0.125]
    """
    rate, factor = within("multi_step: rate", rate), within("multi_step: factor", factor)
    steps = ascending("multi_step: at", at)
    return Schedule(
        described("multi_step", rate, at=steps, factor=factor), lambda n: float(rate * factor ** bisect_right(steps, n))
    )


def ascending(what: str, given: Any) -> list[int]:
    """Steps in ascending order.

    Raises:
        AutographError: they are something else.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise AutographError(f"{what}={given!r}; expected a list of steps")
    steps = [whole(what, one, 0) for one in given]
    if steps != sorted(steps):
        raise AutographError(f"{what}={given!r}; expected steps in ascending order")
    return steps


def exponential(rate: float, factor: float) -> Schedule:
    """Each step multiplies the rate by ``factor``: PyTorch's ExponentialLR.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.exponential(1.0, factor=0.5)
    >>> [schedule(n) for n in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """
    rate, factor = within("exponential: rate", rate), within("exponential: factor", factor)
    return Schedule(described("exponential", rate, factor=factor), lambda n: float(rate * factor**n))


def linear(rate: float, steps: int, start: float = 1.0, end: float = 0.0) -> Schedule:
    """A straight line from ``start * rate`` to ``end * rate``, where it stays: PyTorch's LinearLR.

    Args:
        rate: what the two are shares of.
        steps: after so many, the end is reached.
        start: the first rate's share.
        end: the last rate's share.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.linear(1.0, steps=4)
    >>> [schedule(n) for n in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """
    rate, steps = within("linear: rate", rate), whole("linear: steps", steps, 1)
    start, end = within("linear: start", start), within("linear: end", end)
    return Schedule(
        described("linear", rate, steps=steps, start=start, end=end),
        lambda n: rate * (start + (end - start) * min(n, steps) / steps),
    )


def polynomial(rate: float, steps: int, power: float = 1.0, *, least: float = 0.0) -> Schedule:
    """From ``rate`` to ``least`` as a power of the share of steps that are left: PyTorch's PolynomialLR, which ends
    at 0.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.polynomial(1.0, steps=4, power=2)
    >>> [schedule(n) for n in (0, 2, 4, 9)]
    [1.0, 0.25, 0.0, 0.0]
    """
    rate, steps = within("polynomial: rate", rate), whole("polynomial: steps", steps, 1)
    power, least = within("polynomial: power", power), within("polynomial: least", least, most=rate)
    return Schedule(
        described("polynomial", rate, steps=steps, power=power, least=least),
        lambda n: float(least + (rate - least) * (1 - min(n, steps) / steps) ** power),
    )


def _half_wave(high: float, low: float, share: float) -> float:
    """From high (share 0) to low (share 1) along half a cosine."""
    return low + (high - low) * (1 + cos(pi * share)) / 2


def cosine(rate: float, steps: int, *, least: float = 0.0) -> Schedule:
    """From ``rate`` to ``least`` along half a cosine: Loshchilov and Hutter, "SGDR: stochastic gradient descent with
    warm restarts", 2017.

    It stays there afterwards, where PyTorch's CosineAnnealingLR would rise again.

    Args:
        rate: of the first step.
        steps: after so many, the least rate is reached.
        least: the last rate.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.cosine(1.0, steps=100)
    >>> [round(schedule(n), 3) for n in (0, 50, 100, 150)]
    [1.0, 0.5, 0.0, 0.0]
    """
    rate, steps = within("cosine: rate", rate), whole("cosine: steps", steps, 1)
    least = within("cosine: least", least, most=rate)
    return Schedule(
        described("cosine", rate, steps=steps, least=least),
        lambda n: _half_wave(rate, least, min(n, steps) / steps),
    )


def cosine_with_restarts(rate: float, steps: int, growth: int = 1, *, least: float = 0.0) -> Schedule:
    """Half cosines from ``rate`` to ``least``, one after another: PyTorch's CosineAnnealingWarmRestarts, of Loshchilov
    and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    Args:
        rate: with which each of them begins.
        steps: the length of the first.
        growth: each is so many times as long as the one before it.
        least: towards which each goes.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.cosine_with_restarts(1.0, steps=10, growth=2)
    >>> [round(schedule(n), 3) for n in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """
    name = "cosine_with_restarts"
    rate, steps = within(f"{name}: rate", rate), whole(f"{name}: steps", steps, 1)
    growth, least = whole(f"{name}: growth", growth, 1), within(f"{name}: least", least, most=rate)

    def at(n: int) -> float:
        length = steps
        if growth == 1:
            n %= length
        while n >= length:
            n, length = n - length, length * growth
        return _half_wave(rate, least, n / length)

    return Schedule(described(name, rate, steps=steps, growth=growth, least=least), at)


def one_cycle(
    rate: float, steps: int, rise: float = 0.3, *, divisor: float = 25.0, final_divisor: float = 1e4
) -> Schedule:
    """Up to ``rate`` and down again, by half cosines: PyTorch's OneCycleLR, of Smith and Topin, "Super-convergence:
    very fast training of neural networks using large learning rates", 2018.

    Args:
        rate: the highest.
        steps: of the whole cycle; afterwards the rate stays at the last one.
        rise: the share of steps in which the rate rises.
        divisor: the first rate is ``rate / divisor``.
        final_divisor: the last rate is the first one divided by this.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.one_cycle(1.0, steps=100)
    >>> [round(schedule(n), 3) for n in (0, 29, 60, 99)]
    [0.04, 1.0, 0.589, 0.0]
    """
    rate, steps = within("one_cycle: rate", rate), whole("one_cycle: steps", steps, 1)
    rise = within("one_cycle: rise", rise, 0, 1)
    divisor = within("one_cycle: divisor", divisor, above=True)
    final_divisor = within("one_cycle: final_divisor", final_divisor, above=True)
    first = rate / divisor
    last = first / final_divisor
    top, end = rise * steps - 1, steps - 1.0  # PyTorch's: counted from 0, and not rounded

    def at(n: int) -> float:
        here = min(float(n), end)
        if here <= top:
            return _half_wave(first, rate, here / top if top else 1.0)
        return _half_wave(rate, last, (here - top) / (end - top) if end > top else 1.0)

    return Schedule(
        described("one_cycle", rate, steps=steps, rise=rise, divisor=divisor, final_divisor=final_divisor), at
    )


def inverse_square_root(rate: float, warm_up: int) -> Schedule:
    """Up to ``rate`` in a straight line, then down with the square root of the step: Vaswani et al., "Attention is all
    you need", 2017.

    Args:
        rate: the highest, which is that of step ``warm_up - 1``.
        warm_up: steps in which the rate rises.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.inverse_square_root(1.0, warm_up=4)
    >>> [schedule(n) for n in (0, 1, 3, 15)]
    [0.25, 0.5, 1.0, 0.5]
    """
    rate, warm_up = within("inverse_square_root: rate", rate), whole("inverse_square_root: warm_up", warm_up, 1)
    return Schedule(
        described("inverse_square_root", rate, warm_up=warm_up),
        lambda n: float(rate * min((n + 1) / warm_up, (warm_up / (n + 1)) ** 0.5)),
    )
