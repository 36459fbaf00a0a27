"""How kernels that loop over a count of work items are launched."""

from __future__ import annotations

from typing import Any

MAX_THREADS = 1 << 22
"""More than any device runs at once, fewer than any limit on groups; each thread loops over what is left."""


def over(kernel: Any, count: int) -> Any:
    """The kernel with as many threads as there are work items, up to a bound.

    Its body is ``for item in range(global_id(), count, global_threads())``.
    """
    return kernel.with_global_threads(max(1, min(count, MAX_THREADS)))
