"""Sines, cosines, tangents, their inverses and hyperbolic relatives. Accuracy and special values: docs/numerics.md."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "degrees", "radians", "sin", "sinh",
    "tan", "tanh",
]  # fmt: skip


@builtin
def sin(x: Any) -> Any:
    """The sine of an angle in radians, of any size; NaN of infinities.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import sin
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"sin({x:g}) = {sin(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([0, 1, 1e6])))
    sin(0) = 0.0000
    sin(1) = 0.8415
    sin(1e+06) = -0.3500
    """


@builtin
def cos(x: Any) -> Any:
    """The cosine of an angle in radians, of any size; NaN of infinities.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import cos
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"cos({x:g}) = {cos(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([0, 1, np.inf])))
    cos(0) = 1.0000
    cos(1) = 0.5403
    cos(inf) = nan
    """


@builtin
def tan(x: Any) -> Any:
    """The tangent of an angle in radians, of any size; NaN of infinities.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import tan
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"tan({x:g}) = {tan(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([0, 1, -1])))
    tan(0) = 0.0000
    tan(1) = 1.5574
    tan(-1) = -1.5574
    """


@builtin
def asin(x: Any) -> Any:
    """The arc sine, in -pi/2..pi/2; NaN outside of -1..1.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import asin
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"asin({x:g}) = {asin(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1, -0.5, 2])))
    asin(1) = 1.5708
    asin(-0.5) = -0.5236
    asin(2) = nan
    """


@builtin
def acos(x: Any) -> Any:
    """The arc cosine, in 0..pi; NaN outside of -1..1.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import acos
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"acos({x:g}) = {acos(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1, -1, 2])))
    acos(1) = 0.0000
    acos(-1) = 3.1416
    acos(2) = nan
    """


@builtin
def atan(x: Any) -> Any:
    """The arc tangent, in -pi/2..pi/2; infinities give the ends.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import atan
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"atan({x:g}) = {atan(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1, -np.inf])))
    atan(1) = 0.7854
    atan(-inf) = -1.5708
    """


@builtin
def atan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y) in radians, in -pi..pi. Signs of zeros count, as in C.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import atan2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{atan2(1.0, x):.4f} {atan2(-0.0, x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1, 0, -1])))
    0.7854 -0.0000
    1.5708 -0.0000
    2.3562 -3.1416
    """


@builtin
def degrees(x: Any) -> Any:
    """An angle in radians, in degrees: ``x * (180 / pi)``.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import degrees
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{degrees(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([3.1415927, 1])))
    180.0000
    57.2958
    """


@builtin
def radians(x: Any) -> Any:
    """An angle in degrees, in radians: ``x * (pi / 180)``.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import radians
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{radians(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([180, 90])))
    3.1416
    1.5708
    """


@builtin
def sinh(x: Any) -> Any:
    """The hyperbolic sine, precise near 0.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import sinh
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"sinh({x:g}) = {sinh(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1, -1, 100])))
    sinh(1) = 1.1752
    sinh(-1) = -1.1752
    sinh(100) = inf
    """


@builtin
def cosh(x: Any) -> Any:
    """The hyperbolic cosine; infinity of both infinities.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import cosh
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"cosh({x:g}) = {cosh(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([0, 1, -1])))
    cosh(0) = 1.0000
    cosh(1) = 1.5431
    cosh(-1) = 1.5431
    """


@builtin
def tanh(x: Any) -> Any:
    """The hyperbolic tangent: from -1 at minus infinity to 1 at infinity.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import tanh
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"tanh({x:g}) = {tanh(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([0.5, -20, np.inf])))
    tanh(0.5) = 0.4621
    tanh(-20) = -1.0000
    tanh(inf) = 1.0000
    """


@builtin
def asinh(x: Any) -> Any:
    """The inverse hyperbolic sine.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import asinh
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"asinh({x:g}) = {asinh(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1, -1, 1e30])))
    asinh(1) = 0.8814
    asinh(-1) = -0.8814
    asinh(1e+30) = 69.7707
    """


@builtin
def acosh(x: Any) -> Any:
    """The inverse hyperbolic cosine; NaN below 1.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import acosh
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"acosh({x:g}) = {acosh(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1, 2, 0.5])))
    acosh(1) = 0.0000
    acosh(2) = 1.3170
    acosh(0.5) = nan
    """


@builtin
def atanh(x: Any) -> Any:
    """The inverse hyperbolic tangent: infinities of -1 and 1, NaN outside of them.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import atanh
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"atanh({x:g}) = {atanh(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([0.5, 1, 2])))
    atanh(0.5) = 0.5493
    atanh(1) = inf
    atanh(2) = nan
    """
