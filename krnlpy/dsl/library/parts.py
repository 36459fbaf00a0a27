"""Signs, exponents and neighbours of floats, and choices between them."""

from __future__ import annotations

from krnlpy.dsl.builtins import bitcast, clamp, copysign, isinf, isnan
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.scalar import ScalarType, f32, f64, u32, u64

from . import Formula


@func
def signbit_f32(x):
    return bitcast(x, u32) >> 31 != 0


@func
def signbit_f64(x):
    return u32(bitcast(x, u64) >> 32) >> 31 != 0


@func
def copysign_f32(x, y):
    return bitcast(bitcast(x, u32) & 0x7FFFFFFF | bitcast(y, u32) & 0x80000000, f32)


@func
def copysign_f64(x, y):
    return bitcast(bitcast(x, u64) & 0x7FFFFFFFFFFFFFFF | bitcast(y, u64) & 0x8000000000000000, f64)


@func
def isfinite(x):
    return not (isnan(x) or isinf(x))


def _sign(kind: ScalarType) -> Formula:
    @func
    def sign(x):
        # Not as a choice between 1, -1 and 0: Mesa compiles that to something that gives -0 for 0.
        if isnan(x):
            return x
        return abs(x) if x == 0.0 else copysign(kind(1.0), x)

    return sign


sign_f32 = _sign(f32)
sign_f64 = _sign(f64)


@func
def fmin(a, b):
    return b if isnan(a) else min(a, b)


@func
def fmax(a, b):
    return b if isnan(a) else max(a, b)


@func
def minimum(a, b):
    return b if isnan(b) else min(a, b)


@func
def maximum(a, b):
    return b if isnan(b) else max(a, b)


@func
def lerp(a, b, t):
    return a * (1.0 - t) + b * t


@func
def smoothstep(low, high, x):
    t = clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


# After musl's scalbn: each step but the last keeps all bits, even of a result that is denormal.


@func
def ldexp_f32(x, n):
    if n > 127:
        x *= 1.7014118346046923e38
        n -= 127
        if n > 127:
            x *= 1.7014118346046923e38
            n = min(n - 127, 127)
    elif n < -126:
        x *= 1.9721522630525295e-31
        n += 102
        if n < -126:
            x *= 1.9721522630525295e-31
            n = max(n + 102, -126)
    return x * bitcast(n + 127 << 23, f32)


@func
def ldexp_f64(x, n):
    if n > 1023:
        x *= 8.98846567431158e307
        n -= 1023
        if n > 1023:
            x *= 8.98846567431158e307
            n = min(n - 1023, 1023)
    elif n < -1022:
        x *= 2.004168360008973e-292
        n += 969
        if n < -1022:
            x *= 2.004168360008973e-292
            n = max(n + 969, -1022)
    return x * bitcast(u64(n + 1023) << 52, f64)


@func
def nextafter_f32(x, y):
    if isnan(x) or isnan(y):
        return x + y
    a = bitcast(x, u32)
    b = bitcast(y, u32)
    if ((a | b) & 0x7FFFFFFF) == 0 or a == b:
        return y
    if (a & 0x7FFFFFFF) == 0:  # the least denormal, of y's sign
        return bitcast(b & 0x80000000 | 1, f32)
    # Numbers of one sign are ordered as their bits.
    shrinks = (a & 0x7FFFFFFF) > (b & 0x7FFFFFFF) or (a ^ b) >> 31 != 0
    return bitcast(a - 1 if shrinks else a + 1, f32)


@func
def nextafter_f64(x, y):
    if isnan(x) or isnan(y):
        return x + y
    a = bitcast(x, u64)
    b = bitcast(y, u64)
    size = a & 0x7FFFFFFFFFFFFFFF
    other = b & 0x7FFFFFFFFFFFFFFF
    if (size | other) == 0 or a == b:
        return y
    if size == 0:
        return bitcast(b & 0x8000000000000000 | 1, f64)
    shrinks = size > other or u32(a >> 32) >> 31 != u32(b >> 32) >> 31
    return bitcast(a - 1 if shrinks else a + 1, f64)
