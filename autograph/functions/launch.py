"""Launching kernels that loop over work items, and splitting work and buffers to what a thread or kernel can reach."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import krnlpy
from krnlpy import Buffer, Device, func

MAX_THREADS = 1 << 22
"""More than any device runs at once, fewer than any limit on groups; each thread loops over what is left."""

MAX_PASSES = 1 << 15
"""The most loop passes that a thread is given where shapes decide the lengths of its loops: some drivers end all loops
of a thread after 65,535 passes."""


def max_passes(device: Device) -> int:
    """The most loop passes of a thread, where splitting costs speed: without limit on the host, which has no driver."""
    return sys.maxsize if device.is_host else MAX_PASSES


@lru_cache(maxsize=1024)  # a step launches the same again
def grid_stride(kernel: Any, count: int, passes: int = 0) -> Any:
    """A kernel whose body is a grid-stride loop, with a thread for each work item, up to MAX_THREADS, or more where a
    thread would make too many passes.

    Args:
        kernel: its body is ``for item in range(global_id(), count, global_threads())``.
        count: of work items.
        passes: of the loops within that loop, all together.
    """
    items = max(1, MAX_PASSES // (1 + passes))
    return kernel.with_global_threads(max(1, min(count, MAX_THREADS), -(-count // items)))


@func
def split_index(index: Any, length: Any) -> Any:
    """The quotient and the rest, for kernels: without a division where an axis has length 1, as many have."""
    return (index // length, index % length) if length > 1 else (index, 0)


Pieces = tuple[tuple[slice, slice], ...]


def split_plane(device: Device, size: tuple[int, int], reached: tuple[int, int] | None = None) -> Pieces:
    """Splits rows and columns into pieces, in reading order, so small that a thread can loop over each.

    Args:
        size: how many rows and columns there are.
        reached: how many of them a thread loops over; None is all.
    """
    return _split_plane(max_passes(device), size, reached or size)


@lru_cache(maxsize=1024)
def _split_plane(most: int, size: tuple[int, int], reached: tuple[int, int]) -> Pieces:
    (height, width), (rows, columns) = size, reached
    across = width if columns <= most else most
    down = max(1, most // (1 + min(columns, most)))
    if rows <= down:
        down = height
    return tuple(
        (slice(y, min(y + down, height)), slice(x, min(x + across, width)))
        for y in range(0, height, down)
        for x in range(0, width, across)
    )


def split_rows(*buffers: Buffer) -> Iterator[tuple[Buffer, ...]]:
    """Splits buffers with equally many rows along the first axis until kernels reach all of every part: on some devices
    they reach 128 MiB of a buffer. Where they do not reach all of a single row, the launch raises."""
    rows = buffers[0].shape[0]
    for buffer in buffers:  # all(...) takes twice the time
        if not buffer.can_be_indexed and rows >= 2:
            break
    else:
        yield buffers
        return
    for half in (slice(rows // 2), slice(rows // 2, None)):
        yield from split_rows(*(buffer[half] for buffer in buffers))


def reshape_or_copy(buffer: Buffer, shape: tuple[int, ...]) -> Buffer:
    """The buffer in another shape of the same size: a view if its strides allow one, else a copy."""
    try:
        return buffer.reshape(shape)
    except krnlpy.errors.ShapeError:
        return buffer.contiguous().reshape(shape)


def threads_per_row(device: Device) -> int:
    """How many threads share a row of pixels: on a GPU neighbours read neighbouring elements, on a CPU (the host, or a
    driver that runs there) one thread reads them in turn."""
    return 1 if device.info.kind in ("host", "interpreter", "cpu") else 32
