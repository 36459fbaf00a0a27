"""What there is to know of dtypes: their kinds and limits, and which one results of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

import krnlpy
from autograph.errors import DtypeError
from autograph.tensor.base import TensorBase
from krnlpy import DTypeLike, ScalarType, scalar_type

from .elementwise.promotion import number_dtype, number_type, promoted

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int",),
    "unsigned integer": ("uint",),
    "integral": ("int", "uint"),
    "real floating": ("float",),
    "complex floating": (),
    "numeric": ("int", "uint", "float"),
}


def result_type(*arrays_and_dtypes: Any) -> ScalarType:
    """The dtype of an operation's result on such operands, by the rules of the Python array API standard.

    Args:
        *arrays_and_dtypes: tensors, dtypes and numbers. Numbers take no part beside the others, but for one with a
            fraction part beside integers, and one beside truth values.

    Raises:
        DtypeError: no dtype holds what all of them hold, or there is none, or something else among them.

    >>> from autograph import asarray, result_type
    >>> from krnlpy import bf16, f16, i8, u8
    >>> result_type(i8, u8), result_type(f16, bf16), result_type(asarray([1, 2]), 0.5), result_type(i8, 3)
    (i16, f32, f32, i8)
    """
    dtypes, numbers = [], []
    for given in arrays_and_dtypes:
        if isinstance(given, TensorBase):
            dtypes.append(given.dtype)
        elif isinstance(given, bool | int | float | np.generic):
            numbers.append(given)
        else:
            dtypes.append(scalar_type(given))
    if not dtypes:
        if not numbers:
            raise DtypeError("result_type takes tensors, dtypes and numbers; none was given")
        return number_dtype("result_type", numbers)
    dtype = promoted("result_type", dtypes)
    for number in numbers:
        if not (dtype.is_float or isinstance(number, bool | np.bool_)):
            dtype = number_type("result_type", number, dtype)
    return dtype


def can_cast(from_: Any, to: DTypeLike, /) -> bool:
    """Whether a dtype holds all that a tensor or another dtype holds, by the rules of promotion.

    Args:
        from_: a tensor or a dtype.
        to: a dtype.

    Raises:
        DtypeError: one of them is something else.

    >>> from autograph import can_cast
    >>> from krnlpy import f32, i8, u8, u16
    >>> can_cast(u8, u16), can_cast(i8, u16), can_cast(f32, i8)
    (True, False, False)
    """
    source = from_.dtype if isinstance(from_, TensorBase) else scalar_type(from_)
    wanted = scalar_type(to)
    try:
        return promoted("can_cast", (source, wanted)) is wanted
    except DtypeError:
        return False


def isdtype(dtype: DTypeLike, kind: Any) -> bool:
    """Whether a dtype is of a kind.

    Args:
        dtype: a dtype.
        kind: a dtype, which must be the same; or "bool", "signed integer", "unsigned integer", "integral",
            "real floating", "complex floating" (none is) or "numeric"; or a tuple of these, any of which suffices.

    Raises:
        DtypeError: ``dtype`` is none, or there is no such kind.

    >>> from autograph import isdtype
    >>> from krnlpy import f32, i8
    >>> isdtype(i8, "integral"), isdtype(f32, (i8, "real floating")), isdtype(bool, "numeric")
    (True, True, False)
    """
    of = scalar_type(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(of, one) for one in kind)
    if isinstance(kind, str) and kind in _KINDS:
        return of.kind in _KINDS[kind]
    try:
        return of is scalar_type(kind)
    except krnlpy.errors.DtypeError:
        raise DtypeError(f"isdtype(kind={kind!r}): expected a dtype, or one of {', '.join(_KINDS)}") from None


@dataclass(frozen=True)
class FloatInfo:
    """The limits of a dtype of floats, as Python's numbers.

    Attributes:
        dtype: which one.
        bits: that an element takes.
        eps: from 1 to the next number above.
        max: the greatest finite number.
        min: the least finite number.
        smallest_normal: the smallest number above 0 of full precision.
    """

    dtype: ScalarType
    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float


@dataclass(frozen=True)
class IntegerInfo:
    """The limits of a dtype of integers.

    Attributes:
        dtype: which one.
        bits: that an element takes.
        max: the greatest number.
        min: the least number.
    """

    dtype: ScalarType
    bits: int
    max: int
    min: int


def finfo(type: Any, /) -> FloatInfo:
    """The limits of a dtype of floats.

    Args:
        type: a dtype, or a tensor of it.

    Raises:
        DtypeError: it is of no floats.

    >>> from autograph import finfo
    >>> finfo("bf16").eps, finfo("f16").max
    (0.0078125, 65504.0)
    """
    dtype = _dtype_of(type)
    if not dtype.is_float:
        raise DtypeError(f"finfo of {dtype}: expected a dtype of floats")
    limits: Any = ml_dtypes.finfo
    info = limits(dtype.dtype)
    return FloatInfo(dtype, dtype.bits, float(info.eps), float(info.max), float(info.min), float(info.smallest_normal))


def iinfo(type: Any, /) -> IntegerInfo:
    """The limits of a dtype of integers.

    Args:
        type: a dtype, or a tensor of it.

    Raises:
        DtypeError: it is of no integers.

    >>> from autograph import iinfo
    >>> iinfo("i8").min, iinfo("u64").max == 2**64 - 1
    (-128, True)
    """
    dtype = _dtype_of(type)
    if not dtype.is_integer:
        raise DtypeError(f"iinfo of {dtype}: expected a dtype of integers")
    return IntegerInfo(dtype, dtype.bits, dtype.max, dtype.min)


def _dtype_of(given: Any) -> ScalarType:
    return given.dtype if isinstance(given, TensorBase) else scalar_type(given)
