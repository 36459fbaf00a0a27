"""Schedules one after another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from autograph.errors import AutographError

from .curves import ascending
from .schedule import Schedule, described, whole, within


def sequential(schedules: Sequence[Callable[[int], float]], at: Sequence[int]) -> Schedule:
    """Schedules one after another, each of which counts its own steps from 0: PyTorch's SequentialLR.

    Args:
        schedules: functions from a step to a rate.
        at: the steps at which the second and the others begin.

    Raises:
        AutographError: ``schedules`` are not functions, or ``at`` not one step less, in ascending order.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.sequential([schedules.constant(0.5), schedules.exponential(1.0, 0.5)], at=[2])
    >>> [schedule(n) for n in range(5)]
    [0.5, 0.5, 1.0, 0.5, 0.25]
    """
    if not isinstance(schedules, Sequence) or not schedules or not all(callable(one) for one in schedules):
        raise AutographError(f"sequential: schedules={schedules!r}; expected a list of functions of the step")
    begins = [0, *ascending("sequential: at", at)]
    if len(begins) != len(schedules):
        raise AutographError(f"sequential: at={at!r} for {len(schedules)} schedules; expected {len(schedules) - 1}")
    phases = tuple(schedules)

    def rate(step: int) -> float:
        place = bisect_right(begins, step) - 1
        return phases[place](step - begins[place])

    return Schedule(described("sequential", list(phases), at=begins[1:]), rate)


def warm_up(steps: int, then: Callable[[int], float], *, start: float = 0.0) -> Schedule:
    """A straight line up to where another schedule begins, and that schedule.

    Args:
        steps: after so many, ``then`` begins.
        then: a function from a step to a rate; it counts its own steps from 0.
        start: the first rate, as a share of ``then(0)``.

    Raises:
        AutographError: ``then`` is not a function, or a setting out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.warm_up(4, schedules.exponential(1.0, 0.5))
    >>> [schedule(n) for n in range(7)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 0.5, 0.25]
    """
    steps, start = whole("warm_up: steps", steps, 1), within("warm_up: start", start, 0, 1)
    if not callable(then):
        raise AutographError(f"warm_up: then={then!r}; expected a function of the step, for example constant(0.1)")

    def rate(step: int) -> float:
        return then(step - steps) if step >= steps else then(0) * (start + (1 - start) * step / steps)

    return Schedule(described("warm_up", steps, then, start=start), rate)
