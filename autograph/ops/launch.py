"""How kernels that loop over a count of work items are launched."""

from __future__ import annotations

from typing import Any

from krnlpy import Device

MAX_THREADS = 1 << 22
"""More than any device runs at once, fewer than any limit on groups; each thread loops over what is left."""


def over(kernel: Any, count: int) -> Any:
    """The kernel with as many threads as there are work items, up to a bound.

    Its body is ``for item in range(global_id(), count, global_threads())``.
    """
    return kernel.with_global_threads(max(1, min(count, MAX_THREADS)))


def lanes(device: Device) -> int:
    """How many threads share a row of pixels: on a GPU neighbours read neighbouring elements, on a CPU (the host, or a
    driver that runs there) one thread reads them in turn."""
    return 1 if device.info.kind in ("host", "interpreter", "cpu") else 32
