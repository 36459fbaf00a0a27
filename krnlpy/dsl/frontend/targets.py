"""What an assignment or an atomic changes: variables, elements of arrays, and parts of composite values."""

from __future__ import annotations

from dataclasses import dataclass

from krnlpy.dsl import ir
from krnlpy.dsl.types.composites import AnyType, CompositeType
from krnlpy.scalar import ScalarType

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
    """An element of an array, a buffer or an item, as a target; ``index`` is evaluated already."""

    place: ir.Place
    index: tuple[ir.Expr, ...]

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
