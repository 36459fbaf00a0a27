"""Products of matrices on the host: BLAS for the types that it has, a register-blocked kernel for others."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any, Literal

from autograph.functions.launch import grid_stride
from autograph.functions.products.calls import ALONE, SINGLE_WORK, Product
from autograph.functions.type_variables import T, U, W
from autograph.tensor.base import Shape
from krnlpy import Buffer, Global, GlobalMut, ScalarType, f32, f64, host_call, kernel, scalar_type
from krnlpy.dsl import fma, global_id, global_threads, local_array

BLAS = frozenset(map(scalar_type, (f32, f64)))
_ROWS, _LANES = 4, 16  # of a product that stay in registers: 4 vectors of AVX-512, 8 of AVX2
_SHARED_WORK = 1 << 22  # multiplications that are worth a thread: to hand over a part takes some 10 us
_MOST_PARTS = 32  # of a product
_SMALL = Product(ALONE, 1)
_CONVERTED_WORK = 1 << 18  # of two matrices, above which BLAS is quicker, with all that is converted for it
_CONVERTED_BLOCK = 1 << 22  # elements of an operand that are converted at once


def by_blas(a: Buffer, b: Buffer, out: Buffer) -> None:
    """The products of stacks of one type, whose leading axes broadcast. NumPy has a shorter way for two matrices.

    Where BLAS would use threads of its own, threads of ours share the product. Their parts are chosen by shape alone:
    the last bits of a row may depend on which rows are computed with it, but not on the number of threads.
    """
    shape = out.shape
    each, count = a.shape[-1] * shape[-2] * shape[-1], prod(shape[:-2])
    if each <= SINGLE_WORK and each * count < _SHARED_WORK:
        host_call(_SMALL, a, b, out, outputs=1)
        return
    axis, parts = _cut(shape, each, count)
    host_call(Product(axis - len(shape), -(-shape[axis] // parts)), a, b, out, outputs=1)


def _cut(shape: Shape, each: int, count: int) -> tuple[int, int]:
    """Along which axis products are cut, and in how many parts. Parts of a matrix make BLAS pack the other one again,
    which takes a tenth of the time of 200 rows or columns."""
    axis = max(range(len(shape) - 2), key=lambda axis: shape[axis], default=0)
    if each <= SINGLE_WORK or (len(shape) > 2 and shape[axis] >= 4):
        return axis, max(1, min(each * count // _SHARED_WORK, shape[axis], _MOST_PARTS))
    axis = len(shape) - (2 if shape[-2] >= shape[-1] else 1)
    if each * count < _SHARED_WORK:
        return axis, 1
    parts = 2 * max(1, round(shape[axis] / 512))
    return axis, max(1, min(parts, _MOST_PARTS, shape[axis] // 64))


def is_for_kernel(a: Buffer, b: Buffer, wide: ScalarType) -> bool:
    """Whether the kernel is quicker than NumPy: it has no loops of its own for whole numbers that are quick, and floats
    are converted before and after."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    return m >= _ROWS and n >= _LANES and (not wide.is_float or m * k * n <= _CONVERTED_WORK)


def converted(a: Buffer, b: Buffer, shape: Shape, dtype: ScalarType, wide: ScalarType) -> Buffer:
    """NumPy's products of stacks of any types, of which blocks are converted in turn."""
    if prod(b.shape[:-2]) == 1:
        b = _as(b, wide)
    most = max([prod(shape), *(x.size for x in (a, b) if x.dtype is not wide)])
    axis = next((axis for axis, n in enumerate(shape[:-1]) if n > 1), None)
    if axis is None or most <= _CONVERTED_BLOCK:
        out = Buffer.empty(shape, wide, a.device)
        by_blas(_as(a, wide), _as(b, wide), out)
        return _as(out, dtype)
    out = Buffer.empty(shape, dtype, a.device)
    middle = shape[axis] // 2
    for half in (slice(middle), slice(middle, None)):
        part = out[(*(slice(None),) * axis, half)]
        left, right = _part(a, shape, axis, half), b if axis == len(shape) - 2 else _part(b, shape, axis, half)
        part.copy_from(converted(left, right, part.shape, dtype, wide))
    return out


def _as(buffer: Buffer, dtype: ScalarType) -> Buffer:
    return buffer if buffer.dtype is dtype else buffer.cast(dtype)


def _part(x: Buffer, shape: Shape, axis: int, half: slice) -> Buffer:
    """What makes a part of a result along one of its axes; all where the operand is repeated along that axis."""
    axis += x.ndim - len(shape)
    return x[(*(slice(None),) * axis, half)] if axis >= 0 and x.shape[axis] > 1 else x


def by_kernel(a: Buffer, b: Buffer, out: Buffer, wide: ScalarType) -> None:
    """The products ``out[i * j, m, n]`` of stacks ``[i, j, m, k]`` and ``[i, j, k, n]``, of which one is at least as
    large as what stays in registers. Rows of the right one that are not contiguous are made so, for vectors."""
    if b.strides[3] != 1:
        own = b[tuple(slice(1 if stride == 0 else None) for stride in b.strides[:2])]  # not what is repeated
        b = own.cast(wide).broadcast_to(b.shape)
    count, m, n = out.shape
    grid_stride(_blocked(wide), count * -(-m // _ROWS) * -(-n // _LANES), a.shape[3])(a, b, out)


@cache
def _blocked(wide: ScalarType) -> Any:
    """The kernel that accumulates in a type."""
    is_float = wide.is_float

    @kernel(threads=1, unchecked=True)
    def matmul(a: Global[T, Literal[4]], b: Global[U, Literal[4]], out: GlobalMut[W, Literal[3]]) -> None:
        """Each item is a block of rows and columns. The last ones may overlap: what is computed twice is the same."""
        total = local_array(wide, (_ROWS, _LANES))
        right = local_array(wide, _LANES)
        down = (out.shape[1] + _ROWS - 1) // _ROWS
        across = (out.shape[2] + _LANES - 1) // _LANES
        for item in range(global_id(), out.shape[0] * down * across, global_threads()):
            column = min(item % across * _LANES, out.shape[2] - _LANES)
            row = min(item // across % down * _ROWS, out.shape[1] - _ROWS)
            place = item // (across * down)
            i = place // a.shape[1]
            j = place % a.shape[1]
            for y in range(_ROWS):
                for x in range(_LANES):
                    total[y, x] = wide(0)
            for p in range(a.shape[3]):
                for x in range(_LANES):
                    right[x] = wide(b[i, j, p, column + x])
                for y in range(_ROWS):
                    left = wide(a[i, j, row + y, p])
                    for x in range(_LANES):
                        total[y, x] = fma(left, right[x], total[y, x]) if is_float else total[y, x] + left * right[x]
            for y in range(_ROWS):
                for x in range(_LANES):
                    out[place, row + y, column + x] = W(total[y, x])

    return matmul
