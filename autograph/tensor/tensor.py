"""The tensor: an n-dimensional buffer on a device, with what autograd knows of it. Its methods are the operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from autograph.autograd.tape import backward
from autograph.errors import DtypeError
from autograph.functions import (
    casts,
    in_place,
    losses,
)
from autograph.functions.convolution import convolutions
from autograph.functions.elementwise import activations, arithmetic, bits, comparisons
from autograph.functions.indexing import reading
from autograph.functions.pooling import max_pools
from autograph.functions.products import matrices
from autograph.functions.reducers import sums
from autograph.functions.reductions import aggregates, softmax
from autograph.functions.shapes import views
from krnlpy import Buffer, Device, DTypeLike, f32

from .base import Shape, TensorBase, require_buffer
from .share import Share

__all__ = ["Tensor"]


class Tensor(TensorBase):
    """An n-dimensional array of one of the 13 scalar types, on the host or on a device.

    Operations return new tensors and are recorded for :meth:`backward` if an input is (see :attr:`tracked`). Views
    (slices, transposes, reshapes, broadcasts) share memory, but no tensor ever sees an in-place change of another:
    memory that is shared is copied before it is changed.

    Args:
        buffer: the elements. The tensor takes the buffer over; it should not be changed by others afterwards.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy(np.arange(6, dtype=np.float32)).reshape((2, 3))
    >>> (x @ x.T).numpy().tolist()
    [[5.0, 14.0], [14.0, 50.0]]
    """

    __slots__ = ()

    # Methods are the functions themselves: `x.conv2(...)` is `conv2(x, ...)`.

    __add__ = __radd__ = arithmetic.add
    __sub__ = arithmetic.subtract
    __rsub__ = arithmetic.reflected_subtract
    __mul__ = __rmul__ = arithmetic.multiply
    __truediv__ = arithmetic.divide
    __rtruediv__ = arithmetic.reflected_divide
    __floordiv__ = arithmetic.floor_divide
    __rfloordiv__ = arithmetic.reflected_floor_divide
    __mod__ = arithmetic.remainder
    __rmod__ = arithmetic.reflected_remainder
    __pow__ = arithmetic.pow
    __rpow__ = arithmetic.reflected_pow
    __neg__ = arithmetic.negative
    __pos__ = arithmetic.positive
    __abs__ = arithmetic.absolute
    __and__ = __rand__ = bits.bitwise_and
    __or__ = __ror__ = bits.bitwise_or
    __xor__ = __rxor__ = bits.bitwise_xor
    __invert__ = bits.bitwise_invert
    __lshift__ = bits.bitwise_left_shift
    __rlshift__ = bits.reflected_left_shift
    __rshift__ = bits.bitwise_right_shift
    __rrshift__ = bits.reflected_right_shift
    __eq__ = comparisons.equal  # type: ignore[assignment]  # elementwise, as the standard has it
    __ne__ = comparisons.not_equal  # type: ignore[assignment]
    __lt__ = comparisons.less
    __le__ = comparisons.less_equal
    __gt__ = comparisons.greater
    __ge__ = comparisons.greater_equal
    __hash__ = TensorBase.__hash__  # by identity
    __matmul__ = matmul = matrices.matmul
    __getitem__ = reading.index

    to_device = views.to_device
    copy = views.copy
    contiguous = views.contiguous
    reshape = views.reshape
    flatten = views.flatten
    transpose = views.transpose
    broadcast_to = views.broadcast_to

    cast = casts.cast
    scaled_cast = casts.scaled_cast
    relu = activations.relu
    sum = sums.sum
    mean = aggregates.mean
    max = aggregates.max
    min = aggregates.min
    any = aggregates.any
    all = aggregates.all
    argmax = aggregates.argmax
    argmin = aggregates.argmin
    softmax = softmax.softmax
    conv1 = convolutions.conv1
    conv2 = convolutions.conv2
    conv3 = convolutions.conv3
    max_pool1 = max_pools.max_pool1
    max_pool2 = max_pools.max_pool2
    max_pool3 = max_pools.max_pool3
    one_hot = losses.one_hot
    cross_entropy_loss = losses.cross_entropy_loss
    accuracy = losses.accuracy
    backward = backward

    fill = in_place.fill
    assign = in_place.assign
    add_assign = in_place.add_assign
    scaled_add = in_place.scaled_add

    @staticmethod
    def from_numpy(array: Any, device: Device | None = None, *, copy: bool = True) -> Tensor:
        """A tensor of an array's elements.

        Args:
            array: of any strides; without ``copy``, a NumPy array.
            device: None is the host.
            copy: False borrows the array's memory, on the host and on devices that can use it, whatever its strides.
                The tensor never writes to it (a change in place copies first); whoever changes the array changes the
                tensor.

        Raises:
            krnlpy.DtypeError: the array's dtype is none of the 13.
            krnlpy.SharingError: without ``copy``: the array is read-only, not aligned or of foreign byte order, or the
                device can't use it.

        >>> import numpy as np
        >>> array = np.zeros(2, np.float32)
        >>> x = Tensor.from_numpy(array, copy=False)
        >>> np.shares_memory(x.numpy(), array)
        True
        """
        if copy:
            return Tensor(Buffer.from_numpy(array, device))
        tensor = Tensor(Buffer.from_numpy(array, device, copy=False))
        tensor.share.users.append(None)  # the array: for as long as the memory lives
        return tensor

    @staticmethod
    def full(shape: int | Shape, value: complex, dtype: DTypeLike = f32, device: Device | None = None) -> Tensor:
        """A tensor whose elements are all one value.

        Args:
            shape: an int, or the lengths of the axes.
            value: converted as in :meth:`fill`.
            dtype: a scalar type, its name, or its NumPy dtype.
            device: None is the host.

        Raises:
            ShapeError: ``shape`` is not a shape.
            DtypeError: ``value`` is not a number, ``dtype`` no scalar type, or ``device`` no Device.
            LimitExceeded: the tensor is larger than the device's buffers can be.
            OutOfMemory: the device has not enough memory.

        >>> from autograph import Tensor
        >>> Tensor.full((2, 2), 7, "u8").numpy().tolist()
        [[7, 7], [7, 7]]
        """
        return Tensor(Buffer.full(shape, value, dtype, device))

    @staticmethod
    def zeros(shape: int | Shape, dtype: DTypeLike = f32, device: Device | None = None) -> Tensor:
        """A tensor of zeros; arguments are those of :meth:`full`.

        Raises:
            ShapeError: ``shape`` is not a shape.
            DtypeError: ``dtype`` is not a scalar type, or ``device`` no Device.
            LimitExceeded: the tensor is larger than the device's buffers can be.
            OutOfMemory: the device has not enough memory.

        >>> from autograph import Tensor
        >>> Tensor.zeros(3)
        Tensor(f32, (3,), Device.host(), [0., 0., 0.])
        """
        return Tensor(Buffer.zeros(shape, dtype, device))

    @staticmethod
    def ones(shape: int | Shape, dtype: DTypeLike = f32, device: Device | None = None) -> Tensor:
        """A tensor of ones; arguments are those of :meth:`full`.

        Raises:
            ShapeError: ``shape`` is not a shape.
            DtypeError: ``dtype`` is not a scalar type, or ``device`` no Device.
            LimitExceeded: the tensor is larger than the device's buffers can be.
            OutOfMemory: the device has not enough memory.

        >>> from autograph import Tensor
        >>> Tensor.ones((2, 3)).sum(axis=1).numpy().tolist()
        [3.0, 3.0]
        """
        return Tensor(Buffer.ones(shape, dtype, device))

    @staticmethod
    def empty(shape: int | Shape, dtype: DTypeLike = f32, device: Device | None = None) -> Tensor:
        """A tensor of undefined content, to be filled; arguments are those of :meth:`full`.

        Raises:
            ShapeError: ``shape`` is not a shape.
            DtypeError: ``dtype`` is not a scalar type, or ``device`` no Device.
            LimitExceeded: the tensor is larger than the device's buffers can be.
            OutOfMemory: the device has not enough memory.

        >>> from autograph import Tensor
        >>> x = Tensor.empty(2, "i32")
        >>> x.assign(Tensor.from_numpy([3, 4]))
        >>> x.numpy().tolist()
        [3, 4]
        """
        return Tensor(Buffer.empty(shape, dtype, device))

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The transpose, a view: all axes in reverse order."""
        return self.transpose()

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.detach().copy()

    def __reduce__(self) -> Any:
        return Tensor, (self.buffer,)  # which pickles to the host

    def result(self, buffer: Buffer) -> Tensor:
        return Tensor(buffer)

    def detach(self) -> Tensor:
        share = self.share
        result = Tensor.__new__(Tensor)
        result.node = None
        result.share = Share(share.buffer, share.users)
        return result

    def view(self, of: Callable[[Buffer], Buffer]) -> Tensor:
        if not callable(of):
            raise DtypeError(f"view takes a function from buffer to buffer, not {type(of).__name__}")
        share = self.share
        buffer = of(share.buffer)
        require_buffer(buffer)
        result = Tensor.__new__(Tensor)
        result.node = None
        result.share = Share(buffer, share.users if buffer.memory is share.buffer.memory else [])
        return result
