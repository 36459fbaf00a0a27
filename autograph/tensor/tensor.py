"""The tensor: an n-dimensional buffer on a device, with what autograd knows of it. Its methods are the operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from autograph.autograd.tape import backward
from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions import (
    casts,
    creation,
    in_place,
    repetition,
)
from autograph.functions.convolution import convolutions
from autograph.functions.elementwise import activations, arithmetic, bits, comparisons
from autograph.functions.indexing import one_hot, reading, writing
from autograph.functions.losses import accuracy, cross_entropy
from autograph.functions.pooling import max_pools
from autograph.functions.products import matrices
from autograph.functions.reducers import sums
from autograph.functions.reductions import aggregates, softmax
from autograph.functions.scans import cumulative
from autograph.functions.shapes import arrangement, diagonals, joining, views
from autograph.functions.sorting import greatest, sorts
from krnlpy import Buffer

from .base import TensorBase, made_by_operations, require_buffer, tensor_of
from .share import Share

__all__ = ["Tensor"]


@made_by_operations
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

    from_numpy = staticmethod(creation.from_numpy)
    full = staticmethod(creation.full)
    zeros = staticmethod(creation.zeros)
    ones = staticmethod(creation.ones)
    empty = staticmethod(creation.empty)

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
    __setitem__ = writing.set_index

    to_device = views.to_device
    copy = views.copy
    contiguous = views.contiguous
    reshape = views.reshape
    flatten = views.flatten
    transpose = views.transpose
    broadcast_to = views.broadcast_to
    squeeze = arrangement.squeeze
    expand_dims = arrangement.expand_dims
    moveaxis = arrangement.moveaxis
    flip = arrangement.flip
    roll = arrangement.roll
    repeat = repetition.repeat
    split = joining.split
    unstack = joining.unstack
    diagonal = diagonals.diagonal
    trace = diagonals.trace

    cast = casts.cast
    scaled_cast = casts.scaled_cast
    relu = activations.relu
    sum = sums.sum
    mean = aggregates.mean
    var = aggregates.var
    std = aggregates.std
    max = aggregates.max
    min = aggregates.min
    any = aggregates.any
    all = aggregates.all
    argmax = aggregates.argmax
    argmin = aggregates.argmin
    softmax = softmax.softmax
    cumulative_sum = cumulative.cumulative_sum
    sort = sorts.sort
    argsort = sorts.argsort
    topk = greatest.topk
    conv1 = convolutions.conv1
    conv2 = convolutions.conv2
    conv3 = convolutions.conv3
    max_pool1 = max_pools.max_pool1
    max_pool2 = max_pools.max_pool2
    max_pool3 = max_pools.max_pool3
    one_hot = one_hot.one_hot
    cross_entropy_loss = cross_entropy.cross_entropy_loss
    accuracy = accuracy.accuracy
    backward = backward

    fill = in_place.fill
    assign = in_place.assign
    add_assign = in_place.add_assign
    scaled_add = in_place.scaled_add

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The transpose of a matrix, a view.

        Raises:
            ShapeError: the tensor is no matrix.
        """
        if self.ndim != 2:
            raise ShapeError(
                f".T is the transpose of a matrix, not of shape {self.shape}: .mT transposes each matrix of a stack,"
                " transpose() reverses the order of all axes"
            )
        return self.transpose()

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The transpose of each matrix of a stack, a view: the last two axes exchanged.

        Raises:
            ShapeError: the tensor has fewer than two axes.
        """
        return arrangement.matrix_transpose(self)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The namespace of the Python array API standard, :mod:`autograph.array_api`, for code that is written for any
        library that has one.

        Args:
            api_version: None or "2025.12".

        Raises:
            AutographError: another version.

        >>> from autograph import Tensor
        >>> xp = Tensor.ones(2).__array_namespace__()
        >>> xp.__name__, xp.__array_api_version__
        ('autograph.array_api', '2025.12')
        """
        namespace = import_module("autograph.array_api")  # which stands on this
        if api_version not in (None, namespace.__array_api_version__):
            raise AutographError(
                f"__array_namespace__(api_version={api_version!r}): expected {namespace.__array_api_version__!r}"
            )
        return namespace

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.detach().copy()

    def __reduce__(self) -> Any:
        return Tensor, (self.buffer,)  # which pickles to the host

    def result(self, buffer: Buffer) -> Tensor:
        require_buffer(buffer)
        return tensor_of(buffer)

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
        result.share = Share(buffer, share.users if buffer.memory is share.buffer.memory else None)
        return result
