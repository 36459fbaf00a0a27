"""The type variables of the operations' kernels, and in which type sums are accumulated."""

from __future__ import annotations

from typing import TypeVar

from krnlpy import ScalarType, bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64

T = TypeVar("T", u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64)
U = TypeVar("U", u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64)
F = TypeVar("F", f16, bf16, f32)
"""The float types that kernels compute in f32."""
C = TypeVar("C", u8, i8, u16, i16, u32, i32, u64, i64)
"""The types of class indices."""

_ACCUMULATORS = {f16: f32, bf16: f32, u8: u32, u16: u32, i8: i32, i16: i32}


def accumulator(dtype: ScalarType) -> ScalarType:
    """The type in which elements of a type are summed: at least 32 bits of the same kind."""
    return _ACCUMULATORS.get(dtype, dtype)
