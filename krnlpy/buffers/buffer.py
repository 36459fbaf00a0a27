"""Buffers: n-dimensional strided views of a device's memory."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from krnlpy.backend.recorder import capturable, refuse_reading
from krnlpy.device import Device
from krnlpy.errors import DtypeError, KrnlpyError, LimitExceeded, ShapeError, SharingError
from krnlpy.scalar import ScalarType, pattern_of, scalar_type
from krnlpy.views import strides as views
from krnlpy.views.strides import Shape, Strides

from . import arrays, transfer

_LAST_ELEMENT = (1 << 32) - 1  # element positions are u32 in the parameter block
_LONGEST = (1 << 31) - 1  # and indices are i32 in kernels
_ALWAYS_BOUND = 1 << 27  # bytes of a memory that kernels reach on every device; Vulkan demands it


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
        *("_binding", "_contiguous", "_key", "_memory", "_offset", "_place", "_shape", "_size", "_strides"),
        *("can_be_indexed", "device", "dtype"),
    )

    device: Device
    """Where the buffer lies."""
    dtype: ScalarType
    """The type of the elements."""
    can_be_indexed: bool
    """Whether kernels can index it: at most 2**31 - 1 elements, in at most 2**32 elements of memory and no more bytes
    of it than ``device.info.max_binding_bytes``."""

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
        self._size, self._contiguous, is_broadcast, low, high = views.facts(shape, strides)
        size = dtype.size
        # What kernels are given: memory, the bytes in it that they may touch, and the place of the first element.
        self._binding = (memory, (offset + low) * size, (offset + high) * size)
        self._place = offset
        self.can_be_indexed = (
            memory is None or memory.nbytes <= _ALWAYS_BOUND or self._bind_window()
        ) and self._size <= _LONGEST
        # All that the choice of a compiled kernel depends on; see launch.py.
        self._key = (device.backend, dtype, len(shape), self._contiguous, is_broadcast, self.can_be_indexed)

    def _bind_window(self) -> bool:
        """Binds a part of the memory where kernels can't reach all of it; whether they reach all elements then."""
        memory, first, end = self._binding
        backend, size = self.device.backend, self.dtype.size
        limit = backend.info.max_binding_bytes
        if memory.nbytes <= limit and end // size <= _LAST_ELEMENT:
            return True
        window = backend.window(memory, first, end) if end - first <= limit else None
        if window is None:
            return False
        part, start = window
        self._binding = (part, first - start, end - start)
        self._place -= start // size
        return (end - start) // size <= _LAST_ELEMENT

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
        pattern = pattern_of(value, scalar_type(dtype))
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
    def from_numpy(cls, array: Any, device: Device | None = None, *, copy: bool = True) -> Buffer:
        """A buffer of the elements of a NumPy array: a copy, on every device, unless told.

        Args:
            array: the array, of any strides and byte order.
            device: where; the host unless told.
            copy: False: the buffer is the array's memory, whatever the strides, on any device that has
                ``Feature.SHARED_HOST_MEMORY``; what the device does to it is seen in the array after
                ``device.wait()``, and the array may be changed while nothing queued uses it.

        Raises:
            DtypeError: the array's dtype is not one of the 12 (``bool``, ``complex64``, ``object``...).
            SharingError: ``copy`` is False, and the array is read-only, not aligned or of foreign byte order, or the
                device can't use the process's memory.
        """
        device = _checked_device(device)
        if not isinstance(array, np.ndarray | np.generic):
            raise DtypeError(
                f"from_numpy takes a NumPy array, not {type(array).__name__}; numpy.asarray({type(array).__name__},"
                " dtype) makes one"
            )
        dtype = scalar_type(array.dtype)
        if copy is False and (shared := arrays.shared(array, device)):
            memory, strides, offset = shared
            return cls(device, dtype, memory, array.shape, strides, offset)
        result, done = cls.empty(array.shape, dtype, device), 0
        for piece in arrays.pieces(np.asarray(array), dtype.dtype):
            device.backend.upload(result._memory, done, piece)
            done += piece.nbytes
        return result

    @classmethod
    def from_dlpack(cls, tensor: Any, device: Device | None = None, *, copy: bool = True) -> Buffer:
        """A buffer of the elements of another library's tensor that lies in the process's memory: of PyTorch, JAX, or
        whatever has ``__dlpack__``. A copy, on every device, unless told.

        Args:
            tensor: the tensor.
            device: where; the host unless told.
            copy: as in :meth:`from_numpy`.

        Raises:
            DtypeError: the tensor's type is not one of the 12, or it is none.
            SharingError: the tensor lies on another device, or see :meth:`from_numpy`.
        """
        from .dlpack import array_of

        return cls.from_numpy(array_of(tensor), device, copy=copy)

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
        """The view that integers, slices (of any step, ``[::-1]`` too) and an ellipsis select.

        Raises:
            ShapeError: the index does not fit the shape.
        """
        return self._view(*views.index(self._shape, self._strides, self._offset, key))

    def reshape(self, shape: int | Iterable[int]) -> Buffer:
        """A view of the same elements, in row-major order, in another shape. One length may be -1: what is left.

        Raises:
            ShapeError: the sizes differ, or no strides give that view: use ``.contiguous()`` first.
        """
        to = views.completed(self._shape, shape)
        strides = views.reshape_strides(self._shape, self._strides, to)
        if strides is None:
            raise ShapeError(
                f"no view of the strided buffer of shape {self._shape}, strides {self._strides} has the shape {to}; use"
                " .contiguous() first"
            )
        return self._view(to, strides, self._offset)

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
        view = self._shape, self._strides, self._offset
        return Buffer(self.device, to, self._memory, *views.bitcast(*view, self.dtype, to))

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

    def shares_memory(self, other: Buffer) -> bool:
        """Whether the two, of one device, have an element of memory in common. Where that is too hard to tell, they
        have."""
        if not isinstance(other, Buffer):
            raise DtypeError(f"shares_memory of a buffer and a {type(other).__name__}: expected a Buffer")
        a, b = self._memory, other._memory
        if a is None or b is None or (a is not b and not (a.is_shared and b.is_shared)) or self.device != other.device:
            return False
        base = min(a.address, b.address)
        return views.overlap(_bytes_of(self, base), _bytes_of(other, base))

    def copy_from(self, other: Buffer | np.ndarray[Any, Any]) -> None:
        """Overwrites the elements by those of another buffer, on any device, or of a NumPy array, of the same shape and
        type. The two may overlap.

        Raises:
            ShapeError: the shapes differ, or this buffer is a broadcast one. DtypeError: the types differ.
        """
        if isinstance(other, np.ndarray):
            if arrays.is_plain(other, self._shape, self.dtype.dtype) and self._contiguous and other.size:
                data = other.reshape(-1).view(np.uint8)
                self.device.backend.upload(self._memory, self._offset * self.dtype.size, data)
                return
            other = arrays.reading(other)
        if not isinstance(other, Buffer):
            raise DtypeError(
                f"copy_from takes a Buffer or a NumPy array, not {type(other).__name__}; Buffer.from_numpy makes one"
            )
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
        pattern = pattern_of(value, self.dtype)
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

    def numpy(self, out: np.ndarray[Any, Any] | None = None, *, copy: bool = True) -> np.ndarray[Any, Any]:
        """The elements as a NumPy array: a contiguous copy, on every device, made after all work queued before.

        Args:
            out: an array of the same shape and type, of any strides: the elements are copied there, and it is returned.
            copy: False: the array is the buffer's memory, with its strides (read-only where broadcast). Only the host
                and the interpreter can do that.

        Raises:
            ShapeError, DtypeError: ``out`` has another shape or type. SharingError: it is read-only, not aligned or of
                foreign byte order; or ``copy`` is False and the device has memory of its own, or ``out`` is given too.
            OutOfMemory: the host has no memory for the array.
        """
        arrays.check_out(out, self._shape)
        if copy is False:
            if out is not None:
                raise SharingError("numpy(out=..., copy=False): what goes into an array is copied; give one of them")
            return self._shared_array()
        if out is not None:
            is_plain = arrays.is_plain(out, self._shape, self.dtype.dtype)
            if is_plain and self._contiguous and out.size and out.flags.writeable:
                data = out.reshape(-1).view(np.uint8)
                self.device.backend.download(self._memory, self._offset * self.dtype.size, data)
                return out
            Buffer.from_numpy(out, copy=False).copy_from(self)
            return out
        array: np.ndarray[Any, Any] = arrays.empty(self._shape, self.dtype)
        if not self._contiguous:
            refuse_reading(self.device.backend)  # before a copy of the elements is asked for
            if elements := transfer.planes(self):
                array[...] = elements[0]
                return array
        if array.size:
            source, data = self.contiguous(), array.reshape(-1).view(np.uint8)
            source.device.backend.download(source._memory, source._offset * self.dtype.size, data)
        return array

    def _shared_array(self) -> np.ndarray[Any, Any]:
        if self._memory is None:
            return arrays.empty(self._shape, self.dtype)
        memory = self.device.backend.view(self._memory)
        if memory is None:
            raise SharingError(f"the elements lie on {self.device!r}; an array of them is always a copy")
        size, dtype = self.dtype.size, self.dtype.dtype
        array: Any = np.ndarray(self._shape, dtype, memory, self._offset * size, [s * size for s in self._strides])
        array.flags.writeable = not self.is_broadcast()
        return np.asarray(array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            if dtype is not None and np.dtype(dtype) != self.dtype.dtype:
                raise SharingError(f"the elements are of type {self.dtype}; an array of {np.dtype(dtype)} is a copy")
            return self._shared_array()
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule for ``from_dlpack`` of another library: it shares the buffer's memory, which only the host's and
        the interpreter's can. Where the library names the CPU (``numpy.from_dlpack(buffer, device="cpu")``) it is a
        copy, from any device, unless ``copy`` is False.

        Raises:
            SharingError: a BufferError, as the protocol demands.
        """
        from .dlpack import export

        return export(self, stream, max_version, dl_device, copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The device by DLPack's numbers: (1, 0), the CPU, or (7, index), a Vulkan device."""
        from .dlpack import device_of

        return device_of(self)

    def __reduce__(self) -> Any:
        return Buffer.from_numpy, (np.array(self),)

    def __copy__(self) -> Buffer:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Buffer:
        return self.copy()

    # ------------------------------------------------------------------------------------------------------- Python

    def __len__(self) -> int:
        if not self._shape:
            raise ShapeError("a buffer of shape () has no length")
        return self._shape[0]

    def __bool__(self) -> bool:
        raise ShapeError("a buffer is neither true nor false; compare .size, or look at .numpy()")

    def __repr__(self) -> str:
        head = f"Buffer({self.dtype}, {self._shape}, {self.device!r}"
        try:
            from .summary import summary

            return f"{head}, {summary(self)})" if self._size else f"{head})"
        except KrnlpyError as error:  # the device was lost, say: what can be told of a buffer is told nonetheless
            return f"{head}: {error})"


def _bytes_of(buffer: Buffer, base: int) -> tuple[Shape, Strides, int]:
    size = buffer.dtype.size
    start: int = buffer._memory.address - base + buffer._offset * size
    return (*buffer._shape, size), (*(s * size for s in buffer._strides), 1), start


def _checked_device(device: Device | None) -> Device:
    if device is None:
        return Device.host()
    if not isinstance(device, Device):
        raise DtypeError(f"{device!r} is not a Device; Device.host(), Device(0) or Device.best() gives one")
    return device
