"""What a schedule is, and what its settings must be."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import inf
from typing import Any

from autograph.errors import AutographError
from autograph.functions.checks import is_number


class Schedule:
    """A learning rate as a function of the step. Any function from a step to a rate serves as one.

    Steps are counted from 0: ``schedule(0)`` is the rate of the first. The rate is a Python number, so that it can be
    a parameter of a captured graph, too.

    Args:
        description: the call that made it, for ``repr``.
        rate: from a step to the rate.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.step(0.5, every=10, factor=0.5)
    >>> schedule
    step(0.5, every=10, factor=0.5)
    >>> schedule(0), schedule(10), schedule(25)
    (0.5, 0.25, 0.125)
    """

    def __init__(self, description: str, rate: Callable[[int], float]) -> None:
        self._description = description
        self._rate = rate

    def __call__(self, step: int) -> float:
        """The rate of a step.

        Raises:
            AutographError: the step is not a whole number of at least 0.
        """
        return self._rate(whole("a schedule: step", step, 0))

    def __repr__(self) -> str:
        return self._description


def described(name: str, *values: Any, **named: Any) -> str:
    """A call as it is written."""
    return f"{name}({', '.join([*map(repr, values), *(f'{key}={value!r}' for key, value in named.items())])})"


def whole(what: str, value: Any, least: int) -> int:
    """A whole number of at least ``least``.

    Raises:
        AutographError: it is something else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise AutographError(f"{what}={value!r}; expected a whole number of at least {least}")
    return number


def within(what: str, value: Any, least: float = 0, most: float = inf, *, above: bool = False) -> float:
    """A number from ``least`` to ``most``; if ``above``, more than ``least``.

    Raises:
        AutographError: it is something else.
    """
    if not (is_number(value) and least <= value <= most) or (above and value == least):
        bounds = f"above {least:g}" if above else f"of at least {least:g}"
        upper = "" if most == inf else f" and at most {most:g}"
        raise AutographError(f"{what}={value!r}; expected a number {bounds}{upper}")
    return float(value)
