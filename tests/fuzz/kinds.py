"""The types that drawn programs compute with, and random choices among what a program may write."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from krnlpy.scalar import SCALAR_TYPES, ScalarType, boolean, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64

C = TypeVar("C")


@dataclass(frozen=True)
class Generic:
    """Stands for the type that a type variable takes; a program may do with it what any type allows."""

    name: str
    kind: str = "generic"


Type = ScalarType | Generic

NARROW: tuple[ScalarType, ...] = (u8, i8, u16, i16, u32, i32, f32)
"""The types of computation that every device has."""
WIDE: tuple[ScalarType, ...] = (*NARROW, u64, i64, f64)
STORED = SCALAR_TYPES
STORED_NARROW = tuple(t for t in SCALAR_TYPES if t.size < 8)


def kind(type: Type) -> str:
    """Which table of productions makes a value of a type."""
    if isinstance(type, Generic):
        return "generic"
    return "bool" if type is boolean else "float" if type.is_float else "int"


def computed(type: Type) -> Type:
    """The type in which a kernel computes with elements of a type."""
    return type if isinstance(type, Generic) else type.compute


def widened_from(type: Type, among: Sequence[ScalarType]) -> list[ScalarType]:
    """The other types whose every value a type holds: mixed with it, they are widened to it."""
    if isinstance(type, Generic) or type is boolean:
        return []
    if type.is_float:
        small = 16 if type is f32 else 32
        return [t for t in among if (t.is_integer and t.bits <= small) or (t is f32 and type is f64)]
    return [t for t in among if t.is_integer and t.bits < type.bits and (t.kind == type.kind or t.kind == "uint")]


class Draw(random.Random):
    """Random numbers, with the choices that a generator makes."""

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def pick(self, weights: dict[C, float]) -> C:
        """One of several, by weight."""
        return self.choices(list(weights), list(weights.values()))[0]

    def integer(self, type: ScalarType) -> int:
        """An integer of a type: often an end, a small number or a power of two."""
        low, high = type.min, type.max
        near = [low, high, low + 1, high - 1, 0, 1, 2, 3, high // 2, high // 2 + 1, type.bits, type.bits - 1]
        if type.kind == "int":
            near += [-1, -2, -7]
        choice = self.random()
        if choice < 0.4:
            return self.choice(near)
        if choice < 0.7:
            return min(self.randrange(0, 20), high)
        return self.randint(low, high)

    def real(self, special: bool) -> float:
        """A float that f32 holds."""
        if special and self.chance(0.25):
            return self.choice((0.0, -0.0, float("inf"), float("-inf"), float("nan"), 3.4028234663852886e38, 1e30))
        choice = self.random()
        if choice < 0.5:
            return self.choice((0.5, 1.0, -1.0, 1.5, 2.0, -2.5, 3.0, 7.0, 0.25, 255.0, 65504.0, -100.25, 16777216.0))
        return self.randint(-4096, 4096) / 64


def as_text(value: Any) -> str:
    """A number as an expression of a program; those without a literal are captured from the module."""
    if isinstance(value, float):
        if value != value:
            return "NAN"
        if value in (float("inf"), float("-inf")):
            return "INF" if value > 0 else "(-INF)"
    text = repr(value)
    return f"({text})" if text.startswith("-") else text
