"""ONNX's numbers for the 13 dtypes."""

from __future__ import annotations

from krnlpy import ScalarType, scalar_type

OPSET = 20
"""The version of ONNX's operators that is written."""
IR_VERSION = 9
"""The version of the file format that is written."""

_NUMBERS = {
    "f32": 1,
    "u8": 2,
    "i8": 3,
    "u16": 4,
    "i16": 5,
    "i32": 6,
    "i64": 7,
    "bool": 9,
    "f16": 10,
    "f64": 11,
    "u32": 12,
    "u64": 13,
    "bf16": 16,
}
TO_ONNX: dict[ScalarType, int] = {scalar_type(name): number for name, number in _NUMBERS.items()}
FROM_ONNX: dict[int, ScalarType] = {number: dtype for dtype, number in TO_ONNX.items()}
