"""expm1, sinh and cosh, composed as in FreeBSD's msun (s_expm1.c, e_sinh.c, e_cosh.c, K. C. Ng).

The polynomials are near-minimax: interpolated at Chebyshev nodes in 50 digits, for this file.
"""

from __future__ import annotations

from krnlpy.dsl.builtins import bitcast, copysign, exp, expm1, isnan, ldexp, polynomial, rint
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.scalar import f32, f64, i32, u32

from . import Formula

# (expm1(r) - r) / r**2 in powers of r, for r in -ln(2)/2..ln(2)/2.
_F32 = (0.5, 0.1666666716337204, 0.041666463017463684, 0.008333311416208744, 0.0013934023445472121,
        0.000198906593141146)  # fmt: skip
_F64 = (0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333325893, 0.0013888888888884436,
        0.0001984126987566638, 2.4801587323879996e-05, 2.7557254331896066e-06, 2.755727529130374e-07,
        2.510565978720424e-08, 2.0914118565157845e-09)  # fmt: skip
_LN2_F32 = (0.693359375, -2.12194440e-4)
_LN2_F64 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)
_ROUNDER_F32 = 12582912.0
"""1.5 * 2**23: a float of whole numbers, of which the last bits are those of the number that is added."""


@func
def expm1_f32(x):
    """Without a branch, for vectors. 2**n (1 + p) - 1 is 2 (2**(n - 1) p + (2**(n - 1) - 0.5)), which overflows only
    where the result does."""
    size = min(max(x, -18.0), 89.0)  # beyond, the results are -1 and inf all the same
    rounded = size * 1.4426950408889634 + _ROUNDER_F32
    n = rounded - _ROUNDER_F32
    high = size - n * _LN2_F32[0]
    low = n * _LN2_F32[1]
    r = high - low
    lost = high - r - low
    p = r + (r * r * polynomial(r, _F32) + lost)
    half = bitcast((bitcast(rounded, u32) + 126) << 23, f32)  # of 2**n
    result = 2.0 * (half * p + (half - 0.5))
    return x if abs(x) < 1.0e-18 else result  # -0 too


@func
def expm1_f64(x):
    if isnan(x):
        return x
    if x < -40.0:
        return f64(-1.0)
    if x > 709.0:
        return exp(x)
    size = abs(x)
    if size < 0.34:
        return x if size < 1.0e-18 else x + x * x * polynomial(x, _F64)  # -0 too
    n = rint(x * 1.4426950408889634)
    high = x - n * _LN2_F64[0]
    low = n * _LN2_F64[1]
    r = high - low
    lost = high - r - low
    p = r + (r * r * polynomial(r, _F64) + lost)
    k = i32(n)
    # 2**k (1 + p) - 1; beyond the digits of the type, the 1 counts no more than what it rounds away.
    if k > 53:
        return ldexp(1.0 + p, k)
    return ldexp(p + (1.0 - ldexp(f64(1.0), -k)), k)


def _sinh(plain: float, half_exp: Formula) -> Formula:
    @func
    def sinh(x):
        if isnan(x):
            return x
        size = abs(x)
        if size < plain:
            t = expm1(size)
            if size < 1.0:
                result = 0.5 * (2.0 * t - t * t / (t + 1.0))
            else:
                result = 0.5 * (t + t / (t + 1.0))
        else:
            result = half_exp(size)
        return copysign(result, x)

    return sinh


def _cosh(plain: float, half_exp: Formula) -> Formula:
    @func
    def cosh(x):
        if isnan(x):
            return x
        size = abs(x)
        if size < 0.35:
            t = expm1(size)
            return 1.0 + t * t / (2.0 * (1.0 + t))
        if size < plain:
            e = exp(size)
            return 0.5 * e + 0.5 / e
        return half_exp(size)

    return cosh


def _half_exp(most: float, ln2_multiple: float, n: int) -> Formula:
    @func
    def half_exp(x):
        """exp(x) / 2, also where exp(x) overflows and its half does not."""
        if x < most:
            return 0.5 * exp(x)
        # The difference is exact, and the multiple n ln 2 of the type lies closer to the exact one than most.
        return ldexp(exp(x - ln2_multiple), n - 1)

    return half_exp


_half_exp_f32 = _half_exp(88.0, 162.88958740234375, 235)
_half_exp_f64 = _half_exp(709.0, 1416.09969883671066829, 2043)
sinh_f32 = _sinh(9.5, _half_exp_f32)
sinh_f64 = _sinh(20.0, _half_exp_f64)
cosh_f32 = _cosh(9.5, _half_exp_f32)
cosh_f64 = _cosh(20.0, _half_exp_f64)
