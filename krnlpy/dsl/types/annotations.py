"""The annotations of a kernel's parameters: Item, ItemMut, Out, Global, GlobalMut and Spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from krnlpy.errors import DtypeError
from krnlpy.scalar import SCALAR_TYPES, ScalarType, boolean, numpys_type, scalar_type

from .composites import (
    Annotating,
    ArrayType,
    CompositeType,
    StructType,
    composite_type,
    elements,
    plain_number,
)

ElementType = ScalarType | TypeVar
MAX_NDIM = 8


@dataclass(frozen=True)
class Annotation(Annotating):
    """The meaning of a parameter's annotation; ``optional``: it may be None."""

    kind: Literal["scalar", "spec", "item", "global"]
    type: Any
    ndim: int = 0
    mutable: bool = False
    once: bool = False
    optional: bool = False


def element_type(type: object) -> ElementType:
    """A scalar type, or a type variable over scalar types; anything else raises DtypeError."""
    if isinstance(type, TypeVar):
        for choice in type.__constraints__:
            element_type(choice)
        return type
    type = numpys_type(type) or type
    if type is bool:
        return boolean
    if isinstance(type, ScalarType) and type in SCALAR_TYPES:
        return type
    if type is int or type is float:
        raise DtypeError(f"{type.__name__} has no width here; write i32 or f32")
    raise DtypeError(f"{type!r} is not a scalar type; expected one of u8 ... f64, bool, or a TypeVar over them")


def any_type(type: object) -> ElementType | CompositeType:
    """A scalar type, a type variable, or a composite type; anything else raises DtypeError."""
    composite = composite_type(type)
    return element_type(type) if composite is None else composite


def type_choices(variable: TypeVar) -> tuple[ScalarType, ...]:
    """The scalar types that a type variable stands for: its constraints, or all 13."""
    return tuple(map(scalar_type, variable.__constraints__)) or SCALAR_TYPES


class _BufferAnnotation:
    name: str
    kind: Literal["item", "global"]
    mutable = False
    once = False

    def __repr__(self) -> str:
        return self.name

    def __getitem__(self, arguments: Any) -> Annotation:
        type, ndim = arguments if isinstance(arguments, tuple) and len(arguments) == 2 else (arguments, None)
        type = any_type(type)
        if isinstance(type, ArrayType) and any(isinstance(t, StructType) for t in elements(type)):
            raise DtypeError(f"{self.name}[{type}]: arrays of structs are fields of structs, not elements of buffers")
        if self.kind == "item":
            if ndim is not None:
                raise DtypeError(f"{self.name}[{type}, {ndim}]: an item is one element; write {self.name}[{type}]")
            return Annotation("item", type, 0, self.mutable)
        ndim = 1 if ndim is None else plain_number(ndim)
        if isinstance(ndim, bool) or not isinstance(ndim, int) or not 1 <= ndim <= MAX_NDIM:
            raise DtypeError(f"{self.name}[{type}, {ndim}]: the number of dimensions must be 1 to {MAX_NDIM}")
        return Annotation("global", type, ndim, self.mutable, self.once)


class _Item(_BufferAnnotation):
    """``x: Item[f32]``: each thread reads one element of the buffer, the same place in all of a kernel's items.

    A kernel with items runs once for each element; the buffers have one shape, or broadcast as NumPy's arrays do.
    ``Item[type]`` takes a scalar type, a vector, a matrix, a struct or a TypeVar over these.

    Raises:
        DtypeError: in ``Item[type]``, the type is none of these.

    >>> from krnlpy import Buffer, Item, ItemMut, f32, kernel
    >>> @kernel
    ... def add(x: Item[f32], y: ItemMut[f32]):
    ...     y += x
    >>> y = Buffer.zeros((2, 3), f32)
    >>> add(Buffer.full((2, 3), 1.5, f32), y)
    >>> y.numpy().tolist()
    [[1.5, 1.5, 1.5], [1.5, 1.5, 1.5]]
    """

    name, kind = "Item", "item"


class _ItemMut(_BufferAnnotation):
    """``y: ItemMut[f32]``: each thread reads and writes one element of the buffer, otherwise as :data:`Item`.

    Raises:
        DtypeError: in ``ItemMut[type]``, the type is not one that buffers hold.

    >>> from krnlpy import Buffer, ItemMut, i32, kernel
    >>> from krnlpy.dsl import item_id
    >>> @kernel
    ... def square(y: ItemMut[i32]):
    ...     y = item_id() ** 2
    >>> y = Buffer.zeros(4, i32)
    >>> square(y)
    >>> y.numpy().tolist()
    [0, 1, 4, 9]
    """

    name, kind, mutable = "ItemMut", "item", True


class _Global(_BufferAnnotation):
    """``a: Global[f32, 2]``: a buffer of two dimensions that all threads read, at any index.

    Without a number of dimensions it has one. What is read out of range is 0.

    Raises:
        DtypeError: in ``Global[type, ndim]``, the type is not one that buffers hold, or ``ndim`` is not 1 to 8.

    >>> from krnlpy import Buffer, Global, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id
    >>> @kernel
    ... def reverse(x: Global[i32], y: GlobalMut[i32]):
    ...     i = global_id()
    ...     y[i] = x[x.shape[0] - 1 - i]
    >>> import numpy as np
    >>> x, y = Buffer.from_numpy(np.int32([1, 2, 3])), Buffer.zeros(3, i32)
    >>> reverse.with_groups(1).with_threads(3)(x, y)
    >>> y.numpy().tolist()
    [3, 2, 1]
    """

    name, kind = "Global", "global"


class _GlobalMut(_BufferAnnotation):
    """``a: GlobalMut[f32, 2]``: a buffer that all threads read and write, at any index, otherwise as :data:`Global`.

    What is written out of range is dropped. Where several threads write one element, use atomics.

    Raises:
        DtypeError: in ``GlobalMut[type, ndim]``, the type is not one that buffers hold, or ``ndim`` is not 1 to 8.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_add, global_id
    >>> @kernel
    ... def count(bins: GlobalMut[i32]):
    ...     atomic_add(bins[global_id() % 2], 1)
    >>> bins = Buffer.zeros(2, i32)
    >>> count.with_groups(1).with_threads(7)(bins)
    >>> bins.numpy().tolist()
    [4, 3]
    """

    name, kind, mutable = "GlobalMut", "global", True


class _Out(_BufferAnnotation):
    """``y: Out[f32, 2]``: a buffer that the kernel does not read, and whose elements it writes once each.

    Raises:
        DtypeError: in ``Out[type, ndim]``, the type is not one that buffers hold, or ``ndim`` is not 1 to 8.

    >>> from krnlpy import Buffer, Out, i32, kernel
    >>> from krnlpy.dsl import global_id
    >>> @kernel
    ... def table(y: Out[i32, 2]):
    ...     row, column = global_id(1), global_id(0)
    ...     y[row, column] = (row + 1) * (column + 1)
    >>> y = Buffer.zeros((2, 3), i32)
    >>> table.with_groups(1).with_threads(3, 2)(y)
    >>> y.numpy().tolist()
    [[1, 2, 3], [2, 4, 6]]
    """

    name, kind, mutable, once = "Out", "global", True, True


class _Spec:
    """``n: Spec[u32]``: a number that is known while the kernel is compiled. It is compiled again for each value.

    It serves as the length of an array or the bound of an unrolled loop. ``kernel.specialize(n=...)`` gives its value.

    Raises:
        DtypeError: in ``Spec[type]``, the type is not a scalar type.

    >>> from krnlpy import Buffer, ItemMut, Spec, f32, i32, kernel
    >>> @kernel
    ... def power(x: ItemMut[f32], N: Spec[i32]):
    ...     result = f32(1)
    ...     for _ in range(N):
    ...         result *= x
    ...     x = result
    >>> x = Buffer.full(1, 2.0, f32)
    >>> power.specialize(N=10)(x)
    >>> float(x.numpy()[0])
    1024.0
    """

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
    Item, ItemMut, Global, GlobalMut, Out, Spec = _Item(), _ItemMut(), _Global(), _GlobalMut(), _Out(), _Spec()
