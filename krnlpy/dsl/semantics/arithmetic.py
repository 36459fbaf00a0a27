"""Arithmetic of kernels on Python's numbers. Where Python raises or has other results, these give IEEE's or ours.

An f32 is a Python float that f32 can hold. ``+ - * /`` and the square root of two such numbers, computed in double
precision and then rounded to f32, are correctly rounded: a double has more than 2 * 24 + 1 bits (Figueroa, "When is
double rounding innocuous?", 1995).
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable

import ml_dtypes
import numpy as np


def round_f32(x: float) -> float:
    """The nearest f32, ties to even; beyond the greatest, an infinity."""
    return ctypes.c_float(x).value


def round_f16(x: float) -> float:
    """The nearest f16 of an f32."""
    with np.errstate(over="ignore"):
        return float(np.float16(x))


def round_bf16(x: float) -> float:
    """The nearest bf16 of an f32."""
    return float(ml_dtypes.bfloat16(x))


def bitcast(value: float, source: str, to: str) -> float:
    """The bits of an f32, f64, i32, u32, i64 or u64 read as another; types are named by NumPy's letters."""
    (result,) = struct.unpack("=" + _LETTERS[to], struct.pack("=" + _LETTERS[source], value))
    return result  # type: ignore[no-any-return]


_LETTERS: dict[str, str] = {
    np.dtype(t).char: letter for t, letter in zip(("i4", "u4", "f4", "i8", "u8", "f8"), "iIfqQd", strict=True)
}
"""Of struct for NumPy's, which depend on the system for integers."""


def f16_bits(x: float) -> int:
    """The bits of the nearest f16 of an f32."""
    with np.errstate(over="ignore"):
        return int(np.float16(x).view(np.uint16))


def bf16_bits(x: float) -> int:
    """The bits of the nearest bf16 of an f32."""
    return int(np.asarray(x, ml_dtypes.bfloat16).view(np.uint16))


def float_of_f16(bits: int) -> float:
    return float(np.uint16(bits).view(np.float16))


def float_of_bf16(bits: int) -> float:
    return float(np.asarray(bits, np.uint16).view(ml_dtypes.bfloat16))


def integer_to_f32(x: int) -> float:
    """An integer of at most 64 bits, rounded once: through a double it would be rounded twice."""
    return float((np.int64(x) if x < 0 else np.uint64(x)).astype(np.float32))


def float_to_integer(x: float, least: int, greatest: int) -> int:
    """Truncates; saturates at the ends; NaN gives 0."""
    if least < x < greatest:
        return int(x)
    if x != x:
        return 0
    return least if x <= least else greatest


def range_or_nothing(start: int, stop: int, step: int) -> range:
    """Python's range; nothing where the step is 0."""
    return range(start, stop, step) if step else range(0)


# ----------------------------------------------------------------------------------------------------- operators


def integer_floordiv(a: int, b: int) -> int:
    return a // b if b else 0


def integer_mod(a: int, b: int) -> int:
    return a % b if b else 0


def shift_left(a: int, count: int, bits: int) -> int:
    return a << count if 0 <= count < bits else 0


def shift_right(a: int, count: int, bits: int) -> int:
    if 0 <= count < bits:
        return a >> count
    return -1 if a < 0 else 0


def divide(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        if a == 0 or a != a:
            return math.nan
        return math.copysign(math.inf, math.copysign(1.0, a) * math.copysign(1.0, b))


def floordiv_f64(a: float, b: float) -> float:
    return floor(divide(a, b))


def floordiv_f32(a: float, b: float) -> float:
    return floor(round_f32(divide(a, b)))


def mod_f64(a: float, b: float) -> float:
    return a - b * floordiv_f64(a, b)


def mod_f32(a: float, b: float) -> float:
    return round_f32(a - round_f32(b * floordiv_f32(a, b)))


def power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and math.fmod(b, 2) else math.inf
    except ValueError:
        if a != 0:
            return math.nan  # a negative base and a broken exponent
        return math.copysign(math.inf, a) if math.fmod(b, 2) in (1, -1) else math.inf


# ----------------------------------------------------------------------------------------------------- functions


def floor(x: float) -> float:
    return math.copysign(math.floor(x), x) if math.isfinite(x) else x


def ceil(x: float) -> float:
    return math.copysign(math.ceil(x), x) if math.isfinite(x) else x


def trunc(x: float) -> float:
    return math.copysign(math.trunc(x), x) if math.isfinite(x) else x


def rint(x: float) -> float:
    return math.copysign(round(x), x) if math.isfinite(x) else x


def sqrt(x: float) -> float:
    return math.nan if x < 0 else math.sqrt(x)


def _exponential(function: Callable[[float], float]) -> Callable[[float], float]:
    def defined(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.inf

    return defined


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    def defined(x: float) -> float:
        if x > 0 or x != x:
            return function(x)
        return -math.inf if x == 0 else math.nan

    return defined


def _periodic(function: Callable[[float], float]) -> Callable[[float], float]:
    def defined(x: float) -> float:
        return math.nan if math.isinf(x) else function(x)

    return defined


def multiply_add(x: float, y: float, z: float) -> float:
    return x * y + z


FUNCTIONS: dict[str, Callable[..., float | bool]] = {
    "abs": abs,
    "sqrt": sqrt,
    "exp": _exponential(math.exp),
    "exp2": _exponential(math.exp2),
    "log": _logarithm(math.log),
    "log2": _logarithm(math.log2),
    "sin": _periodic(math.sin),
    "cos": _periodic(math.cos),
    "tan": _periodic(math.tan),
    "tanh": math.tanh,
    "floor": floor,
    "ceil": ceil,
    "trunc": trunc,
    "rint": rint,
    "fma": multiply_add,
    "isnan": math.isnan,
    "isinf": math.isinf,
    "popcount": int.bit_count,
    "clz": lambda x: 32 - x.bit_length(),
    "reverse_bits": lambda x: int(f"{x:032b}"[::-1], 2),
    "mul_hi": lambda x, y: x * y >> 32,
}
"""The functions of :class:`ir.Math`, of doubles, a result for f32 being rounded once more; or of a u32."""

EXACT = frozenset(["abs", "floor", "ceil", "trunc", "rint", "isnan", "isinf"])
"""Those that give an f32 for an f32 without rounding."""
