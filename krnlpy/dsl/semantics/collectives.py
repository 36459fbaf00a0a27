"""Operations of subgroups: the executable definition, on Python's numbers.

Floats are combined in a fixed order, which is also the host's: neighbours first, then pairs, then fours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from krnlpy.dsl import ir
from krnlpy.scalar import ScalarType, boolean, f32

from .arithmetic import round_f32

SUBGROUP_THREADS = 8
"""Threads of a subgroup on the host and in the interpreter, where a kernel requires no other size."""

SUBGROUP_SIZES = tuple(1 << n for n in range(8))
"""The sizes that a kernel can require there: a ballot has 128 bits."""

_COMBINE: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "min": lambda a, b: b if b < a else a,
    "max": lambda a, b: b if b > a else a,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}
SOURCES: dict[str, Callable[[int, int], int]] = {
    "shuffle": lambda self, place: place,
    "broadcast": lambda self, place: place,
    "shuffle_xor": lambda self, place: self ^ place,
    "shuffle_up": lambda self, place: self - place,
    "shuffle_down": lambda self, place: self + place,
    "quad_broadcast": lambda self, place: (self & ~3) + place,
    "quad_swap_horizontal": lambda self, _: self ^ 1,
    "quad_swap_vertical": lambda self, _: self ^ 2,
    "quad_swap_diagonal": lambda self, _: self ^ 3,
}
"""The lane that a thread reads, from its own lane and the operand."""


def neutral(op: str, type: ScalarType) -> int | float:
    """The neutral element of an operation; for sums of floats it may change the sign of a zero."""
    if op in ("min", "max"):
        if type.is_float:
            return math.inf if op == "min" else -math.inf
        return type.max if op == "min" else type.min
    if op == "and":
        return type.max if type.kind == "uint" else -1
    return 1 if op == "mul" else 0


def combine(
    s: ir.Collective, lanes: Sequence[int], values: Sequence[tuple[Any, ...]], size: int
) -> list[tuple[Any, ...] | None]:
    """The results of an operation, for each active thread: None for one that reads from a lane that is not active.

    Args:
        lanes: of the active threads, ascending.
        values: of their operands.
        size: threads of a subgroup.
    """
    count = len(lanes)
    first = [v[0] if v else None for v in values]
    if s.op == "barrier":
        return [()] * count
    if s.op == "elect":
        return [(i == 0,) for i in range(count)]
    if s.op in ("all", "any"):
        return [((all if s.op == "all" else any)(first),)] * count
    if s.op == "all_equal":
        return [(all(v == first[0] for v in first),)] * count
    if s.op == "ballot":
        bits = sum(1 << lane for lane, bit in zip(lanes, first, strict=True) if bit)
        return [tuple(bits >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96))] * count
    if s.op == "broadcast_first":
        return [(first[0],)] * count
    if s.op in SOURCES:
        held = dict(zip(lanes, first, strict=True))
        sources = [SOURCES[s.op](lane, v[-1]) for lane, v in zip(lanes, values, strict=True)]
        return [(held[source],) if source in held else None for source in sources]
    return [(value,) for value in _arithmetic(s, lanes, first, size)]


def _arithmetic(s: ir.Collective, lanes: Sequence[int], given: Sequence[Any], size: int) -> list[Any]:
    scan, _, op = s.op.rpartition("_")
    type = s.operands[0].type

    def both(a: Any, b: Any) -> Any:
        if a is None or b is None:  # of a lane that is not active
            return b if a is None else a
        return _wrapped(_COMBINE[op](a, b), type)

    row: list[Any] = [None] * size
    for lane, value in zip(lanes, given, strict=True):
        row[lane] = value
    distance = 1
    while distance < (min(s.cluster, size) if s.cluster else size):
        if scan:
            row = [both(row[i - distance], row[i]) if i >= distance else row[i] for i in range(size)]
        else:
            row = [both(row[i & ~distance], row[i | distance]) for i in range(size)]
        distance *= 2
    if scan == "exclusive":
        row = [None, *row[:-1]]
    return [neutral(op, type) if row[lane] is None else row[lane] for lane in lanes]


def _wrapped(value: Any, type: ScalarType) -> Any:
    if type is boolean:
        return value
    if type.is_float:
        return round_f32(value) if type is f32 else value
    low = value & (1 << type.bits) - 1
    return low - (1 << type.bits) if type.kind == "int" and low >> (type.bits - 1) else low
