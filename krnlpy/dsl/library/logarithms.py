"""log10, log1p and the inverse hyperbolic functions that are made of it, composed as in FreeBSD's msun (K. C. Ng)."""

from __future__ import annotations

from krnlpy.dsl.builtins import bitcast, clz, copysign, isinf, isnan, log, sqrt
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.scalar import f32, f64, i32, u32, u64

from . import Formula

# By their bits, so that denormals count on devices, too, whose arithmetic takes them for 0.


@func
def log10_f32(x):
    bits = bitcast(x, i32)
    if bits <= 0 or bits >= 0x7F800000:
        return log(x)  # a limit, or NaN
    shift = max(clz(bits) - 8, 0)
    bits <<= shift
    k = bits - 0x3F3504F3 >> 23
    m = bitcast(bits - (k << 23), f32)  # in sqrt(1/2)..sqrt(2)
    n = f32(k - shift)
    return n * 7.9034151668e-07 + 0.4342944819 * log(m) + n * 3.0102920532e-01


@func
def log10_f64(x):
    bits = bitcast(x, u64)
    if bits == 0 or bits >= 0x7FF0000000000000:
        return log(x)
    shift = max(i32(clz(bits)) - 11, 0)
    bits <<= u64(shift)
    high = i32(u32(bits >> 32))
    k = high - 0x3FE6A09E >> 20
    m = bitcast(u64(u32(high - (k << 20))) << 32 | bits & 0xFFFFFFFF, f64)
    n = f64(k - shift)
    return n * 3.69423907715893078616e-13 + 4.34294481903251816668e-01 * log(m) + n * 3.01029995663611771306e-01


@func
def log1p(x):
    u = 1.0 + x
    if u == 1.0 or isinf(u) or isnan(u) or u <= 0.0:
        return x if u == 1.0 else log(u)
    # What u lost of 1 + x.
    lost = 1.0 - (u - x) if x >= 1.0 else x - (u - 1.0)
    return log(u) + lost / u


def _asinh(great: float) -> Formula:
    @func
    def asinh(x):
        if isnan(x) or isinf(x):
            return x
        size = abs(x)
        if size > great:
            result = log(size) + 0.6931471805599453
        elif size > 2.0:
            result = log(2.0 * size + 1.0 / (sqrt(size * size + 1.0) + size))
        else:
            square = size * size
            result = log1p(size + square / (1.0 + sqrt(1.0 + square)))
        return copysign(result, x)

    return asinh


def _acosh(great: float) -> Formula:
    @func
    def acosh(x):
        if x > great:
            return log(x) + 0.6931471805599453
        if x > 2.0:
            return log(2.0 * x - 1.0 / (x + sqrt(x * x - 1.0)))
        t = x - 1.0
        if t < 0.0:
            return log(t)  # NaN
        return log1p(t + sqrt(2.0 * t + t * t))

    return acosh


@func
def atanh(x):
    size = abs(x)
    double = size + size
    argument = double + double * size / (1.0 - size) if size < 0.5 else double / (1.0 - size)
    return copysign(0.5 * log1p(argument), x)


asinh = _asinh(2.0**28)
acosh = _acosh(2.0**28)
