"""Buffers: n-dimensional strided views of a device's memory."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from krnlpy.backend.recorder import capturable, refuse_reading
from krnlpy.device import Device
from krnlpy.errors import DtypeError, KrnlpyError, LimitExceeded, ShapeError, SharingError
from krnlpy.scalar import pattern_of, scalar_type
from krnlpy.views.strides import as_shape, contiguous_strides
from krnlpy.views.view import View

from . import arrays, transfer


class Buffer(View):
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

    __slots__ = ()

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
        dtype, shape = scalar_type(dtype), as_shape(shape)
        nbytes = prod(shape) * dtype.size
        limit = device.info.max_buffer_bytes
        if nbytes > limit:
            raise LimitExceeded(
                f"a buffer of shape {shape} and type {dtype} takes {nbytes} bytes; {device!r} allows {limit} a buffer"
            )
        # An empty buffer has no memory, and nothing ever asks a backend for it.
        memory = device.backend.allocate(nbytes) if nbytes else None
        return cls(device, dtype, memory, shape, contiguous_strides(shape), 0)

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
            device.backend.upload(result.memory, done, piece)
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

    # ------------------------------------------------------------------------------------------------------- copies

    def copy(self) -> Buffer:
        """A contiguous copy on the same device."""
        result = Buffer.empty(self.shape, self.dtype, self.device)
        transfer.copy(self, result)
        return result

    def contiguous(self) -> Buffer:
        """The buffer itself where it is contiguous, else a contiguous copy."""
        return self if self.is_contiguous() else self.copy()

    def to_device(self, device: Device) -> Buffer:
        """The buffer itself where it is on ``device``, else a contiguous copy there."""
        device = _checked_device(device)
        if device.backend is self.device.backend:
            return self
        result = Buffer.empty(self.shape, self.dtype, device)
        transfer.copy(self, result)
        return result

    def copy_from(self, other: Buffer | np.ndarray[Any, Any]) -> None:
        """Overwrites the elements by those of another buffer, on any device, or of a NumPy array, of the same shape and
        type. The two may overlap.

        Raises:
            ShapeError: the shapes differ, or this buffer is a broadcast one. DtypeError: the types differ.
        """
        if isinstance(other, np.ndarray):
            if arrays.is_plain(other, self.shape, self.dtype.dtype) and self.is_contiguous() and other.size:
                data = other.reshape(-1).view(np.uint8)
                self.device.backend.upload(self.memory, self.offset * self.dtype.size, data)
                return
            other = arrays.reading(other)
        if not isinstance(other, Buffer):
            raise DtypeError(
                f"copy_from takes a Buffer or a NumPy array, not {type(other).__name__}; Buffer.from_numpy makes one"
            )
        if other.dtype is not self.dtype:
            raise DtypeError(f"copy_from a buffer of {other.dtype} to one of {self.dtype}: use .cast({self.dtype})")
        if other.shape != self.shape:
            raise ShapeError(f"copy_from a buffer of shape {other.shape} to one of shape {self.shape}")
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
        result = Buffer.empty(self.shape, to, self.device)
        transfer.cast(self, result)
        return result

    def _check_writable(self) -> None:
        if self.is_broadcast():
            raise ShapeError(
                f"a broadcast buffer (shape {self.shape}, strides {self.strides}) can't be written to: an element"
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
        arrays.check_out(out, self.shape)
        if copy is False:
            if out is not None:
                raise SharingError("numpy(out=..., copy=False): what goes into an array is copied; give one of them")
            return self._shared_array()
        if out is not None:
            is_plain = arrays.is_plain(out, self.shape, self.dtype.dtype)
            if is_plain and self.is_contiguous() and out.size and out.flags.writeable:
                data = out.reshape(-1).view(np.uint8)
                self.device.backend.download(self.memory, self.offset * self.dtype.size, data)
                return out
            Buffer.from_numpy(out, copy=False).copy_from(self)
            return out
        array: np.ndarray[Any, Any] = arrays.empty(self.shape, self.dtype)
        if not self.is_contiguous():
            refuse_reading(self.device.backend)  # before a copy of the elements is asked for
            if elements := transfer.planes(self):
                array[...] = elements[0]
                return array
        if array.size:
            source, data = self.contiguous(), array.reshape(-1).view(np.uint8)
            source.device.backend.download(source.memory, source.offset * self.dtype.size, data)
        return array

    def _shared_array(self) -> np.ndarray[Any, Any]:
        if self.memory is None:
            return arrays.empty(self.shape, self.dtype)
        memory = self.device.backend.view(self.memory)
        if memory is None:
            raise SharingError(f"the elements lie on {self.device!r}; an array of them is always a copy")
        size, dtype = self.dtype.size, self.dtype.dtype
        strides = [s * size for s in self.strides]
        array: np.ndarray[Any, Any] = np.ndarray(self.shape, dtype, memory, self.offset * size, strides)
        if self.is_broadcast():
            array.flags.writeable = False
        return array

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

    def __bool__(self) -> bool:
        raise ShapeError("a buffer is neither true nor false; compare .size, or look at .numpy()")

    def __repr__(self) -> str:
        head = f"Buffer({self.dtype}, {self.shape}, {self.device!r}"
        try:
            from .summary import summary

            return f"{head}, {summary(self)})" if self.size else f"{head})"
        except KrnlpyError as error:  # the device was lost, say: what can be told of a buffer is told nonetheless
            return f"{head}: {error})"


def _checked_device(device: Device | None) -> Device:
    if device is None:
        return Device.host()
    if not isinstance(device, Device):
        raise DtypeError(f"{device!r} is not a Device; Device.host(), Device(0) or Device.best() gives one")
    return device
