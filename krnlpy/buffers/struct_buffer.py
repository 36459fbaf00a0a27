"""Buffers of structs: the memory of a NumPy structured array on a device, each field a strided view of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from krnlpy.device import Device
from krnlpy.errors import DtypeError, ShapeError, SharingError
from krnlpy.scalar import scalar_type, u8
from krnlpy.views.strides import as_shape
from krnlpy.views.struct_view import StructView, struct_dtype

from .buffer import Buffer


class StructBuffer(StructView[Buffer]):
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

    def numpy(self, *, copy: bool = True) -> np.ndarray[Any, np.dtype[np.void]]:
        """A structured array: a copy, on every device, made after all work queued before.

        Args:
            copy: False: the array is the buffer's memory, which only the host's and the interpreter's can be.

        Raises:
            SharingError: ``copy`` is False and the device has memory of its own.
        """
        return self.storage.numpy(copy=copy).view(self.dtype).reshape(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False and dtype is not None and np.dtype(dtype) != self.dtype:
            raise SharingError(f"the elements are of type {self.dtype}; an array of {np.dtype(dtype)} is a copy")
        array = self.numpy(copy=copy is not False)
        return array if dtype is None else array.astype(dtype, copy=False)

    def to_device(self, device: Device) -> StructBuffer:
        """A copy on a device, or itself where it is there."""
        storage = self.storage.to_device(device)
        return self if storage is self.storage else StructBuffer(storage, self.dtype, self.shape)

    def copy(self) -> StructBuffer:
        """A copy on the same device."""
        return StructBuffer(self.storage.copy(), self.dtype, self.shape)

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
        self.storage.copy_from(other.storage)

    def __repr__(self) -> str:
        fields = ", ".join(self.dtype.names or ())
        return f"StructBuffer(({fields}), shape={self.shape}, device={self.device!r})"


def _aligned(dtype: np.dtype[Any]) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((_aligned(base), shape))
    if dtype.names is None:
        return scalar_type(dtype).dtype
    return np.dtype([(name, _aligned(dtype[name])) for name in dtype.names], align=True)
