"""The annotations of a kernel's parameters: Item, ItemMut, Out, Global, GlobalMut and Spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from krnlpy.errors import DtypeError
from krnlpy.scalar import SCALAR_TYPES, ScalarType, boolean

from .composites import CompositeType, composite_type, leaves, plain_number

ElementType = ScalarType | TypeVar
MAX_NDIM = 8


@dataclass(frozen=True)
class Annotation:
    """What a parameter's annotation says of it."""

    kind: Literal["scalar", "spec", "item", "global"]
    type: Any
    ndim: int = 0
    mutable: bool = False
    once: bool = False


def element_type(type: object) -> ElementType:
    """A scalar type, or a type variable over scalar types; anything else raises DtypeError."""
    if isinstance(type, TypeVar):
        for choice in type.__constraints__:
            element_type(choice)
        return type
    if type is bool:
        return boolean
    if isinstance(type, ScalarType) and (type in SCALAR_TYPES or type is boolean):
        return type
    if type is int or type is float:
        raise DtypeError(f"{type.__name__} has no width here; write i32 or f32")
    raise DtypeError(f"{type!r} is not a scalar type; expected one of u8 ... f64, bool, or a TypeVar over them")


def any_type(type: object) -> ElementType | CompositeType:
    """A scalar type, a type variable, or a composite type; anything else raises DtypeError."""
    composite = composite_type(type)
    return element_type(type) if composite is None else composite


def type_choices(variable: TypeVar) -> tuple[ScalarType, ...]:
    """The scalar types that a type variable stands for: its constraints, or all twelve."""
    return tuple(variable.__constraints__) or SCALAR_TYPES


class _BufferAnnotation:
    def __init__(self, name: str, kind: Literal["item", "global"], mutable: bool, once: bool = False) -> None:
        self.name, self.kind, self.mutable, self.once = name, kind, mutable, once

    def __repr__(self) -> str:
        return self.name

    def __getitem__(self, arguments: Any) -> Annotation:
        type, ndim = arguments if isinstance(arguments, tuple) and len(arguments) == 2 else (arguments, None)
        type = any_type(type)
        if any(leaf is boolean for _, leaf in leaves(type)):
            raise DtypeError(f"{self.name}[bool]: buffers hold the 12 scalar types, not booleans; use u8")
        if self.kind == "item":
            if ndim is not None:
                raise DtypeError(f"{self.name}[{type}, {ndim}]: an item is one element; write {self.name}[{type}]")
            return Annotation("item", type, 0, self.mutable)
        ndim = 1 if ndim is None else plain_number(ndim)
        if isinstance(ndim, bool) or not isinstance(ndim, int) or not 1 <= ndim <= MAX_NDIM:
            raise DtypeError(f"{self.name}[{type}, {ndim}]: the number of dimensions must be 1 to {MAX_NDIM}")
        return Annotation("global", type, ndim, self.mutable, self.once)


class _SpecAnnotation:
    def __repr__(self) -> str:
        return "Spec"

    def __getitem__(self, type: Any) -> Annotation:
        return Annotation("spec", element_type(type))


if TYPE_CHECKING:
    from .checked import Global as Global
    from .checked import GlobalMut as GlobalMut
    from .checked import Item as Item
    from .checked import ItemMut as ItemMut
    from .checked import Out as Out
    from .checked import Spec as Spec
else:
    Item = _BufferAnnotation("Item", "item", mutable=False)
    ItemMut = _BufferAnnotation("ItemMut", "item", mutable=True)
    Global = _BufferAnnotation("Global", "global", mutable=False)
    GlobalMut = _BufferAnnotation("GlobalMut", "global", mutable=True)
    Out = _BufferAnnotation("Out", "global", mutable=True, once=True)
    Spec = _SpecAnnotation()
