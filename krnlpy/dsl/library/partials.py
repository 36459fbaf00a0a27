"""The partial derivatives of the functions of mathematics.

What has none here is derived from its own text: polynomial, lerp, smoothstep, clamp, fmin, fmax, whole powers. So are
these functions themselves, for second derivatives. Which limits they have where there is no derivative:
docs/numerics.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from krnlpy.dsl.builtins import (
    copysign,
    cos,
    cosh,
    exp,
    fast_cos,
    fast_log,
    fast_sin,
    hypot,
    ldexp,
    log,
    rint,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
)
from krnlpy.dsl.frontend.callables import Func
from krnlpy.dsl.frontend.derivatives import define_partials
from krnlpy.dsl.frontend.syntax.functions import func

from . import error_function, exponentials, gamma, inverse_trigonometric, logarithms, logistic, parts, remainders, roots
from .digamma import digamma

_LN2 = 0.6931471805599453
_LN10 = 2.302585092994046
_TWO_OVER_ROOT_PI = 1.1283791670955126


# ------------------------------------------------------------------------------------------------ powers and logarithms


@func
def _sqrt(x, y):
    return 0.5 / y


@func
def _rsqrt(x, y):
    return -0.5 * y / x


@func
def _cbrt(x, y):
    return 1.0 / (3.0 * y * y)


@func
def _hypot_x(x, y, radius):
    return type(x)(0.0) if radius == 0.0 else x / radius


@func
def _hypot_y(x, y, radius):
    return type(x)(0.0) if radius == 0.0 else y / radius


@func
def _pow_base(a, b, y):
    return type(a)(0.0) if b == 0.0 else b * a ** (b - 1.0)


@func
def _pow_exponent(a, b, y):
    return type(a)(0.0) if a == 0.0 and b >= 0.0 else y * log(a)


@func
def _exp(x, y):
    return y


@func
def _exp2(x, y):
    return y * _LN2


@func
def _expm1(x):
    return exp(x)  # y + 1 has no digits left where x is very negative


@func
def _log(x):
    return 1.0 / x


@func
def _log2(x):
    return 1.0 / (x * _LN2)


@func
def _log10(x):
    return 1.0 / (x * _LN10)


@func
def _log1p(x):
    return 1.0 / (1.0 + x)


# ------------------------------------------------------------------------------------------------------------- angles


@func
def _sin(x):
    return cos(x)


@func
def _cos(x):
    return -sin(x)


@func
def _tan(x, y):
    return 1.0 + y * y


@func
def _asin(x):
    return 1.0 / sqrt((1.0 - x) * (1.0 + x))


@func
def _acos(x):
    return -1.0 / sqrt((1.0 - x) * (1.0 + x))


@func
def _atan(x):
    return 1.0 / (1.0 + x * x)


# Squares of the radius would overflow, or be lost.


@func
def _atan2_y(y, x):
    radius = hypot(x, y)
    return type(x)(0.0) if radius == 0.0 else x / radius / radius


@func
def _atan2_x(y, x):
    radius = hypot(x, y)
    return type(x)(0.0) if radius == 0.0 else -y / radius / radius


# --------------------------------------------------------------------------------------------------------- hyperbolic


@func
def _sinh(x):
    return cosh(x)


@func
def _cosh(x):
    return sinh(x)


@func
def _tanh(x):
    e = exp(-2.0 * abs(x))  # (1 - y) * (1 + y) has few digits where y is near 1
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


@func
def _asinh(x):
    return 1.0 / hypot(x, 1.0)


@func
def _acosh(x):
    return 1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0))


@func
def _atanh(x):
    return 1.0 / ((1.0 - x) * (1.0 + x))


@func
def _sigmoid(x, y):
    return y * sigmoid(-x)  # 1 - y has few digits where y is near 1


@func
def _softplus(x):
    return sigmoid(x)


# -------------------------------------------------------------------------------------------------- special functions


@func
def _erf(x):
    return _TWO_OVER_ROOT_PI * exp(-x * x)


@func
def _erfc(x):
    return -_TWO_OVER_ROOT_PI * exp(-x * x)


@func
def _gamma(x, y):
    return y * digamma(x)


# ---------------------------------------------------------------------------------------------------- parts of numbers


@func
def _one(x, other):
    return type(x)(1.0)


@func
def _remainder_divisor(x, n, rest):
    return -rint((x - rest) / n)


@func
def _sign_of(x):
    return sign(x)


@func
def _copysign(x, s):
    return sign(x) * copysign(type(x)(1.0), s)


@func
def _ldexp(x, n):
    return ldexp(type(x)(1.0), n)


# --------------------------------------------------------------------------------------------- quick and imprecise ones


@func
def _fast_exp(x, y):
    return y


@func
def _fast_sin(x):
    return fast_cos(x)


@func
def _fast_cos(x):
    return -fast_sin(x)


@func
def _fast_tanh(x, y):
    return (1.0 - y) * (1.0 + y)


@func
def _fast_rsqrt(x, y):
    return -0.5 * y * y * y


@func
def _fast_pow_base(a, b, y):
    return b * y / a


@func
def _fast_pow_exponent(a, b, y):
    return y * fast_log(a)


Partials = tuple[Callable[..., Any] | None, ...]

OPERATIONS: dict[str, Partials] = {
    "abs": (_sign_of,), "sqrt": (_sqrt,), "exp": (_exp,), "exp2": (_exp2,), "log": (_log,), "log2": (_log2,),
    "sin": (_sin,), "cos": (_cos,), "tan": (_tan,), "tanh": (_tanh,), "pow": (_pow_base, _pow_exponent),
    "floor": (None,), "ceil": (None,), "trunc": (None,), "rint": (None,), "floordiv": (None, None),
    "fast_exp": (_fast_exp,), "fast_exp2": (_exp2,), "fast_log": (_log,), "fast_log2": (_log2,),
    "fast_sin": (_fast_sin,), "fast_cos": (_fast_cos,), "fast_tan": (_tan,), "fast_tanh": (_fast_tanh,),
    "fast_rsqrt": (_fast_rsqrt,), "fast_pow": (_fast_pow_base, _fast_pow_exponent),
}  # fmt: skip
"""By the name of an operation of the IR. Those of arithmetic, which need no function, are in the pass."""

FUNCTIONS: dict[str, Partials] = {
    "rsqrt": (_rsqrt,), "cbrt": (_cbrt,), "hypot": (_hypot_x, _hypot_y), "expm1": (_expm1,), "sinh": (_sinh,),
    "cosh": (_cosh,), "log10": (_log10,), "log1p": (_log1p,), "asinh": (_asinh,), "acosh": (_acosh,),
    "atanh": (_atanh,), "asin": (_asin,), "acos": (_acos,), "atan": (_atan,), "atan2": (_atan2_y, _atan2_x),
    "erf": (_erf,), "erfc": (_erfc,), "gamma": (_gamma,), "lgamma": (digamma,), "sigmoid": (_sigmoid,),
    "softplus": (_softplus,), "fmod": (_one, _remainder_divisor), "remainder": (_one, _remainder_divisor),
    "sign": (None,), "copysign": (_copysign, None), "nextafter": (_one, None), "ldexp": (_ldexp, None),
}  # fmt: skip
"""By the name of a function of the library, for each type that it is defined for."""

for _module in (
    error_function, exponentials, gamma, inverse_trigonometric, logarithms, logistic, parts, remainders, roots,
):  # fmt: skip
    for _name, _function in vars(_module).items():
        _rules = FUNCTIONS.get(_name.removesuffix("_f32").removesuffix("_f64"))
        if _rules is not None and isinstance(_function, Func):
            define_partials(_function, *_rules)
