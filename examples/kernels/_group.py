"""What several examples do in a group of threads."""

from __future__ import annotations

from krnlpy import func
from krnlpy.dsl import barrier, thread_id


@func
def add_in_group(shared):  # type: ignore[no-untyped-def] # any array of the group: without an annotation it is generic
    """Adds the elements, one a thread and a power of 2 of them, into the first: a tree of sums."""
    i, step = thread_id(), len(shared) // 2
    barrier()
    while step > 0:
        if i < step:
            shared[i] += shared[i + step]
        barrier()
        step //= 2
