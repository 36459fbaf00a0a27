"""How kernels that loop over a count of work items are launched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from krnlpy import Buffer, Device

MAX_THREADS = 1 << 22
"""More than any device runs at once, fewer than any limit on groups; each thread loops over what is left."""

LONGEST = 1 << 15
"""Passes of its loops that a thread is given at most, of loops whose lengths shapes decide: some drivers end all loops
of a thread after 65,535 passes."""


def over(kernel: Any, count: int) -> Any:
    """The kernel with as many threads as there are work items, up to a bound.

    Its body is ``for item in range(global_id(), count, global_threads())``.
    """
    return kernel.with_global_threads(max(1, min(count, MAX_THREADS)))


def parts(*buffers: Buffer) -> Iterator[tuple[Buffer, ...]]:
    """Buffers of as many rows each, cut along the first axis until kernels reach all of every part: on some devices
    they reach 128 MiB of a buffer. Of one row that they do not reach, the launch tells."""
    rows = buffers[0].shape[0]
    if rows < 2 or all(buffer.can_be_indexed for buffer in buffers):
        yield buffers
        return
    for half in (slice(rows // 2), slice(rows // 2, None)):
        yield from parts(*(buffer[half] for buffer in buffers))


def lanes(device: Device) -> int:
    """How many threads share a row of pixels: on a GPU neighbours read neighbouring elements, on a CPU (the host, or a
    driver that runs there) one thread reads them in turn."""
    return 1 if device.info.kind in ("host", "interpreter", "cpu") else 32
