"""Whole numbers next to a float, and remainders of divisions."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "ceil", "floor", "fmod", "remainder", "rint", "trunc",
]  # fmt: skip


@builtin
def floor(x: Any) -> Any:
    """The greatest whole number that is not above x, in x's type.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import floor
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"floor({x:g}) = {floor(x):g}")
    >>> show(Buffer.from_numpy(np.float32([1.5, -1.5])))
    floor(1.5) = 1
    floor(-1.5) = -2
    """


@builtin
def ceil(x: Any) -> Any:
    """The least whole number that is not below x, in x's type.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import ceil
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"ceil({x:g}) = {ceil(x):g}")
    >>> show(Buffer.from_numpy(np.float32([1.5, -1.5])))
    ceil(1.5) = 2
    ceil(-1.5) = -1
    """


@builtin
def trunc(x: Any) -> Any:
    """x without its fraction, in x's type.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import trunc
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"trunc({x:g}) = {trunc(x):g}")
    >>> show(Buffer.from_numpy(np.float32([1.5, -1.5])))
    trunc(1.5) = 1
    trunc(-1.5) = -1
    """


@builtin
def rint(x: Any) -> Any:
    """The nearest whole number, in x's type; of two equally near ones, the even one. ``round(x)`` is the same.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import rint
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"rint({x:g}) = {rint(x):g}")
    >>> show(Buffer.from_numpy(np.float32([0.5, 1.5, -2.6])))
    rint(0.5) = 0
    rint(1.5) = 2
    rint(-2.6) = -3
    """


@builtin
def fmod(x: Any, y: Any) -> Any:
    """The remainder of ``x / y`` truncated: exact, with the sign of x. NaN where y is 0 or x infinite.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fmod
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(fmod(x, 4.0), x % 4.0)
    >>> show(Buffer.from_numpy(np.float32([7, -7, np.inf])))
    3.0 3.0
    -3.0 1.0
    nan nan
    """


@builtin
def remainder(x: Any, y: Any) -> Any:
    """IEEE's remainder: ``x - n * y`` for the whole n nearest to ``x / y``, the even one of two.

    It is exact, and NaN where y is 0 or x infinite.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import remainder
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(remainder(x, 4.0))
    >>> show(Buffer.from_numpy(np.float32([5, 6, 7])))
    1.0
    -2.0
    -1.0
    """
