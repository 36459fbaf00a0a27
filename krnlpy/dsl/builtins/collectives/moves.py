"""Values moved between the lanes of a subgroup, and of quads, which are four adjacent lanes.

A value that is read from a lane that is not active or that the subgroup does not have is 0 (False). A kernel that is
``unchecked`` promises that this does not happen, and saves the check.
"""

from __future__ import annotations

from typing import Any

from ..marker import builtin

__all__ = [
    "subgroup_broadcast", "subgroup_broadcast_first", "subgroup_quad_broadcast", "subgroup_quad_swap_diagonal",
    "subgroup_quad_swap_horizontal", "subgroup_quad_swap_vertical", "subgroup_shuffle", "subgroup_shuffle_down",
    "subgroup_shuffle_up", "subgroup_shuffle_xor",
]  # fmt: skip


@builtin
def subgroup_broadcast(value: Any, lane: Any) -> Any:
    """The value of the thread in a lane, the same for all; fastest where the lane is a constant.

    Raises:
        KernelTypeError: the lane is not an integer of at most 32 bits.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_broadcast
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_broadcast(x[i], 2)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [2, 2, 2, 2]
    """


@builtin
def subgroup_broadcast_first(value: Any) -> Any:
    """The value of the active thread of the lowest lane.

    Raises:
        KernelTypeError: the value is not a number, vector or matrix.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_broadcast_first
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     if i > 0:
    ...         x[i] = subgroup_broadcast_first(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [3, 1, 1, 1]
    """


@builtin
def subgroup_shuffle(value: Any, lane: Any) -> Any:
    """The value of the thread in a lane, which each thread chooses.

    Raises:
        KernelTypeError: the lane is not an integer of at most 32 bits.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_shuffle
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_shuffle(x[i], 3 - i)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [4, 2, 1, 3]
    """


@builtin
def subgroup_shuffle_xor(value: Any, mask: Any) -> Any:
    """The value of the thread in the lane ``subgroup_thread_id() ^ mask``.

    Raises:
        KernelTypeError: the mask is not an integer of at most 32 bits.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_shuffle_xor
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_shuffle_xor(x[i], 1)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 3, 4, 2]
    """


@builtin
def subgroup_shuffle_up(value: Any, delta: Any) -> Any:
    """The value of the thread in the lane ``subgroup_thread_id() - delta``: values move up.

    Raises:
        KernelTypeError: the distance is not an integer of at most 32 bits.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_shuffle_up
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_shuffle_up(x[i], 1)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [0, 3, 1, 2]
    """


@builtin
def subgroup_shuffle_down(value: Any, delta: Any) -> Any:
    """The value of the thread in the lane ``subgroup_thread_id() + delta``: values move down.

    Raises:
        KernelTypeError: the distance is not an integer of at most 32 bits.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_shuffle_down
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_shuffle_down(x[i], 1)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 2, 4, 0]
    """


@builtin
def subgroup_quad_broadcast(value: Any, place: int) -> Any:
    """The value of the thread at a place in the quad.

    Raises:
        KernelTypeError: the place is not a constant from 0 to 3.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_quad_broadcast
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_quad_broadcast(x[i], 3)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [4, 4, 4, 4]
    """


@builtin
def subgroup_quad_swap_horizontal(value: Any) -> Any:
    """Exchanges values within a quad: 0 with 1, 2 with 3.

    Raises:
        KernelTypeError: the value is not a number, vector or matrix.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_quad_swap_horizontal
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_quad_swap_horizontal(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 3, 4, 2]
    """


@builtin
def subgroup_quad_swap_vertical(value: Any) -> Any:
    """Exchanges values within a quad: 0 with 2, 1 with 3.

    Raises:
        KernelTypeError: the value is not a number, vector or matrix.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_quad_swap_vertical
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_quad_swap_vertical(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [2, 4, 3, 1]
    """


@builtin
def subgroup_quad_swap_diagonal(value: Any) -> Any:
    """Exchanges values within a quad: 0 with 3, 1 with 2.

    Raises:
        KernelTypeError: the value is not a number, vector or matrix.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_quad_swap_diagonal
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_quad_swap_diagonal(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [4, 2, 1, 3]
    """
