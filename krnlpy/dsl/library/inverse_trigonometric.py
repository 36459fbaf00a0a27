"""asin, acos, atan and atan2: reduced as in FreeBSD's msun (e_asin.c, e_acos.c, s_atan.c, K. C. Ng).

The polynomials are near-minimax: interpolated at Chebyshev nodes in 50 digits, for this file.
"""

from __future__ import annotations

from krnlpy.dsl.builtins import bitcast, copysign, isinf, isnan, polynomial, signbit, sqrt
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.scalar import ScalarType, f32, f64, u32, u64

from . import Formula

# (asin(s) / s - 1) / s**2 in powers of s**2, for s in 0..1/2.
_ASIN_F32 = (0.1666666567325592, 0.07500094920396805, 0.044599320739507675, 0.031101727858185768,
             0.017143717035651207, 0.03370072692632675)  # fmt: skip
_ASIN_F64 = (0.16666666666666666, 0.07500000000000119, 0.04464285714255019, 0.030381944475693704,
             0.022372157435623815, 0.017352816768546473, 0.013963775787848137, 0.011566511821890942,
             0.00962140274734483, 0.009322101501082774, 0.0030350071727267623, 0.019579201619744684,
             -0.019277545928584557, 0.02963502626354855)  # fmt: skip
# (atan(s) / s - 1) / s**2 in powers of s**2, for s in 0..tan(pi/8).
_ATAN_F32 = (-0.3333333134651184, 0.19999538362026215, -0.14263896644115448, 0.10743099451065063,
             -0.06449835002422333)  # fmt: skip
_ATAN_F64 = (-0.3333333333333333, 0.199999999999998, -0.14285714285659326, 0.11111111105106705,
             -0.09090908751076636, 0.0769229630497447, -0.06666423628069258, 0.058789145444006215,
             -0.052303478730160745, 0.04551108126325172, -0.034558092551413795, 0.01627194475162406)  # fmt: skip


@func
def upper_half_f32(x):
    """x with the lower half of its significand's bits 0: its square is exact."""
    return bitcast(bitcast(x, u32) & 0xFFFFF000, f32)


@func
def upper_half_f64(x):
    return bitcast(bitcast(x, u64) & 0xFFFFFFFF00000000, f64)


def _asin(coefficients: tuple[float, ...], upper_half: Formula, pio2: tuple[float, float], tiny: float) -> Formula:
    @func
    def asin(x):
        size = abs(x)
        if size < 0.5:
            if size < tiny:
                return x  # -0 too
            z = x * x
            return x + x * (z * polynomial(z, coefficients))
        # By asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)), the root in two parts.
        z = (1.0 - size) * 0.5
        root = sqrt(z)
        r = z * polynomial(z, coefficients)
        if root == 0.0:
            return copysign(pio2[0] + (z + pio2[1]), x)
        high = upper_half(root)
        low = (z - high * high) / (root + high)
        rest = 2.0 * root * r - (pio2[1] - 2.0 * low)
        return copysign(0.5 * pio2[0] - (rest - (0.5 * pio2[0] - 2.0 * high)), x)

    return asin


def _acos(coefficients: tuple[float, ...], upper_half: Formula, pio2: tuple[float, float]) -> Formula:
    @func
    def acos(x):
        size = abs(x)
        if size < 0.5:
            z = x * x
            return pio2[0] - (x - (pio2[1] - x * (z * polynomial(z, coefficients))))
        z = (1.0 - size) * 0.5
        root = sqrt(z)
        r = z * polynomial(z, coefficients)
        if x < 0.0:
            return 2.0 * (pio2[0] - (root + (r * root - pio2[1])))
        if root == 0.0:
            return z
        high = upper_half(root)
        low = (z - high * high) / (root + high)
        return 2.0 * (high + (r * root + low))

    return acos


def _unit_atan(coefficients: tuple[float, ...], pio4: tuple[float, float]) -> Formula:
    @func
    def unit_atan(x):
        """Of x in 0..1."""
        if x <= 0.4142135623730951:
            z = x * x
            return x + x * (z * polynomial(z, coefficients))
        s = (x - 1.0) / (x + 1.0)
        z = s * s
        return pio4[0] + (s + (s * (z * polynomial(z, coefficients)) + pio4[1]))

    return unit_atan


def _atan(unit_atan: Formula, pio2: tuple[float, float]) -> Formula:
    @func
    def atan(x):
        if isnan(x):
            return x
        size = abs(x)
        angle = unit_atan(size) if size <= 1.0 else pio2[0] - (unit_atan(1.0 / size) - pio2[1])
        return copysign(angle, x)

    return atan


def _atan2(kind: ScalarType, unit_atan: Formula, pio2: tuple[float, float]) -> Formula:
    @func
    def atan2(y, x):
        if isnan(x) or isnan(y):
            return x + y
        a = abs(x)
        b = abs(y)
        if isinf(a) and isinf(b):
            angle = kind(0.5 * pio2[0])
        elif b > a:
            angle = pio2[0] - (unit_atan(a / b) - pio2[1])
        elif b > 0.0:
            angle = unit_atan(b / a)
        else:
            angle = kind(0.0)
        if signbit(x):
            angle = 2.0 * pio2[0] - (angle - 2.0 * pio2[1])
        return copysign(angle, y)

    return atan2


_PIO2_F32 = (1.5707963705062866, -4.371139000186241e-08)
_PIO2_F64 = (1.5707963267948966, 6.123233995736766e-17)

asin_f32 = _asin(_ASIN_F32, upper_half_f32, _PIO2_F32, 2.0**-12)
asin_f64 = _asin(_ASIN_F64, upper_half_f64, _PIO2_F64, 2.0**-27)
acos_f32 = _acos(_ASIN_F32, upper_half_f32, _PIO2_F32)
acos_f64 = _acos(_ASIN_F64, upper_half_f64, _PIO2_F64)
_unit_atan_f32 = _unit_atan(_ATAN_F32, (0.5 * _PIO2_F32[0], 0.5 * _PIO2_F32[1]))
_unit_atan_f64 = _unit_atan(_ATAN_F64, (0.5 * _PIO2_F64[0], 0.5 * _PIO2_F64[1]))
atan_f32 = _atan(_unit_atan_f32, _PIO2_F32)
atan_f64 = _atan(_unit_atan_f64, _PIO2_F64)
atan2_f32 = _atan2(f32, _unit_atan_f32, _PIO2_F32)
atan2_f64 = _atan2(f64, _unit_atan_f64, _PIO2_F64)
