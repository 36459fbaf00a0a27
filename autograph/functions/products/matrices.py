"""Matrix products: BLAS on the host, a register-tiled kernel on devices. Transposed operands are never copied."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from autograph.autograd import differentiable, saved
from autograph.errors import ShapeError
from autograph.functions.checks import require_alike, require_ndim
from autograph.functions.launch import MAX_PASSES
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, U, accumulator
from krnlpy import Buffer, Global, Out, ScalarType, host_call, kernel
from krnlpy.dsl import group_id, local_array, thread_id

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Array = np.ndarray[Any, Any]

_SIDE = 8  # threads of a group along each axis
_TILE = 4  # rows and columns of the product that a thread computes
_BLOCK = _SIDE * _TILE
_GROUPS = 128  # where there are fewer groups, the inner axis is split between groups
_MIN_SLICE = 64  # of the inner axis, for each group
_HOST_BLOCK = 1 << 22  # elements of the left operand that are converted to f32 at once


def matmul(x: Tensor, y: Tensor) -> Tensor:
    """The product of matrices ``[m, k]`` and ``[k, n]``, of any dtype; narrow types are accumulated in 32 bits.

    Raises:
        ShapeError: not two matrices, or the inner lengths differ.
        DtypeError: the dtypes differ, or ``y`` is not a tensor.
        DeviceError: the matrices lie on different devices.

    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy([[1, 2], [3, 4]])
    >>> (x @ x.T).numpy().tolist()
    [[5, 11], [11, 25]]
    """
    require_ndim("@", "matrices", x, "[m, k]")
    require_ndim("@", "matrices", y, "[k, n]")
    if x.shape[1] != y.shape[0]:
        raise ShapeError(f"@ of shapes {x.shape} and {y.shape}: {x.shape[1]} columns do not fit {y.shape[0]} rows")
    require_alike("@", x, y)
    value = x.result(product(x.buffer, y.buffer))
    a, b = saved(x), saved(y)
    return differentiable(
        value,
        [(x, lambda gradient: matmul(gradient, b.T)), (y, lambda gradient: matmul(a.T, gradient))],
        higher_order=True,
    )


def product(a: Buffer, b: Buffer) -> Buffer:
    """The product of two matrices of one dtype on one device, whatever their strides."""
    out = Buffer.empty((a.shape[0], b.shape[1]), a.dtype, a.device)
    if not out.size:
        return out
    if not a.shape[1]:
        out.fill(0)
    elif a.device.is_host:
        _host(a, b, out)
    else:
        _on_device(a, b, out)
    return out


def _host(a: Buffer, b: Buffer, out: Buffer) -> None:
    wide = accumulator(a.dtype)
    if wide is a.dtype:
        host_call(multiply, a, b, out)
        return
    right = b.cast(wide)
    rows = max(1, _HOST_BLOCK // a.shape[1])
    for first in range(0, a.shape[0], rows):
        left = a[first : first + rows].cast(wide)
        block = Buffer.empty((left.shape[0], right.shape[1]), wide, a.device)
        host_call(multiply, left, right, block)
        out[first : first + rows].copy_from(block.cast(a.dtype))


def multiply(a: Array, b: Array, out: Array) -> None:
    """NumPy's products of matrices, for :func:`krnlpy.host_call`."""
    np.matmul(a, b, out=out)


def _on_device(a: Buffer, b: Buffer, out: Buffer) -> None:
    (m, k), n = a.shape, b.shape[1]
    if not (a.can_be_indexed and b.can_be_indexed and out.can_be_indexed) and max(m, k, n) > 1:
        _in_halves(a, b, out)
        return
    columns, rows = -(-n // _BLOCK), -(-m // _BLOCK)
    slices = max(-(-k // MAX_PASSES), min(k // _MIN_SLICE, _GROUPS // (columns * rows)))
    partial = out.reshape((1, m, n)) if slices == 1 else Buffer.empty((slices, m, n), accumulator(a.dtype), a.device)
    _tiled(accumulator(a.dtype)).with_groups(columns, rows, slices)(a, b, partial)
    if slices > 1:
        out.copy_from(sum_axes(partial, (0,), out.dtype))


def _in_halves(a: Buffer, b: Buffer, out: Buffer) -> None:
    """The product of matrices that kernels do not reach at once, split along the longest axis that is out of reach."""
    (m, k), n = a.shape, b.shape[1]
    far_a, far_b, far_out = (not matrix.can_be_indexed for matrix in (a, b, out))
    rows, inner, columns = m * (far_a or far_out), k * (far_a or far_b), n * (far_b or far_out)
    middle = max(rows, inner, columns) // 2
    cuts = slice(middle), slice(middle, None)
    if inner >= max(rows, columns):
        sums = Buffer.empty((2, m, n), accumulator(a.dtype), a.device)
        for i, cut in enumerate(cuts):
            _on_device(a[:, cut], b[cut], sums[i])
        out.copy_from(sum_axes(sums, (0,), out.dtype))
    elif rows >= columns:
        for cut in cuts:
            _on_device(a[cut], b, out[cut])
    else:
        for cut in cuts:
            part = Buffer.empty((m, len(range(n)[cut])), out.dtype, a.device)
            _on_device(a, b[:, cut], part)
            out[:, cut].copy_from(part)


@cache
def _tiled(wide: ScalarType) -> Any:
    """The kernel that accumulates in a type."""

    @kernel(threads=(_SIDE, _SIDE), unchecked=True)
    def matmul(a: Global[T, Literal[2]], b: Global[T, Literal[2]], out: Out[U, Literal[3]]) -> None:
        """``out[s]`` is the product over the s-th part of the inner axis. Neighbouring threads have neighbouring
        columns; a thread's own rows and columns are _SIDE apart."""
        total = local_array(wide, (_TILE, _TILE))
        left = local_array(wide, _TILE)
        part = (a.shape[1] + out.shape[0] - 1) // out.shape[0]
        first = group_id(2) * part
        row = group_id(1) * _BLOCK + thread_id(1)
        column = group_id(0) * _BLOCK + thread_id(0)
        last_row = a.shape[0] - 1
        last_column = b.shape[1] - 1
        for p in range(first, min(first + part, a.shape[1])):
            # Past the edge the last row or column is computed again: no load needs a check, and nothing is stored.
            for i in range(_TILE):
                left[i] = a[min(row + i * _SIDE, last_row), p]
            for j in range(_TILE):
                right = b[p, min(column + j * _SIDE, last_column)]
                for i in range(_TILE):
                    total[i, j] += left[i] * right
        for i in range(_TILE):
            for j in range(_TILE):
                if row + i * _SIDE <= last_row and column + j * _SIDE <= last_column:
                    out[group_id(2), row + i * _SIDE, column + j * _SIDE] = U(total[i, j])

    return matmul
