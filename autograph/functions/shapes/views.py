"""Views of the same elements, copies and transfers, with their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING

import krnlpy
from autograph.autograd import differentiable
from autograph.errors import DeviceError, ShapeError
from autograph.functions.checks import integers
from autograph.functions.launch import reshape_or_copy
from autograph.functions.reducers.sums import sum_to_shape
from autograph.tensor.base import require_tensor
from krnlpy import Buffer, Device

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def reshape(x: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """The elements in row-major order in another shape; one length may be -1. A view where that is possible.

    Raises:
        ShapeError: the shape has another number of elements.

    >>> from autograph import Tensor
    >>> Tensor.zeros((2, 3)).reshape(3, -1).shape, Tensor.zeros((2, 3)).reshape((6,)).shape
    ((3, 2), (6,))
    """
    require_tensor("reshape", x)
    wanted = integers(shape)
    known = prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and known > 0 and x.size % known == 0:
        wanted = tuple(x.size // known if n == -1 else n for n in wanted)
    if any(n < 0 for n in wanted) or prod(wanted) != x.size:
        raise ShapeError(f"a tensor of shape {x.shape} has {x.size} elements and cannot be reshaped to {wanted}")
    source = x.shape
    value = x.view(lambda buffer: reshape_or_copy(buffer, wanted))
    return differentiable(value, [(x, lambda gradient: reshape(gradient, source))], higher_order=True)


def flatten(x: Tensor) -> Tensor:
    """The elements in row-major order along one axis. A view where that is possible.

    Raises:
        OutOfMemory: the device has not enough memory for a copy.

    >>> from autograph import Tensor
    >>> Tensor.zeros((5, 2, 3)).flatten().shape
    (30,)
    """
    return reshape(x, (x.size,))


def transpose(x: Tensor, *axes: int | Sequence[int]) -> Tensor:
    """The axes in another order, in reverse order if none is given. A view.

    Args:
        *axes: each axis once, one by one or as a tuple; below 0 they count from the end.

    Raises:
        ShapeError: an axis is missing, named twice, or not there.

    >>> from autograph import Tensor
    >>> images = Tensor.zeros((10, 3, 28, 32))
    >>> images.transpose(0, 2, 3, 1).shape, images.transpose().shape
    ((10, 28, 32, 3), (32, 28, 3, 10))
    """
    given = integers(axes)
    order = tuple(a + x.ndim if a < 0 else a for a in given) or tuple(reversed(range(x.ndim)))
    value = view_of(x, lambda buffer: buffer.transpose(*order))
    inverse = tuple(order.index(axis) for axis in range(x.ndim))
    return differentiable(value, [(x, lambda gradient: transpose(gradient, inverse))], higher_order=True)


def broadcast_to(x: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """The tensor repeated along axes of length 1 and new leading axes, by NumPy's rules. A view.

    Raises:
        ShapeError: an axis is neither of the wanted length nor of length 1, or the shape has too few axes.

    >>> from autograph import Tensor
    >>> Tensor.from_numpy([1, 2]).broadcast_to(3, 2).numpy().tolist()
    [[1, 2], [1, 2], [1, 2]]
    """
    require_tensor("broadcast_to", x)
    wanted = integers(shape)
    source = x.shape
    value = view_of(x, lambda buffer: buffer.broadcast_to(wanted))
    return differentiable(value, [(x, lambda gradient: sum_to_shape(gradient, source))], higher_order=True)


def copy(x: Tensor) -> Tensor:
    """The elements in memory of their own, without gaps, in row-major order.

    Raises:
        OutOfMemory: the device has not enough memory for the copy.

    >>> from autograph import Tensor
    >>> x = Tensor.zeros((2, 3)).T
    >>> x.strides, x.copy().strides
    ((1, 3), (2, 1))
    """
    return differentiable(x.result(x.buffer.copy()), [(x, lambda gradient: gradient)], higher_order=True)


def contiguous(x: Tensor) -> Tensor:
    """The elements in memory without gaps, in row-major order: a copy only where they do not lie so already.

    Raises:
        OutOfMemory: the device has not enough memory for a copy.

    >>> from autograph import Tensor
    >>> x = Tensor.zeros((2, 3))
    >>> x.T.is_contiguous(), x.T.contiguous().is_contiguous()
    (False, True)
    """
    if not x.is_contiguous():
        return copy(x)
    return differentiable(x.detach(), [(x, lambda gradient: gradient)], higher_order=True)


def to_device(x: Tensor, device: Device, /, *, stream: None = None) -> Tensor:
    """The elements on a device: a copy only where they do not lie there already.

    Args:
        x: on any device.
        device: where the result lies.
        stream: None; devices have one queue of work, in which a copy has its place.

    Raises:
        DtypeError: ``device`` is not a Device.
        DeviceError: there is a ``stream``.
        LimitExceeded: the tensor is larger than the device's buffers can be.
        OutOfMemory: the device has not enough memory.

    >>> from autograph import Tensor
    >>> from krnlpy import Device
    >>> x = Tensor.ones(2).to_device(Device("interpreter"))
    >>> x.device
    Device.interpreter()
    """
    if stream is not None:
        raise DeviceError(f"to_device(stream={stream!r}): devices have no streams; expected None")
    source = x.device
    is_there = isinstance(device, Device) and device == source
    value = x.detach() if is_there else x.result(x.buffer.to_device(device))
    return differentiable(value, [(x, lambda gradient: to_device(gradient, source))], higher_order=True)


def view_of(x: Tensor, of: Callable[[Buffer], Buffer], error: type[ShapeError] = ShapeError) -> Tensor:
    """A view, not recorded. What the buffer finds wrong is an error of autograph."""
    require_tensor("a view", x)
    try:
        return x.view(of)
    except krnlpy.errors.ShapeError as found:
        raise error(str(found)) from None
