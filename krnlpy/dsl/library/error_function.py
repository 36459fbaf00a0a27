"""erf and erfc: the rational approximations of FreeBSD's s_erf.c (Copyright 1993 Sun Microsystems, K. C. Ng).

erf of f32 has polynomials of its own, without a branch, a quotient or a call, so that it is quick in vectors and on
GPUs. They are minimax approximations by Lawson's iteration, made for this file.
"""

from __future__ import annotations

from krnlpy.dsl.builtins import bitcast, copysign, exp, fma, isnan, polynomial
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.scalar import ScalarType, f32, f64, u32, u64

from . import Formula

# erf(x) / x - 1 for |x| < 0.84375, in x**2.
_P = (1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
      -5.77027029648944159157e-03, -2.37630166566501626084e-05)  # fmt: skip
_Q = (1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
      1.32494738004321644526e-04, -3.96022827877536812320e-06)  # fmt: skip
# erf(x) - _ERX for |x| < 1.25, in |x| - 1.
_ERX = 8.45062911510467529297e-01
_PA = (-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
       3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
       -2.16637559486879084300e-03)  # fmt: skip
_QA = (1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
       1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02)  # fmt: skip
# log(x erfc(x)) + x**2 + 0.5625 for |x| < 1/0.35, in 1 / x**2.
_RA = (-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01,
       -6.23753324503260060396e+01, -1.62396669462573470355e+02, -1.84605092906711035994e+02,
       -8.12874355063065934246e+01, -9.81432934416914548592e+00)  # fmt: skip
_SA = (1.0, 1.96512716674392571292e+01, 1.37657754143519042600e+02, 4.34565877475229228821e+02,
       6.45387271733267880336e+02, 4.29008140027567833386e+02, 1.08635005541779435134e+02,
       6.57024977031928170135e+00, -6.04244152148580987438e-02)  # fmt: skip
# The same for greater |x|.
_RB = (-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01,
       -1.60636384855821916062e+02, -6.37566443368389627722e+02, -1.02509513161107724954e+03,
       -4.83519191608651397019e+02)  # fmt: skip
_SB = (1.0, 3.03380607434824582924e+01, 3.25792512996573918826e+02, 1.53672958608443695994e+03,
       3.19985821950859553908e+03, 2.55305040643316442583e+03, 4.74528541206955367215e+02,
       -2.24409524465858183362e+01)  # fmt: skip

# erf(x) / x - 1 for |x| < 1, in x**2, to 0.02 ulp.
_SMALL_F32 = (0.12837916573229327, -0.37612625839606517, 0.11283585269692989, -0.026853816032335852,
              0.005188334439874534, -0.0008010247166078325, 7.854024824024032e-05)  # fmt: skip
# log2(1 - erf(x)) for x of 1 to 4, to 0.02 ulp of erf.
_LOG_TAIL_F32 = (-0.0005103093716252568, -1.6259750707646758, -0.9207650196856465, -0.14865150080721712,
                 0.03145842456676806, -0.004240956867779546, 0.0002677267027372814)  # fmt: skip
# 2**r for r in -0.5..0.5, to 0.03 ulp.
_POWER_F32 = (1.0, 0.6931472057372675, 0.24022646890630717, 0.05550328776965663, 0.009618488957472415,
              0.0013399931219195693, 0.0001534581191471318)  # fmt: skip
_ROUNDER_F32 = 12582912.0
"""1.5 * 2**23: a float of whole numbers, of which the last bits are those of the number that is added."""


@func
def fused_polynomial(x, c):
    """Of seven coefficients, by Horner's rule for pairs of terms: half as many operations wait for one another."""
    square = x * x
    return fma(
        square,
        fma(square, fma(square, c[6], fma(x, c[5], c[4])), fma(x, c[3], c[2])),
        fma(x, c[1], c[0]),
    )


@func
def power_of_two_f32(x):
    """2**x for x in -126..126."""
    rounded = x + _ROUNDER_F32
    fraction = fused_polynomial(x - (rounded - _ROUNDER_F32), _POWER_F32)
    return bitcast(bitcast(fraction, u32) + (bitcast(rounded, u32) << 23), f32)


@func
def erf_f32(x):
    size = abs(x)
    small = fma(x, fused_polynomial(x * x, _SMALL_F32), x)  # -0 too
    large = 1.0 - power_of_two_f32(fused_polynomial(min(size, 4.0), _LOG_TAIL_F32))
    return copysign(large, x) if size >= 1.0 else small  # NaN is small


@func
def upper_part_f32(x):
    """x with few enough bits that its square is exact."""
    return bitcast(bitcast(x, u32) & 0xFFFFE000, f32)


@func
def upper_part_f64(x):
    return bitcast(bitcast(x, u64) & 0xFFFFFFFF00000000, f64)


def _tail(upper_part: Formula) -> Formula:
    @func
    def tail(x):
        """erfc(x) for x of at least 1.25."""
        s = 1.0 / (x * x)
        if x < 2.857142857142857:
            ratio = polynomial(s, _RA) / polynomial(s, _SA)
        else:
            ratio = polynomial(s, _RB) / polynomial(s, _SB)
        z = upper_part(x)
        return exp(-z * z - 0.5625) * exp((z - x) * (z + x) + ratio) / x

    return tail


tail_f32 = _tail(upper_part_f32)
tail_f64 = _tail(upper_part_f64)


@func
def erf_f64(x):
    if isnan(x):
        return x
    size = abs(x)
    if size < 0.84375:
        z = x * x
        return x + x * (polynomial(z, _P) / polynomial(z, _Q))  # -0 too
    if size < 1.25:
        s = size - 1.0
        result = _ERX + polynomial(s, _PA) / polynomial(s, _QA)
    elif size < 6.0:
        result = 1.0 - tail_f64(size)
    else:
        result = f64(1.0)
    return copysign(result, x)


def _erfc(kind: ScalarType, tail: Formula, one: float, zero: float) -> Formula:
    @func
    def erfc(x):
        if isnan(x):
            return x
        size = abs(x)
        if size < 0.84375:
            z = x * x
            y = polynomial(z, _P) / polynomial(z, _Q)
            if x < 0.25:
                return 1.0 - (x + x * y)
            return 0.5 - (x - 0.5 + x * y)
        if size < 1.25:
            s = size - 1.0
            ratio = polynomial(s, _PA) / polynomial(s, _QA)
            return 1.0 - _ERX - ratio if x > 0.0 else 1.0 + (_ERX + ratio)
        if x < -one:
            return kind(2.0)
        if x > zero:
            return kind(0.0)
        return tail(x) if x > 0.0 else 2.0 - tail(size)

    return erfc


erfc_f32 = _erfc(f32, tail_f32, 4.0, 10.1)
erfc_f64 = _erfc(f64, tail_f64, 6.0, 27.3)
