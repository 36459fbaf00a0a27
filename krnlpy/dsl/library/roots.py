"""Roots."""

from __future__ import annotations

from krnlpy.dsl.builtins import bitcast, isinf, isnan, sqrt
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.scalar import f32, f64, u32, u64


@func
def rsqrt(x):
    return 1.0 / sqrt(x)


# The cube root after FreeBSD's s_cbrt.c (K. C. Ng, B. D. Evans): a guess from a third of the exponent, steps of Newton
# and Halley, and a last one from a guess so short that its square is exact. f32 takes the same way in its own bits.


@func
def cbrt_f32(x):
    if x == 0.0 or isnan(x) or isinf(x):
        return x
    size = abs(x)
    scale = f32(1.0)
    if size < 2.0**-126:  # denormal
        size *= 2.0**24
        scale = f32(2.0**-8)
    elif size > 2.0**120:  # three times it would overflow
        size *= 2.0**-24
        scale = f32(2.0**8)
    t = bitcast(bitcast(size, u32) // 3 + 709958130, f32)
    r = t * t * t
    t = t * ((size + size + r) / (size + r + r))
    r = t * t * t
    t = t * ((size + size + r) / (size + r + r))
    t = bitcast(bitcast(t, u32) + 0x800 & 0xFFFFF000, f32)
    r = size / (t * t)
    t = (t + t * ((r - t) / (t + t + r))) * scale
    return -t if x < 0.0 else t


@func
def cbrt_f64(x):
    if x == 0.0 or isnan(x) or isinf(x):
        return x
    size = abs(x)
    scale = f64(1.0)
    if size < 2.0**-1022:  # denormal
        size *= 2.0**54
        scale = f64(2.0**-18)
    elif size > 2.0**1000:
        size *= 2.0**-54
        scale = f64(2.0**18)
    t = bitcast(u64(u32(bitcast(size, u64) >> 32) // 3 + 715094163) << 32, f64)
    r = t * t * t
    t = t * ((size + size + r) / (size + r + r))
    r = t * t * t
    t = t * ((size + size + r) / (size + r + r))
    t = bitcast(bitcast(t, u64) + 0x80000000 & 0xFFFFFFFFC0000000, f64)
    r = size / (t * t)
    t = (t + t * ((r - t) / (t + t + r))) * scale
    return -t if x < 0.0 else t


@func
def hypot_scaled(a, b):
    return sqrt(a * a + b * b)


@func
def hypot_f32(x, y):
    a = abs(x)
    b = abs(y)
    if isinf(a) or isinf(b):
        return f32(1e39)
    if isnan(a) or isnan(b):
        return x + y
    # By a power of 2, so that no square overflows, nor is lost where it counts.
    if a > 1.0e18 or b > 1.0e18:
        return hypot_scaled(a * 2.0**-63, b * 2.0**-63) * 2.0**63
    if a < 1.0e-15 and b < 1.0e-15:
        return hypot_scaled(a * 2.0**63, b * 2.0**63) * 2.0**-63
    return hypot_scaled(a, b)


@func
def hypot_f64(x, y):
    a = abs(x)
    b = abs(y)
    if isinf(a) or isinf(b):
        return f64(1e300) * 1e300
    if isnan(a) or isnan(b):
        return x + y
    if a > 1.0e150 or b > 1.0e150:
        return hypot_scaled(a * 2.0**-534, b * 2.0**-534) * 2.0**534
    if a < 1.0e-140 and b < 1.0e-140:
        return hypot_scaled(a * 2.0**534, b * 2.0**534) * 2.0**-534
    return hypot_scaled(a, b)
