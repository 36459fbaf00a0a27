"""Buffers of structs: the memory of a NumPy structured array on a device, each field a strided view of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np

from krnlpy.device import Device
from krnlpy.dsl.types.composites import AnyType, CompositeType, MatrixType, StructType, VectorType, struct_type
from krnlpy.errors import DtypeError, ShapeError, SharingError
from krnlpy.scalar import boolean, scalar_type, u8
from krnlpy.views.strides import Shape, as_shape

from .buffer import Buffer


def struct_dtype(struct: type) -> np.dtype[np.void]:
    """The NumPy dtype of a struct: its fields in order, each aligned to its own size, as C lays them out.

    >>> from dataclasses import dataclass
    >>> from krnlpy import f32, struct_dtype, u8
    >>> @dataclass
    ... class Cell:
    ...     alive: u8
    ...     heat: f32
    >>> struct_dtype(Cell).fields["heat"]
    (dtype('float32'), 4)

    Raises:
        DtypeError: it is no dataclass of scalars, vectors, matrices and other such dataclasses; or a field is a bool.
    """
    if not isinstance(struct, type):
        raise DtypeError(
            f"{struct!r} is no dataclass; expected one whose fields are scalar types, vectors and the like"
        )
    return _struct_dtype(struct)


@cache
def _struct_dtype(struct: type) -> np.dtype[np.void]:
    dtype: np.dtype[np.void] = np.dtype(_dtype(_struct(struct)))
    return dtype


def _struct(struct: object) -> StructType:
    if isinstance(struct, type) and hasattr(struct, "__dataclass_fields__"):
        return struct_type(struct)
    raise DtypeError(f"{struct!r} is no dataclass; expected one whose fields are scalar types, vectors and the like")


def _dtype(type: AnyType) -> Any:
    if isinstance(type, VectorType):
        return np.dtype((_dtype(type.element), (type.length,)))
    if isinstance(type, MatrixType):
        return np.dtype((_dtype(type.element), (type.rows, type.columns)))
    if isinstance(type, CompositeType):
        return np.dtype([(name, _dtype(part)) for name, part in type.parts], align=True)
    if type is boolean:
        raise DtypeError("buffers hold the 12 scalar types, not booleans; use u8 in structs of buffers")
    return type.dtype


class StructBuffer:
    """Structs on a device. Kernels take it where a parameter is ``Global[Struct]`` or ``Item[Struct]``.

    Attributes:
        dtype: the NumPy dtype of an element, aligned.
        shape: elements along each axis.

    >>> from dataclasses import dataclass
    >>> from krnlpy import StructBuffer, f32, i32
    >>> @dataclass
    ... class Particle:
    ...     mass: f32
    ...     cell: i32
    >>> particles = StructBuffer.zeros(3, Particle)
    >>> particles["mass"].fill(2.0)
    >>> particles.numpy()[0].item()
    (2.0, 0)
    """

    def __init__(self, memory: Buffer, dtype: np.dtype[np.void], shape: Shape) -> None:
        self._memory, self.dtype, self.shape = memory, dtype, shape

    @classmethod
    def zeros(cls, shape: int | Iterable[int], struct: type, device: Device | None = None) -> StructBuffer:
        """Structs of zeros.

        Args:
            shape: elements along each axis.
            struct: a dataclass whose fields are annotated by scalar types, ``Vector``, ``Matrix`` or other dataclasses.
            device: where; the host unless given.

        Raises:
            DtypeError: the struct has fields that buffers do not hold. ShapeError: the shape is not one.
            OutOfMemory, LimitExceeded: it is too large for the device.
        """
        dtype, sizes = struct_dtype(struct), as_shape(shape)
        count = int(np.prod(sizes, dtype=object))
        return cls(Buffer.zeros(count * dtype.itemsize, u8, device), dtype, sizes)

    @classmethod
    def from_numpy(cls, array: Any, device: Device | None = None) -> StructBuffer:
        """A copy of a structured array; packed ones are laid out anew, each field aligned to its own size.

        Raises:
            DtypeError: the array is not structured, or has fields of other types than the 12.
        """
        array = np.asarray(array)
        dtype = np.dtype(_aligned(array.dtype))
        bytes = np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8)
        return cls(Buffer.from_numpy(bytes, device), dtype, array.shape)

    @property
    def device(self) -> Device:
        """Where it is."""
        return self._memory.device

    @property
    def size(self) -> int:
        """Count of elements."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    def __getitem__(self, name: str) -> Buffer | StructField:
        """The view of a field: a :class:`Buffer` of the buffer's shape, with axes more for vectors and matrices; of a
        struct in the struct, what can be asked for its fields.

        Raises:
            DtypeError: there is no such field.
        """
        return StructField(self, self.dtype, 0)[name]

    def numpy(self, *, copy: bool = True) -> np.ndarray[Any, np.dtype[np.void]]:
        """A structured array: a copy, on every device, made after all work queued before.

        Args:
            copy: False: the array is the buffer's memory, which only the host's and the interpreter's can be.

        Raises:
            SharingError: ``copy`` is False and the device has memory of its own.
        """
        return self._memory.numpy(copy=copy).view(self.dtype).reshape(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False and dtype is not None and np.dtype(dtype) != self.dtype:
            raise SharingError(f"the elements are of type {self.dtype}; an array of {np.dtype(dtype)} is a copy")
        array = self.numpy(copy=copy is not False)
        return array if dtype is None else array.astype(dtype, copy=False)

    def to_device(self, device: Device) -> StructBuffer:
        """A copy on a device, or itself where it is there."""
        memory = self._memory.to_device(device)
        return self if memory is self._memory else StructBuffer(memory, self.dtype, self.shape)

    def copy(self) -> StructBuffer:
        """A copy on the same device."""
        return StructBuffer(self._memory.copy(), self.dtype, self.shape)

    def copy_from(self, other: StructBuffer) -> None:
        """Takes the content of another of equal shape and fields.

        Raises:
            ShapeError: the shapes differ. DtypeError: the fields differ.
        """
        if not isinstance(other, StructBuffer):
            raise DtypeError(f"copy_from of a {type(other).__name__}: expected a StructBuffer")
        if other.shape != self.shape:
            raise ShapeError(f"shape {other.shape} into {self.shape}")
        if other.dtype != self.dtype:
            raise DtypeError(f"structs of {other.dtype} into those of {self.dtype}")
        self._memory.copy_from(other._memory)

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError("a 0-d buffer has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        fields = ", ".join(self.dtype.names or ())
        return f"StructBuffer(({fields}), shape={self.shape}, device={self.device!r})"


class StructField:
    """A struct in a struct buffer, at a place in each element."""

    def __init__(self, buffer: StructBuffer, dtype: np.dtype[Any], offset: int) -> None:
        self._buffer, self.dtype, self._offset = buffer, dtype, offset

    @property
    def shape(self) -> Shape:
        return self._buffer.shape

    def __getitem__(self, name: str) -> Buffer | StructField:
        fields: Mapping[str, Any] = self.dtype.fields or {}
        if not isinstance(name, str) or name not in fields:
            raise DtypeError(f"the struct has no field {name!r}; it has {', '.join(fields)}")
        dtype, start = fields[name][:2]
        offset = self._offset + start
        base, inner = dtype.base, dtype.shape
        if base.fields:
            return StructField(self._buffer, base, offset)
        buffer, element = self._buffer, scalar_type(base)
        row = buffer.dtype.itemsize // element.size
        words = buffer._memory.bitcast(element).reshape((*buffer.shape, row))
        first, count = offset // element.size, int(np.prod(inner, dtype=int))
        if not inner:
            return words[..., first]
        return words[..., first : first + count].reshape((*buffer.shape, *inner))


def _aligned(dtype: np.dtype[Any]) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((_aligned(base), shape))
    if dtype.names is None:
        return scalar_type(dtype).dtype
    return np.dtype([(name, _aligned(dtype[name])) for name in dtype.names], align=True)
