"""The places of truth values that are true."""

from __future__ import annotations

from typing import Any

from autograph.functions.launch import grid_stride
from autograph.functions.scans.cumulative import sums_along
from krnlpy import Buffer, Global, Out, i32, kernel
from krnlpy.dsl import global_id, global_threads

from .places import is_in_reach


@kernel(unchecked=True)
def _count_true(mask: Global[bool], counts: Out[i32], size: i32) -> None:
    """A thread counts in the chunk before its own, so that sums of the counts are what stands before each chunk."""
    for item in range(global_id(), len(counts), global_threads()):
        total = 0
        for j in range(max(0, (item - 1) * size), min(item * size, len(mask))):
            total += i32(mask[j])
        counts[item] = total


@kernel(unchecked=True)
def _store_places(mask: Global[bool], starts: Global[i32], out: Out[i32], size: i32, first: i32) -> None:
    for chunk in range(global_id(), len(starts) - 1, global_threads()):
        place = starts[chunk]
        for j in range(chunk * size, min(chunk * size + size, len(mask))):
            if mask[j]:
                out[place] = first + j
                place += 1


def true_places(mask: Buffer) -> Buffer:
    """Where a buffer of truth values of one axis is true, in ascending order. Waits for their number."""
    found = [_true_places(mask[start:stop], start) for start, stop in _reachable(mask, 0)]
    if len(found) == 1:
        return found[0]
    joined, end = Buffer.empty(sum(part.size for part in found), i32, mask.device), 0
    for part in found:
        joined[end : end + part.size].copy_from(part)
        end += part.size
    return joined


def _reachable(mask: Buffer, start: int) -> list[tuple[int, int]]:
    """Parts of which kernels reach all, and all places in them, as bounds."""
    if is_in_reach(mask):
        return [(start, start + mask.size)]
    middle = mask.size // 2
    return [*_reachable(mask[:middle], start), *_reachable(mask[middle:], start + middle)]


def _true_places(mask: Buffer, first: int) -> Buffer:
    device = mask.device
    size = 1 << 12 if device.is_host else 1 << 8
    chunks = -(-mask.size // size)
    counts = Buffer.empty(chunks + 1, i32, device)
    grid_stride(_count_true, chunks + 1, size)(mask, counts, size)
    starts = sums_along(counts, 0)
    total: Any = starts[chunks].numpy()
    out = Buffer.empty(int(total), i32, device)
    if out.size:
        grid_stride(_store_places, chunks, size)(mask, starts, out, size, first)
    return out
