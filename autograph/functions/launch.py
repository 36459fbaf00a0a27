"""How kernels that loop over a count of work items are launched, and buffers as they take them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import krnlpy
from krnlpy import Buffer, Device

MAX_THREADS = 1 << 22
"""More than any device runs at once, fewer than any limit on groups; each thread loops over what is left."""

LONGEST = 1 << 15
"""Passes of its loops that a thread is given at most, of loops whose lengths shapes decide: some drivers end all loops
of a thread after 65,535 passes."""


def longest(device: Device) -> int:
    """Passes that a thread is given at most where cuts cost speed: on the host, which has no driver, as many as there
    are."""
    return sys.maxsize if device.is_host else LONGEST


def over(kernel: Any, count: int, passes: int = 0) -> Any:
    """The kernel with as many threads as there are work items, up to a bound, or more where a thread would make too
    many passes.

    Its body is ``for item in range(global_id(), count, global_threads())``.

    Args:
        passes: of the loops in that one, all together.
    """
    items = max(1, LONGEST // (1 + passes))
    return kernel.with_global_threads(max(1, min(count, MAX_THREADS), -(-count // items)))


Pieces = tuple[tuple[slice, slice], ...]


def cut(device: Device, size: tuple[int, int], reached: tuple[int, int] | None = None) -> Pieces:
    """Rows and columns cut into pieces, in reading order, so that a thread can pass over each of them.

    Args:
        size: how many rows and columns there are.
        reached: how many of them a thread passes over; all unless given.
    """
    return _cut(longest(device), size, reached or size)


@lru_cache(maxsize=1024)
def _cut(most: int, size: tuple[int, int], reached: tuple[int, int]) -> Pieces:
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


def parts(*buffers: Buffer) -> Iterator[tuple[Buffer, ...]]:
    """Buffers of as many rows each, cut along the first axis until kernels reach all of every part: on some devices
    they reach 128 MiB of a buffer. Of one row that they do not reach, the launch tells."""
    rows = buffers[0].shape[0]
    if rows < 2 or all(buffer.can_be_indexed for buffer in buffers):
        yield buffers
        return
    for half in (slice(rows // 2), slice(rows // 2, None)):
        yield from parts(*(buffer[half] for buffer in buffers))


def reshaped(buffer: Buffer, shape: tuple[int, ...]) -> Buffer:
    """The buffer in another shape of the same size: a view if its strides allow one, else a copy."""
    try:
        return buffer.reshape(shape)
    except krnlpy.errors.ShapeError:
        return buffer.contiguous().reshape(shape)


def lanes(device: Device) -> int:
    """How many threads share a row of pixels: on a GPU neighbours read neighbouring elements, on a CPU (the host, or a
    driver that runs there) one thread reads them in turn."""
    return 1 if device.info.kind in ("host", "interpreter", "cpu") else 32
