"""The order of keys: stable, each row by itself, on the device.

Short rows are ordered by counting, for each key, those that stand before it. Others are by radix sort from the lowest
digit on, in chunks: each counts its digits, sums of the counts are the places, and each chunk's keys go there in turn
(D. E. Knuth, "The Art of Computer Programming", vol. 3, 5.2.5; of chunks, M. Zagha and G. E. Blelloch, "Radix Sort for
Vector Multiprocessors", 1991).
"""

from __future__ import annotations

from typing import Literal

from autograph.functions.launch import grid_stride, split_rows
from autograph.functions.scans.cumulative import sums_along
from krnlpy import Buffer, Device, Global, GlobalMut, Out, Spec, i32, kernel, u32
from krnlpy.dsl import global_id, global_threads, local_array

from .keys import K, Keys

_SHORT = 64  # keys of a row that are ordered by comparing each with each
_COUNTS = 1 << 22  # of digits at a time: more rows are ordered one part after the other


@kernel(unchecked=True)
def _ranks(keys: Global[K, Literal[2]], order: GlobalMut[i32, Literal[2]]) -> None:
    n = keys.shape[1]
    for item in range(global_id(), keys.size, global_threads()):
        row = item // n
        own = item % n
        key = keys[row, own]
        rank = 0
        for j in range(n):
            other = keys[row, j]
            rank += 1 if other < key or (other == key and j < own) else 0
        order[row, rank] = own


@kernel(unchecked=True)
def _count(
    keys: Global[K, Literal[2]], counts: Out[u32, Literal[3]], length: i32, shift: i32, DIGITS: Spec[i32] = 16
) -> None:
    """A thread counts the digits of a chunk of a row, to ``[row, digit, chunk]``."""
    chunks = counts.shape[2]
    for item in range(global_id(), counts.shape[0] * chunks, global_threads()):
        row = item // chunks
        chunk = item % chunks
        found = local_array(u32, DIGITS)
        for j in range(chunk * length, min((chunk + 1) * length, keys.shape[1])):
            found[i32(keys[row, j] >> K(shift) & K(DIGITS - 1))] += 1
        for digit in range(DIGITS):
            counts[row, digit, chunk] = found[digit]


@kernel(unchecked=True)
def _distribute(
    keys: Global[K, Literal[2]],
    order: Global[i32, Literal[2]],
    ends: Global[u32, Literal[3]],
    sorted_keys: GlobalMut[K, Literal[2]],
    sorted_order: GlobalMut[i32, Literal[2]],
    length: i32,
    shift: i32,
    DIGITS: Spec[i32] = 16,
    FIRST: Spec[i32] = 0,
) -> None:
    """A thread moves a chunk of a row. ``ends`` are the sums of the counts; a digit of a chunk begins where that of the
    chunk before, or the digit before, ends. In the first pass the order is that of the places."""
    chunks = ends.shape[2]
    for item in range(global_id(), ends.shape[0] * chunks, global_threads()):
        row = item // chunks
        chunk = item % chunks
        places = local_array(u32, DIGITS)
        for digit in range(DIGITS):
            if chunk > 0:
                places[digit] = ends[row, digit, chunk - 1]
            elif digit > 0:
                places[digit] = ends[row, digit - 1, chunks - 1]
        for j in range(chunk * length, min((chunk + 1) * length, keys.shape[1])):
            key = keys[row, j]
            digit = i32(key >> K(shift) & K(DIGITS - 1))
            place = places[digit]
            places[digit] = place + 1
            sorted_keys[row, place] = key
            if FIRST == 1:
                sorted_order[row, place] = j
            else:
                sorted_order[row, place] = order[row, j]


def order_of(keys: Keys) -> Buffer:
    """The places ``[rows, n]`` of the elements of each row in ascending order of their keys; of equal ones the first
    first."""
    rows, n = keys.buffer.shape
    order = Buffer.empty((rows, n), i32, keys.buffer.device)
    if n <= 1:
        order.fill(0)
        return order
    bits, length, compared = _work(order.device)
    if n <= _SHORT or rows * n * n <= compared:
        for some, out in split_rows(keys.buffer, order):
            grid_stride(_ranks, some.size, n)(some, out)
        return order
    chunks = -(-n // length)
    at_once = max(1, _COUNTS // (chunks << bits))
    for first in range(0, rows, at_once):
        part = slice(first, first + at_once)
        counts = Buffer.empty((min(at_once, rows - first), 1 << bits, chunks), u32, order.device)
        for some, out, sums in split_rows(keys.buffer[part], order[part], counts):
            _radix(some, out, sums, range(0, keys.bits, bits), length)
    return order


def _radix(keys: Buffer, order: Buffer, counts: Buffer, shifts: range, length: int) -> None:
    """Orders rows by the digits that begin at some bits. The keys are overwritten."""
    rows, digits, chunks = counts.shape
    count, distribute = (kernel.specialize(DIGITS=digits) for kernel in (_count, _distribute))
    spare_keys, spare_order = (Buffer.empty(keys.shape, dtype, keys.device) for dtype in (keys.dtype, i32))
    # The last pass writes to the order that was asked for.
    now = (keys, order if len(shifts) % 2 == 0 else spare_order)
    then = (spare_keys, spare_order if len(shifts) % 2 == 0 else order)
    for shift in shifts:
        grid_stride(count, rows * chunks, length + digits)(now[0], counts, length, shift)
        ends = sums_along(counts.reshape((rows, digits * chunks)), 1).reshape(counts.shape)
        built = distribute if shift else distribute.specialize(FIRST=1)
        grid_stride(built, rows * chunks, length + digits)(*now, ends, *then, length, shift)
        now, then = then, now


def _work(device: Device) -> tuple[int, int, int]:
    """The bits of a digit, and the length of a chunk: on a GPU many threads with few counters each. And how many keys
    are compared in less time than it takes to launch what counts digits."""
    kind = device.info.kind
    bits, length = (8, 1 << 16) if kind == "host" else (8, 1 << 12) if kind == "cpu" else (4, 256)
    return bits, length, 0 if kind == "interpreter" else 1 << 20
