"""Powers, exponentials, logarithms, error and gamma functions. Accuracy and special values: docs/numerics.md."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "cbrt",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "gamma",
    "hypot",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "rsqrt",
    "sigmoid",
    "softplus",
    "sqrt",
]  # fmt: skip


@builtin
def sqrt(x: Any) -> Any:
    """The square root; NaN of negative numbers, -0 of -0. It is correctly rounded where the device does so.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import sqrt
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"sqrt({x:g}) = {sqrt(x):g}")
    >>> show(Buffer.from_numpy(np.float32([2.25, 0, -1])))
    sqrt(2.25) = 1.5
    sqrt(0) = 0
    sqrt(-1) = nan
    """


@builtin
def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``: infinity of 0, 0 of infinity, NaN of negative numbers.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import rsqrt
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"rsqrt({x:g}) = {rsqrt(x):g}")
    >>> show(Buffer.from_numpy(np.float32([4, 0, -1])))
    rsqrt(4) = 0.5
    rsqrt(0) = inf
    rsqrt(-1) = nan
    """


@builtin
def cbrt(x: Any) -> Any:
    """The cube root, of negative numbers too.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import cbrt
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"cbrt({x:g}) = {cbrt(x):g}")
    >>> show(Buffer.from_numpy(np.float32([27, -8])))
    cbrt(27) = 3
    cbrt(-8) = -2
    """


@builtin
def hypot(x: Any, y: Any) -> Any:
    """``sqrt(x * x + y * y)`` without overflow on the way. It is infinity where an operand is, even beside NaN.

    Raises:
        KernelTypeError: an operand is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import hypot
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{hypot(x, x / 3.0 * 4.0):g}")
    >>> show(Buffer.from_numpy(np.float32([3e30, 3])))
    5e+30
    5
    """


@builtin
def exp(x: Any) -> Any:
    """e to the power x: infinity above about 88.7 (f32) or 709.8 (f64), 0 of minus infinity.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import exp
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"exp({x:g}) = {exp(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1, 0, 100, -np.inf])))
    exp(1) = 2.7183
    exp(0) = 1.0000
    exp(100) = inf
    exp(-inf) = 0.0000
    """


@builtin
def exp2(x: Any) -> Any:
    """2 to the power x: infinity from 128 (f32) or 1024 (f64) on.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import exp2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"exp2({x:g}) = {exp2(x):g}")
    >>> show(Buffer.from_numpy(np.float32([10, -2, 0.5])))
    exp2(10) = 1024
    exp2(-2) = 0.25
    exp2(0.5) = 1.41421
    """


@builtin
def expm1(x: Any) -> Any:
    """``exp(x) - 1``, precise near 0; -1 of minus infinity.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import exp, expm1
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{expm1(x):.6e}, but {exp(x) - 1.0:.6e}")
    >>> show(Buffer.from_numpy(np.float32([1e-6, -np.inf])))
    1.000000e-06, but 9.536743e-07
    -1.000000e+00, but -1.000000e+00
    """


@builtin
def log(x: Any) -> Any:
    """The natural logarithm: minus infinity of 0, NaN of negative numbers.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import log
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"log({x:g}) = {log(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1, 10, 0, -1])))
    log(1) = 0.0000
    log(10) = 2.3026
    log(0) = -inf
    log(-1) = nan
    """


@builtin
def log2(x: Any) -> Any:
    """The logarithm to base 2: minus infinity of 0, NaN of negative numbers.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import log2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"log2({x:g}) = {log2(x):g}")
    >>> show(Buffer.from_numpy(np.float32([1024, 0.125, 0])))
    log2(1024) = 10
    log2(0.125) = -3
    log2(0) = -inf
    """


@builtin
def log10(x: Any) -> Any:
    """The logarithm to base 10: minus infinity of 0, NaN of negative numbers.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import log10
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"log10({x:g}) = {log10(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([1000, 2, 0])))
    log10(1000) = 3.0000
    log10(2) = 0.3010
    log10(0) = -inf
    """


@builtin
def log1p(x: Any) -> Any:
    """``log(1 + x)``, precise near 0: minus infinity of -1, NaN below.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import log, log1p
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{log1p(x):.6e}, but {log(1.0 + x):.6e}")
    >>> show(Buffer.from_numpy(np.float32([1e-6, -1])))
    9.999995e-07, but 9.536739e-07
    -inf, but -inf
    """


@builtin
def erf(x: Any) -> Any:
    """The error function: from -1 at minus infinity to 1 at infinity.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import erf
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"erf({x:g}) = {erf(x):.5f}")
    >>> show(Buffer.from_numpy(np.float32([0, 0.5, -3])))
    erf(0) = 0.00000
    erf(0.5) = 0.52050
    erf(-3) = -0.99998
    """


@builtin
def erfc(x: Any) -> Any:
    """``1 - erf(x)``, precise for large x, where it is nearly 0.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import erf, erfc
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{erfc(x):.4e}, but {1.0 - erf(x):.4e}")
    >>> show(Buffer.from_numpy(np.float32([0.5, 5])))
    4.7950e-01, but 4.7950e-01
    1.5375e-12, but 0.0000e+00
    """


@builtin
def sigmoid(x: Any) -> Any:
    """The logistic function ``1 / (1 + exp(-x))``, without overflow on the way. Its derivative is precise at both ends.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import sigmoid
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{sigmoid(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([-1000, 0, 2])))
    0.0000
    0.5000
    0.8808
    """


@builtin
def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, a smooth ``max(x, 0)``, without overflow on the way. Its derivative is :func:`sigmoid`.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import softplus
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{softplus(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([-1000, 0, 1000])))
    0.0000
    0.6931
    1000.0000
    """


@builtin
def gamma(x: Any) -> Any:
    """The gamma function: ``gamma(n)`` is (n - 1)! of whole n.

    It is an infinity of 0 with the sign of 0, and NaN of negative whole numbers and minus infinity.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import gamma
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"gamma({x:g}) = {gamma(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([5, 0.5, 0, -1])))
    gamma(5) = 24.0000
    gamma(0.5) = 1.7725
    gamma(0) = inf
    gamma(-1) = nan
    """


@builtin
def lgamma(x: Any) -> Any:
    """The logarithm of ``abs(gamma(x))``; infinity of 0, of negative whole numbers and of infinities.

    Raises:
        KernelTypeError: x is a truth value or an integer of 32 or 64 bits; convert it, for example f32(x).

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import lgamma
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"lgamma({x:g}) = {lgamma(x):.4f}")
    >>> show(Buffer.from_numpy(np.float32([100, -0.5, 0])))
    lgamma(100) = 359.1342
    lgamma(-0.5) = 1.2655
    lgamma(0) = inf
    """
