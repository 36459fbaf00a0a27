"""Which thread this is, and how many there are: all i32."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "global_id", "global_threads", "group_id", "groups", "item_id", "items", "subgroup_id", "subgroup_thread_id",
    "subgroup_threads", "subgroups", "thread_id", "threads",
]  # fmt: skip


@builtin
def global_id(axis: int = 0) -> Any:
    """The place of the thread in the dispatch along an axis; 0 is x.

    Raises:
        KernelTypeError: the axis is not 0, 1 or 2, known while compiling.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = 10 * global_id()
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [0, 10, 20, 30, 40, 50]
    """


@builtin
def global_threads(axis: int = 0) -> Any:
    """How many threads the dispatch has along an axis.

    Raises:
        KernelTypeError: the axis is not 0, 1 or 2, known while compiling.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, global_threads
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = global_threads()
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [6, 6, 6, 6, 6, 6]
    """


@builtin
def group_id(axis: int = 0) -> Any:
    """The place of the thread's group in the dispatch along an axis.

    Raises:
        KernelTypeError: the axis is not 0, 1 or 2, known while compiling.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, group_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = group_id()
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [0, 0, 0, 1, 1, 1]
    """


@builtin
def groups(axis: int = 0) -> Any:
    """How many groups the dispatch has along an axis.

    Raises:
        KernelTypeError: the axis is not 0, 1 or 2, known while compiling.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, groups
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = groups(0) + 10 * groups(1)
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [12, 12, 12, 12, 12, 12]
    """


@builtin
def thread_id(axis: int = 0) -> Any:
    """The place of the thread in its group along an axis.

    Raises:
        KernelTypeError: the axis is not 0, 1 or 2, known while compiling.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = thread_id()
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [0, 1, 2, 0, 1, 2]
    """


@builtin
def threads(axis: int = 0) -> Any:
    """How many threads a group has along an axis.

    Raises:
        KernelTypeError: the axis is not 0, 1 or 2, known while compiling.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, threads
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = threads()
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [3, 3, 3, 3, 3, 3]
    """


@builtin
def subgroup_id() -> Any:
    """The place of the thread's subgroup in its group.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = subgroup_id()
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [0, 0, 0, 0, 0, 0]
    """


@builtin
def subgroups() -> Any:
    """How many subgroups a group has.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroups
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = subgroups()
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [1, 1, 1, 1, 1, 1]
    """


@builtin
def subgroup_thread_id() -> Any:
    """The place of the thread in its subgroup: its lane.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = subgroup_thread_id()
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [0, 1, 2, 0, 1, 2]
    """


@builtin
def subgroup_threads() -> Any:
    """How many threads a subgroup has: the device's subgroup size.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_threads
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[global_id()] = i32(subgroup_threads() >= 4)
    >>> x = Buffer.zeros(6, i32)
    >>> run.with_groups(2).with_threads(3)(x)
    >>> x.numpy().tolist()
    [1, 1, 1, 1, 1, 1]
    """


@builtin
def item_id() -> Any:
    """The place of the item in row-major order; only in kernels with items.

    >>> from krnlpy import Buffer, ItemMut, i32, kernel
    >>> from krnlpy.dsl import item_id
    >>> @kernel
    ... def run(x: ItemMut[i32]):
    ...     x = item_id()
    >>> x = Buffer.zeros((2, 3), i32)
    >>> run(x)
    >>> x.numpy().tolist()
    [[0, 1, 2], [3, 4, 5]]
    """


@builtin
def items() -> Any:
    """How many items there are; only in kernels with items.

    >>> from krnlpy import Buffer, ItemMut, f32, kernel
    >>> from krnlpy.dsl import items
    >>> @kernel
    ... def share(x: ItemMut[f32]):
    ...     x /= f32(items())
    >>> x = Buffer.ones(4, f32)
    >>> share(x)
    >>> x.numpy().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
