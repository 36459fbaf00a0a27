"""Buffers of structs: the memory of a NumPy structured array on a device, each field a strided view of it."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from krnlpy.columns import as_html
from krnlpy.device import Device
from krnlpy.errors import DtypeError, ShapeError, SharingError
from krnlpy.scalar import scalar_type, u8
from krnlpy.views.strides import as_shape, completed
from krnlpy.views.struct_view import StructView, struct_dtype

from . import arrays
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

    # ------------------------------------------------------------------------------------------------- constructors

    @classmethod
    def empty(cls, shape: int | Iterable[int], struct: type, device: Device | None = None) -> StructBuffer:
        """Structs of undefined content.

        Args:
            shape: elements along each axis.
            struct: a dataclass whose fields are annotated by scalar types, ``Vector``, ``Matrix`` or other dataclasses.
            device: the device; the host if not given.

        Raises:
            DtypeError: the struct has fields that buffers do not hold. ShapeError: the shape is not one.
            OutOfMemory, LimitExceeded: it is too large for the device.

        >>> from dataclasses import dataclass
        >>> from krnlpy import Device, StructBuffer, f32
        >>> @dataclass
        ... class Cell:
        ...     heat: f32
        >>> StructBuffer.empty((2, 3), Cell)
        StructBuffer((heat), shape=(2, 3), device=Device.host())
        """
        dtype, sizes = struct_dtype(struct), as_shape(shape)
        return cls(Buffer.empty(prod(sizes) * dtype.itemsize, u8, device), dtype, sizes)

    @classmethod
    def zeros(cls, shape: int | Iterable[int], struct: type, device: Device | None = None) -> StructBuffer:
        """Structs of zeros.

        Args:
            shape: elements along each axis.
            struct: a dataclass, as for :meth:`empty`.
            device: the device; the host if not given.

        Raises:
            DtypeError: the struct has fields that buffers do not hold. ShapeError: the shape is not one.
            OutOfMemory, LimitExceeded: it is too large for the device.

        >>> from dataclasses import dataclass
        >>> from krnlpy import StructBuffer, f32
        >>> @dataclass
        ... class Cell:
        ...     heat: f32
        ...     alive: bool
        >>> StructBuffer.zeros(2, Cell).numpy().tolist()
        [(0.0, False), (0.0, False)]
        """
        result = cls.empty(shape, struct, device)
        result.storage.fill(0)
        return result

    @classmethod
    def from_numpy(cls, array: Any, device: Device | None = None, *, copy: bool = True) -> StructBuffer:
        """A buffer of the structs of a structured NumPy array.

        Args:
            array: the array. Where it is copied, its fields may be packed: each is aligned to its own size then.
            device: the device; the host if not given.
            copy: False: the buffer is the array's memory, as for :meth:`Buffer.from_numpy`.

        Raises:
            DtypeError: the array is not structured, or has fields of other types than the 13.
            SharingError: ``copy`` is False, and the array is strided, read-only or not aligned as :func:`struct_dtype`
                does it, or the device can't use the process's memory.

        >>> import numpy as np
        >>> from krnlpy import StructBuffer
        >>> points = np.array([(1.0, 7), (2.0, 8)], [("x", np.float32), ("id", np.int32)])
        >>> StructBuffer.from_numpy(points)["id"].numpy()
        array([7, 8], dtype=int32)
        """
        of = arrays.as_array(array)
        if of.dtype.names is None:
            raise DtypeError(
                f"from_numpy of an array of {of.dtype}: a StructBuffer holds a structured array; Buffer.from_numpy"
                " takes this one"
            )
        dtype = np.dtype(_aligned(of.dtype))
        if copy is False and not (of is array and of.dtype == dtype and of.flags.c_contiguous):
            raise SharingError(
                f"an array of shape {of.shape} and type {of.dtype} can't be shared: a StructBuffer's structs lie"
                f" without gaps and are of type {dtype}; copy=True copies it"
            )
        content = np.ascontiguousarray(of, dtype).reshape(-1).view(np.uint8)
        return cls(Buffer.from_numpy(content, device, copy=copy), dtype, of.shape)

    # ------------------------------------------------------------------------------------------------------- copies

    def copy(self) -> StructBuffer:
        """A copy on the same device.

        >>> from dataclasses import dataclass
        >>> from krnlpy import StructBuffer, f32
        >>> @dataclass
        ... class Cell:
        ...     heat: f32
        >>> cells = StructBuffer.zeros(2, Cell)
        >>> cells.copy()["heat"].fill(1.0)
        >>> cells["heat"].numpy()
        array([0., 0.], dtype=float32)
        """
        return StructBuffer(self.storage.copy(), self.dtype, self.shape)

    def to_device(self, device: Device) -> StructBuffer:
        """The buffer itself if it is on ``device``, else a copy there.

        Raises:
            DtypeError: ``device`` is not a Device. OutOfMemory, LimitExceeded: it is too large for the device.

        >>> from dataclasses import dataclass
        >>> from krnlpy import Device, StructBuffer, f32
        >>> @dataclass
        ... class Cell:
        ...     heat: f32
        >>> StructBuffer.zeros(2, Cell).to_device(Device.interpreter()).device
        Device.interpreter()
        """
        storage = self.storage.to_device(device)
        return self if storage is self.storage else StructBuffer(storage, self.dtype, self.shape)

    def copy_from(self, other: StructBuffer | np.ndarray[Any, Any]) -> None:
        """Overwrites the structs by those of another buffer, on any device, or of a structured NumPy array, of the same
        shape and fields.

        Raises:
            ShapeError: the shapes differ. DtypeError: the fields differ, or ``other`` is something else.

        >>> from dataclasses import dataclass
        >>> from krnlpy import StructBuffer, f32
        >>> @dataclass
        ... class Cell:
        ...     heat: f32
        >>> cells, hot = StructBuffer.zeros(2, Cell), StructBuffer.zeros(2, Cell)
        >>> hot["heat"].fill(9.0)
        >>> cells.copy_from(hot)
        >>> cells.numpy().tolist()
        [(9.0,), (9.0,)]
        """
        if isinstance(other, np.ndarray):
            other = StructBuffer.from_numpy(other)
        if not isinstance(other, StructBuffer):
            raise DtypeError(f"copy_from of a {type(other).__name__}: expected a StructBuffer or a structured array")
        if other.shape != self.shape:
            raise ShapeError(f"copy_from structs of shape {other.shape} to those of shape {self.shape}")
        if other.dtype != self.dtype:
            raise DtypeError(f"copy_from structs of {other.dtype} to those of {self.dtype}")
        self.storage.copy_from(other.storage)

    # -------------------------------------------------------------------------------------------------------- views

    def reshape(self, shape: int | Iterable[int]) -> StructBuffer:
        """A view of the same structs in another shape. One length may be -1: what is left.

        Raises:
            ShapeError: the sizes differ.

        >>> from dataclasses import dataclass
        >>> from krnlpy import StructBuffer, f32
        >>> @dataclass
        ... class Cell:
        ...     heat: f32
        >>> StructBuffer.zeros(6, Cell).reshape((2, -1)).shape
        (2, 3)
        """
        return StructBuffer(self.storage, self.dtype, completed(self.shape, shape))

    # -------------------------------------------------------------------------------------------------------- NumPy

    def numpy(
        self, out: np.ndarray[Any, Any] | None = None, *, copy: bool = True
    ) -> np.ndarray[Any, np.dtype[np.void]]:
        """The structs as a structured array: a copy, on every device, made after all work queued before.

        Args:
            out: an array of the same shape and dtype, of any strides: the structs are copied there, and it is returned.
            copy: False: the array is the buffer's memory, which only the host's and the interpreter's can be.

        Raises:
            ShapeError, DtypeError: ``out`` has another shape or dtype. SharingError: it is read-only; or ``copy`` is
                False and the device has memory of its own, or ``out`` is given too.

        >>> from dataclasses import dataclass
        >>> from krnlpy import StructBuffer, f32
        >>> @dataclass
        ... class Cell:
        ...     heat: f32
        ...     alive: bool
        >>> StructBuffer.zeros(2, Cell).numpy()["alive"]
        array([False, False])
        """
        arrays.check_out(out, self.shape)
        if out is None:
            return self.storage.numpy(copy=copy).view(self.dtype).reshape(self.shape)
        if copy is False:
            raise SharingError("numpy(out=..., copy=False): what goes into an array is copied; give one of them")
        if out.shape != self.shape:
            raise ShapeError(f"numpy(out=) of structs of shape {self.shape}: got an array of shape {out.shape}")
        if out.dtype != self.dtype:
            raise DtypeError(f"numpy(out=) of structs of {self.dtype}: got an array of {out.dtype}")
        if not out.flags.writeable:
            raise SharingError(f"numpy(out=): the array of shape {out.shape} is read-only")
        out[...] = self.numpy()
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False and dtype is not None and np.dtype(dtype) != self.dtype:
            raise SharingError(f"the elements are of type {self.dtype}; an array of {np.dtype(dtype)} is a copy")
        array = self.numpy(copy=copy is not False)
        return array if dtype is None else array.astype(dtype, copy=False)

    # ------------------------------------------------------------------------------------------------------- Python

    def __copy__(self) -> StructBuffer:
        return self.copy()

    def __bool__(self) -> bool:
        raise ShapeError("a buffer is neither true nor false; compare .size, or look at .numpy()")

    def _repr_html_(self) -> str:
        """What notebooks show: what it is, and its fields."""
        rows = [("field", "type", "byte"), *((n, str(t[0]), str(t[1])) for n, t in (self.dtype.fields or {}).items())]
        return as_html(f"StructBuffer {self.shape} on {self.device!r}", rows, right=[2])

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
