"""Products of stacks of matrices, as buffers: a register-tiled kernel on devices, BLAS and another kernel on the host.

Operands are read where they lie: transposed, repeated along leading axes, in a type that is narrower than the result's.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import prod
from typing import Any, Literal

from autograph.functions.launch import MAX_PASSES
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, U, W
from autograph.tensor.base import Shape
from krnlpy import Buffer, Global, Out, ScalarType, kernel
from krnlpy.dsl import fma, group_id, local_array, thread_id

from . import host

_SIDE = 8  # threads of a group along each axis
_TILE = 4  # rows and columns of the product that a thread computes, where there are more than threads
_GROUPS = 128  # where there are fewer groups, the inner axis is split between groups
_MIN_SLICE = 64  # of the inner axis, for each group


def product(a: Buffer, b: Buffer, shape: Shape, dtype: ScalarType, wide: ScalarType) -> Buffer:
    """The products of stacks ``[..., m, k]`` and ``[..., k, n]`` on one device, whatever their dtypes and strides.

    Args:
        a: the left matrices.
        b: the right ones.
        shape: of the result, to which the leading axes of both broadcast.
        dtype: the result's.
        wide: in which products are summed.
    """
    is_host = a.device.is_host
    if is_host and a.dtype is b.dtype is dtype is wide and dtype in host.BLAS and a.size and b.size:
        # The quickest way to a result, where it is one like an operand.
        out = Buffer.empty_like(a) if a.shape == shape else Buffer.empty(shape, dtype, a.device)
        host.by_blas(a, b, out)
        return out
    if is_host and a.size and b.size and not host.is_for_kernel(a, b, wide):
        return host.converted(a, b, shape, dtype, wide)
    out = Buffer.empty(shape, dtype, a.device)
    if out.size and not a.size:
        out.fill(0)
    elif out.size:
        lead = shape[:-2]
        _by_kernels(a.broadcast_to((*lead, *a.shape[-2:])), b.broadcast_to((*lead, *b.shape[-2:])), out, wide)
    return out


def product_into(out: Buffer, a: Buffer, b: Buffer) -> None:
    """Stores the products of stacks of floats, all of one dtype of 32 or 64 bits, in a contiguous buffer."""
    if not out.size:
        return
    if not a.size:
        out.fill(0)
    elif a.device.is_host:
        host.by_blas(a, b, out)
    else:
        lead = out.shape[:-2]
        _by_kernels(a.broadcast_to((*lead, *a.shape[-2:])), b.broadcast_to((*lead, *b.shape[-2:])), out, out.dtype)


def _halves(shape: Shape, axis: int) -> tuple[slice, slice]:
    middle = shape[axis] // 2
    return slice(middle), slice(middle, None)


def _by_kernels(a: Buffer, b: Buffer, out: Buffer, wide: ScalarType) -> None:
    """Of operands with the leading axes of the result, which is contiguous."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    are_reached = a.can_be_indexed and b.can_be_indexed and out.can_be_indexed
    stacks = _stacks(a.shape[:-2], a.strides[:-2], b.strides[:-2])
    if len(stacks) > 2 or (not are_reached and prod(stacks) > 1):
        axis = next(axis for axis, count in enumerate(a.shape) if count > 1)
        for half in _halves(a.shape, axis):
            key = (*(slice(None),) * axis, half)
            _by_kernels(a[key], b[key], out[key], wide)
    elif are_reached or max(m, k, n) == 1:
        outer, inner = (*(1,) * (2 - len(stacks)), *stacks)
        _launch(a.reshape((outer, inner, m, k)), b.reshape((outer, inner, k, n)), out, wide)
    else:
        _in_halves(a.reshape((m, k)), b.reshape((k, n)), out.reshape((m, n)), wide)


@lru_cache(maxsize=1024)
def _stacks(shape: Shape, *strides: Shape) -> Shape:
    """The lengths of leading axes after those are joined that are as one in all operands."""
    axes: list[tuple[int, ...]] = []
    for length, *steps in zip(shape, *strides, strict=True):
        if length == 1:
            continue
        if axes and all(above == length * below for above, below in zip(axes[-1][1:], steps, strict=True)):
            axes[-1] = (axes[-1][0] * length, *steps)
        else:
            axes.append((length, *steps))
    return tuple(axis[0] for axis in axes)


def _launch(a: Buffer, b: Buffer, out: Buffer, wide: ScalarType) -> None:
    """Of operands with two leading axes."""
    (outer, inner, m, k), n = a.shape, b.shape[3]
    count = outer * inner
    if a.device.is_host:
        host.by_kernel(a, b, out.reshape((count, m, n)), wide)
        return
    tile_rows, tile_columns = (_TILE if length > _SIDE else 1 for length in (m, n))
    rows, columns = -(-m // (_SIDE * tile_rows)), -(-n // (_SIDE * tile_columns))
    slices = max(-(-k // MAX_PASSES), min(k // _MIN_SLICE, _GROUPS // (columns * rows * count)))
    partial = out.reshape((count, m, n))
    if slices > 1:
        partial = Buffer.empty((slices * count, m, n), wide, a.device)
    _tiled(wide, tile_rows, tile_columns).with_groups(columns, rows, slices * count)(a, b, partial)
    if slices > 1:
        out.copy_from(sum_axes(partial.reshape((slices, *out.shape)), (0,), out.dtype))


def _in_halves(a: Buffer, b: Buffer, out: Buffer, wide: ScalarType) -> None:
    """The product of matrices that kernels do not reach at once, split along the longest axis that is out of reach."""
    (m, k), n = a.shape, b.shape[1]
    far_a, far_b, far_out = (not matrix.can_be_indexed for matrix in (a, b, out))
    rows, inner, columns = m * (far_a or far_out), k * (far_a or far_b), n * (far_b or far_out)
    middle = max(rows, inner, columns) // 2
    cuts = slice(middle), slice(middle, None)
    if inner >= max(rows, columns):
        sums = Buffer.empty((2, m, n), wide, a.device)
        for i, cut in enumerate(cuts):
            _by_kernels(a[:, cut], b[cut], sums[i], wide)
        out.copy_from(sum_axes(sums, (0,), out.dtype))
    elif rows >= columns:
        for cut in cuts:
            _by_kernels(a[cut], b, out[cut], wide)
    else:
        for cut in cuts:
            part = Buffer.empty((m, len(range(n)[cut])), out.dtype, a.device)
            _by_kernels(a, b[:, cut], part, wide)
            out[:, cut].copy_from(part)


@cache
def _tiled(wide: ScalarType, rows: int, columns: int) -> Any:
    """The kernel that accumulates in a type, and whose threads compute so many rows and columns each."""
    is_float = wide.is_float  # then a GPU has one instruction for a product and its sum
    across, down = _SIDE * columns, _SIDE * rows

    @kernel(threads=(_SIDE, _SIDE), unchecked=True)
    def matmul(a: Global[T, Literal[4]], b: Global[U, Literal[4]], out: Out[W, Literal[3]]) -> None:
        """``out[s]`` is the product of one pair of matrices over one part of the inner axis. Neighbouring threads have
        neighbouring columns; a thread's own rows and columns are _SIDE apart."""
        total = local_array(wide, (rows, columns))
        left = local_array(wide, rows)
        count = a.shape[0] * a.shape[1]
        slices = out.shape[0] // count
        part = (a.shape[3] + slices - 1) // slices
        first = group_id(2) // count * part
        i = group_id(2) % count // a.shape[1]
        j = group_id(2) % a.shape[1]
        row = group_id(1) * down + thread_id(1)
        column = group_id(0) * across + thread_id(0)
        last_row = a.shape[2] - 1
        last_column = b.shape[3] - 1
        for p in range(first, min(first + part, a.shape[3])):
            # Past the edge the last row or column is computed again: no load needs a check, and nothing is stored.
            for y in range(rows):
                left[y] = wide(a[i, j, min(row + y * _SIDE, last_row), p])
            for x in range(columns):
                right = wide(b[i, j, p, min(column + x * _SIDE, last_column)])
                for y in range(rows):
                    total[y, x] = fma(left[y], right, total[y, x]) if is_float else total[y, x] + left[y] * right
        for y in range(rows):
            for x in range(columns):
                if row + y * _SIDE <= last_row and column + x * _SIDE <= last_column:
                    out[group_id(2), row + y * _SIDE, column + x * _SIDE] = W(total[y, x])

    return matmul
