"""What several examples do in a group of threads."""

from __future__ import annotations

from typing import Any

from krnlpy import func
from krnlpy.dsl import (
    barrier,
    subgroup_add,
    subgroup_elect,
    subgroup_id,
    subgroup_thread_id,
    subgroup_threads,
    subgroups,
)


@func
def add_in_group(value: Any, shared: Any) -> Any:
    """The sum of the values of all threads of the group, for those of its first subgroup; other threads get 0.

    Each subgroup adds its values without memory; the first one adds the sums of all. Every device adds in an order that
    is always the same.

    Args:
        value: a number or a vector.
        shared: an array of the group, of as many values as there are subgroups or more; what it held is lost.
    """
    subtotal = subgroup_add(value)
    if subgroup_elect():
        shared[subgroup_id()] = subtotal
    barrier()
    total = type(value)(0)
    if subgroup_id() == 0:
        for i in range(subgroup_thread_id(), subgroups(), subgroup_threads()):
            total += shared[i]
        total = subgroup_add(total)
    return total
