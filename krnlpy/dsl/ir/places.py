"""Where the values of a program are: parameters, variables, arrays. Part of :mod:`krnlpy.dsl.ir`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from krnlpy.scalar import ScalarType

from .node import dataclass

if TYPE_CHECKING:
    from .expressions import Expr


class Location(NamedTuple):
    """A place in the source: lines from 1, columns (UTF-8 bytes, as in Python's ast) from 0."""

    file: str
    line: int
    column: int
    end_column: int


# ---------------------------------------------------------------------------------------------------- parameters


@dataclass(frozen=True, eq=False)
class Parameter:
    """A kernel's parameter. ``type`` is the declared scalar type, which may be a storage type."""

    name: str
    type: ScalarType
    location: Location


@dataclass(frozen=True, eq=False)
class ScalarParameter(Parameter):
    """A number handed over with each launch; read through :class:`Argument`."""


@dataclass(frozen=True, eq=False)
class SpecParameter(Parameter):
    """A specialization constant: fixed when the kernel is built for a device; read through :class:`SpecValue`."""

    default: int | float | bool | None = None


@dataclass(frozen=True, eq=False)
class ItemParameter(Parameter):
    """One element a thread of a buffer; all items of a launch have one shape. Loaded and stored with index ()."""

    mutable: bool = False


@dataclass(frozen=True, eq=False)
class GlobalParameter(Parameter):
    """A whole buffer of ``ndim`` dimensions. ``once``: declared ``Out``, each element is written exactly once."""

    ndim: int = 1
    mutable: bool = False
    once: bool = False


BufferParameter = ItemParameter | GlobalParameter


# --------------------------------------------------------------------------------------------- variables, arrays


@dataclass(frozen=True, eq=False)
class Variable:
    """A local variable or a function's parameter. Compared by identity; names may repeat in other functions."""

    name: str
    type: ScalarType


@dataclass(frozen=True, eq=False)
class LocalArray:
    """An array of each thread's own. ``type`` may be a storage type."""

    name: str
    type: ScalarType
    shape: tuple[Expr, ...]
    """Const or SpecValue, or add, sub, mul, floordiv of those (all i32)."""


@dataclass(frozen=True, eq=False)
class GroupArray(LocalArray):
    """An array that the threads of a group share."""


@dataclass(frozen=True, eq=False)
class CooperativeMatrix:
    """A variable that holds a matrix which the threads of a subgroup hold together. ``type`` may be a storage type.
    ``use``: what it can be in a product ``a @ b + accumulator``."""

    name: str
    type: ScalarType
    rows: int
    columns: int
    use: Literal["a", "b", "accumulator"]


Place = ItemParameter | GlobalParameter | LocalArray | GroupArray
