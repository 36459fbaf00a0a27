"""Rows and slices of arrays: views, through which the array itself is read and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from krnlpy.dsl import ir
from krnlpy.dsl.types.composites import AnyType, StructType

from .values import ArrayPlace, CompoundPlace, Part, Static, Value, is_place, scalars


@dataclass(frozen=True, eq=False)
class Span:
    """Every ``step``-th index of an axis from ``start`` on, ``length`` of them: all lie within the axis.

    Both are i32, and may be repeated. ``length`` is a constant only where it is part of what the view is: a function
    is compiled for it.
    """

    start: ir.Expr
    length: ir.Expr
    step: int


@dataclass(frozen=True, eq=False)
class View(Part):
    """Part of an array.

    Attributes:
        base: the array.
        entries: what is taken of each of its axes: one index, which leaves the axis out; a span; or, for None, all.
        checked: False where the kernel promises that every index of it is in range.
    """

    base: ArrayPlace
    entries: tuple[ir.Expr | Span | None, ...]
    checked: bool = True

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def type(self) -> AnyType:
        """The type of an element."""
        return self.base.type

    @property
    def described(self) -> str:  # type: ignore[override]
        """What it is, for messages."""
        if self.is_whole:
            return f"the array {self.name}"
        is_slice = any(isinstance(entry, Span) for entry in self.entries)
        return f"a {'slice' if is_slice else 'row'} of the array {self.name}"

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the array."""
        return all(entry is None for entry in self.entries)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of the array that are left, in order."""
        return tuple(axis for axis, entry in enumerate(self.entries) if not isinstance(entry, ir.Expr))

    @property
    def form(self) -> tuple[Any, ...]:
        """What is known of it while compiling; two views of one form differ in their numbers only."""
        return (self.base, self.checked, *(_form(entry) for entry in self.entries))

    @property
    def numbers(self) -> list[ir.Expr]:
        """What is known only while the kernel runs."""
        found: list[ir.Expr] = []
        for entry in self.entries:
            if isinstance(entry, Span):
                found += [entry.start] if isinstance(entry.length, ir.Const) else [entry.start, entry.length]
            elif entry is not None:
                found.append(entry)
        return found

    def of(self, numbers: Iterator[ir.Expr]) -> View:
        """The view of this form with other numbers."""
        entries: list[ir.Expr | Span | None] = []
        for entry in self.entries:
            if isinstance(entry, Span):
                start = next(numbers)
                entries.append(
                    Span(start, entry.length if isinstance(entry.length, ir.Const) else next(numbers), entry.step)
                )
            else:
                entries.append(entry if entry is None else next(numbers))
        return replace(self, entries=tuple(entries))


def _form(entry: ir.Expr | Span | None) -> Any:
    if isinstance(entry, Span):
        length = entry.length.value if isinstance(entry.length, ir.Const) else None
        return (entry.step, length)
    return entry if entry is None else entry.type


Array = ArrayPlace | View
"""What is indexed: an array, or part of one."""


def is_array(value: object) -> bool:
    """Whether something known while compiling is an array, or part of one."""
    return isinstance(value, View) or is_place(value)


def base_of(array: Array) -> ArrayPlace:
    """The array that something is part of."""
    return array.base if isinstance(array, View) else array


def first_of(array: Array) -> ir.GlobalParameter | ir.LocalArray:
    """A place of the array's shape: of composite elements, that of the first number."""
    base = base_of(array)
    place = base.first if isinstance(base, CompoundPlace) else base
    assert isinstance(place, ir.GlobalParameter | ir.LocalArray)
    return place


def rank_of(array: Array) -> int:
    """Dimensions of an array, or of part of one."""
    if isinstance(array, View):
        return len(array.axes)
    within = 0
    part: ir.Place | CompoundPlace = array
    while isinstance(part, CompoundPlace):
        within += len(part.axes)
        part = part.parts[0]
    return (part.ndim if isinstance(part, ir.GlobalParameter) else len(part.shape)) - within  # type: ignore[union-attr]


def as_view(array: Array) -> View:
    """An array as the view of all of it."""
    return array if isinstance(array, View) else View(array, (None,) * rank_of(array))


def field_of(array: Array, name: str) -> Array | None:
    """The array of a field's values, of an array of structs; None if there is no such field."""
    base = base_of(array)
    if not isinstance(base, CompoundPlace) or not isinstance(base.type, StructType):
        return None
    for (own, _), part in zip(base.type.parts, base.parts, strict=True):
        if own == name:
            assert not isinstance(part, ir.ItemParameter)
            return replace(array, base=part) if isinstance(array, View) else part
    return None


def numbers_of(value: Value) -> list[ir.Expr]:
    """The numbers in a value that are known only while the kernel runs."""
    if isinstance(value, Static):
        return value.value.numbers if isinstance(value.value, View) else []
    return list(scalars(value))


__all__ = [
    "Array", "Span", "View", "as_view", "base_of", "field_of", "first_of", "is_array", "numbers_of", "rank_of",
]  # fmt: skip
