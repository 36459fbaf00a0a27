"""Buffers: n-dimensional strided views of a device's memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from krnlpy.backend.recorder import capturable, refuse_reading
from krnlpy.device import Device
from krnlpy.errors import DtypeError, KrnlpyError, LimitExceeded, ShapeError, SharingError
from krnlpy.scalar import ScalarType, f32, pattern_of, scalar_type
from krnlpy.views.layout import layout_of
from krnlpy.views.strides import as_shape, contiguous_strides
from krnlpy.views.view import ALWAYS_BOUND, View

from . import arrays, transfer


class Buffer(View):
    """An n-dimensional array of one of the 13 scalar types in the memory of a device.

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
    def empty(cls, shape: int | Iterable[int], dtype: Any = f32, device: Device | None = None) -> Buffer:
        """A buffer of undefined content.

        Args:
            shape: an int or a tuple of ints.
            dtype: a scalar type, its name, or its NumPy dtype.
            device: the device; the host if not given.

        Raises:
            ShapeError: ``shape`` is not a shape. DtypeError: ``dtype`` is none of the 13.
            LimitExceeded: the buffer is larger than the device allows. OutOfMemory: the device has too little memory.

        >>> from krnlpy import Buffer
        >>> x = Buffer.empty((2, 3), "u16")
        >>> x.shape, x.dtype, x.nbytes
        ((2, 3), u16, 12)
        """
        device = _checked_device(device)
        backend, dtype, shape = device.backend, scalar_type(dtype), as_shape(shape)
        strides = contiguous_strides(shape)
        layout = layout_of(backend, dtype.name, shape, strides)
        limit = backend.info.max_buffer_bytes
        if layout.end > limit:
            raise LimitExceeded(
                f"a buffer of shape {shape} and type {dtype} takes {layout.end} bytes; {device!r} allows {limit} a"
                " buffer"
            )
        # An empty buffer has no memory, and nothing ever asks a backend for it.
        memory = backend.allocate(layout.end) if layout.size else None
        if 0 < layout.end <= ALWAYS_BOUND and layout.can_be_indexed:
            return cls._at(device, layout, memory)
        return cls(device, dtype, memory, shape, strides, 0)

    @classmethod
    def empty_like(cls, other: Buffer, dtype: Any = None) -> Buffer:
        """A buffer of undefined content, of the shape and on the device of another.

        Args:
            other: the other buffer; its strides are not taken over.
            dtype: a scalar type, its name, or its NumPy dtype; that of the other if not given.

        Raises:
            DtypeError: ``other`` is not a Buffer, or ``dtype`` is none of the 13.
            LimitExceeded: the buffer is larger than the device allows. OutOfMemory: the device has too little memory.

        >>> from krnlpy import Buffer
        >>> x = Buffer.empty_like(Buffer.zeros((2, 3)).transpose())
        >>> x.shape, x.strides, x.dtype
        ((3, 2), (2, 1), f32)
        """
        if not isinstance(other, View):
            raise DtypeError(f"empty_like of {type(other).__name__}: expected a Buffer")
        if dtype is None:
            dtype = other.dtype
        elif not isinstance(dtype, ScalarType):
            dtype = scalar_type(dtype)
        layout = other.layout.like(dtype)
        if 0 < layout.end <= ALWAYS_BOUND and layout.can_be_indexed:
            return cls._at(other.device, layout, other.device.backend.allocate(layout.end))
        return cls.empty(layout.shape, dtype, other.device)

    @classmethod
    def full(cls, shape: int | Iterable[int], value: Any, dtype: Any = f32, device: Device | None = None) -> Buffer:
        """A buffer of one number, converted as :meth:`fill` does.

        Args:
            shape: an int or a tuple of ints.
            value: the number.
            dtype: a scalar type, its name, or its NumPy dtype.
            device: the device; the host if not given.

        Raises:
            ShapeError: ``shape`` is not a shape. DtypeError: ``dtype`` is none of the 13, or ``value`` is not a number.
            LimitExceeded: the buffer is larger than the device allows. OutOfMemory: the device has too little memory.

        >>> from krnlpy import Buffer, u8
        >>> Buffer.full(3, 300, u8).numpy()  # integers wrap
        array([44, 44, 44], dtype=uint8)
        """
        pattern = pattern_of(value, scalar_type(dtype))
        result = cls.empty(shape, dtype, device)
        transfer.fill(result, pattern)
        return result

    @classmethod
    def zeros(cls, shape: int | Iterable[int], dtype: Any = f32, device: Device | None = None) -> Buffer:
        """A buffer of zeros. Arguments are those of :meth:`empty`.

        Raises:
            ShapeError: ``shape`` is not a shape. DtypeError: ``dtype`` is none of the 13.
            LimitExceeded: the buffer is larger than the device allows. OutOfMemory: the device has too little memory.

        >>> from krnlpy import Buffer
        >>> Buffer.zeros(3).numpy()
        array([0., 0., 0.], dtype=float32)
        """
        return cls.full(shape, 0, dtype, device)

    @classmethod
    def ones(cls, shape: int | Iterable[int], dtype: Any = f32, device: Device | None = None) -> Buffer:
        """A buffer of ones. Arguments are those of :meth:`empty`.

        Raises:
            ShapeError: ``shape`` is not a shape. DtypeError: ``dtype`` is none of the 13.
            LimitExceeded: the buffer is larger than the device allows. OutOfMemory: the device has too little memory.

        >>> from krnlpy import Buffer, i32
        >>> Buffer.ones((2, 2), i32).numpy().tolist()
        [[1, 1], [1, 1]]
        """
        return cls.full(shape, 1, dtype, device)

    @classmethod
    def from_numpy(cls, array: Any, device: Device | None = None, *, copy: bool = True) -> Buffer:
        """A buffer of the elements of a NumPy array, copied unless ``copy`` is False.

        Args:
            array: an array of any strides and byte order. Where it is copied, also what ``numpy.asarray`` takes, a
                number or a nested list, with the dtype that NumPy gives it: f64 for Python's floats, i64 for its ints.
            device: the device; the host if not given.
            copy: False: the buffer is the array's memory, with its strides, on devices that have
                ``Feature.SHARED_HOST_MEMORY``. The array shows what the device wrote after ``device.wait()``, and may
                be changed while nothing that is queued uses it.

        Raises:
            DtypeError: the dtype is not one of the 13 (``complex64``, ``object``...), or NumPy makes no array of it.
            SharingError: ``copy`` is False, and ``array`` is not an array, or is read-only, not aligned or of foreign
                byte order, or the device can't use the process's memory.
            LimitExceeded: the buffer is larger than the device allows. OutOfMemory: the device has too little memory.

        >>> import numpy as np
        >>> from krnlpy import Buffer
        >>> array = np.zeros(3, np.float32)
        >>> Buffer.from_numpy(array, copy=False).fill(2.0)
        >>> array
        array([2., 2., 2.], dtype=float32)
        >>> Buffer.from_numpy([[1, 2], [3, 4]]).dtype
        i64
        """
        device = _checked_device(device)
        of = array if isinstance(array, np.ndarray) else arrays.as_array(array)
        dtype = scalar_type(of.dtype)
        if copy is False and (shared := arrays.shared(array, device)):
            memory, strides, offset = shared
            return cls(device, dtype, memory, of.shape, strides, offset)
        result, done = cls.empty(of.shape, dtype, device), 0
        for piece in arrays.pieces(np.asarray(of), dtype.dtype):
            device.backend.upload(result.memory, done, piece)
            done += piece.nbytes
        return result

    @classmethod
    def from_dlpack(cls, tensor: Any, device: Device | None = None, *, copy: bool = True) -> Buffer:
        """A buffer of the elements of another library's tensor, copied unless ``copy`` is False.

        Args:
            tensor: a tensor of PyTorch, JAX or another library with ``__dlpack__``, in the process's memory.
            device: the device; the host if not given.
            copy: as for :meth:`from_numpy`.

        Raises:
            DtypeError: the tensor's type is not one of the 13, or there is no tensor.
            SharingError: the tensor lies on another device; or as for :meth:`from_numpy`.
            LimitExceeded: the buffer is larger than the device allows. OutOfMemory: the device has too little memory.

        >>> import numpy as np
        >>> from krnlpy import Buffer
        >>> Buffer.from_dlpack(np.arange(3, dtype=np.int16)).dtype
        i16
        """
        from .dlpack import array_of

        return cls.from_numpy(array_of(tensor), device, copy=copy)

    # ------------------------------------------------------------------------------------------------------- copies

    def copy(self) -> Buffer:
        """A contiguous copy on the same device.

        >>> from krnlpy import Buffer
        >>> x = Buffer.zeros(2)
        >>> x.copy().fill(1.0)
        >>> x.numpy()
        array([0., 0.], dtype=float32)
        """
        result = Buffer.empty(self.shape, self.dtype, self.device)
        transfer.copy(self, result)
        return result

    def contiguous(self) -> Buffer:
        """The buffer itself if it is contiguous, else a contiguous copy.

        >>> from krnlpy import Buffer
        >>> x = Buffer.zeros((2, 3))
        >>> x.contiguous() is x, x.transpose().contiguous().shares_memory(x)
        (True, False)
        """
        return self if self.is_contiguous() else self.copy()

    def to_device(self, device: Device) -> Buffer:
        """The buffer itself if it is on ``device``, else a contiguous copy there.

        Raises:
            DtypeError: ``device`` is not a Device. LimitExceeded: the buffer is larger than the device allows.
            OutOfMemory: the device has too little memory.

        >>> from krnlpy import Buffer, Device
        >>> Buffer.zeros(3).to_device(Device.interpreter()).device
        Device.interpreter()
        """
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
            ShapeError: the shapes differ, or this buffer is a broadcast one.
            DtypeError: the types differ, or ``other`` is something else.

        >>> import numpy as np
        >>> from krnlpy import Buffer
        >>> x = Buffer.zeros((2, 2))
        >>> x[:, 1].copy_from(np.float32([7, 8]))
        >>> x.numpy().tolist()
        [[0.0, 7.0], [0.0, 8.0]]
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

        >>> from krnlpy import Buffer
        >>> x = Buffer.zeros(4)
        >>> x[::2].fill(5)
        >>> x.numpy()
        array([5., 0., 5., 0.], dtype=float32)
        """
        pattern = pattern_of(value, self.dtype)
        self._check_writable()
        transfer.fill(self, pattern)

    def cast(self, dtype: Any) -> Buffer:
        """A contiguous copy as elements of a type, on the same device: integers wrap, floats to integers saturate.

        Raises:
            DtypeError: ``dtype`` is none of the 13. MissingFeatures: one of the types is 64 bits wide, which the device
                can't compute with.
            LimitExceeded: the buffer is larger than the device allows. OutOfMemory: the device has too little memory.

        >>> import numpy as np
        >>> from krnlpy import Buffer, u8
        >>> Buffer.from_numpy(np.float32([-1, 2.9, 300])).cast(u8).numpy()
        array([  0,   2, 255], dtype=uint8)
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

        >>> import numpy as np
        >>> from krnlpy import Buffer
        >>> x, out = Buffer.ones(2), np.zeros((2, 2), np.float32)
        >>> x.numpy()
        array([1., 1.], dtype=float32)
        >>> x.numpy(out=out[:, 0]) is not None, out.tolist()
        (True, [[1.0, 0.0], [1.0, 0.0]])
        """
        if out is None and copy is False and len(self.shape) <= arrays.MOST_AXES:
            return self._shared_array()
        arrays.check_out(out, self.shape)
        if copy is False:
            raise SharingError("numpy(out=..., copy=False): what goes into an array is copied; give one of them")
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
            return self.copy().numpy(array)
        if array.size:
            data = array.reshape(-1).view(np.uint8)
            self.device.backend.download(self.memory, self.offset * self.dtype.size, data)
        return array

    def _shared_array(self) -> np.ndarray[Any, Any]:
        if self.memory is None:
            return arrays.empty(self.shape, self.dtype)
        memory = self.device.backend.view(self.memory)
        if memory is None:
            raise SharingError(f"the elements lie on {self.device!r}; an array of them is always a copy")
        array: np.ndarray[Any, Any]
        size, dtype = self.dtype.size, self.dtype.dtype
        if self.is_contiguous():
            return np.ndarray(self.shape, dtype, memory, self.offset * size)
        strides = [s * size for s in self.strides]
        array = np.ndarray(self.shape, dtype, memory, self.offset * size, strides)
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

    def _repr_html_(self, kind: str = "Buffer") -> str:
        """What notebooks show: what it is, and what ``repr`` shows of its values.

        Args:
            kind: of what its elements are; a tensor gives its own class.
        """
        from .summary import html

        return html(self, kind)

    def __repr__(self) -> str:
        head = f"Buffer({self.dtype}, {self.shape}, {self.device!r}"
        try:
            from .summary import summary

            return f"{head}, {summary(self)})" if self.size else f"{head})"
        except KrnlpyError as error:  # say of a lost device: the rest of the text is still true
            return f"{head}: {error})"


def _checked_device(device: Device | None) -> Device:
    if device is None:
        return Device.host()
    if not isinstance(device, Device):
        raise DtypeError(f"{device!r} is not a Device; Device.host(), Device(0) or Device.best() gives one")
    return device
