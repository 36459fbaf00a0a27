"""The dtype of a result of tensors of several dtypes, and how numbers beside tensors take part."""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, inf, isnan
from numbers import Real
from typing import Any

import numpy as np

from autograph.errors import DtypeError
from krnlpy import ScalarType, StandIn, f32, f64, i8, i16, i32, i64, scalar_type, u64

_F32_MAX = float(np.finfo(np.float32).max)
_SIGNED = {dtype.size: dtype for dtype in map(scalar_type, (i8, i16, i32, i64))}


def promoted(operation: str, dtypes: Sequence[ScalarType]) -> ScalarType:
    """The dtype that holds what all of some dtypes hold, by the rules of the Python array API standard.

    Of two floats, and of two integers of one sign, it is the wider one; of f16 and bf16 it is f32; of an unsigned and a
    signed integer the narrowest signed one that holds both. The standard leaves integers with floats to libraries: here
    integers of up to 32 bits take the float's dtype, as in kernels, and bool that of what it stands beside.

    Raises:
        DtypeError: no dtype holds both: u64 with a signed integer, or a 64-bit integer with a float.
    """
    result = dtypes[0]
    for dtype in dtypes[1:]:
        if dtype is not result:
            result = _promoted_pair(operation, result, dtype)
    return result


def _promoted_pair(operation: str, x: ScalarType, y: ScalarType) -> ScalarType:
    if "bool" in (x.kind, y.kind):
        return y if x.kind == "bool" else x
    if x.is_float and y.is_float:
        return scalar_type(
            f64 if f64 in (x, y) else f32
        )  # two that differ: f16 and bf16 have no wider one of their own size
    if x.is_float or y.is_float:
        integer, other = (y, x) if x.is_float else (x, y)
        if integer.size == 8:
            raise DtypeError(
                f"{operation} of {x} and {y}: convert the integers, for example tensor.cast({other}); floats hold not"
                " all integers of 64 bits"
            )
        return other
    wide = max(x, y, key=lambda dtype: dtype.size)
    if x.kind == y.kind:
        return wide
    unsigned, signed = (x, y) if x.kind == "uint" else (y, x)
    if unsigned is u64:
        raise DtypeError(f"{operation} of {x} and {y}: no integer type holds both; convert one, for example .cast(i64)")
    return _SIGNED[max(signed.size, 2 * unsigned.size)]


def number_type(operation: str, value: Any, dtype: ScalarType) -> ScalarType:
    """The dtype in which a number beside tensors of ``dtype`` takes part: that in which kernels compute with them, so
    that it is not rounded to f16 or bf16; f32 for a number with a fraction beside integers of up to 32 bits.

    Raises:
        DtypeError: it is no number, or a number with a fraction beside integers of 64 bits.
    """
    if isinstance(value, StandIn):
        value = 0.5  # whatever it will be, it is a float
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, Real):
        raise DtypeError(
            f"{operation} takes a tensor or a number, not {type(value).__name__}; Tensor.from_numpy makes a tensor of"
            " an array"
        )
    if dtype.kind == "bool":
        return number_dtype(operation, (value,))
    if dtype.is_float or isinstance(value, int):
        return dtype.compute
    if dtype.size == 8:
        raise DtypeError(f"{operation} of {dtype} and {value!r}: convert the integers, for example tensor.cast(f32)")
    return scalar_type(f32)


def number_dtype(operation: str, values: Sequence[Any]) -> ScalarType:
    """The dtype of numbers by themselves: bool, i32 or f32.

    Raises:
        DtypeError: one of them is no number.
    """
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    for value in plain:
        if not isinstance(value, Real):
            raise DtypeError(f"{operation} takes tensors and numbers, not {type(value).__name__}")
    if all(isinstance(value, bool) for value in plain):
        return scalar_type(bool)
    return scalar_type(i32 if all(isinstance(value, int) for value in plain) else f32)


def as_number(operation: str, value: Any, type: ScalarType) -> Any:
    """A number for a kernel's parameter of a type: beyond the range of floats it is infinite. What stands for a number
    while a graph is captured is returned as it is.

    Raises:
        DtypeError: it is an integer out of the type's range.
    """
    if value.__class__ is float and -_F32_MAX <= value <= _F32_MAX and type.kind == "float":  # what most are
        return value
    if type.is_float:
        if isinstance(value, StandIn):
            return value
        try:
            number = float(value)
        except OverflowError:
            number = inf if value > 0 else -inf
        return number if type is f64 or -_F32_MAX <= number <= _F32_MAX or isnan(number) else copysign(inf, number)
    if type.kind == "bool":
        return bool(value)
    number = int(value)
    if not type.min <= number <= type.max:
        raise DtypeError(f"{operation} of {type} and {value!r}: expected a whole number from {type.min} to {type.max}")
    return number
