"""A stable order of keys, by counting their digits, and where each key begins in it."""

from __future__ import annotations

from autograph.functions.launch import grid_stride
from krnlpy import Buffer, Global, Out, Spec, i32, kernel
from krnlpy.dsl import global_id, global_threads, local_array

from .prefixes import chunk_size, prefix_sums

_BITS = 4
_DIGITS = 1 << _BITS


@kernel(unchecked=True)
def _count_digits(keys: Global[i32], counts: Out[i32], size: i32, shift: i32) -> None:
    """``counts[digit * chunks + chunk]``: so sums before each are where the keys of a digit and chunk go to."""
    chunks = len(counts) // 16
    for chunk in range(global_id(), chunks, global_threads()):
        found = local_array(i32, 16)
        for j in range(chunk * size, min(chunk * size + size, len(keys))):
            found[keys[j] >> shift & 15] += 1
        for digit in range(16):
            counts[digit * chunks + chunk] = found[digit]


@kernel(unchecked=True)
def _move(
    keys: Global[i32],
    order: Global[i32],
    starts: Global[i32],
    moved: Out[i32],
    moved_order: Out[i32],
    size: i32,
    shift: i32,
    IS_FIRST: Spec[bool],
) -> None:
    chunks = len(starts) // 16
    for chunk in range(global_id(), chunks, global_threads()):
        to = local_array(i32, 16)
        for digit in range(16):
            to[digit] = starts[digit * chunks + chunk]
        for j in range(chunk * size, min(chunk * size + size, len(keys))):
            digit = keys[j] >> shift & 15
            moved[to[digit]] = keys[j]
            moved_order[to[digit]] = j if IS_FIRST else order[j]
            to[digit] += 1


@kernel(unchecked=True)
def _find_starts(keys: Global[i32], starts: Out[i32]) -> None:
    for key in range(global_id(), len(starts), global_threads()):
        low, high = 0, len(keys)
        while low < high:
            middle = low + (high - low) // 2
            if keys[middle] < key:
                low = middle + 1
            else:
                high = middle
        starts[key] = low


def ordered(keys: Buffer, count: int) -> tuple[Buffer, Buffer]:
    """Keys from 0 to ``count`` in ascending order, and the place where each was before: equal ones keep their order.

    The method is radix sort by counting; see D. Knuth, "The Art of Computer Programming", vol. 3, 5.2.5.
    """
    device, size = keys.device, chunk_size(keys.device)
    chunks = -(-keys.size // size)
    order = keys
    for shift in range(0, max(1, count.bit_length()), _BITS):
        counts = Buffer.empty(_DIGITS * chunks, i32, device)
        grid_stride(_count_digits, chunks, size + _DIGITS)(keys, counts, size, shift)
        starts = prefix_sums(counts)
        moved, moved_order = (Buffer.empty(keys.size, i32, device) for _ in range(2))
        move = grid_stride(_move.specialize(IS_FIRST=shift == 0), chunks, size + _DIGITS)
        move(keys, order, starts, moved, moved_order, size, shift)
        keys, order = moved, moved_order
    return keys, order


def starts_of(keys: Buffer, count: int) -> Buffer:
    """Where each key from 0 to ``count - 1`` begins among sorted ones, and where the last of them ends."""
    starts = Buffer.empty(count + 1, i32, keys.device)
    grid_stride(_find_starts, count + 1, 32)(keys, starts)
    return starts
