"""The standard's names of krnlpy's scalar types, and its constants. There are no complex numbers."""

from __future__ import annotations

import builtins
import math

from krnlpy import ScalarType, scalar_type

bool: ScalarType = scalar_type(builtins.bool)
int8: ScalarType = scalar_type("i8")
int16: ScalarType = scalar_type("i16")
int32: ScalarType = scalar_type("i32")
int64: ScalarType = scalar_type("i64")
uint8: ScalarType = scalar_type("u8")
uint16: ScalarType = scalar_type("u16")
uint32: ScalarType = scalar_type("u32")
uint64: ScalarType = scalar_type("u64")
float32: ScalarType = scalar_type("f32")
float64: ScalarType = scalar_type("f64")

STANDARD: dict[str, ScalarType] = {
    "bool": bool,
    "int8": int8,
    "int16": int16,
    "int32": int32,
    "int64": int64,
    "uint8": uint8,
    "uint16": uint16,
    "uint32": uint32,
    "uint64": uint64,
    "float32": float32,
    "float64": float64,
}
"""Those that the standard has, by name."""

float16: ScalarType = scalar_type("f16")
bfloat16: ScalarType = scalar_type("bf16")

e = math.e
inf = math.inf
nan = math.nan
pi = math.pi
newaxis = None
