"""Scans: reductions over the lower lanes of a subgroup."""

from __future__ import annotations

from typing import Any

from ..marker import builtin

__all__ = [
    "subgroup_exclusive_add", "subgroup_exclusive_and", "subgroup_exclusive_max", "subgroup_exclusive_min",
    "subgroup_exclusive_mul", "subgroup_exclusive_or", "subgroup_exclusive_xor", "subgroup_inclusive_add",
    "subgroup_inclusive_and", "subgroup_inclusive_max", "subgroup_inclusive_min", "subgroup_inclusive_mul",
    "subgroup_inclusive_or", "subgroup_inclusive_xor",
]  # fmt: skip


@builtin
def subgroup_inclusive_add(value: Any) -> Any:
    """The sum over the active threads of lower lanes and this one.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_inclusive_add
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_inclusive_add(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [3, 4, 6, 10]
    """


@builtin
def subgroup_inclusive_mul(value: Any) -> Any:
    """The product over the active threads of lower lanes and this one.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_inclusive_mul
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_inclusive_mul(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [3, 3, 6, 24]
    """


@builtin
def subgroup_inclusive_min(value: Any) -> Any:
    """The least over the active threads of lower lanes and this one.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_inclusive_min
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_inclusive_min(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [3, 1, 1, 1]
    """


@builtin
def subgroup_inclusive_max(value: Any) -> Any:
    """The greatest over the active threads of lower lanes and this one.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_inclusive_max
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_inclusive_max(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [3, 3, 3, 4]
    """


@builtin
def subgroup_inclusive_and(value: Any) -> Any:
    """The bitwise and over the active threads of lower lanes and this one.

    Raises:
        KernelTypeError: the value is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_inclusive_and
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_inclusive_and(x[i])
    >>> x = Buffer.from_numpy(np.int32([7, 5, 13, 15]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [7, 5, 5, 5]
    """


@builtin
def subgroup_inclusive_or(value: Any) -> Any:
    """The bitwise or over the active threads of lower lanes and this one.

    Raises:
        KernelTypeError: the value is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_inclusive_or
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_inclusive_or(x[i])
    >>> x = Buffer.from_numpy(np.int32([1, 2, 8, 0]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 3, 11, 11]
    """


@builtin
def subgroup_inclusive_xor(value: Any) -> Any:
    """The bitwise exclusive or over the active threads of lower lanes and this one.

    Raises:
        KernelTypeError: the value is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_inclusive_xor
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_inclusive_xor(x[i])
    >>> x = Buffer.from_numpy(np.int32([1, 3, 7, 8]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 2, 5, 13]
    """


@builtin
def subgroup_exclusive_add(value: Any) -> Any:
    """The sum over the active threads of lower lanes; of none, 0.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_exclusive_add
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_exclusive_add(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [0, 3, 4, 6]
    """


@builtin
def subgroup_exclusive_mul(value: Any) -> Any:
    """The product over the active threads of lower lanes; of none, 1.

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_exclusive_mul
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_exclusive_mul(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [1, 3, 3, 6]
    """


@builtin
def subgroup_exclusive_min(value: Any) -> Any:
    """The least over the active threads of lower lanes; of none, the type's greatest value (infinity).

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_exclusive_min
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_exclusive_min(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [2147483647, 3, 1, 1]
    """


@builtin
def subgroup_exclusive_max(value: Any) -> Any:
    """The greatest over the active threads of lower lanes; of none, the type's least value (minus infinity).

    Raises:
        KernelTypeError: the value is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_exclusive_max
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_exclusive_max(x[i])
    >>> x = Buffer.from_numpy(np.int32([3, 1, 2, 4]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [-2147483648, 3, 3, 3]
    """


@builtin
def subgroup_exclusive_and(value: Any) -> Any:
    """The bitwise and over the active threads of lower lanes; of none, all bits set.

    Raises:
        KernelTypeError: the value is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_exclusive_and
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_exclusive_and(x[i])
    >>> x = Buffer.from_numpy(np.int32([7, 5, 13, 15]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [-1, 7, 5, 5]
    """


@builtin
def subgroup_exclusive_or(value: Any) -> Any:
    """The bitwise or over the active threads of lower lanes; of none, 0.

    Raises:
        KernelTypeError: the value is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_exclusive_or
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_exclusive_or(x[i])
    >>> x = Buffer.from_numpy(np.int32([1, 2, 8, 0]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [0, 1, 3, 11]
    """


@builtin
def subgroup_exclusive_xor(value: Any) -> Any:
    """The bitwise exclusive or over the active threads of lower lanes; of none, 0.

    Raises:
        KernelTypeError: the value is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import global_id, subgroup_exclusive_xor
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     i = global_id()
    ...     x[i] = subgroup_exclusive_xor(x[i])
    >>> x = Buffer.from_numpy(np.int32([1, 3, 7, 8]))
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [0, 1, 2, 5]
    """
