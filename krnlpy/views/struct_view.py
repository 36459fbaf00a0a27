"""Views of structs: each field of them is a strided view of their memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, Generic, TypeVar

import numpy as np

from krnlpy.device import Device
from krnlpy.dsl.types.composites import (
    AnyType,
    ArrayType,
    CompositeType,
    MatrixType,
    StructType,
    VectorType,
    struct_type,
)
from krnlpy.errors import DtypeError, UnsizedError
from krnlpy.scalar import scalar_type

from .strides import Shape
from .view import View

V = TypeVar("V", bound=View)


def struct_dtype(struct: type) -> np.dtype[np.void]:
    """The NumPy dtype of a struct: its fields in order, each aligned to its own size, as C lays them out.

    Vectors, matrices (row by row) and arrays are subarrays, as aligned as a scalar of them is: a ``vec3`` takes 12
    bytes. That is the scalar layout of GLSL; its std430 would take 16.

    >>> from dataclasses import dataclass
    >>> from krnlpy import f32, struct_dtype
    >>> @dataclass
    ... class Cell:
    ...     alive: bool
    ...     heat: f32
    >>> struct_dtype(Cell).fields["heat"]
    (dtype('float32'), 4)

    Raises:
        DtypeError: it is not a dataclass of scalars, vectors, matrices and such dataclasses.
    """
    if not isinstance(struct, type):
        raise DtypeError(
            f"{struct!r} is not a dataclass; expected one whose fields are scalar types, vectors and the like"
        )
    return _struct_dtype(struct)


@cache
def _struct_dtype(struct: type) -> np.dtype[np.void]:
    dtype: np.dtype[np.void] = np.dtype(_dtype(_struct(struct)))
    return dtype


def _struct(struct: object) -> StructType:
    if isinstance(struct, type) and hasattr(struct, "__dataclass_fields__"):
        return struct_type(struct)
    raise DtypeError(f"{struct!r} is not a dataclass; expected one whose fields are scalar types, vectors and the like")


def _dtype(type: AnyType) -> Any:
    if isinstance(type, VectorType | MatrixType | ArrayType):
        element = np.dtype(_dtype(type.element))
        return np.dtype((element.base, (*type.axes, *element.shape)))
    if isinstance(type, CompositeType):
        return np.dtype([(name, _dtype(part)) for name, part in type.parts], align=True)
    return type.dtype


class StructView(Generic[V]):
    """An n-dimensional array of structs in a device's memory, contiguous.

    Attributes:
        storage: the bytes of all structs, as a view of u8.
        dtype: the NumPy dtype of an element, aligned.
        shape: elements along each axis.
    """

    __iter__ = None
    __contains__ = None

    def __init__(self, storage: V, dtype: np.dtype[np.void], shape: Shape) -> None:
        self.storage, self.dtype, self.shape = storage, dtype, shape

    @property
    def device(self) -> Device:
        """The device of the structs."""
        return self.storage.device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of structs."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all structs."""
        return self.size * self.dtype.itemsize

    def __getitem__(self, name: str) -> V | StructField[V]:
        """The view of a field: a buffer of the structs' shape, with axes more for vectors and matrices; of a
        struct in the struct, or of an array of them, what can be asked for its fields.

        Raises:
            DtypeError: there is no such field.
        """
        return StructField(self, self.dtype)[name]

    def shares_memory(self, other: StructView[Any]) -> bool:
        """Whether two buffers of structs have memory in common.

        Raises:
            DtypeError: ``other`` is not a StructBuffer.

        >>> from dataclasses import dataclass
        >>> from krnlpy import StructBuffer, f32
        >>> @dataclass
        ... class Cell:
        ...     heat: f32
        >>> cells = StructBuffer.zeros(6, Cell)
        >>> cells.shares_memory(cells.reshape((2, 3))), cells.shares_memory(cells.copy())
        (True, False)
        """
        if not isinstance(other, StructView):
            raise DtypeError(f"shares_memory of a StructBuffer and a {type(other).__name__}: expected a StructBuffer")
        return self.storage.shares_memory(other.storage)

    def __len__(self) -> int:
        if not self.shape:
            raise UnsizedError
        return self.shape[0]


@dataclass(frozen=True)
class _Step:
    """From the structs around to one of their fields: where it starts in bytes, its axes, and its elements' size."""

    start: int
    axes: Shape
    size: int


class StructField(Generic[V]):
    """Structs in others, at a place in each element: one, or an array of them, whose axes come after the others."""

    def __init__(self, structs: StructView[V], dtype: np.dtype[Any], steps: tuple[_Step, ...] = ()) -> None:
        self._structs, self.dtype, self._steps = structs, dtype, steps

    @property
    def shape(self) -> Shape:
        return (*self._structs.shape, *(length for step in self._steps for length in step.axes))

    def __getitem__(self, name: str) -> V | StructField[V]:
        fields: Mapping[str, Any] = self.dtype.fields or {}
        if not isinstance(name, str) or name not in fields:
            raise DtypeError(f"the struct has no field {name!r}; it has {', '.join(fields)}")
        dtype, start = fields[name][:2]
        base = dtype.base
        steps = (*self._steps, _Step(start, dtype.shape, base.itemsize))
        if base.fields:
            return StructField(self._structs, base, steps)
        structs, element = self._structs, scalar_type(base)
        words = structs.storage.bitcast(element).reshape((*structs.shape, structs.dtype.itemsize // element.size))
        for step in steps:
            first, size = step.start // element.size, step.size // element.size
            words = words[..., first : first + prod(step.axes) * size]
            words = words.reshape((*words.shape[:-1], *step.axes, size))
        return words[..., 0]
