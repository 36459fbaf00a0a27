"""The type variables of the operations' kernels, and in which type sums are accumulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from krnlpy import DTypeLike, ScalarType, StandIn, bf16, f16, f32, i8, i16, i32, i64, scalar_type, u8, u16, u32, u64

if TYPE_CHECKING:
    # Kernels call them to convert, and mix them by rules of their own; Python's type variables allow neither.
    T: Any
    U: Any
    W: Any
    F: Any
    C: Any
else:
    T = TypeVar("T")
    U = TypeVar("U")
    W = TypeVar("W")
    """The type of a number beside T: :func:`number_for` makes one."""
    F = TypeVar("F", f16, bf16, f32)
    """The float types that kernels compute in f32."""
    C = TypeVar("C", u8, i8, u16, i16, u32, i32, u64, i64)
    """The types of class indices."""

_ACCUMULATORS: dict[DTypeLike, DTypeLike] = {f16: f32, bf16: f32, u8: u32, u16: u32, i8: i32, i16: i32, bool: i32}


def accumulator(dtype: ScalarType) -> ScalarType:
    """The type in which elements of a type are summed: at least 32 bits of the same kind."""
    return scalar_type(_ACCUMULATORS.get(dtype, dtype))


def number_for(dtype: ScalarType, value: Any) -> Any:
    """A number in the type in which a kernel computes with elements of a dtype: not rounded to f16 or bf16."""
    convert = dtype.compute.dtype.type
    if isinstance(value, StandIn):
        return value.mapped(convert)
    with np.errstate(over="ignore"):
        return convert(value)
