"""Barriers, votes and ballots of a subgroup."""

from __future__ import annotations

from typing import Any

from ..marker import builtin

__all__ = [
    "subgroup_all", "subgroup_all_equal", "subgroup_any", "subgroup_ballot", "subgroup_ballot_bit_count",
    "subgroup_ballot_bit_extract", "subgroup_ballot_exclusive_bit_count", "subgroup_ballot_find_lsb",
    "subgroup_ballot_find_msb", "subgroup_ballot_inclusive_bit_count", "subgroup_barrier", "subgroup_elect",
    "subgroup_inverse_ballot",
]  # fmt: skip


@builtin
def subgroup_barrier() -> None:
    """Waits until the active threads of the subgroup are here. What they wrote before is seen by them after.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_barrier
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     subgroup_barrier()
    ...     x[i] += 1
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [4, 2, 3, 5]
    """


@builtin
def subgroup_elect() -> Any:
    """Whether this is the active thread of the lowest lane: true for one thread of a subgroup.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_elect
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     if subgroup_elect():
    ...         x[i] = 100
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [100, 1, 2, 4]
    """


@builtin
def subgroup_all(condition: Any) -> Any:
    """Whether a condition is true for all active threads.

    Raises:
        KernelTypeError: the condition is not a number or truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_all
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = i32(subgroup_all(x[i] > 1))
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [0, 0, 0, 0]
    """


@builtin
def subgroup_any(condition: Any) -> Any:
    """Whether a condition is true for at least one active thread.

    Raises:
        KernelTypeError: the condition is not a number or truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_any
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = i32(subgroup_any(x[i] > 3))
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 1, 1, 1]
    """


@builtin
def subgroup_all_equal(value: Any) -> Any:
    """Whether all active threads have the same value. NaN equals nothing, not even itself.

    Raises:
        KernelTypeError: the value is not a number, vector or matrix.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_all_equal
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = i32(subgroup_all_equal(x[i]))
    >>> x = Buffer.from_numpy(np.int32([5, 5, 5, 5]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 1, 1, 1]
    """


@builtin
def subgroup_ballot(condition: Any) -> Any:
    """A bit for each lane, in a ``uvec4``: 1 where the thread is active and the condition true.

    Lane 0 is the lowest bit of x.

    Raises:
        KernelTypeError: the condition is not a number or truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, kernel, u32
    >>> from krnlpy.dsl import global_id, subgroup_ballot
    >>> @kernel
    ... def run(x: GlobalMut[u32]):
    ...     i = global_id()
    ...     x[i] = subgroup_ballot(x[i] >= 3).x
    >>> x = Buffer.from_numpy(np.uint32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [9, 9, 9, 9]
    """


@builtin
def subgroup_inverse_ballot(ballot: Any) -> Any:
    """This thread's bit of a ballot, as a condition.

    Raises:
        KernelTypeError: the operand is not a ballot, a ``uvec4``.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, kernel, u32
    >>> from krnlpy.dsl import global_id, subgroup_ballot, subgroup_inverse_ballot
    >>> @kernel
    ... def run(x: GlobalMut[u32]):
    ...     i = global_id()
    ...     ballot = subgroup_ballot(x[i] >= 3)
    ...     x[i] = u32(subgroup_inverse_ballot(ballot))
    >>> x = Buffer.from_numpy(np.uint32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 0, 0, 1]
    """


@builtin
def subgroup_ballot_bit_extract(ballot: Any, lane: Any) -> Any:
    """The bit of a lane of a ballot, as a condition.

    Raises:
        KernelTypeError: the ballot is not a ``uvec4``, or the lane is not an integer of at most 32 bits.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, kernel, u32
    >>> from krnlpy.dsl import global_id, subgroup_ballot, subgroup_ballot_bit_extract
    >>> @kernel
    ... def run(x: GlobalMut[u32]):
    ...     i = global_id()
    ...     ballot = subgroup_ballot(x[i] >= 3)
    ...     x[i] = u32(subgroup_ballot_bit_extract(ballot, 3))
    >>> x = Buffer.from_numpy(np.uint32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 1, 1, 1]
    """


@builtin
def subgroup_ballot_bit_count(ballot: Any) -> Any:
    """How many bits of a ballot are 1, as u32.

    Raises:
        KernelTypeError: the operand is not a ballot, a ``uvec4``.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, kernel, u32
    >>> from krnlpy.dsl import global_id, subgroup_ballot, subgroup_ballot_bit_count
    >>> @kernel
    ... def run(x: GlobalMut[u32]):
    ...     i = global_id()
    ...     ballot = subgroup_ballot(x[i] >= 3)
    ...     x[i] = u32(subgroup_ballot_bit_count(ballot))
    >>> x = Buffer.from_numpy(np.uint32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [2, 2, 2, 2]
    """


@builtin
def subgroup_ballot_inclusive_bit_count(ballot: Any) -> Any:
    """How many bits of the lower lanes and this one are 1, as u32.

    Raises:
        KernelTypeError: the operand is not a ballot, a ``uvec4``.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, kernel, u32
    >>> from krnlpy.dsl import global_id, subgroup_ballot, subgroup_ballot_inclusive_bit_count
    >>> @kernel
    ... def run(x: GlobalMut[u32]):
    ...     i = global_id()
    ...     ballot = subgroup_ballot(x[i] >= 3)
    ...     x[i] = u32(subgroup_ballot_inclusive_bit_count(ballot))
    >>> x = Buffer.from_numpy(np.uint32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 1, 1, 2]
    """


@builtin
def subgroup_ballot_exclusive_bit_count(ballot: Any) -> Any:
    """How many bits of the lower lanes are 1, as u32: places for what is kept.

    Raises:
        KernelTypeError: the operand is not a ballot, a ``uvec4``.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, kernel, u32
    >>> from krnlpy.dsl import global_id, subgroup_ballot, subgroup_ballot_exclusive_bit_count
    >>> @kernel
    ... def run(x: GlobalMut[u32]):
    ...     i = global_id()
    ...     ballot = subgroup_ballot(x[i] >= 3)
    ...     x[i] = u32(subgroup_ballot_exclusive_bit_count(ballot))
    >>> x = Buffer.from_numpy(np.uint32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [0, 1, 1, 1]
    """


@builtin
def subgroup_ballot_find_lsb(ballot: Any) -> Any:
    """The lowest lane whose bit is 1, as u32; 128 if there is none.

    Raises:
        KernelTypeError: the operand is not a ballot, a ``uvec4``.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, kernel, u32
    >>> from krnlpy.dsl import global_id, subgroup_ballot, subgroup_ballot_find_lsb
    >>> @kernel
    ... def run(x: GlobalMut[u32]):
    ...     i = global_id()
    ...     ballot = subgroup_ballot(x[i] >= 3)
    ...     x[i] = u32(subgroup_ballot_find_lsb(ballot))
    >>> x = Buffer.from_numpy(np.uint32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [0, 0, 0, 0]
    """


@builtin
def subgroup_ballot_find_msb(ballot: Any) -> Any:
    """The highest lane whose bit is 1, as u32; 128 if there is none.

    Raises:
        KernelTypeError: the operand is not a ballot, a ``uvec4``.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, kernel, u32
    >>> from krnlpy.dsl import global_id, subgroup_ballot, subgroup_ballot_find_msb
    >>> @kernel
    ... def run(x: GlobalMut[u32]):
    ...     i = global_id()
    ...     ballot = subgroup_ballot(x[i] >= 3)
    ...     x[i] = u32(subgroup_ballot_find_msb(ballot))
    >>> x = Buffer.from_numpy(np.uint32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [3, 3, 3, 3]
    """
