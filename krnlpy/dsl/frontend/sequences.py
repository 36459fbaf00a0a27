"""Values that consist of others, known in number: tuples, lists, vectors, matrices, sets, arrays of known shape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from krnlpy.dsl import ir
from krnlpy.dsl.ir import Location
from krnlpy.dsl.types.composites import MatrixType, StructType

from . import tables
from .values import Compound, CompoundPlace, Static, Value, is_place, vector


@dataclass(frozen=True)
class Members:
    """What is written as a set: ``in`` looks whether it has a value."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """A range as a value: ``in`` takes it."""

    start: Value
    stop: Value
    step: Value


def element(place: ir.Place | CompoundPlace, index: tuple[ir.Expr, ...], where: Location) -> ir.Expr | Compound:
    """The value of an element of an array, buffer or item."""
    if isinstance(place, CompoundPlace) and place.axes:
        every = ((*index, *at) for at in place.indices(where))
        return Compound(place.type, tuple(element(place.parts[0], at, where) for at in every), where)
    if isinstance(place, CompoundPlace):
        return Compound(place.type, tuple(element(part, index, where) for part in place.parts), where)
    if isinstance(place, ir.ConstantArray):
        return tables.element(place, index, where)
    return ir.Load(place, index, type=place.type.compute, location=where)


def shape_of(place: Any) -> tuple[int, ...] | None:
    """The shape of an array whose lengths are known while compiling, else None."""
    first = place.first if isinstance(place, CompoundPlace) else place
    if not isinstance(first, ir.LocalArray):
        return None
    own = len(first.shape) - (len(place.axes) if isinstance(place, CompoundPlace) else 0)
    known = tuple(int(n.value) for n in first.shape[:own] if isinstance(n, ir.Const))
    return known if len(known) == own else None


def is_written_out(value: Value) -> bool:
    """Whether this is a tuple or a list, each entry known by itself."""
    return isinstance(value, Static) and isinstance(value.value, tuple | list)


def is_sequence(value: Value) -> bool:
    """Whether this is a tuple, a list or an array."""
    return is_written_out(value) or (isinstance(value, Static) and is_place(value.value))


def entries(value: Value) -> tuple[Value, ...] | None:
    """What a sequence consists of: of an array and a matrix the rows; None if it is no sequence of known length."""
    if isinstance(value, Compound):
        if isinstance(value.type, StructType):
            return None
        if isinstance(value.type, MatrixType):
            width, parts = value.type.columns, value.parts
            rows = (parts[start : start + width] for start in range(0, len(parts), width))
            return tuple(vector(list(row), value.location) for row in rows)  # type: ignore[arg-type]
        return value.parts
    if not isinstance(value, Static):
        return None
    known = value.value.values if isinstance(value.value, Members) else value.value
    if is_place(known):
        return _elements(known, value.location)
    if isinstance(known, set | frozenset):
        known = tuple(known)
    if not isinstance(known, tuple | list | range):
        return None
    return tuple(entry if isinstance(entry, Value) else Static(entry, value.location) for entry in known)


def _elements(place: Any, where: Location) -> tuple[Value, ...] | None:
    shape = shape_of(place)
    if shape is None:
        return None

    def of(index: tuple[int, ...]) -> Value:
        if len(index) < len(shape):
            return Static([of((*index, i)) for i in range(shape[len(index)])], where)
        return element(place, tuple(ir.const(i, tables.INDEX, where) for i in index), where)

    return tuple(of((i,)) for i in range(shape[0]))


def form_of(value: Value) -> tuple[tuple[int, ...], list[Value]]:
    """The shape of a list of lists, and its entries row by row. Where rows differ in length, they are the entries."""
    found = entries(value) if isinstance(value, Static) and isinstance(value.value, list) else None
    if not found:
        return (), [value]
    forms = [form_of(entry) for entry in found]
    if len({shape for shape, _ in forms}) > 1:
        return (len(found),), list(found)
    return (len(found), *forms[0][0]), [entry for _, inner in forms for entry in inner]


def indices(shape: tuple[int, ...], where: Location) -> list[tuple[ir.Expr, ...]]:
    """The indices of all elements of an array, row by row."""
    every = product(*(range(length) for length in shape))
    return [tuple(ir.const(i, tables.INDEX, where) for i in index) for index in every]
