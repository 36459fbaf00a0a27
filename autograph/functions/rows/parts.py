"""What kernels over rows are made of: who has which row and which elements of it, and what is combined along a row.

On the host a thread has a row, in vectors. Elsewhere a subgroup has it, of which neighbours read neighbouring elements.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import inf, prod
from typing import Any, NamedTuple

from autograph.functions.launch import grid_stride, max_passes, reshape_or_copy, split_rows
from autograph.tensor.base import Shape
from krnlpy import Buffer, Device, ScalarType, f64, func, i32, i64
from krnlpy.dsl import (
    bitcast,
    global_id,
    global_threads,
    group_id,
    groups,
    local_array,
    subgroup_add,
    subgroup_id,
    subgroup_max,
    subgroup_thread_id,
    subgroup_threads,
    subgroups,
)

LONGEST = 1 << 16
"""Elements of the longest rows that are taken so: others are worth the whole device. The shape alone decides."""

_LANES = 128
"""Independent sums in a row on the host: enough that LLVM makes vectors of a loop over them and does not unroll it."""
_SHORT = 16
"""Elements of the longest rows of which the host makes no vectors."""
_BLOCK = 16
"""Elements that a thread of a device adds up before they join its sum, so that roundings do not add up."""


class Parts(NamedTuple):
    """Functions of kernels.

    Attributes:
        first_row: of a thread.
        row_step: to its next one.
        first: element of a row that a thread has.
        step: to its next one.
        total: of a row, ``term(j, *arguments)`` for each of so many elements: ``total(n, term, *arguments)``.
        greatest: of so many elements of a row: ``greatest(n, row)``. What it is where there is a NaN is not said.
    """

    first_row: Callable[..., Any]
    row_step: Callable[..., Any]
    first: Callable[..., Any]
    step: Callable[..., Any]
    total: Callable[..., Any]
    greatest: Callable[..., Any]


@lru_cache
def parts(is_host: bool, dtype: ScalarType) -> Parts:
    """Those for a kind of device, which compute in f32 or f64."""
    return _of_host(dtype) if is_host else _of_device(dtype)


def _of_host(dtype: ScalarType) -> Parts:
    is_wide = dtype is f64
    integer, sign_place = (i64, 63) if is_wide else (i32, 31)
    magnitude, least = (1 << sign_place) - 1, -1 << sign_place

    @func
    def first() -> Any:
        return 0

    @func
    def step() -> Any:
        return 1

    @func
    def total(n: Any, term: Any, *arguments: Any) -> Any:
        if n <= _SHORT:
            whole = dtype(0.0)
            for j in range(n):
                whole += term(j, *arguments)
            return whole
        sums, s = local_array(dtype, _LANES), local_array(dtype, 16)
        end = n // _LANES * _LANES
        for j in range(0, end, _LANES):
            for k in range(_LANES):
                sums[k] += term(j + k, *arguments)
        for k in range(n - end):
            sums[k] += term(end + k, *arguments)
        # Of a loop of 16 passes LLVM makes no vectors, of one that may have fewer it does.
        for k in range(min(n, 16)):
            s[k] = ((sums[k] + sums[k + 16]) + (sums[k + 32] + sums[k + 48])) + (
                (sums[k + 64] + sums[k + 80]) + (sums[k + 96] + sums[k + 112])
            )
        low = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
        return low + (((s[8] + s[9]) + (s[10] + s[11])) + ((s[12] + s[13]) + (s[14] + s[15])))

    @func
    def greatest(n: Any, row: Any) -> Any:
        # As whole numbers in the order of the floats: of their maximum, unlike that of floats, LLVM makes vectors.
        top = integer(least)
        for j in range(n):
            value = row[j]
            bits = bitcast(value, integer)
            top = max(top, bits ^ ((bits >> sign_place) & magnitude))
        return bitcast(top ^ ((top >> sign_place) & magnitude), dtype)

    return Parts(global_id, global_threads, first, step, total, greatest)


def _of_device(dtype: ScalarType) -> Parts:
    @func
    def first_row() -> Any:
        return group_id() * subgroups() + subgroup_id()

    @func
    def row_step() -> Any:
        return groups() * subgroups()

    @func
    def total(n: Any, term: Any, *arguments: Any) -> Any:
        whole = dtype(0.0)
        reach = subgroup_threads() * _BLOCK
        for start in range(subgroup_thread_id(), n, reach):
            block = dtype(0.0)
            for j in range(start, min(start + reach, n), subgroup_threads()):
                block += term(j, *arguments)
            whole += block
        return subgroup_add(whole)

    @func
    def greatest(n: Any, row: Any) -> Any:
        top = dtype(-inf)
        for j in range(subgroup_thread_id(), n, subgroup_threads()):
            top = max(top, row[j])
        return subgroup_max(top)

    return Parts(first_row, row_step, subgroup_thread_id, subgroup_threads, total, greatest)


def fits_rows(shape: Shape, axes: tuple[int, ...]) -> bool:
    """Whether the axes are the last ones, and short enough that a thread or subgroup takes a row of them."""
    n = prod(shape[a] for a in axes)
    return (
        axes != () and axes == tuple(range(len(shape) - len(axes), len(shape))) and 0 < n <= LONGEST and 0 not in shape
    )


def as_rows(buffer: Buffer, n: int) -> Buffer:
    """A buffer as rows of so many elements that lie side by side."""
    rows = reshape_or_copy(buffer, (buffer.size // n, n))
    return rows if rows.strides[1] == 1 or n == 1 else rows.contiguous()


def rows_of_thread(device: Device, n: int, passes: int) -> int:
    """How many rows of ``n`` elements the same thread or subgroup may take, if it passes so many times over each."""
    return max(1, max_passes(device) // (passes * (n // device.info.subgroup_threads + 2)))


def launch(
    kernel: Any, passes: int, *buffers: Buffer, before: tuple[Buffer, ...] = (), numbers: tuple[Any, ...] = ()
) -> None:
    """Launches a kernel over the rows of buffers, each of which its threads pass over so many times.

    Args:
        kernel: its parameters are ``before``, ``buffers`` and ``numbers``.
        passes: over a row, by the thread or subgroup that has it.
        buffers: of equally many rows.
        before: further buffers, where there are no parts of these.
        numbers: what belongs to no row.
    """
    for some in split_rows(*buffers):
        rows, n = some[0].shape
        info = some[0].device.info
        if some[0].device.is_host:
            bound = grid_stride(kernel, rows)
        else:
            width = info.subgroup_threads
            bound = grid_stride(kernel, rows * width, passes * (n // width + 2))
        bound(*before, *some, *numbers)
