"""Arrays of threads and groups, loops written out, and products of cooperative matrices."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "cooperative_multiply_add", "grid", "group_array", "local_array", "unchecked", "unroll",
]  # fmt: skip


@builtin
def local_array(type: Any, shape: Any) -> Any:
    """An array of the thread's own; its shape is made of constants and Spec values.

    It holds zeros whenever control comes here: in a loop, at the start of each pass. The type may be one of cooperative
    matrices: then lengths and indices are constants.

    Raises:
        KernelTypeError: the type is not one of the language, or a length is not known while compiling; or the name is
            that of an array of another type or shape.
        KernelSyntaxError: it is not ``name = local_array(...)``, or several such in one line.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import local_array
    >>> @kernel
    ... def reverse(x: GlobalMut[i32]):
    ...     row = local_array(i32, 3)
    ...     for j in range(3):
    ...         row[2 - j] = x[j]
    ...     for j in range(3):
    ...         x[j] = row[j]
    >>> x = Buffer.from_numpy(np.int32([1, 2, 3]))
    >>> reverse.with_groups(1).with_threads(1)(x)
    >>> x.numpy().tolist()
    [3, 2, 1]
    """


@builtin
def group_array(type: Any, shape: Any) -> Any:
    """An array that the threads of a group share, filled with zeros; its shape is made of constants and Spec values.

    Raises:
        KernelTypeError: the type is not one of the language, or a length is not known while compiling.
        KernelSyntaxError: it is not ``name = group_array(...)`` at the top of the kernel.

    >>> import numpy as np
    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import barrier, group_array, thread_id
    >>> @kernel
    ... def rotate(x: GlobalMut[i32]):
    ...     shared = group_array(i32, 4)
    ...     i = thread_id()
    ...     shared[i] = x[i]
    ...     barrier()
    ...     x[i] = shared[(i + 1) % 4]
    >>> x = Buffer.from_numpy(np.int32([1, 2, 3, 4]))
    >>> rotate.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [2, 3, 4, 1]
    """


@builtin
def unchecked(array: Any) -> Any:
    """The same array, row or slice, whose indices are not checked: ``unchecked(a)[i, j]``, to read, write, for atomics.

    It gives up what checks give: if an index is out of range, the program may read other memory, overwrite it, or
    crash. The interpreter and debug mode check these accesses as all others, and report them. It saves time where the
    compiler cannot see by itself that an index is in range.

    Raises:
        KernelTypeError: it is given something else than an array.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Global, GlobalMut, f32, kernel
    >>> from krnlpy.dsl import global_id, unchecked
    >>> @kernel(threads=4)
    ... def sums_of_four(x: Global[f32], y: GlobalMut[f32]):
    ...     total = 0.0
    ...     for j in range(4):
    ...         total += unchecked(x)[global_id() * 4 + j]
    ...     y[global_id()] = total
    >>> y = Buffer.zeros(4, f32)
    >>> sums_of_four.with_groups(1)(Buffer.from_numpy(np.arange(16, dtype=np.float32)), y)
    >>> y.numpy().tolist()
    [6.0, 22.0, 38.0, 54.0]
    """


@builtin
def unroll(values: Any) -> Any:
    """``for i in unroll(range(4))``: the loop's body, written out for each value.

    The values are a range of constants, or anything else that a loop goes over whose length is known while compiling.
    The numbers of a range are then constants in the body, and the entries of a tuple may differ in type.

    Raises:
        KernelTypeError: how many values there are is not known while compiling, or there are too many.
        KernelSyntaxError: it is not the iterable of a for loop.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import unroll
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     total = 0.0
    ...     for factor in unroll((1, 10, 0.5)):
    ...         total += factor * x
    ...     print(total)
    >>> show(Buffer.ones(1, f32))
    11.5
    """


@builtin
def grid(*lengths: Any) -> Any:
    """``for i, j in grid(n, m)``: all places of a grid, row by row; a ``break`` ends all of it.

    It takes lengths, ranges, or one shape: ``grid(n, range(1, m - 1))``, ``grid(a.shape)``.

    Raises:
        KernelTypeError: it is given something else.
        KernelSyntaxError: it is not the iterable of a for loop.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import grid
    >>> @kernel
    ... def table(x: GlobalMut[i32, 2]):
    ...     for i, j in grid(x.shape):
    ...         x[i, j] = (i + 1) * (j + 1)
    >>> x = Buffer.zeros((2, 3), i32)
    >>> table.with_groups(1).with_threads(1)(x)
    >>> x.numpy().tolist()
    [[1, 2, 3], [2, 4, 6]]
    """


@builtin
def cooperative_multiply_add(a: Any, b: Any, c: Any) -> Any:
    """``a @ b + c`` of cooperative matrices, by all threads of the subgroup together.

    Raises:
        KernelTypeError: the matrices are not of the uses "a", "b" and "accumulator", or shapes or types do not fit.

    >>> from krnlpy import Buffer, Global, GlobalMut, f32, kernel
    >>> from krnlpy.dsl import CooperativeMatrix, cooperative_multiply_add
    >>> A = CooperativeMatrix[f32, 8, 8, "a"]
    >>> B = CooperativeMatrix[f32, 8, 8, "b"]
    >>> C = CooperativeMatrix[f32, 8, 8, "accumulator"]
    >>> @kernel
    ... def square(x: Global[f32, 2], y: GlobalMut[f32, 2]):
    ...     product = cooperative_multiply_add(A.load(x, 0, 0), B.load(x, 0, 0), C(0.0))
    ...     product.store(y, 0, 0)
    >>> x, y = Buffer.ones((8, 8), f32), Buffer.zeros((8, 8), f32)
    >>> square.with_groups(1).with_threads(8)(x, y)
    >>> float(y.numpy()[0, 0])
    8.0
    """
