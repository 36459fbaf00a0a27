"""Intervals of whole numbers, and what operations make of them."""

from __future__ import annotations

from collections.abc import Callable

from krnlpy.scalar import ScalarType, boolean

Interval = tuple[int, int]
"""The least and the greatest that a number may be."""


def limits_of(type: ScalarType) -> Interval:
    """What every number of a type lies in."""
    if type is boolean or not type.is_integer:
        return (0, 1) if type is boolean else (-(1 << 63), 1 << 64)
    return int(type.min), int(type.max)


def operation(op: str, a: Interval, b: Interval) -> Interval | None:
    """What the result of an operation lies in, if it does not overflow; None where nothing is known."""
    return _OPERATIONS[op](a, b) if op in _OPERATIONS else None


def _corners(combine: Callable[[int, int], int]) -> Callable[[Interval, Interval], Interval]:
    def found(a: Interval, b: Interval) -> Interval:
        values = [combine(x, y) for x in a for y in b]
        return min(values), max(values)

    return found


def _floordiv(a: Interval, b: Interval) -> Interval | None:
    return _corners(lambda x, y: x // y)(a, b) if b[0] > 0 else None


def _mod(a: Interval, b: Interval) -> Interval | None:
    if b[0] <= 0:
        return None
    return 0, min(a[1], b[1] - 1) if a[0] >= 0 else b[1] - 1


def _and(a: Interval, b: Interval) -> Interval | None:
    positive = [n[1] for n in (a, b) if n[0] >= 0]
    return (0, min(positive)) if positive else None


def _shift(combine: Callable[[int, int], int]) -> Callable[[Interval, Interval], Interval | None]:
    return lambda a, b: _corners(combine)(a, b) if b[0] >= 0 and b[1] < 32 else None


_OPERATIONS: dict[str, Callable[[Interval, Interval], Interval | None]] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "mul": _corners(lambda x, y: x * y),
    "min": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "max": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "floordiv": _floordiv,
    "mod": _mod,
    "and": _and,
    "shl": _shift(lambda x, y: x << y),
    "shr": _shift(lambda x, y: x >> y),
}
