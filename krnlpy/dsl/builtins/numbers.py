"""Signs, limits, parts of floats, and what is between two numbers."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "clamp", "copysign", "fma", "fmax", "fmin", "isfinite", "isinf", "isnan", "ldexp", "lerp", "nextafter",
    "polynomial", "sign", "signbit", "smoothstep", "step", "where",
]  # fmt: skip


@builtin
def sign(x: Any) -> Any:
    """-1, 0 or 1, in x's type; 0 of both zeros, NaN of NaN.

    Raises:
        KernelTypeError: x is a truth value.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import sign
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"sign({x:g}) = {sign(x):g}")
    >>> show(Buffer.from_numpy(np.float32([-2.5, 0, np.nan])))
    sign(-2.5) = -1
    sign(0) = 0
    sign(nan) = nan
    """


@builtin
def copysign(x: Any, y: Any) -> Any:
    """``abs(x)`` with the sign of y, also where y is -0.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import copysign
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(copysign(x, -0.0), copysign(x, 1.0))
    >>> show(Buffer.from_numpy(np.float32([3, -3])))
    -3.0 3.0
    -3.0 3.0
    """


@builtin
def signbit(x: Any) -> Any:
    """Whether the sign is minus, of -0 too.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import signbit
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(signbit(x), x < 0.0)
    >>> show(Buffer.from_numpy(np.float32([1, -0.0, -np.inf])))
    False False
    True False
    True True
    """


@builtin
def isnan(x: Any) -> Any:
    """Whether x is NaN.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import isnan
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"isnan({x:g}) = {isnan(x)}")
    >>> show(Buffer.from_numpy(np.float32([np.nan, np.inf, 0])))
    isnan(nan) = True
    isnan(inf) = False
    isnan(0) = False
    """


@builtin
def isinf(x: Any) -> Any:
    """Whether x is infinity or minus infinity.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import isinf
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"isinf({x:g}) = {isinf(x)}")
    >>> show(Buffer.from_numpy(np.float32([-np.inf, np.nan, 3e38])))
    isinf(-inf) = True
    isinf(nan) = False
    isinf(3e+38) = False
    """


@builtin
def isfinite(x: Any) -> Any:
    """Whether x is neither an infinity nor NaN.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import isfinite
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"isfinite({x:g}) = {isfinite(x)}")
    >>> show(Buffer.from_numpy(np.float32([0, np.inf, np.nan])))
    isfinite(0) = True
    isfinite(inf) = False
    isfinite(nan) = False
    """


@builtin
def clamp(x: Any, low: Any, high: Any) -> Any:
    """``min(max(x, low), high)``, of integers or floats. Where ``low`` is above ``high``, it is ``high``.

    Raises:
        KernelTypeError: the operands are truth values or have no common type.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import clamp
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(clamp(x, 0.0, 1.0))
    >>> show(Buffer.from_numpy(np.float32([-1, 0.25, 7])))
    0.0
    0.25
    1.0
    """


@builtin
def fmin(x: Any, y: Any) -> Any:
    """The lesser of two numbers; of a number and NaN, the number.

    Raises:
        KernelTypeError: the operands are truth values or have no common type.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fmin
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(fmin(x, 2.0))
    >>> show(Buffer.from_numpy(np.float32([1, 3, np.nan])))
    1.0
    2.0
    2.0
    """


@builtin
def fmax(x: Any, y: Any) -> Any:
    """The greater of two numbers; of a number and NaN, the number.

    Raises:
        KernelTypeError: the operands are truth values or have no common type.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fmax
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(fmax(x, 2.0))
    >>> show(Buffer.from_numpy(np.float32([1, 3, np.nan])))
    2.0
    3.0
    2.0
    """


@builtin
def nextafter(x: Any, y: Any) -> Any:
    """The next number of the type after x towards y; y where they are equal.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import nextafter
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(nextafter(x, 2.0))
    >>> show(Buffer.from_numpy(np.float32([1, 0])))
    1.0000001
    1e-45
    """


@builtin
def ldexp(x: Any, n: Any) -> Any:
    """``x * 2**n``, rounded once; n is an integer of any type.

    Raises:
        KernelTypeError: x is not a float, or n is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import ldexp
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(ldexp(x, 4), ldexp(x, -1000))
    >>> show(Buffer.from_numpy(np.float32([1.5, -1])))
    24.0 0.0
    -16.0 -0.0
    """


@builtin
def fma(x: Any, y: Any, z: Any) -> Any:
    """``x * y + z``, rounded once where the device can, else after each operation.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import fma
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(fma(x, x, -1.0))
    >>> show(Buffer.from_numpy(np.float32([3, 1.5])))
    8.0
    1.25
    """


@builtin
def lerp(a: Any, b: Any, t: Any) -> Any:
    """``a * (1 - t) + b * t``: a at t = 0, b at t = 1, and beyond them outside of 0..1.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import lerp
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(lerp(10.0, 20.0, x))
    >>> show(Buffer.from_numpy(np.float32([0, 0.25, 1, 2])))
    10.0
    12.5
    20.0
    30.0
    """


@builtin
def step(edge: Any, x: Any) -> Any:
    """0 where x is less than ``edge``, else 1.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import step
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(step(0.5, x))
    >>> show(Buffer.from_numpy(np.float32([0.4, 0.5, 0.6])))
    0.0
    1.0
    1.0
    """


@builtin
def smoothstep(low: Any, high: Any, x: Any) -> Any:
    """0 up to ``low``, 1 from ``high`` on, and in between 3 t**2 - 2 t**3 with t from 0 to 1.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import smoothstep
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(smoothstep(0.0, 10.0, x))
    >>> show(Buffer.from_numpy(np.float32([0, 2.5, 5, 9])))
    0.0
    0.15625
    0.5
    0.97199994
    """


@builtin
def polynomial(x: Any, coefficients: Any) -> Any:
    """``c[0] + c[1] * x + c[2] * x**2 + ...``, by Horner's rule.

    Raises:
        KernelTypeError: the coefficients are not a tuple of numbers known while compiling, or x is not a float.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import polynomial
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(polynomial(x, (1.0, 0.5, 0.25)))
    >>> show(Buffer.from_numpy(np.float32([0, 2])))
    1.0
    3.0
    """


@builtin
def where(condition: Any, a: Any, b: Any) -> Any:
    """``a if condition else b``, but both are evaluated; of vectors element by element. ``np.where`` is the same.

    The condition is a truth value or a number, or a vector of these; numbers go with every element of a vector.

    Raises:
        KernelTypeError: neither type of a and b holds every value of the other, or shapes differ.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import vec2, where
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     v = vec2(x, -x)
    ...     print(where(x > 0.0, x, 0), where(v > 0.0, v, 9.0))
    >>> show(Buffer.from_numpy(np.float32([2, -3])))
    2.0 (2.0, 9.0)
    0.0 (9.0, 3.0)
    """
