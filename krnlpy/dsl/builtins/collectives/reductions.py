"""Reductions over a subgroup, and over clusters of its lanes.

In which order floats are added or multiplied is the device's affair, so the last bits of a sum differ between devices;
so may which of two zeros is the minimum or maximum, and what becomes of NaN there.
"""

from __future__ import annotations

from typing import Any

from ..marker import builtin

__all__ = [
    "subgroup_add", "subgroup_and", "subgroup_clustered_add", "subgroup_clustered_and", "subgroup_clustered_max",
    "subgroup_clustered_min", "subgroup_clustered_mul", "subgroup_clustered_or", "subgroup_clustered_xor",
    "subgroup_max", "subgroup_min", "subgroup_mul", "subgroup_or", "subgroup_xor",
]  # fmt: skip


@builtin
def subgroup_add(value: Any) -> Any:
    """The sum of a value over the active threads.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_add
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_add(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [10, 10, 10, 10]
    """


@builtin
def subgroup_mul(value: Any) -> Any:
    """The product of a value over the active threads.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_mul
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_mul(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [24, 24, 24, 24]
    """


@builtin
def subgroup_min(value: Any) -> Any:
    """The least of a value over the active threads.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_min
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_min(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 1, 1, 1]
    """


@builtin
def subgroup_max(value: Any) -> Any:
    """The greatest of a value over the active threads.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_max
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_max(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [4, 4, 4, 4]
    """


@builtin
def subgroup_and(value: Any) -> Any:
    """The bitwise and of an integer over the active threads.

    Raises:
        KernelTypeError: the value is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_and
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_and(x[i])
    >>> x = Buffer.from_numpy(np.int32([7, 5, 13, 15]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [5, 5, 5, 5]
    """


@builtin
def subgroup_or(value: Any) -> Any:
    """The bitwise or of an integer over the active threads.

    Raises:
        KernelTypeError: the value is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_or
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_or(x[i])
    >>> x = Buffer.from_numpy(np.int32([1, 2, 8, 0]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [11, 11, 11, 11]
    """


@builtin
def subgroup_xor(value: Any) -> Any:
    """The bitwise exclusive or of an integer over the active threads.

    Raises:
        KernelTypeError: the value is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_xor
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_xor(x[i])
    >>> x = Buffer.from_numpy(np.int32([1, 3, 7, 8]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [13, 13, 13, 13]
    """


@builtin
def subgroup_clustered_add(value: Any, size: int) -> Any:
    """The sum over the active threads of each ``size`` adjacent lanes.

    Raises:
        KernelTypeError: the value is a truth value, or the size is not a constant power of two.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_clustered_add
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_clustered_add(x[i], 2)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [4, 4, 6, 6]
    """


@builtin
def subgroup_clustered_mul(value: Any, size: int) -> Any:
    """The product over the active threads of each ``size`` adjacent lanes.

    Raises:
        KernelTypeError: the value is a truth value, or the size is not a constant power of two.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_clustered_mul
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_clustered_mul(x[i], 2)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [3, 3, 8, 8]
    """


@builtin
def subgroup_clustered_min(value: Any, size: int) -> Any:
    """The least over the active threads of each ``size`` adjacent lanes.

    Raises:
        KernelTypeError: the value is a truth value, or the size is not a constant power of two.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_clustered_min
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_clustered_min(x[i], 2)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 1, 2, 2]
    """


@builtin
def subgroup_clustered_max(value: Any, size: int) -> Any:
    """The greatest over the active threads of each ``size`` adjacent lanes.

    Raises:
        KernelTypeError: the value is a truth value, or the size is not a constant power of two.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_clustered_max
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_clustered_max(x[i], 2)
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [3, 3, 4, 4]
    """


@builtin
def subgroup_clustered_and(value: Any, size: int) -> Any:
    """The bitwise and over the active threads of each ``size`` adjacent lanes.

    Raises:
        KernelTypeError: the value is not an integer, or the size is not a constant power of two.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_clustered_and
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_clustered_and(x[i], 2)
    >>> x = Buffer.from_numpy(np.int32([7, 5, 13, 15]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [5, 5, 13, 13]
    """


@builtin
def subgroup_clustered_or(value: Any, size: int) -> Any:
    """The bitwise or over the active threads of each ``size`` adjacent lanes.

    Raises:
        KernelTypeError: the value is not an integer, or the size is not a constant power of two.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_clustered_or
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_clustered_or(x[i], 2)
    >>> x = Buffer.from_numpy(np.int32([1, 2, 8, 0]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [3, 3, 8, 8]
    """


@builtin
def subgroup_clustered_xor(value: Any, size: int) -> Any:
    """The bitwise exclusive or over the active threads of each ``size`` adjacent lanes.

    Raises:
        KernelTypeError: the value is not an integer, or the size is not a constant power of two.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_clustered_xor
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_clustered_xor(x[i], 2)
    >>> x = Buffer.from_numpy(np.int32([1, 3, 7, 8]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [2, 2, 15, 15]
    """
