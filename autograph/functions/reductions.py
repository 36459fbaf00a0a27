"""Sums over axes: each in several passes, so that the whole device takes part, and always in the same order."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Literal

from autograph.autograd import differentiable
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.tensor.base import Shape, require_tensor
from krnlpy import Buffer, DTypeLike, Global, Item, ItemMut, Out, kernel, scalar_type
from krnlpy.dsl import global_id, global_threads

from .checks import integers, is_number, number_of
from .launch import MAX_PASSES, grid_stride, reshape_or_copy
from .type_variables import T, U, W, accumulator

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_THREADS = 1 << 14  # of a pass: enough to fill a large GPU
_MIN_CHUNK = 32  # elements a thread adds in a pass: fewer do not pay for the next pass


@kernel(unchecked=True)
def _sum_chunks(x: Global[T, Literal[3]], out: Out[U, Literal[3]]) -> None:
    """``out[o, c, i]`` is the sum of ``x[o, c::chunks, i]``; neighbouring threads read neighbouring elements."""
    chunks = out.shape[1]
    inner = out.shape[2]
    for item in range(global_id(), out.size, global_threads()):
        i = item % inner
        chunk = item // inner % chunks
        o = item // (inner * chunks)
        total = U(0)
        for j in range(chunk, x.shape[1], chunks):
            total += x[o, j, i]
        out[o, chunk, i] = total


@kernel
def _accumulate(out: ItemMut[T], total: Item[U], beta: W) -> None:
    out = total + beta * out


def sum(x: Tensor, axis: int | tuple[int, ...] | None = None, *, out: Tensor | None = None, beta: float = 0) -> Tensor:
    """The sum over an axis, several axes, or all.

    Floats keep their dtype and are accumulated in f32 (f64 in f64) in a fixed order; integers below 32 bits give u32
    or i32.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all axes.
        out: a tensor that becomes ``sum + beta * out`` in place, rounded once, and is returned. This is not recorded
            for gradients.
        beta: what ``out`` is multiplied by; with 0, ``out`` may hold anything.

    Raises:
        ShapeError: there is no such axis, or one is named twice, or ``out`` is of another shape.
        DtypeError: ``out`` is of another dtype, or not a tensor.
        DeviceError: ``out`` lies on another device.
        AutographError: ``out`` is given where gradients are recorded, or ``beta`` without ``out``.

    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy([[1.0, 2.0], [3.0, 4.0]])
    >>> x.sum().item(), x.sum(axis=0).numpy().tolist()
    (10.0, [4.0, 6.0])
    >>> total = Tensor.full((), 10.0)
    >>> Tensor.ones(3).sum(out=total, beta=2).item()
    23.0
    """
    axes = _axes(x, axis)
    if out is not None:
        return _sum_into(x, axes, out, beta)
    if not is_number(beta) or beta != 0:
        raise AutographError(f"sum(beta={beta!r}) without out: beta is what out is multiplied by")
    wide = accumulator(x.dtype)
    source, dtype = x.shape, x.dtype
    keepdims_shape = tuple(1 if a in axes else n for a, n in enumerate(source))
    value = x.result(sum_axes(x.buffer, axes, dtype if dtype.is_float else wide))
    return differentiable(value, [(x, lambda gradient: gradient.reshape(keepdims_shape).broadcast_to(source))])


def _sum_into(x: Tensor, axes: tuple[int, ...], out: Tensor, beta: float) -> Tensor:
    require_tensor("sum(out=)", out)
    wide = accumulator(x.dtype)
    dtype = x.dtype if x.dtype.is_float else wide
    shape = tuple(n for a, n in enumerate(x.shape) if a not in axes)
    if x.tracked or out.tracked:
        raise AutographError("sum(out=) records nothing for gradients: sum without out, or of tensor.detach()")
    if out.device != x.device:
        raise DeviceError(f"sum of a tensor on {x.device.name} into one on {out.device.name}")
    if out.shape != shape:
        raise ShapeError(f"sum of shape {x.shape} over the axes {axes} has the shape {shape}, out has {out.shape}")
    if out.dtype is not dtype:
        raise DtypeError(f"sum of {x.dtype} gives {dtype}, out is {out.dtype}")
    number = number_of("sum", beta, dtype)
    total = sum_axes(x.buffer, axes, dtype if beta == 0 else wide)
    if beta == 0:
        out.writable().copy_from(total)
    elif out.size:
        _accumulate(out.writable(), total, number)
    return out


def sum_to_shape(gradient: Tensor, shape: Shape) -> Tensor:
    """The gradient of what was broadcast from ``shape``: the sum over the repetitions."""
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    axes = tuple(a for a, n in enumerate(gradient.shape) if a < added or (shape[a - added] == 1 and n != 1))
    return gradient.result(sum_axes(gradient.buffer, axes, gradient.dtype)).reshape(shape)


def _axes(x: Tensor, axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    axes = sorted(a + x.ndim if a < 0 else a for a in integers((axis,)))
    if len(set(axes)) != len(axes) or not all(0 <= a < x.ndim for a in axes):
        raise ShapeError(f"axis={axis!r}: a tensor of shape {x.shape} has the axes 0 to {x.ndim - 1}, each once")
    return tuple(axes)


def sum_axes(buffer: Buffer, axes: tuple[int, ...], dtype: DTypeLike) -> Buffer:
    """The sums over axes in ascending order. Neighbouring axes are summed together, the last ones first."""
    to = scalar_type(dtype)
    if to.is_integer and (wide := accumulator(to)) is not to:
        return sum_axes(buffer, axes, wide).cast(to)  # kernels sum in the type of their result
    runs: list[list[int]] = []
    for axis in axes:
        if runs and runs[-1][-1] == axis - 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    shape = buffer.shape
    for left, run in zip(reversed(range(len(runs))), reversed(runs), strict=True):
        before, after = shape[: run[0]], shape[run[-1] + 1 :]
        whole = reshape_or_copy(buffer, (prod(before), prod(shape[run[0] : run[-1] + 1]), prod(after)))
        shape = before + after
        buffer = _reduce_middle(whole, accumulator(buffer.dtype) if left else dtype).reshape(shape)
    return buffer if runs else buffer.cast(dtype)


def sum_buffers(buffers: list[Buffer]) -> Buffer:
    """The sum of buffers of one shape and dtype of floats, rounded once."""
    joined = Buffer.empty((len(buffers), *buffers[0].shape), buffers[0].dtype, buffers[0].device)
    for i, buffer in enumerate(buffers):
        joined[i].copy_from(buffer)
    return sum_axes(joined, (0,), joined.dtype)


def _reduce_middle(buffer: Buffer, dtype: DTypeLike) -> Buffer:
    """``[outer, n, inner]`` to ``[outer, 1, inner]``."""
    outer, n, inner = buffer.shape
    if not n:
        return Buffer.zeros((outer, 1, inner), dtype, buffer.device)
    if not buffer.can_be_indexed and buffer.size > 1:
        return _reduce_halves(buffer, dtype)
    while True:
        chunks = max(-(-n // MAX_PASSES), min(n // _MIN_CHUNK, _THREADS // max(1, outer * inner)))
        out = Buffer.empty((outer, chunks, inner), accumulator(buffer.dtype) if chunks > 1 else dtype, buffer.device)
        if out.size:
            grid_stride(_sum_chunks, out.size, -(-n // chunks))(buffer, out)
        if chunks == 1:
            return out
        buffer, n = out, chunks


def _reduce_halves(buffer: Buffer, dtype: DTypeLike) -> Buffer:
    """As :func:`_reduce_middle`, for a buffer that kernels do not reach at once."""

    def reach(axis: int) -> tuple[int, int]:
        return (buffer.shape[axis] - 1) * abs(buffer.strides[axis]), buffer.shape[axis]

    outer, _, inner = buffer.shape
    wide = accumulator(buffer.dtype)
    sums = Buffer.empty((outer, 2, inner), wide, buffer.device)
    # Splitting the summed axis does not help where the sums themselves are out of reach.
    axis = max(range(3) if sums.can_be_indexed else (0, 2), key=reach)
    middle = buffer.shape[axis] // 2
    keys = [(*(slice(None),) * axis, half) for half in (slice(middle), slice(middle, None))]
    if axis == 1:
        for i, key in enumerate(keys):
            sums[:, i : i + 1].copy_from(_reduce_middle(buffer[key], wide))
        return _reduce_middle(sums, dtype)
    out = Buffer.empty((outer, 1, inner), dtype, buffer.device)
    for key in keys:
        out[key].copy_from(_reduce_middle(buffer[key], dtype))
    return out
