"""Other looks at the same elements, copies and transfers; the gradients go the way back."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import krnlpy
from autograph.autograd import differentiable
from autograph.errors import ShapeError
from krnlpy import Buffer, Device

from .checks import integers
from .launch import reshaped
from .reductions import sum_to_shape

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
    wanted = integers(shape)
    known = prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and known > 0 and x.size % known == 0:
        wanted = tuple(x.size // known if n == -1 else n for n in wanted)
    if any(n < 0 for n in wanted) or prod(wanted) != x.size:
        raise ShapeError(f"a tensor of shape {x.shape} has {x.size} elements and cannot be reshaped to {wanted}")
    source = x.shape
    value = x.view(lambda buffer: reshaped(buffer, wanted))
    return differentiable(value, [(x, lambda gradient: reshape(gradient, source))])


def flatten(x: Tensor) -> Tensor:
    """``[n, a, b, ...]`` as ``[n, a * b * ...]``."""
    return reshape(x, (x.shape[0], prod(x.shape[1:])) if x.ndim else (1, 1))


def transpose(x: Tensor, *axes: int | Sequence[int]) -> Tensor:
    """The axes in another order, in reverse order if none is given. A view.

    Raises:
        ShapeError: not each axis stands there once.
    """
    given = integers(axes)
    order = tuple(a + x.ndim if a < 0 else a for a in given) or tuple(reversed(range(x.ndim)))
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"{given} is not an order of the {x.ndim} axes of a tensor of shape {x.shape}")
    inverse = tuple(order.index(axis) for axis in range(x.ndim))
    value = x.view(lambda buffer: buffer.transpose(*order))
    return differentiable(value, [(x, lambda gradient: transpose(gradient, inverse))])


def broadcast_to(x: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """The tensor repeated along axes of length 1 and new leading axes, by NumPy's rules. A view.

    Raises:
        ShapeError: an axis has another length, other than 1.
    """
    wanted = integers(shape)
    tail = wanted[len(wanted) - x.ndim :]
    if len(wanted) < x.ndim or any(n not in (1, m) for n, m in zip(x.shape, tail, strict=True)):
        raise ShapeError(f"a tensor of shape {x.shape} cannot be broadcast to {wanted}")
    source = x.shape
    value = x.view(lambda buffer: buffer.broadcast_to(wanted))
    return differentiable(value, [(x, lambda gradient: sum_to_shape(gradient, source))])


def index(x: Tensor, key: Any) -> Tensor:
    """The view that integers, slices and an ellipsis select.

    Raises:
        ShapeError: too many indices, or one out of range.
    """
    try:
        value = x.view(lambda buffer: buffer[key])
    except krnlpy.errors.ShapeError as error:
        raise ShapeError(str(error)) from None
    shape, dtype, device = x.shape, x.dtype, x.device

    def scatter(gradient: Tensor) -> Tensor:
        result = Buffer.zeros(shape, dtype, device)
        result[key].copy_from(gradient.buffer)
        return gradient.result(result)

    return differentiable(value, [(x, scatter)])


def copy(x: Tensor) -> Tensor:
    """A contiguous tensor of its own memory."""
    return differentiable(x.result(x.buffer.copy()), [(x, lambda gradient: gradient)])


def contiguous(x: Tensor) -> Tensor:
    """The elements in memory without gaps, in row-major order: another tensor, that shares the memory where it lies so
    already."""
    if not x.is_contiguous():
        return copy(x)
    return differentiable(x.detach(), [(x, lambda gradient: gradient)])


def to_device(x: Tensor, device: Device) -> Tensor:
    """The tensor on a device: another one, that shares the memory where it lies there already."""
    source = x.device
    is_there = isinstance(device, Device) and device == source
    value = x.detach() if is_there else x.result(x.buffer.to_device(device))
    return differentiable(value, [(x, lambda gradient: to_device(gradient, source))])
