"""The values of expressions in the compiler: a typed scalar, something known while compiling, or several scalars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.ir import Location
from krnlpy.dsl.types.composites import AnyType, CompositeType, MatrixType, StructType, TupleType, VectorType
from krnlpy.scalar import ScalarType, i32

from .receiver import Instance


@dataclass(frozen=True, eq=False)
class Static:
    """A value known while compiling: a weak number, a type, a function, a place, a module, a tuple of values."""

    value: Any
    location: Location


@dataclass(frozen=True, eq=False)
class Compound:
    """A value of a composite type. ``parts`` are typed: scalars, or compounds again, in the order of the type's."""

    type: CompositeType
    parts: tuple[ir.Expr | Compound, ...]
    location: Location

    def part(self, name: str) -> ir.Expr | Compound | None:
        """The part of a name, or None."""
        for (own, _), part in zip(self.type.parts, self.parts, strict=True):
            if own == name:
                return part
        return None


@dataclass(frozen=True, eq=False)
class Weak:
    """A number of the call that takes the type it meets, as a literal does: one of Python's, an attribute of ``self``.

    Attributes:
        make: the number in a type.
    """

    is_float: bool
    make: Callable[[ScalarType], ir.Expr]


Value = ir.Expr | Static | Compound


@dataclass(frozen=True, eq=False)
class CompoundPlace:
    """An array or buffer of composite elements: a place for each scalar of the type, all of one shape. Where there are
    ``axes``, it is one place for all parts of the type, which has these axes more."""

    name: str
    type: CompositeType
    parts: tuple[ir.Place | CompoundPlace, ...]
    axes: tuple[int, ...] = ()

    def indices(self, where: Location) -> Iterator[tuple[ir.Expr, ...]]:
        """The index of each part along ``axes``."""
        for index in np.ndindex(self.axes):
            yield tuple(ir.const(i, i32, where) for i in index)

    @property
    def first(self) -> ir.Place:
        """The first of the places, which have one shape."""
        first = self.parts[0]
        return first.first if isinstance(first, CompoundPlace) else first


class Part:
    """Part of an array; see :mod:`.views`."""

    described: str


ArrayPlace = ir.GlobalParameter | ir.LocalArray | CompoundPlace
"""What is indexed."""


def is_number(value: object) -> bool:
    """Whether this is a number without a type of its own. NumPy's have one."""
    return isinstance(value, bool | int | float) and not isinstance(value, np.generic)


def is_weak(value: Value) -> bool:
    """Whether this is a number that takes the type it meets: a literal, or one of the call."""
    return isinstance(value, Static) and (isinstance(value.value, Weak) or is_number(value.value))


def is_static_number(value: Value) -> bool:
    return isinstance(value, Static) and is_number(value.value)


def is_place(value: object) -> bool:
    return isinstance(value, ir.GlobalParameter | ir.LocalArray | CompoundPlace)


def is_mutable(place: ir.Place) -> bool:
    """Whether an array or a buffer may be written."""
    if isinstance(place, ir.LocalArray):
        return not isinstance(place, ir.ConstantArray)
    return place.mutable


def describe(value: Value) -> str:
    """A value's type in words, for messages."""
    if isinstance(value, ir.Expr | Compound):
        return str(value.type)
    if is_number(value.value):
        return f"the number {value.value!r}"
    if isinstance(value.value, ir.Parameter | ir.LocalArray | CompoundPlace):
        return f"the array {value.value.name}"
    if isinstance(value.value, Part):
        return value.value.described
    if isinstance(value.value, Weak):
        return "a number of the object"
    if isinstance(value.value, Instance):
        return f"{value.value.path}, an object of the class {value.value.cls.__name__}{value.value.hint}"
    if isinstance(value.value, tuple | list):
        return "a tuple" if isinstance(value.value, tuple) else "a list"
    return f"{getattr(value.value, '__name__', value.value)!r}"


def scalars(value: ir.Expr | Compound) -> Iterator[ir.Expr]:
    """The scalars in a value, in order."""
    if isinstance(value, ir.Expr):
        yield value
        return
    for part in value.parts:
        yield from scalars(part)


def assemble(type: AnyType, exprs: Iterator[ir.Expr], where: Location) -> ir.Expr | Compound:
    """A value of a type from its scalars, in order."""
    if not isinstance(type, CompositeType):
        return next(exprs)
    return Compound(type, tuple(assemble(part, exprs, where) for _, part in type.parts), where)


def type_of(value: ir.Expr | Compound) -> AnyType:
    """The type of a value; scalars in it are in their types of computation."""
    return value.type


def vector(parts: list[ir.Expr], where: Location) -> Compound:
    """A vector of scalars of one type."""
    return Compound(VectorType(parts[0].type, len(parts)), tuple(parts), where)


def matrix(parts: list[ir.Expr], rows: int, where: Location) -> Compound:
    """A matrix of scalars of one type, given row by row."""
    return Compound(MatrixType(parts[0].type, rows, len(parts) // rows), tuple(parts), where)


def is_strong(value: Value) -> bool:
    """Whether a value has its own type, as a captured NumPy number does; a literal, or a choice of two, does not."""
    if isinstance(value, ir.Select):
        return not value.weak
    return not isinstance(value, Static) or isinstance(value.value, np.generic)


__all__ = [
    "ArrayPlace", "Compound", "CompoundPlace", "Static", "StructType", "TupleType", "Value", "assemble", "describe",
    "is_number", "is_place", "is_static_number", "is_strong", "is_weak", "matrix", "scalars", "type_of", "vector",
]  # fmt: skip
