"""Buffers: n-dimensional strided views of a device's memory."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from . import transfer, views
from .capture import capturable
from .device import Device
from .errors import DtypeError, LimitExceeded, ShapeError
from .scalar import ScalarType, convert, scalar_type
from .views import Shape, Strides

_LAST_ELEMENT = (1 << 32) - 1  # element positions are u32 in the parameter block
_LONGEST = (1 << 31) - 1  # and indices are i32 in kernels


class Buffer:
    """An n-dimensional array of one of the 12 scalar types in the memory of a device.

    A buffer is a view: indexing, :meth:`reshape`, :meth:`transpose` and :meth:`broadcast_to` return buffers that share
    its memory, which lives as long as any of them. Work on a device is queued; :meth:`numpy` waits for it. Buffers are
    not iterable, since that would launch or download once an element: ``buffer.numpy()`` is.

    Made by :meth:`from_numpy`, :meth:`empty`, :meth:`zeros`, :meth:`ones` and :meth:`full`.

    >>> import numpy as np
    >>> from krnlpy import Buffer, f32
    >>> x = Buffer.from_numpy(np.arange(6, dtype=np.float32)).reshape((2, 3))
    >>> x[:, 1].numpy()
    array([1., 4.], dtype=float32)
    """

    __slots__ = (
        *("_binding", "_contiguous", "_key", "_memory", "_offset", "_shape", "_size", "_strides"),
        *("can_be_indexed", "device", "dtype"),
    )

    device: Device
    """Where the buffer lies."""
    dtype: ScalarType
    """The type of the elements."""
    can_be_indexed: bool
    """Whether kernels can index it: at most 2**31 - 1 elements, none past the first 2**32 of the memory."""

    __iter__ = None
    __contains__ = None

    def __init__(
        self, device: Device, dtype: ScalarType, memory: Any, shape: Shape, strides: Strides, offset: int
    ) -> None:
        # For krnlpy's own modules: arguments are not checked.
        self.device = device
        self.dtype = dtype
        self._memory = memory
        self._shape = shape
        self._strides = strides
        self._offset = offset
        self._size, self._contiguous, is_broadcast, extent = views.facts(shape, strides)
        last = offset + extent
        self._binding = (memory, offset * dtype.size, last * dtype.size)
        self.can_be_indexed = last <= _LAST_ELEMENT and self._size <= _LONGEST
        # All that the choice of a compiled kernel depends on; see launch.py.
        self._key = (device.backend, dtype, len(shape), self._contiguous, is_broadcast, self.can_be_indexed)

    # ------------------------------------------------------------------------------------------------- constructors

    @classmethod
    def empty(cls, shape: int | Iterable[int], dtype: Any, device: Device | None = None) -> Buffer:
        """A buffer of undefined content.

        Args:
            shape: an int or a tuple of ints.
            dtype: a scalar type, its name, or its NumPy dtype.
            device: where; the host unless told.

        Raises:
            ShapeError: the shape is none. DtypeError: the dtype is none of the 12. LimitExceeded: larger than the
                device's buffers can be. OutOfMemory: the device has not enough memory.
        """
        device = _checked_device(device)
        dtype, shape = scalar_type(dtype), views.as_shape(shape)
        nbytes = prod(shape) * dtype.size
        limit = device.info.max_buffer_bytes
        if nbytes > limit:
            raise LimitExceeded(
                f"a buffer of shape {shape} and type {dtype} takes {nbytes} bytes; {device!r} allows {limit} a buffer"
            )
        # An empty buffer has no memory, and nothing ever asks a backend for it.
        memory = device.backend.allocate(nbytes) if nbytes else None
        return cls(device, dtype, memory, shape, views.contiguous_strides(shape), 0)

    @classmethod
    def full(cls, shape: int | Iterable[int], value: Any, dtype: Any, device: Device | None = None) -> Buffer:
        """A buffer of which every element is ``value``, converted as :meth:`fill` does."""
        pattern = _pattern(value, scalar_type(dtype))
        result = cls.empty(shape, dtype, device)
        transfer.fill(result, pattern)
        return result

    @classmethod
    def zeros(cls, shape: int | Iterable[int], dtype: Any, device: Device | None = None) -> Buffer:
        """A buffer of zeros."""
        return cls.full(shape, 0, dtype, device)

    @classmethod
    def ones(cls, shape: int | Iterable[int], dtype: Any, device: Device | None = None) -> Buffer:
        """A buffer of ones."""
        return cls.full(shape, 1, dtype, device)

    @classmethod
    def from_numpy(cls, array: Any, device: Device | None = None) -> Buffer:
        """A buffer of the elements of a NumPy array.

        On the host and the interpreter the buffer *is* the array's memory where it can be: the array is C-contiguous,
        writable and of native byte order. Any other array, and any array for another device, is copied.

        Raises:
            DtypeError: the array's dtype is not one of the 12 (``bool``, ``complex64``, ``object``...).
        """
        device = _checked_device(device)
        if not isinstance(array, np.ndarray | np.generic):
            raise DtypeError(
                f"from_numpy takes a NumPy array, not {type(array).__name__}; numpy.asarray({type(array).__name__},"
                " dtype) makes one"
            )
        dtype = scalar_type(array.dtype)
        shape = array.shape
        if isinstance(array, np.ndarray) and array.size and array.dtype.isnative:
            flags = array.flags
            if flags.c_contiguous and flags.writeable and flags.aligned:
                memory = device.backend.adopt(array.reshape(-1).view(np.uint8))
                if memory is not None:
                    return cls(device, dtype, memory, shape, views.contiguous_strides(shape), 0)
        result = cls.empty(shape, dtype, device)
        if array.size:
            data = np.ascontiguousarray(array, dtype.dtype).reshape(-1).view(np.uint8)
            device.backend.upload(result._memory, 0, data)
        return result

    # --------------------------------------------------------------------------------------------------- attributes

    @property
    def shape(self) -> Shape:
        """The lengths of the axes."""
        return self._shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._size

    @property
    def nbytes(self) -> int:
        """Bytes that the elements take when they are contiguous."""
        return self._size * self.dtype.size

    @property
    def strides(self) -> Strides:
        """The distance, in elements, between neighbours along each axis."""
        return self._strides

    @property
    def offset(self) -> int:
        """The place of the first element in the memory, in elements."""
        return self._offset

    @property
    def memory(self) -> Any:
        """The backend's memory that this is a view of; None if the buffer is empty."""
        return self._memory

    def is_contiguous(self) -> bool:
        """Whether the elements lie row-major without gaps."""
        return self._contiguous

    def is_broadcast(self) -> bool:
        """Whether one element of the memory stands for several, so that the buffer can't be written to."""
        return views.facts(self._shape, self._strides).broadcast

    # -------------------------------------------------------------------------------------------------------- views

    def _view(self, shape: Shape, strides: Strides, offset: int) -> Buffer:
        # A view of nothing needs no memory.
        memory = self._memory if 0 not in shape else None
        return Buffer(self.device, self.dtype, memory, shape, strides, offset if memory is not None else 0)

    def __getitem__(self, key: Any) -> Buffer:
        """The view that integers, slices (steps of at least 1) and an ellipsis select.

        Raises:
            ShapeError: the index does not fit the shape.
        """
        return self._view(*views.index(self._shape, self._strides, self._offset, key))

    def reshape(self, shape: int | Iterable[int]) -> Buffer:
        """A view of the same elements, in row-major order, in another shape. One length may be -1: what is left.

        Raises:
            ShapeError: the sizes differ, or no strides give that view: use ``.contiguous()`` first.
        """
        to = self._completed(shape)
        strides = views.reshape_strides(self._shape, self._strides, to)
        if strides is None:
            raise ShapeError(
                f"no view of the strided buffer of shape {self._shape}, strides {self._strides} has the shape {to}; use"
                " .contiguous() first"
            )
        return self._view(to, strides, self._offset)

    def _completed(self, shape: int | Iterable[int]) -> Shape:
        entries = tuple(shape) if isinstance(shape, Iterable) else (shape,)
        if sum(n == -1 for n in entries) == 1:
            rest = prod(views.as_shape(n for n in entries if n != -1))
            if not rest or self._size % rest:
                raise ShapeError(f"{self._size} elements of shape {self._shape} don't fit the shape {entries}")
            entries = tuple(self._size // rest if n == -1 else n for n in entries)
        to = views.as_shape(entries)
        if prod(to) != self._size:
            raise ShapeError(
                f"the shape {to} has {prod(to)} elements, the buffer of shape {self._shape} has {self._size}"
            )
        return to

    def transpose(self, *axes: int) -> Buffer:
        """A view with the axes in another order; reversed if none is given.

        Raises:
            ShapeError: ``axes`` is not a permutation of the axes.
        """
        shape, strides = views.transpose(self._shape, self._strides, axes)
        return self._view(shape, strides, self._offset)

    def broadcast_to(self, shape: int | Iterable[int]) -> Buffer:
        """A view in which axes of length 1, and axes added in front, are repeated. It can't be written to.

        Raises:
            ShapeError: an axis is neither 1 nor as long as asked.
        """
        to = views.as_shape(shape)
        return self._view(to, views.broadcast_strides(self._shape, self._strides, to), self._offset)

    def bitcast(self, dtype: Any) -> Buffer:
        """A view of the same bytes as elements of another type; the last axis grows or shrinks with their size.

        Raises:
            ShapeError: the sizes differ, and the last axis is not contiguous, or its bytes or the offset are not a
                multiple of the new size.
        """
        to = scalar_type(dtype)
        shape, strides, offset = self._shape, self._strides, self._offset
        old, new = self.dtype.size, to.size
        if old != new:
            if not shape or (strides[-1] != 1 and shape[-1] != 1):
                raise ShapeError(f"bitcast of {self.dtype} to {to} needs a contiguous last axis; the shape is {shape}")
            places = (shape[-1], offset, *strides[:-1])
            if any(place * old % new for place in places):
                raise ShapeError(
                    f"bitcast of {self.dtype} to {to}: the last axis of shape {shape}, the strides {strides} and the"
                    f" offset {offset} must be multiples of {new // old} elements"
                )
            shape = (*shape[:-1], shape[-1] * old // new)
            strides = (*(s * old // new for s in strides[:-1]), 1)
            offset = offset * old // new
        return Buffer(self.device, to, self._memory, shape, strides, offset)

    # ------------------------------------------------------------------------------------------------------- copies

    def copy(self) -> Buffer:
        """A contiguous copy on the same device."""
        result = Buffer.empty(self._shape, self.dtype, self.device)
        transfer.copy(self, result)
        return result

    def contiguous(self) -> Buffer:
        """The buffer itself where it is contiguous, else a contiguous copy."""
        return self if self._contiguous else self.copy()

    def to_device(self, device: Device) -> Buffer:
        """The buffer itself where it is on ``device``, else a contiguous copy there."""
        device = _checked_device(device)
        if device.backend is self.device.backend:
            return self
        result = Buffer.empty(self._shape, self.dtype, device)
        transfer.copy(self, result)
        return result

    def copy_from(self, other: Buffer) -> None:
        """Overwrites the elements by those of another buffer, of the same shape and type, on any device. The two may
        overlap.

        Raises:
            ShapeError: the shapes differ, or this buffer is a broadcast one. DtypeError: the types differ.
        """
        if not isinstance(other, Buffer):
            raise DtypeError(f"copy_from takes a Buffer, not {type(other).__name__}; Buffer.from_numpy makes one")
        if other.dtype is not self.dtype:
            raise DtypeError(f"copy_from a buffer of {other.dtype} to one of {self.dtype}: use .cast({self.dtype})")
        if other._shape != self._shape:
            raise ShapeError(f"copy_from a buffer of shape {other._shape} to one of shape {self._shape}")
        self._check_writable()
        transfer.copy(other, self)

    @capturable
    def fill(self, value: Any) -> None:
        """Sets every element to a number, converted as a kernel converts it: integers wrap, floats saturate.

        Raises:
            DtypeError: the value is not a number. ShapeError: this buffer is a broadcast one.
        """
        pattern = _pattern(value, self.dtype)
        self._check_writable()
        transfer.fill(self, pattern)

    def cast(self, dtype: Any) -> Buffer:
        """A contiguous buffer of another type, on the same device: integers wrap, floats to integers saturate.

        Raises:
            MissingFeatures: a type is 64 bits wide and the device has none.
        """
        to = scalar_type(dtype)
        if to is self.dtype:
            return self.copy()
        result = Buffer.empty(self._shape, to, self.device)
        transfer.cast(self, result)
        return result

    def _check_writable(self) -> None:
        if self.is_broadcast():
            raise ShapeError(
                f"a broadcast buffer (shape {self._shape}, strides {self._strides}) can't be written to: an element"
                " stands for several; use .copy() first"
            )

    # -------------------------------------------------------------------------------------------------------- NumPy

    def numpy(self) -> np.ndarray[Any, Any]:
        """The elements as a NumPy array.

        On the host and the interpreter it shares the buffer's memory, with its strides (read-only where broadcast). On
        other devices it is a contiguous copy, made after all work that was queued before.
        """
        if self._memory is None:
            return np.empty(self._shape, self.dtype.dtype)
        memory = self.device.backend.view(self._memory)
        if memory is not None:
            size = self.dtype.size
            strides = tuple(s * size for s in self._strides)
            array: np.ndarray[Any, Any] = np.ndarray(
                self._shape, self.dtype.dtype, memory, self._offset * size, strides
            )
            if self.is_broadcast():
                array.flags.writeable = False
            return array
        source = self.contiguous()
        array = np.empty(self._shape, self.dtype.dtype)
        out = array.reshape(-1).view(np.uint8)
        source.device.backend.download(source._memory, source._offset * self.dtype.size, out)
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        shared = self._memory is None or self.device.backend.view(self._memory) is not None
        if copy is False and not shared:
            raise ShapeError(f"the elements lie on {self.device!r}; an array of them is always a copy")
        array = self.numpy()
        if dtype is not None and np.dtype(dtype) != array.dtype:
            return array.astype(dtype)
        return array.copy() if copy and shared else array

    # ------------------------------------------------------------------------------------------------------- Python

    def __len__(self) -> int:
        if not self._shape:
            raise ShapeError("a buffer of shape () has no length")
        return self._shape[0]

    def __bool__(self) -> bool:
        raise ShapeError("a buffer is neither true nor false; compare .size, or look at .numpy()")

    def __repr__(self) -> str:
        head = f"Buffer({self.dtype}, {self._shape}, {self.device!r}"
        # Values of a device would need a download, and a wait.
        if self._size > 16 or self._memory is None or not self.device.backend.planes(self._memory):
            return head + ")"
        return f"{head}, {np.array2string(transfer.planes(self)[0], separator=', ')})"


def _checked_device(device: Device | None) -> Device:
    if device is None:
        return Device.host()
    if not isinstance(device, Device):
        raise DtypeError(f"{device!r} is not a Device; Device.host(), Device(0) or Device.best() gives one")
    return device


def _pattern(value: Any, dtype: ScalarType) -> bytes:
    """The bytes of a number converted to a scalar type."""
    if value.__class__ is int and not value:
        return bytes(dtype.size)
    number = isinstance(value, int | float) or (isinstance(value, np.generic) and _is_number(value))
    if not number:
        raise DtypeError(f"{value!r} is not a number; a buffer of {dtype} is filled with an int or a float")
    result: bytes = np.asarray(convert(value, dtype)).tobytes()
    return result


def _is_number(value: np.generic) -> bool:
    try:
        return value.dtype.kind == "b" or bool(scalar_type(value.dtype))
    except DtypeError:
        return False
