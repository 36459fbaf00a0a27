"""The share of a normal distribution below a number, as precise as a product with it needs: to an absolute error.

That of f32 has one polynomial, without a branch, a quotient or a call. It is a minimax approximation by Lawson's
iteration, made for this file.
"""

from __future__ import annotations

from typing import Any

from krnlpy import dsl, f64, func, u32
from krnlpy.dsl import bitcast, copysign, define_partials, exp, fma

# log2 of the share above x, for x of 0 to 5.7, to an error of the share of 2**-27.
_LOG_SHARE = (-1.0, -1.1511057235268751, -0.4592049072499097, -0.05250502871365377, 0.007075471792360463,
              -0.00014587014362911754, -0.00018254759991556438, 3.862074709510937e-05,
              -2.772049163169376e-06)  # fmt: skip
# 2**r for r in -0.5..0.5, to 0.03 ulp.
_POWER = (1.0, 0.6931472057372675, 0.24022646890630717, 0.05550328776965663, 0.009618488957472415,
          0.0013399931219195693, 0.0001534581191471318)  # fmt: skip
_ROUNDER = 12582912.0
"""1.5 * 2**23: a float of whole numbers, of which the last bits are those of the number that is added."""


@func
def _power_of_two(x: Any) -> Any:
    """2**x for x in -126..126."""
    rounded = x + _ROUNDER
    r = x - (rounded - _ROUNDER)
    square = r * r
    # By pairs of terms: half as many operations wait for one another.
    fraction = fma(
        square,
        fma(square, fma(square, _POWER[6], fma(r, _POWER[5], _POWER[4])), fma(r, _POWER[3], _POWER[2])),
        fma(r, _POWER[1], _POWER[0]),
    )
    return bitcast(bitcast(fraction, u32) + (bitcast(rounded, u32) << 23), type(x))


@func
def normal_share(x: Any) -> Any:
    """The share of a normal distribution below ``x``, to 2**-23 in f32; 0 and 1 where it is nearer to them than that.
    Where ``x`` is NaN, it may be any number."""
    if type(x) is f64:
        return 0.5 * (1.0 + dsl.erf(0.7071067811865476 * x))
    size = min(abs(x), 5.7)
    square = size * size
    c = _LOG_SHARE
    low = fma(square, fma(size, c[3], c[2]), fma(size, c[1], c[0]))
    high = fma(square, fma(square, c[8], fma(size, c[7], c[6])), fma(size, c[5], c[4]))
    return 0.5 + copysign(0.5 - _power_of_two(fma(square * square, high, low)), x)


@func
def _density(x: Any) -> Any:
    if type(x) is f64:
        return 0.3989422804014327 * exp(-0.5 * x * x)
    power = fma(-0.7213475204444817 * x, x, -1.3257480647361594)  # of two
    return 0.0 if power < -126.0 else _power_of_two(power)


@func
def _slope_of_density(x: Any, y: Any) -> Any:
    return -x * y


define_partials(_density, _slope_of_density)
define_partials(normal_share, _density)
