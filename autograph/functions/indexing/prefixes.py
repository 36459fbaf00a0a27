"""Sums of all counts before each, and what stands on them: the places of truth values, and stable orders."""

from __future__ import annotations

from typing import Any

from autograph.functions.launch import grid_stride
from krnlpy import Buffer, Device, Global, Out, i32, kernel
from krnlpy.dsl import global_id, global_threads


@kernel(unchecked=True)
def _chunk_sums(counts: Global[i32], sums: Out[i32], size: i32) -> None:
    for chunk in range(global_id(), len(sums), global_threads()):
        total = 0
        for j in range(chunk * size, min(chunk * size + size, len(counts))):
            total += counts[j]
        sums[chunk] = total


@kernel(unchecked=True)
def _chunk_prefixes(counts: Global[i32], starts: Global[i32], out: Out[i32], size: i32) -> None:
    """``starts`` has the sum before each chunk."""
    for chunk in range(global_id(), len(starts), global_threads()):
        total = starts[chunk]
        for j in range(chunk * size, min(chunk * size + size, len(counts))):
            out[j] = total
            total += counts[j]


@kernel(unchecked=True)
def _count_true(mask: Global[bool], counts: Out[i32], size: i32) -> None:
    """The last count is of no elements: where sums before each are made of it, it becomes their total."""
    for chunk in range(global_id(), len(counts), global_threads()):
        total = 0
        for j in range(chunk * size, min(chunk * size + size, len(mask))):
            total += i32(mask[j])
        counts[chunk] = total


@kernel(unchecked=True)
def _store_places(mask: Global[bool], starts: Global[i32], out: Out[i32], size: i32, first: i32) -> None:
    for chunk in range(global_id(), len(starts) - 1, global_threads()):
        place = starts[chunk]
        for j in range(chunk * size, min(chunk * size + size, len(mask))):
            if mask[j]:
                out[place] = first + j
                place += 1


def chunk_size(device: Device) -> int:
    """Elements that a thread takes one after the other."""
    return 1 << 12 if device.is_host else 1 << 8


def prefix_sums(counts: Buffer) -> Buffer:
    """The sum of all counts before each, of a buffer of one axis with at least one."""
    device, size = counts.device, chunk_size(counts.device)
    chunks = -(-counts.size // size)
    out = Buffer.empty(counts.size, i32, device)
    if chunks == 1:
        starts = Buffer.zeros(1, i32, device)
    else:
        sums = Buffer.empty(chunks, i32, device)
        grid_stride(_chunk_sums, chunks, size)(counts, sums, size)
        starts = prefix_sums(sums)
    grid_stride(_chunk_prefixes, chunks, size)(counts, starts, out, size)
    return out


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
    if (mask.can_be_indexed and mask.size * 4 <= mask.device.info.max_binding_bytes) or mask.size < 2:
        return [(start, start + mask.size)]
    middle = mask.size // 2
    return [*_reachable(mask[:middle], start), *_reachable(mask[middle:], start + middle)]


def _true_places(mask: Buffer, first: int) -> Buffer:
    device, size = mask.device, chunk_size(mask.device)
    chunks = -(-mask.size // size)
    counts = Buffer.empty(chunks + 1, i32, device)
    grid_stride(_count_true, chunks, size)(mask, counts, size)
    starts = prefix_sums(counts)
    total: Any = starts[chunks].numpy()
    out = Buffer.empty(int(total), i32, device)
    if out.size:
        grid_stride(_store_places, chunks, size)(mask, starts, out, size, first)
    return out
