"""Sums over axes: by the whole device, and always in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autograph.autograd import differentiable
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.checks import number_of
from autograph.functions.launch import reshape_or_copy
from autograph.functions.type_variables import T, U, W, accumulator
from autograph.tensor.base import Shape, require_tensor
from krnlpy import Buffer, DTypeLike, Item, ItemMut, ScalarType, kernel, scalar_type

from .reducer import Reducer, axes_of, keepdims_shape

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_SUM = Reducer("sum", widens=True)


@kernel
def _accumulate(out: ItemMut[T], total: Item[U], beta: W) -> None:
    out = total + beta * out


def sum(
    x: Tensor,
    axis: int | Sequence[int] | None = None,
    *,
    dtype: DTypeLike | None = None,
    keepdims: bool = False,
    out: Tensor | None = None,
    beta: float = 0,
) -> Tensor:
    """The sum over an axis, several axes, or all.

    Floats keep their dtype and are accumulated in f32 (f64 in f64) in a fixed order; integers below 32 bits give u32
    or i32.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all axes.
        dtype: the result's; the elements are converted to it first.
        keepdims: the axes stay, with length 1.
        out: a tensor that becomes ``sum + beta * out`` in place, rounded once, and is returned. This is not recorded
            for gradients.
        beta: what ``out`` is multiplied by; with 0, ``out`` may hold anything.

    Raises:
        ShapeError: there is no such axis, or one is named twice, or ``out`` is of another shape.
        DtypeError: ``out`` is of another dtype, or not a tensor, or ``dtype`` is not a scalar type.
        DeviceError: ``out`` lies on another device.
        AutographError: ``out`` is given with ``dtype`` or where gradients are recorded, or ``beta`` without ``out``.

    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy([[1.0, 2.0], [3.0, 4.0]])
    >>> x.sum().item(), x.sum(axis=0).numpy().tolist()
    (10.0, [4.0, 6.0])
    >>> total = Tensor.full((), 10.0)
    >>> Tensor.ones(3).sum(out=total, beta=2).item()
    23.0
    """
    require_tensor("sum", x)
    axes = axes_of("sum", x, axis)
    if dtype is not None:
        if out is not None:
            raise AutographError("sum(out=, dtype=): out has its own dtype")
        return sum(x.cast(dtype), axis, keepdims=keepdims, beta=beta).cast(dtype)
    if out is not None:
        return _sum_into(x, axes, keepdims, out, beta)
    if beta != 0:
        raise AutographError(f"sum(beta={beta!r}) without out: beta is what out is multiplied by")
    buffer = x.share.buffer
    dtype_of_sum = buffer.dtype if buffer.dtype.is_float else accumulator(buffer.dtype)
    (total,) = _SUM.reduced([buffer], axes, buffer.dtype, (dtype_of_sum,))
    source = buffer.shape
    if keepdims:
        total = total.reshape(keepdims_shape(source, axes))
    value = x.result(total)
    if x.node is None:
        return value
    kept = keepdims_shape(source, axes)
    return differentiable(value, [(x, lambda gradient: gradient.reshape(kept).broadcast_to(source))], higher_order=True)


def _sum_into(x: Tensor, axes: tuple[int, ...], keepdims: bool, out: Tensor, beta: float) -> Tensor:
    require_tensor("sum(out=)", out)
    wide = accumulator(x.dtype)
    dtype = x.dtype if x.dtype.is_float else wide
    shape = keepdims_shape(x.shape, axes) if keepdims else tuple(n for a, n in enumerate(x.shape) if a not in axes)
    if x.tracked or out.tracked:
        raise AutographError("sum(out=) records nothing for gradients: sum without out, or of tensor.detach()")
    if out.device != x.device:
        raise DeviceError(f"sum of a tensor on {x.device.name} into one on {out.device.name}")
    if out.shape != shape:
        raise ShapeError(f"sum of shape {x.shape} over the axes {axes} has the shape {shape}, out has {out.shape}")
    if out.dtype is not dtype:
        raise DtypeError(f"sum of {x.dtype} gives {dtype}, out is {out.dtype}")
    number = number_of("sum", beta, dtype)
    total = sum_axes(x.buffer, axes, dtype if beta == 0 else wide).reshape(shape)
    if beta == 0:
        out.writable().copy_from(total)
    elif out.size:
        _accumulate(out.writable(), total, number)
    return out


def sum_to_shape(gradient: Tensor, shape: Shape, dtype: ScalarType | None = None) -> Tensor:
    """The gradient of what was broadcast from ``shape``: the sum over the repetitions, in a dtype (None: as it is)."""
    dtype = dtype or gradient.dtype
    if gradient.shape == shape:
        return gradient if gradient.dtype is dtype else gradient.cast(dtype)
    repeated, source = gradient.shape, gradient.dtype
    added = gradient.ndim - len(shape)
    axes = tuple(a for a, n in enumerate(repeated) if a < added or (shape[a - added] == 1 and n != 1))
    value = gradient.result(reshape_or_copy(sum_axes(gradient.buffer, axes, dtype), shape))
    return differentiable(value, [(gradient, lambda dy: dy.cast(source).broadcast_to(repeated))], higher_order=True)


def sum_axes(buffer: Buffer, axes: tuple[int, ...], dtype: DTypeLike) -> Buffer:
    """The sums over axes in ascending order, as elements of a dtype."""
    (total,) = _SUM.reduced([buffer], axes, buffer.dtype, (scalar_type(dtype),))
    return total


def sum_buffers(buffers: list[Buffer]) -> Buffer:
    """The sum of buffers of one shape and dtype of floats, rounded once."""
    joined = Buffer.empty((len(buffers), *buffers[0].shape), buffers[0].dtype, buffers[0].device)
    for i, buffer in enumerate(buffers):
        joined[i].copy_from(buffer)
    return sum_axes(joined, (0,), joined.dtype)
