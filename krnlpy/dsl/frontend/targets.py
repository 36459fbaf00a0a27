"""What an assignment or an atomic changes: variables, elements of arrays, and parts of composite values."""

from __future__ import annotations

from dataclasses import dataclass

from krnlpy.dsl import ir
from krnlpy.dsl.types.composites import MAX_LENGTH, AnyType, CompositeType, MatrixType, TupleType, VectorType
from krnlpy.scalar import ScalarType

from .sequences import indices, shape_of
from .values import CompoundPlace
from .views import View


@dataclass(eq=False)
class LocalName:
    """A local variable while a function is lowered.

    Attributes:
        storage: its annotated type, which may be f16 or bf16.
        line: where it began.
        begun: the number that was its first value, if that was a literal.
    """

    variable: ir.Variable
    storage: ScalarType
    line: int
    begun: int | float | None = None

    @property
    def type(self) -> AnyType:
        return self.storage


@dataclass(eq=False)
class CompoundName:
    """A local variable of a composite type: one variable for each of its scalars."""

    type: CompositeType
    parts: tuple[AnyName, ...]
    line: int


AnyName = LocalName | CompoundName


@dataclass(eq=False)
class ViewName:
    """A name for part of an array; what the part is made of while the kernel runs is in ``variables``."""

    form: View
    variables: tuple[ir.Variable, ...]
    line: int

    def view(self, where: ir.Location) -> View:
        """What the name means."""
        return self.form.of(iter([ir.Local(v, type=v.type, location=where) for v in self.variables]))


@dataclass(eq=False)
class Element:
    """An element of an array, a buffer or an item, as a target; ``index`` is evaluated already. ``checked``: as of
    views."""

    place: ir.Place
    index: tuple[ir.Expr, ...]
    checked: bool = True

    @property
    def type(self) -> ScalarType:
        return self.place.type


@dataclass(eq=False)
class CompositeTarget:
    """A target of a composite type."""

    type: CompositeType
    parts: tuple[Target, ...]


@dataclass(eq=False)
class SelectedTarget:
    """One of several targets of one type, selected while the kernel runs."""

    type: AnyType
    parts: tuple[Target, ...]
    index: ir.Expr


Target = LocalName | CompoundName | Element | CompositeTarget | SelectedTarget


def elements(place: ir.Place | CompoundPlace, index: tuple[ir.Expr, ...], checked: bool = True) -> Target:
    """An element of an array, a buffer or an item."""
    if isinstance(place, CompoundPlace) and place.axes:
        where = index[0].location if index else ir.Location("", 1, 0, 0)
        every = ((*index, *at) for at in place.indices(where))
        return CompositeTarget(place.type, tuple(elements(place.parts[0], at, checked) for at in every))
    if isinstance(place, CompoundPlace):
        return CompositeTarget(place.type, tuple(elements(part, index, checked) for part in place.parts))
    return Element(place, index, checked)


def whole(place: ir.Place | CompoundPlace, where: ir.Location) -> Target | None:
    """All elements of an array of the kernel's own: a vector or a matrix, or as many values as it has."""
    shape = shape_of(place)
    if shape is None:
        return None
    every = tuple(elements(place, index) for index in indices(shape, where))
    return _of_shape(place.type, shape, every)


def _of_shape(type: AnyType, shape: tuple[int, ...], every: tuple[Target, ...]) -> CompositeTarget:
    is_short = not isinstance(type, CompositeType) and all(2 <= length <= MAX_LENGTH for length in shape)
    if len(shape) == 1:
        return CompositeTarget(VectorType(type, shape[0]) if is_short else TupleType((type,) * shape[0]), every)
    if len(shape) == 2 and is_short:
        return CompositeTarget(MatrixType(type, *shape), every)
    size = len(every) // shape[0]
    rows = tuple(_of_shape(type, shape[1:], every[start : start + size]) for start in range(0, len(every), size))
    return CompositeTarget(TupleType(tuple(row.type for row in rows)), rows)
