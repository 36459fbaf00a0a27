"""Exact remainders, by long division of the significands: as many bits at a time as an integer has to spare.

Results are exact, since a remainder has no more bits than the divisor; denormal ones need a device that keeps them.
"""

from __future__ import annotations

from krnlpy.dsl.builtins import bitcast, copysign, fmod, isinf, isnan, signbit
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.scalar import f32, f64, i32, u32, u64


@func
def fmod_f32(x, y):
    if isnan(x) or isnan(y) or isinf(x) or (bitcast(y, u32) & 0x7FFFFFFF) == 0:
        return bitcast(u32(0x7FC00000), f32)
    a = bitcast(x, u32) & 0x7FFFFFFF
    b = bitcast(y, u32) & 0x7FFFFFFF
    if a < b:
        return x
    # significand * 2**exponent; denormals have the exponent of the least normal numbers.
    exponent = max(i32(a >> 23), 1)
    floor = max(i32(b >> 23), 1)
    rest = a & 0x7FFFFF | 0x800000 if a >= 0x800000 else a
    divisor = b & 0x7FFFFF | 0x800000 if b >= 0x800000 else b
    rest %= divisor
    while exponent > floor and rest != 0:
        step = min(exponent - floor, 8)
        rest = (rest << u32(step)) % divisor
        exponent -= step
    if rest == 0:
        return copysign(f32(0.0), x)
    # Normal again: the highest bit at place 23, unless that takes the exponent below the least.
    exponent = floor
    while rest < 0x800000 and exponent > 1:
        rest <<= 1
        exponent -= 1
    bits = rest if rest < 0x800000 else rest - 0x800000 | u32(exponent) << 23
    return bitcast(bits | bitcast(x, u32) & 0x80000000, f32)


@func
def fmod_f64(x, y):
    if isnan(x) or isnan(y) or isinf(x) or (bitcast(y, u64) & 0x7FFFFFFFFFFFFFFF) == 0:
        return bitcast(u64(0x7FF8000000000000), f64)
    a = bitcast(x, u64) & 0x7FFFFFFFFFFFFFFF
    b = bitcast(y, u64) & 0x7FFFFFFFFFFFFFFF
    if a < b:
        return x
    exponent = max(i32(a >> 52), 1)
    floor = max(i32(b >> 52), 1)
    rest = a & 0xFFFFFFFFFFFFF | 0x10000000000000 if a >= 0x10000000000000 else a
    divisor = b & 0xFFFFFFFFFFFFF | 0x10000000000000 if b >= 0x10000000000000 else b
    rest %= divisor
    while exponent > floor and rest != 0:
        step = min(exponent - floor, 11)
        rest = (rest << u64(step)) % divisor
        exponent -= step
    if rest == 0:
        return copysign(f64(0.0), x)
    exponent = floor
    while rest < 0x10000000000000 and exponent > 1:
        rest <<= 1
        exponent -= 1
    bits = rest if rest < 0x10000000000000 else rest - 0x10000000000000 | u64(exponent) << 52
    return bitcast(bits | bitcast(x, u64) & 0x8000000000000000, f64)


@func
def remainder_from(x, rest, y, small):
    """IEEE's, from the rest of |x| by 2 |y|; ``small``: |y| may be so small that half of it is not exact."""
    r = rest
    if small:
        if r + r > y:
            r -= y
            if r + r >= y:
                r -= y
    else:
        half = 0.5 * y
        if r > half:
            r -= y
            if r >= half:
                r -= y
    return -r if signbit(x) else r


@func
def remainder_f32(x, y):
    if isnan(x) or isnan(y) or isinf(x) or (bitcast(y, u32) & 0x7FFFFFFF) == 0:
        return bitcast(u32(0x7FC00000), f32)
    if isinf(y):
        return x
    size = abs(y)
    rest = fmod(abs(x), size + size) if size < 1.0e38 else abs(x)
    return remainder_from(x, rest, size, size < 1.0e-30)


@func
def remainder_f64(x, y):
    if isnan(x) or isnan(y) or isinf(x) or (bitcast(y, u64) & 0x7FFFFFFFFFFFFFFF) == 0:
        return bitcast(u64(0x7FF8000000000000), f64)
    if isinf(y):
        return x
    size = abs(y)
    rest = fmod(abs(x), size + size) if size < 8.0e307 else abs(x)
    return remainder_from(x, rest, size, size < 1.0e-290)
