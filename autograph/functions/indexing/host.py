"""How a thread of the host takes, adds and stores elements at places: one after the other, so that of several for one
place the order is that in which they are given, whatever the number of threads.

Places are looked at some hundreds at a time, first whether all are in range: so neither loop has a branch.
"""

from __future__ import annotations

from typing import Any, Literal

from autograph.functions.launch import grid_stride
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import C, T, U
from krnlpy import Buffer, Global, GlobalMut, Out, Spec, i32, kernel
from krnlpy.dsl import global_id, global_threads, local_array

from .places import Form, Places, in_form, outside, place_of

_BLOCK = 1 << 14
"""Elements that a thread takes at a time."""
_STRIP = 128
"""Columns to which a thread adds at least."""
_ITEMS = 16
"""Work items into which sums are split: the shape alone decides how, so that they are always the same."""


@kernel(unchecked=True)
def _gather_column(
    x: Global[T, Literal[2]],
    index: Global[C, Literal[2]],
    out: Out[T, Literal[2]],
    flag: GlobalMut[i32],
    missing: T,
    size: i32,
) -> None:
    """``[outer, n]`` to ``[outer, m]``, of which a thread has ``size`` of a row."""
    n, m = x.shape[1], out.shape[1]
    blocks = (m + size - 1) // size
    for item in range(global_id(), out.shape[0] * blocks, global_threads()):
        places = local_array(i32, 512)
        o = item // blocks
        first = item % blocks * size
        stop = min(first + size, m)
        for start in range(first, stop, 512):
            count = min(512, stop - start)
            least = 0
            for k in range(count):
                places[k] = place_of(index[o, start + k], n)
                least = min(least, places[k])
            if least >= 0:
                for k in range(count):
                    out[o, start + k] = x[o, places[k]]
            else:
                flag[0] = 1
                for k in range(count):
                    out[o, start + k] = x[o, places[k]] if places[k] >= 0 else missing


@kernel(unchecked=True)
def _gather_rows(
    x: Global[T, Literal[3]],
    index: Global[C],
    out: Out[T, Literal[3]],
    flag: GlobalMut[i32],
    missing: T,
    size: i32,
) -> None:
    """``[outer, n, inner]`` to ``[outer, m, inner]``, of which a thread has ``size`` rows."""
    blocks = (out.shape[1] + size - 1) // size
    for item in range(global_id(), out.shape[0] * blocks, global_threads()):
        o = item // blocks
        first = item % blocks * size
        for j in range(first, min(first + size, out.shape[1])):
            place = place_of(index[j], x.shape[1])
            if place >= 0:
                for i in range(out.shape[2]):
                    out[o, j, i] = x[o, place, i]
            else:
                flag[0] = 1
                for i in range(out.shape[2]):
                    out[o, j, i] = missing


@kernel(unchecked=True)
def _scatter_column(
    source: Global[T, Literal[2]],
    index: Global[C, Literal[2]],
    to: GlobalMut[U, Literal[3]],
    flag: GlobalMut[i32],
    ADDS: Spec[bool],
) -> None:
    """``[outer, m]`` to ``[blocks, outer, n]``: a thread has a block of a row, and stores it, or adds it, apart from
    other blocks."""
    blocks, n, m = to.shape[0], to.shape[2], source.shape[1]
    size = (m + blocks - 1) // blocks
    for item in range(global_id(), blocks * source.shape[0], global_threads()):
        o = item % source.shape[0]
        block = item // source.shape[0]
        stop = min(block * size + size, m)
        for start in range(block * size, stop, 512):
            end = min(start + 512, stop)
            seen = outside(index[o, start], n)
            for k in range(start, end):
                seen |= outside(index[o, k], n)
            if seen >= 0:
                for k in range(start, end):
                    place = i32(index[o, k])
                    value = U(source[o, k])
                    to[block, o, place] = to[block, o, place] + value if ADDS else value
            else:
                for k in range(start, end):
                    place = place_of(index[o, k], n)
                    if place >= 0:
                        value = U(source[o, k])
                        to[block, o, place] = to[block, o, place] + value if ADDS else value
                    else:
                        flag[0] = 1


@kernel(unchecked=True)
def _scatter_rows(
    source: Global[T, Literal[3]],
    index: Global[C, Literal[3]],
    to: GlobalMut[U, Literal[4]],
    flag: GlobalMut[i32],
    strips: i32,
    IS_SHARED: Spec[bool],
    ADDS: Spec[bool],
) -> None:
    """As :func:`_scatter_column` for ``[outer, m, inner]``; a thread has a strip of the columns."""
    blocks, n = to.shape[0], to.shape[2]
    size = (source.shape[1] + blocks - 1) // blocks
    width = (source.shape[2] + strips - 1) // strips
    for item in range(global_id(), blocks * source.shape[0] * strips, global_threads()):
        left = item % strips * width
        right = min(left + width, source.shape[2])
        o = item // strips % source.shape[0]
        block = item // (strips * source.shape[0])
        for j in range(block * size, min(block * size + size, source.shape[1])):
            if IS_SHARED:
                place = place_of(index[0, j, 0], n)
                if place >= 0:
                    for i in range(left, right):
                        value = U(source[o, j, i])
                        to[block, o, place, i] = to[block, o, place, i] + value if ADDS else value
                else:
                    flag[0] = 1
            else:
                for i in range(left, right):
                    place = place_of(index[o, j, i], n)
                    if place >= 0:
                        value = U(source[o, j, i])
                        to[block, o, place, i] = to[block, o, place, i] + value if ADDS else value
                    else:
                        flag[0] = 1


_SCATTER_COLUMN = {adds: _scatter_column.specialize(ADDS=adds) for adds in (True, False)}
_SCATTER_ROWS = {
    (is_shared, adds): _scatter_rows.specialize(IS_SHARED=is_shared, ADDS=adds)
    for is_shared in (True, False)
    for adds in (True, False)
}


def gather_on_host(x: Buffer, form: Form, places: Places, out: Buffer, missing: int) -> None:
    """``[outer, n, inner]`` to ``[outer, m, inner]``, where there is one column, or places are shared.

    Raises:
        ShapeError: a place is out of range.
    """
    outer, n, inner = form
    m, flag = places.number(outer, inner), Buffer.zeros(1, i32, x.device)
    if inner == 1:
        whole = in_form(x, (outer, n)), _rows(places, outer, m), in_form(out, (outer, m))
        grid_stride(_gather_column, outer * -(-m // _BLOCK))(*whole, flag, missing, _BLOCK)
    else:
        size = max(1, _BLOCK // inner)
        whole = in_form(x, form), in_form(places.index.buffer, (m,)), in_form(out, (outer, m, inner))
        grid_stride(_gather_rows, outer * -(-m // size))(*whole, flag, missing, size)
    places.require_unflagged(flag)


def add_on_host(sums: Buffer, form: Form, places: Places, source: Buffer) -> None:
    """Adds ``[outer, m, inner]`` to ``[outer, n, inner]``, which lies contiguous.

    Raises:
        ShapeError: a place is out of range; sums are not to be used then.
    """
    outer, _, inner = form
    # More sums than elements would not pay.
    blocks = max(1, min(_ITEMS // (outer * _strips(outer, inner)), source.size // (4 * sums.size)))
    if blocks == 1:
        _scatter(sums, (1, *form), places, source, adds=True)
        return
    of_blocks = Buffer.zeros((blocks, *form), sums.dtype, sums.device)
    of_blocks[0].copy_from(sums.reshape(form))
    _scatter(of_blocks, (blocks, *form), places, source, adds=True)
    sums.copy_from(sum_axes(of_blocks, (0,), sums.dtype).reshape(sums.shape))


def put_on_host(x: Buffer, form: Form, places: Places, value: Buffer) -> None:
    """Stores ``[outer, m, inner]`` in ``[outer, n, inner]``, of words alike; the last of several stays."""
    _scatter(x, (1, *form), places, value, adds=False)


def _strips(outer: int, inner: int) -> int:
    return max(1, min(inner // _STRIP, _ITEMS // outer))


def _rows(places: Places, outer: int, m: int) -> Buffer:
    """The whole numbers of a column as ``[outer, m]``."""
    if places.are_shared and outer > 1:
        return in_form(places.index.buffer, (1, m)).broadcast_to((outer, m))
    return in_form(places.index.buffer, (outer, m))


def _scatter(to: Buffer, form: tuple[int, int, int, int], places: Places, source: Buffer, adds: bool) -> None:
    blocks, outer, n, inner = form
    m, flag = places.number(outer, inner), Buffer.zeros(1, i32, to.device)
    scatter: Any
    if inner == 1:
        scatter = grid_stride(_SCATTER_COLUMN[adds], blocks * outer)
        scatter(in_form(source, (outer, m)), _rows(places, outer, m), to.reshape((blocks, outer, n)), flag)
    else:
        strips, index = _strips(outer, inner), places.form(outer, inner)
        scatter = grid_stride(_SCATTER_ROWS[places.are_shared, adds], blocks * outer * strips)
        scatter(in_form(source, (outer, m, inner)), index, to.reshape(form), flag, strips)
    places.require_unflagged(flag)
