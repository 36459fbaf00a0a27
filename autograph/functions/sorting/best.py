"""The smallest keys of each row: of some chunks at a time, until there is one chunk."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from autograph.functions.launch import MAX_PASSES, grid_stride, split_rows
from krnlpy import Buffer, Device, Global, Out, Spec, host_call, i32, kernel
from krnlpy.dsl import global_id, global_threads, local_array

from .keys import K, Keys
from .order import order_of

_FEW = 64  # keys that a thread keeps
_LONG = 1 << 14  # a row of so many is worth NumPy's look at it, for more keys than
_VERY_FEW = 16


@kernel(unchecked=True)
def _best(
    keys: Global[K, Literal[2]],
    order: Global[i32, Literal[2]],
    best: Out[K, Literal[3]],
    best_order: Out[i32, Literal[3]],
    length: i32,
    COUNT: Spec[i32] = 1,
    FIRST: Spec[i32] = 0,
) -> None:
    """A thread has a chunk of a row, of at least ``COUNT`` keys but for the last one, and finds the smallest of them in
    their order, of equal ones the first first. What the last chunk lacks is behind all others."""
    chunks = best.shape[1]
    for item in range(global_id(), best.shape[0] * chunks, global_threads()):
        row = item // chunks
        chunk = item % chunks
        found = 0
        kept = local_array(keys.dtype, COUNT)
        places = local_array(i32, COUNT)
        for j in range(chunk * length, min((chunk + 1) * length, keys.shape[1])):
            key = keys[row, j]
            if found < COUNT or key < kept[COUNT - 1]:
                at = min(found, COUNT - 1)
                while at > 0 and kept[max(at - 1, 0)] > key:
                    kept[at] = kept[at - 1]
                    places[at] = places[at - 1]
                    at -= 1
                kept[at] = key
                if FIRST == 1:
                    places[at] = j
                else:
                    places[at] = order[row, j]
                found = min(found + 1, COUNT)
        for i in range(COUNT):
            best[row, chunk, i] = kept[i] if i < found else ~type(kept[i])(0)
            best_order[row, chunk, i] = places[i]


def best_of(keys: Keys, count: int) -> Buffer:
    """The places ``[rows, count]`` of the smallest keys of each row in their order; of equal ones the first first."""
    rows, n = keys.buffer.shape
    device = keys.buffer.device
    if device.is_host and n >= _LONG and _VERY_FEW < count <= n // 16:
        order = Buffer.empty((rows, count), i32, device)
        host_call(_best_by_numpy, keys.buffer, order)
        return order
    if not 0 < count <= _FEW or n < 4 * count + 4:
        return order_of(keys)[:, :count]
    if count == 1:
        return best_of(keys, 2)[:, :1]  # of a loop that keeps one, the host's code takes twice as long
    parts = [_tournament(some, count) for (some,) in split_rows(keys.buffer)]
    if len(parts) == 1:
        return parts[0]
    order, first = Buffer.empty((rows, count), i32, device), 0
    for part in parts:
        order[first : first + len(part)].copy_from(part)
        first += len(part)
    return order


def _tournament(keys: Buffer, count: int) -> Buffer:
    rows, is_first = keys.shape[0], 1
    order = Buffer.empty((1, 1), i32, keys.device)
    while True:
        n = keys.shape[1]
        length = _length(keys.device, count)
        chunks = -(-n // length)
        best, best_order = (Buffer.empty((rows, chunks, count), t, keys.device) for t in (keys.dtype, i32))
        built = _best.specialize(COUNT=count, FIRST=is_first)
        grid_stride(built, rows * chunks, length * (count + 2))(keys, order, best, best_order, length)
        keys, order = (b.reshape((rows, chunks * count)) for b in (best, best_order))
        is_first = 0
        if chunks == 1:
            return order


def _length(device: Device, count: int) -> int:
    """The length of a chunk: on a GPU many threads with little to do. Where each key is smaller than all before it,
    a thread moves all that it has kept, in a loop."""
    kind = device.info.kind
    if kind == "host":
        return 1 << 14
    return min(max(16 * count, 1 << 12 if kind == "cpu" else 256), MAX_PASSES // (count + 2))


def _best_by_numpy(keys: np.ndarray[Any, Any], order: np.ndarray[Any, Any]) -> None:
    """Among the smallest keys of groups, count of them bound those that are wanted: a look at all the others leaves
    little more than these to sort."""
    count = order.shape[1]
    for row, out in zip(keys, order, strict=True):
        group = len(row) // (4 * count)
        groups = len(row) // group
        smallest = row[: groups * group].reshape(group, groups).min(axis=0)
        bound = np.partition(smallest, count - 1)[count - 1]
        wanted = np.flatnonzero(row <= bound)
        out[:] = wanted[np.argsort(row[wanted], kind="stable")[:count]]
