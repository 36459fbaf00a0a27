"""Where the threads of a group wait for each other, and vote; and fences, which order memory without waiting."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "barrier", "barrier_all", "barrier_any", "barrier_count", "group_memory_fence", "memory_fence",
]  # fmt: skip


@builtin
def barrier() -> None:
    """Waits until all threads of the group are here. What they wrote before is seen by all after.

    It is a statement of its own, and no thread of a group may leave it out.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import barrier, distance, thread_id, unroll
    >>> @kernel
    ... def add_up(x: GlobalMut[i32]):
    ...     i = thread_id()
    ...     for distance in unroll((2, 1)):
    ...         if i < distance:
    ...             x[i] += x[i + distance]
    ...         barrier()
    >>> x = Buffer.from_numpy(np.int32([1, 2, 3, 4]))
    >>> add_up.with_groups(1).with_threads(4)(x)
    >>> int(x.numpy()[0])
    10
    """


@builtin
def barrier_count(condition: Any) -> Any:
    """A barrier that gives each thread how many threads of the group came with a condition that is true, an i32.

    As ``barrier()`` it waits for all threads of the group, and what they wrote before is seen by all after.

    Raises:
        KernelTypeError: the condition is not a number or truth value.
        KernelSyntaxError: some threads of a group surely do not come here, or the kernel has items.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import barrier_count, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[thread_id()] = barrier_count(x[thread_id()] > 2)
    >>> import numpy as np
    >>> x = Buffer.from_numpy(np.int32([1, 5, 2, 3]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [2, 2, 2, 2]
    """


@builtin
def barrier_any(condition: Any) -> Any:
    """A barrier that tells each thread whether any thread of the group came with a condition that is true.

    Raises:
        KernelTypeError: the condition is not a number or truth value.
        KernelSyntaxError: some threads of a group surely do not come here, or the kernel has items.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import barrier, barrier_any, thread_id
    >>> @kernel
    ... def sort(x: GlobalMut[i32]):
    ...     i = thread_id()
    ...     while barrier_any(i < 3 and x[i] > x[i + 1]):
    ...         for first in range(2):
    ...             if i % 2 == first and i < 3 and x[i] > x[i + 1]:
    ...                 x[i], x[i + 1] = x[i + 1], x[i]
    ...             barrier()
    >>> import numpy as np
    >>> x = Buffer.from_numpy(np.int32([4, 3, 2, 1]))
    >>> sort.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 2, 3, 4]
    """


@builtin
def barrier_all(condition: Any) -> Any:
    """A barrier that tells each thread whether all threads of the group came with a condition that is true.

    Raises:
        KernelTypeError: the condition is not a number or truth value.
        KernelSyntaxError: some threads of a group surely do not come here, or the kernel has items.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import barrier_all, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     if barrier_all(thread_id() < 4):
    ...         x[thread_id()] = 1
    >>> x = Buffer.zeros(4, i32)
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 1, 1, 1]
    """


@builtin
def memory_fence() -> None:
    """Puts a thread's reads and writes before it before those after it, for all threads of the device.

    It waits for nobody. What a thread wrote before a fence and an atomic after it, another thread sees after an atomic
    that reads what that one wrote, and a fence after it. So the group that is last can use what the others wrote.

    >>> from krnlpy import Buffer, GlobalMut, f32, i32, kernel
    >>> from krnlpy.dsl import atomic_add, group_id, groups, memory_fence
    >>> @kernel(threads=1)
    ... def add_up(parts: GlobalMut[f32], arrived: GlobalMut[i32], total: GlobalMut[f32]):
    ...     parts[group_id()] = group_id() + 1.0
    ...     memory_fence()
    ...     if atomic_add(arrived[0], 1) == groups() - 1:
    ...         memory_fence()
    ...         for i in range(groups()):
    ...             total[0] += parts[i]
    >>> parts, arrived, total = Buffer.zeros(4, f32), Buffer.zeros(1, i32), Buffer.zeros(1, f32)
    >>> add_up.with_groups(4)(parts, arrived, total)
    >>> float(total.numpy()[0])
    10.0
    """


@builtin
def group_memory_fence() -> None:
    """A fence as :func:`memory_fence`, for the threads of the group only.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_add, group_array, group_memory_fence, thread_id, threads
    >>> @kernel
    ... def last_adds_up(x: GlobalMut[i32]):
    ...     arrived = group_array(i32, 1)
    ...     x[thread_id()] *= 10
    ...     group_memory_fence()
    ...     if atomic_add(arrived[0], 1) == threads() - 1:
    ...         group_memory_fence()
    ...         for i in range(1, threads()):
    ...             x[0] += x[i]
    >>> x = Buffer.full(4, 2, i32)
    >>> last_adds_up.with_groups(1).with_threads(4)(x)
    >>> int(x.numpy()[0])
    80
    """
