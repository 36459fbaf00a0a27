"""Values that consist of others, known in number: tuples, lists, vectors, matrices, sets, arrays of known shape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from krnlpy.dsl import ir
from krnlpy.dsl.ir import Location
from krnlpy.dsl.types.composites import MatrixType, StructType

from . import tables
from .values import Compound, CompoundPlace, Static, Value, vector
from .views import Span, View, as_view, first_of, is_array


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


def element(
    place: ir.Place | CompoundPlace, index: tuple[ir.Expr, ...], where: Location, checked: bool = True
) -> ir.Expr | Compound:
    """The value of an element of an array, buffer or item."""
    if isinstance(place, CompoundPlace) and place.axes:
        every = ((*index, *at) for at in place.indices(where))
        return Compound(place.type, tuple(element(place.parts[0], at, where, checked) for at in every), where)
    if isinstance(place, CompoundPlace):
        return Compound(place.type, tuple(element(part, index, where, checked) for part in place.parts), where)
    if isinstance(place, ir.ConstantArray):
        return tables.element(place, index, where, checked)
    return ir.Load(place, index, checked, type=place.type.compute, location=where)


def shape_of(array: Any) -> tuple[int, ...] | None:
    """The shape of an array whose lengths are known while compiling, else None."""
    view, first = as_view(array), first_of(array)
    known: list[int] = []
    for axis in view.axes:
        entry = view.entries[axis]
        length = entry.length if isinstance(entry, Span) else getattr(first, "shape", {axis: None})[axis]
        if not isinstance(length, ir.Const):
            return None
        known.append(int(length.value))
    return tuple(known)


def is_written_out(value: Value) -> bool:
    """Whether this is a tuple or a list, each entry known by itself."""
    return isinstance(value, Static) and isinstance(value.value, tuple | list)


def is_array_value(value: Value) -> bool:
    """Whether a value stands for an array, or part of one."""
    return isinstance(value, Static) and is_array(value.value)


def is_sequence(value: Value) -> bool:
    """Whether this is a tuple, a list or an array."""
    return is_written_out(value) or is_array_value(value)


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
    if is_array(known):
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
        return element(view.base, _index_in(view, index, where), where, view.checked)

    view = as_view(place)
    return tuple(of((i,)) for i in range(shape[0]))


def _index_in(view: View, index: tuple[int, ...], where: Location) -> tuple[ir.Expr, ...]:
    """The index of the array at an index of a view."""
    rest, found = iter(index), list[ir.Expr]()
    for entry in view.entries:
        if isinstance(entry, ir.Expr):
            found.append(entry)
            continue
        number: ir.Expr = ir.const(next(rest) * (entry.step if entry else 1), tables.INDEX, where)
        if entry is not None and isinstance(entry.start, ir.Const) and isinstance(number, ir.Const):
            number = ir.const(entry.start.value + number.value, tables.INDEX, where)
        elif entry is not None:
            number = ir.Binary("add", entry.start, number, type=tables.INDEX, location=where)
        found.append(number)
    return tuple(found)


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
