"""Other looks at the same elements, copies and transfers; the gradients go the way back."""

from __future__ import annotations

from math import prod
from typing import Any

import krnlpy
from autograph.autograd import differentiable
from autograph.errors import ShapeError
from autograph.tensor.tensor import Shape, Tensor
from krnlpy import Buffer, Device

from .reductions import sum_to_shape


def reshaped(buffer: Buffer, shape: Shape) -> Buffer:
    """The buffer in another shape of the same size: a view if its strides allow one, else a copy."""
    try:
        return buffer.reshape(shape)
    except krnlpy.errors.ShapeError:
        return buffer.contiguous().reshape(shape)


def reshape(x: Tensor, shape: Shape) -> Tensor:
    """See :meth:`Tensor.reshape`."""
    wanted = shape
    known = prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and known > 0 and x.size % known == 0:
        wanted = tuple(x.size // known if n == -1 else n for n in wanted)
    if any(n < 0 for n in wanted) or prod(wanted) != x.size:
        raise ShapeError(f"a tensor of shape {x.shape} has {x.size} elements and cannot be reshaped to {shape}")
    source = x.shape
    value = x._shared(lambda buffer: reshaped(buffer, wanted))
    return differentiable(value, [(x, lambda gradient: reshape(gradient, source))])


def transpose(x: Tensor, axes: tuple[int, ...] = ()) -> Tensor:
    """See :meth:`Tensor.transpose`."""
    order = tuple(a + x.ndim if a < 0 else a for a in axes) or tuple(reversed(range(x.ndim)))
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"{axes} is not an order of the {x.ndim} axes of a tensor of shape {x.shape}")
    inverse = tuple(order.index(axis) for axis in range(x.ndim))
    value = x._shared(lambda buffer: buffer.transpose(*order))
    return differentiable(value, [(x, lambda gradient: transpose(gradient, inverse))])


def broadcast_to(x: Tensor, shape: Shape) -> Tensor:
    """See :meth:`Tensor.broadcast_to`."""
    tail = shape[len(shape) - x.ndim :]
    if len(shape) < x.ndim or any(n not in (1, m) for n, m in zip(x.shape, tail, strict=True)):
        raise ShapeError(f"a tensor of shape {x.shape} cannot be broadcast to {shape}")
    source = x.shape
    value = x._shared(lambda buffer: buffer.broadcast_to(shape))
    return differentiable(value, [(x, lambda gradient: sum_to_shape(gradient, source))])


def index(x: Tensor, key: Any) -> Tensor:
    """The view that integers, slices and an ellipsis select.

    Raises:
        ShapeError: too many indices, or one out of range.
    """
    try:
        value = x._shared(lambda buffer: buffer[key])
    except krnlpy.errors.ShapeError as error:
        raise ShapeError(str(error)) from None
    shape, dtype, device = x.shape, x.dtype, x.device

    def scatter(gradient: Tensor) -> Tensor:
        result = Buffer.zeros(shape, dtype, device)
        result[key].copy_from(gradient.buffer)
        return Tensor(result)

    return differentiable(value, [(x, scatter)])


def copy(x: Tensor) -> Tensor:
    """See :meth:`Tensor.copy`."""
    return differentiable(Tensor(x.buffer.copy()), [(x, lambda gradient: gradient)])


def to_device(x: Tensor, device: Device) -> Tensor:
    """See :meth:`Tensor.to_device`."""
    if isinstance(device, Device) and device == x.device:
        return x
    source = x.device
    return differentiable(Tensor(x.buffer.to_device(device)), [(x, lambda gradient: to_device(gradient, source))])
