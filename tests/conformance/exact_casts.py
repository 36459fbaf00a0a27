"""What a cast gives, in Python's exact numbers: a judge that shares no code with what it judges."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from krnlpy.scalar import ScalarType, boolean

# Bits of the significand and the least and the greatest exponent of a normal number (IEEE 754, table 3.5).
_FORMATS = {"f16": (11, -14, 15), "bf16": (8, -126, 127), "f32": (24, -126, 127), "f64": (53, -1022, 1023)}


def cast_exactly(x: np.ndarray[Any, Any], to: ScalarType) -> np.ndarray[Any, Any]:
    """Each number of an array cast to a type, as docs/kernels.md says it.

    To bool, all but 0 is True. Integers wrap; floats are truncated to integers, saturate at the ends of the type, and
    NaN gives 0. Floats round to the nearest, ties to even; f16 and bf16 are computed as f32, and so are rounded twice.
    """
    whole = x.dtype.kind in "iub"
    values = [int(v) if whole else float(v) for v in x.reshape(-1)]
    if to is boolean:
        return np.array([v != 0 for v in values], to.dtype).reshape(x.shape)
    if to.is_integer:
        return np.array([_integer(v, to) for v in values], to.dtype).reshape(x.shape)
    results = [round_exactly(round_exactly(v, to.compute), to) for v in values]
    return np.array(results, np.float64).astype(to.dtype).reshape(x.shape)  # each is a number of the type


def _integer(value: float, to: ScalarType) -> int:
    if isinstance(value, int):
        wrapped = value % (1 << to.bits)
        return wrapped - (1 << to.bits) if wrapped > to.max else wrapped
    if math.isnan(value):
        return 0
    return max(to.min, min(to.max, math.trunc(value) if math.isfinite(value) else int(math.copysign(1 << 99, value))))


def round_exactly(value: float, to: ScalarType) -> float:
    """The number of a type of floats that is nearest to another number, of two the even one."""
    if not math.isfinite(value) or value == 0:
        return float(value)
    precision, least, greatest = _FORMATS[to.name]
    exact = Fraction(value)
    exponent = max(_exponent(abs(exact)), least)
    unit = Fraction(2) ** (exponent - precision + 1)
    rounded = round(exact / unit) * unit  # Python's round takes halves to the even number
    if abs(rounded) >= Fraction(2) ** (greatest + 1):
        return math.copysign(math.inf, value)
    return math.copysign(float(rounded), value)


def _exponent(value: Fraction) -> int:
    """The greatest e of which 2^e is at most the value."""
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if Fraction(2) ** guess <= value else guess - 1
