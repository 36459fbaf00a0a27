"""Functions as quick as the device has them, with the errors that docs/numerics.md states."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "fast_cos", "fast_exp", "fast_exp2", "fast_log", "fast_log2", "fast_max", "fast_min", "fast_pow", "fast_rsqrt",
    "fast_sin", "fast_tan", "fast_tanh",
]  # fmt: skip


@builtin
def fast_exp(x: Any) -> Any:
    """The device's own exp: the error grows with x.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_exp
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"fast_exp({x:g}) = {fast_exp(x):.3f}")
    >>> show(Buffer.from_numpy(np.float32([0, 1])))
    fast_exp(0) = 1.000
    fast_exp(1) = 2.718
    """


@builtin
def fast_exp2(x: Any) -> Any:
    """The device's own exp2: 2 to the power x.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_exp2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"fast_exp2({x:g}) = {fast_exp2(x):.3f}")
    >>> show(Buffer.from_numpy(np.float32([3, 0.5])))
    fast_exp2(3) = 8.000
    fast_exp2(0.5) = 1.414
    """


@builtin
def fast_log(x: Any) -> Any:
    """The device's own natural logarithm, of positive x.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_log
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"fast_log({x:g}) = {fast_log(x):.3f}")
    >>> show(Buffer.from_numpy(np.float32([1, 10])))
    fast_log(1) = 0.000
    fast_log(10) = 2.303
    """


@builtin
def fast_log2(x: Any) -> Any:
    """The device's own logarithm to base 2, of positive x.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_log2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"fast_log2({x:g}) = {fast_log2(x):.3f}")
    >>> show(Buffer.from_numpy(np.float32([8, 10])))
    fast_log2(8) = 3.000
    fast_log2(10) = 3.322
    """


@builtin
def fast_sin(x: Any) -> Any:
    """The device's own sine, for -pi..pi.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_sin
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"fast_sin({x:g}) = {fast_sin(x):.2f}")
    >>> show(Buffer.from_numpy(np.float32([0.5, -2])))
    fast_sin(0.5) = 0.48
    fast_sin(-2) = -0.91
    """


@builtin
def fast_cos(x: Any) -> Any:
    """The device's own cosine, for -pi..pi.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_cos
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"fast_cos({x:g}) = {fast_cos(x):.2f}")
    >>> show(Buffer.from_numpy(np.float32([0.5, -2])))
    fast_cos(0.5) = 0.88
    fast_cos(-2) = -0.42
    """


@builtin
def fast_tan(x: Any) -> Any:
    """The device's own tangent, for -pi..pi.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_tan
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"fast_tan({x:g}) = {fast_tan(x):.2f}")
    >>> show(Buffer.from_numpy(np.float32([0.5, -1])))
    fast_tan(0.5) = 0.55
    fast_tan(-1) = -1.56
    """


@builtin
def fast_tanh(x: Any) -> Any:
    """The hyperbolic tangent by fast_exp.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_tanh
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"fast_tanh({x:g}) = {fast_tanh(x):.3f}")
    >>> show(Buffer.from_numpy(np.float32([0.5, -3])))
    fast_tanh(0.5) = 0.462
    fast_tanh(-3) = -0.995
    """


@builtin
def fast_rsqrt(x: Any) -> Any:
    """The device's own ``1 / sqrt(x)``, of positive x.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_rsqrt
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"fast_rsqrt({x:g}) = {fast_rsqrt(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([4, 100])))
    fast_rsqrt(4) = 0.5000
    fast_rsqrt(100) = 0.1000
    """


@builtin
def fast_pow(x: Any, y: Any) -> Any:
    """The device's own ``x ** y``, for positive x.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_pow
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{fast_pow(x, 0.5):.3f}")
    >>> show(Buffer.from_numpy(np.float32([2, 9])))
    1.414
    3.000
    """


@builtin
def fast_min(x: Any, y: Any) -> Any:
    """``min(x, y)`` of numbers that are not NaN; with NaN, either operand.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_min
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(fast_min(x, 2.0))
    >>> show(Buffer.from_numpy(np.float32([1, 3])))
    1.0
    2.0
    """


@builtin
def fast_max(x: Any, y: Any) -> Any:
    """``max(x, y)`` of numbers that are not NaN; with NaN, either operand.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fast_max
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(fast_max(x, 2.0))
    >>> show(Buffer.from_numpy(np.float32([1, 3])))
    2.0
    3.0
    """
