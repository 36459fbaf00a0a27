"""The mathematics that kernels call. Accuracy and special values: docs/numerics.md."""

from __future__ import annotations

from typing import Any

from .marker import builtin

# ---------------------------------------------------------------------------------------------- powers and logarithms


@builtin
def sqrt(x: Any) -> Any:
    """Square root, correctly rounded where the device does so."""


@builtin
def rsqrt(x: Any) -> Any:
    """1 / sqrt(x)."""


@builtin
def cbrt(x: Any) -> Any:
    """Cube root, of negative numbers too."""


@builtin
def hypot(x: Any, y: Any) -> Any:
    """sqrt(x * x + y * y) without overflow on the way."""


@builtin
def exp(x: Any) -> Any:
    """e to the power x."""


@builtin
def exp2(x: Any) -> Any:
    """2 to the power x."""


@builtin
def expm1(x: Any) -> Any:
    """exp(x) - 1, precise near 0."""


@builtin
def log(x: Any) -> Any:
    """Natural logarithm."""


@builtin
def log2(x: Any) -> Any:
    """Logarithm to base 2."""


@builtin
def log10(x: Any) -> Any:
    """Logarithm to base 10."""


@builtin
def log1p(x: Any) -> Any:
    """log(1 + x), precise near 0."""


# ------------------------------------------------------------------------------------------------------------- angles


@builtin
def sin(x: Any) -> Any:
    """Sine of an angle in radians."""


@builtin
def cos(x: Any) -> Any:
    """Cosine of an angle in radians."""


@builtin
def tan(x: Any) -> Any:
    """Tangent of an angle in radians."""


@builtin
def asin(x: Any) -> Any:
    """Arc sine, in -pi/2..pi/2."""


@builtin
def acos(x: Any) -> Any:
    """Arc cosine, in 0..pi."""


@builtin
def atan(x: Any) -> Any:
    """Arc tangent, in -pi/2..pi/2."""


@builtin
def atan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y), in -pi..pi."""


@builtin
def degrees(x: Any) -> Any:
    """Radians in degrees."""


@builtin
def radians(x: Any) -> Any:
    """Degrees in radians."""


@builtin
def sinh(x: Any) -> Any:
    """Hyperbolic sine."""


@builtin
def cosh(x: Any) -> Any:
    """Hyperbolic cosine."""


@builtin
def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""


@builtin
def asinh(x: Any) -> Any:
    """Inverse hyperbolic sine."""


@builtin
def acosh(x: Any) -> Any:
    """Inverse hyperbolic cosine; NaN below 1."""


@builtin
def atanh(x: Any) -> Any:
    """Inverse hyperbolic tangent; NaN outside of -1..1."""


# ------------------------------------------------------------------------------------------ error and gamma functions


@builtin
def erf(x: Any) -> Any:
    """Error function."""


@builtin
def erfc(x: Any) -> Any:
    """1 - erf(x), precise for large x."""


@builtin
def sigmoid(x: Any) -> Any:
    """The logistic function, 1 / (1 + exp(-x)), without overflow on the way."""


@builtin
def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow on the way."""


@builtin
def gamma(x: Any) -> Any:
    """Gamma function: gamma(n) is (n - 1)! of whole n; NaN of negative whole numbers."""


@builtin
def lgamma(x: Any) -> Any:
    """Logarithm of abs(gamma(x)); inf of 0 and negative whole numbers."""


# --------------------------------------------------------------------------------------- whole numbers and remainders


@builtin
def floor(x: Any) -> Any:
    """The greatest whole number not above x, of x's type."""


@builtin
def ceil(x: Any) -> Any:
    """The least whole number not below x, of x's type."""


@builtin
def trunc(x: Any) -> Any:
    """x without its fraction, of x's type."""


@builtin
def rint(x: Any) -> Any:
    """The nearest whole number, the even one of two, of x's type; `round(x)` is the same."""


@builtin
def fmod(x: Any, y: Any) -> Any:
    """The remainder of x / y truncated: exact, with the sign of x."""


@builtin
def remainder(x: Any, y: Any) -> Any:
    """IEEE's remainder: x - n * y, exact, for the whole n nearest to x / y, the even one of two."""


# -------------------------------------------------------------------------------------------- signs, limits and parts


@builtin
def sign(x: Any) -> Any:
    """-1, 0 or 1, of x's type; NaN of NaN."""


@builtin
def copysign(x: Any, y: Any) -> Any:
    """abs(x) with y's sign."""


@builtin
def signbit(x: Any) -> Any:
    """Whether the sign is minus, of -0 and NaN too."""


@builtin
def isnan(x: Any) -> Any:
    """Whether x is not a number."""


@builtin
def isinf(x: Any) -> Any:
    """Whether x is an infinity."""


@builtin
def isfinite(x: Any) -> Any:
    """Whether x is neither an infinity nor NaN."""


@builtin
def clamp(x: Any, low: Any, high: Any) -> Any:
    """min(max(x, low), high)."""


@builtin
def fmin(x: Any, y: Any) -> Any:
    """The lesser of two numbers; of a number and NaN, the number."""


@builtin
def fmax(x: Any, y: Any) -> Any:
    """The greater of two numbers; of a number and NaN, the number."""


@builtin
def nextafter(x: Any, y: Any) -> Any:
    """The next number after x towards y."""


@builtin
def ldexp(x: Any, n: Any) -> Any:
    """x * 2**n, rounded once; n is an integer."""


@builtin
def fma(x: Any, y: Any, z: Any) -> Any:
    """x * y + z, rounded once where the device can."""


@builtin
def lerp(a: Any, b: Any, t: Any) -> Any:
    """a * (1 - t) + b * t: from a at t = 0 to b at t = 1."""


@builtin
def step(edge: Any, x: Any) -> Any:
    """0 where x < edge, else 1."""


@builtin
def smoothstep(low: Any, high: Any, x: Any) -> Any:
    """0 up to low, 1 from high on, between them the cubic 3 t**2 - 2 t**3."""


@builtin
def polynomial(x: Any, coefficients: Any) -> Any:
    """c[0] + c[1] * x + c[2] * x**2 + ..., by Horner's rule; the coefficients are constants."""


# ---------------------------------------------------------------- as quick as the device has it, see docs/numerics.md


@builtin
def fast_exp(x: Any) -> Any:
    """The device's own exp."""


@builtin
def fast_exp2(x: Any) -> Any:
    """The device's own exp2."""


@builtin
def fast_log(x: Any) -> Any:
    """The device's own log."""


@builtin
def fast_log2(x: Any) -> Any:
    """The device's own log2."""


@builtin
def fast_sin(x: Any) -> Any:
    """The device's own sine, for -pi..pi."""


@builtin
def fast_cos(x: Any) -> Any:
    """The device's own cosine, for -pi..pi."""


@builtin
def fast_tan(x: Any) -> Any:
    """The device's own tangent, for -pi..pi."""


@builtin
def fast_tanh(x: Any) -> Any:
    """The device's own tanh."""


@builtin
def fast_rsqrt(x: Any) -> Any:
    """The device's own 1 / sqrt(x)."""


@builtin
def fast_pow(x: Any, y: Any) -> Any:
    """The device's own x ** y, for positive x."""


@builtin
def fast_min(x: Any, y: Any) -> Any:
    """min(x, y) of numbers that are not NaN."""


@builtin
def fast_max(x: Any, y: Any) -> Any:
    """max(x, y) of numbers that are not NaN."""
