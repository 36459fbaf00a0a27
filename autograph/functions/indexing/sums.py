"""Elements added at places on an axis: those of one place always in the same order, whatever the number of threads.

On the host a thread adds one element after the other, of as many blocks as the shape says. On a device the places are
sorted, and a thread adds up what goes to an element of the result; of long runs of one place, threads add up chunks
before.
"""

from __future__ import annotations

from math import isqrt
from typing import Literal

from autograph.functions.launch import grid_stride
from autograph.functions.sorting.keys import Keys
from autograph.functions.sorting.order import order_of
from autograph.functions.type_variables import C, T, U
from krnlpy import Buffer, Global, GlobalMut, Item, ItemMut, Out, i32, kernel, u32
from krnlpy.dsl import global_id, global_threads

from .host import add_on_host
from .places import Form, Places, beside, coordinates, in_form, is_in_reach, parts, place_of

_LEAST_CHUNK = 64


@kernel
def _keys(
    row: Item[i32],
    index: Item[C],
    column: Item[i32],
    key: ItemMut[u32],
    first: i32,
    n: i32,
    count: i32,
    inner: i32,
    last: i32,
) -> None:
    """The element of ``[outer, n, inner]`` that a place stands for, of which the axis begins with ``first``; ``last``
    for those that are out of it."""
    place = place_of(index, count) - first
    key = u32((row * n + place) * inner + column if 0 <= place < n else last)


@kernel(unchecked=True)
def _add_chunks(
    source: Global[T, Literal[3]], keys: Global[u32], order: Global[i32], sums: Out[U, Literal[3]], size: i32
) -> None:
    """The sums of chunks of the order that are all of one key."""
    chunks, inner = sums.shape[1], sums.shape[2]
    for item in range(global_id(), sums.size, global_threads()):
        i = item % inner
        chunk = item // inner % chunks
        o = item // (inner * chunks)
        begin = chunk * size
        end = min(begin + size, len(keys))
        total = U(0)
        if keys[order[begin]] == keys[order[end - 1]]:
            for j in range(begin, end):
                total += U(source[o, order[j], i])
        sums[o, chunk, i] = total


@kernel(unchecked=True)
def _find_runs(keys: Global[u32], order: Global[i32], begins: GlobalMut[i32], ends: GlobalMut[i32]) -> None:
    """Where the run of each key begins and ends in the order; of keys that are not there both stay 0."""
    for j in range(global_id(), len(order), global_threads()):
        key = keys[order[j]]
        if key < u32(len(begins)):
            if j == 0 or keys[order[j - 1]] != key:
                begins[i32(key)] = j
            if j == len(order) - 1 or keys[order[j + 1]] != key:
                ends[i32(key)] = j + 1


@kernel(unchecked=True)
def _add_runs(
    source: Global[T, Literal[3]],
    order: Global[i32],
    begins: Global[i32],
    ends: Global[i32],
    chunks: Global[U, Literal[3]],
    sums: GlobalMut[U, Literal[3]],
    size: i32,
) -> None:
    """A thread adds up the run of a key: elements to the first whole chunk, whole chunks, and the rest."""
    n, inner = sums.shape[1], sums.shape[2]
    for item in range(global_id(), sums.size, global_threads()):
        i = item % inner
        place = item // inner % n
        o = item // (inner * n)
        begin, end = begins[place], ends[place]
        whole = (begin + size - 1) // size
        rest = max(whole, end // size)
        total = U(0)
        for j in range(begin, min(whole * size, end)):
            total += U(source[o, order[j], i])
        for chunk in range(whole, rest):
            total += chunks[o, chunk, i]
        for j in range(rest * size, end):
            total += U(source[o, order[j], i])
        sums[o, place, i] += total


def add_at(sums: Buffer, form: Form, places: Places, source: Buffer) -> None:
    """Adds ``[outer, m, inner]``, in any shape, to ``[outer, n, inner]``, which lies contiguous in any shape, in place.

    What is out of range on a device is left out.

    Raises:
        ShapeError: on the host a place is out of range; the sums are not to be used then.
    """
    if not (source.size and sums.size):
        places.require_range()
        return
    if sums.device.is_host and sums.can_be_indexed and source.can_be_indexed:
        add_on_host(sums, form, places, source)
        return
    places.require_range()
    outer, _, inner = form
    index, whole = places.form(outer, inner), sums.reshape(form)
    source = in_form(source, (outer, index.shape[1], inner))
    for part in parts(whole):
        at, of = index[beside(part, index.shape)], source[beside(part, source.shape)]
        for start, stop in _reachable(of, 0):
            _add_sorted(whole[part], at[:, start:stop], of[:, start:stop], part[1].start or 0, places.count)


def _reachable(source: Buffer, start: int) -> list[tuple[int, int]]:
    """Parts of the middle axis of which kernels reach all, as bounds."""
    count = source.shape[1]
    if is_in_reach(source) or count < 2:
        return [(start, start + count)]
    middle = count // 2
    return [*_reachable(source[:, :middle], start), *_reachable(source[:, middle:], start + middle)]


def _add_sorted(sums: Buffer, index: Buffer, source: Buffer, first: int, count: int) -> None:
    """Adds to the places that begin with ``first``, of an axis of length ``count``."""
    outer, n, inner = sums.shape
    if index.shape[0] == index.shape[2] == 1:
        _add_runs_of(sums, _keyed(index, (1, n, 1), first, count), source)
        return
    keys = _keyed(index, (outer, n, inner), first, count)
    column = in_form(sums, (1, sums.size, 1))
    _add_runs_of(column, keys, in_form(source, (1, source.size, 1)))
    if not column.shares_memory(sums):
        sums.copy_from(column.reshape(sums.shape))


def _keyed(index: Buffer, form: Form, first: int, count: int) -> Buffer:
    """For each index the element that it stands for, of the form from ``first`` on."""
    outer, n, inner = form
    keys = Buffer.empty((outer, index.shape[1], inner), u32, index.device)
    rows, columns = coordinates(keys.shape, index.device)
    _keys(rows, index, columns, keys, first, n, count, inner, outer * n * inner)
    return keys.reshape((keys.size,))


def _add_runs_of(sums: Buffer, keys: Buffer, source: Buffer) -> None:
    """Adds to ``[outer, n, inner]`` the elements of ``[outer, m, inner]``, whose keys are their places."""
    outer, n, inner = sums.shape
    device, m = sums.device, keys.size
    order = order_of(Keys(keys.copy().reshape((1, m)), n.bit_length())).reshape((m,))
    begins, ends = (Buffer.zeros(n, i32, device) for _ in range(2))
    grid_stride(_find_runs, m)(keys, order, begins, ends)
    size = max(_LEAST_CHUNK, isqrt(m))
    chunks = Buffer.empty((outer, -(-m // size), inner), sums.dtype, device)
    grid_stride(_add_chunks, chunks.size, size)(source, keys, order, chunks, size)
    passes = 2 * size + chunks.shape[1]
    grid_stride(_add_runs, sums.size, passes)(source, order, begins, ends, chunks, sums, size)
