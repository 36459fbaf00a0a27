"""Wrong uses of mathematical functions, bits and conversions: each is told with the place that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy.errors import KernelError, KernelTypeError

from .test_kernel_errors import body, compile_kernel, load

HELPERS = """
import numpy as np
from krnlpy.dsl import (add_sat, atan2, bitcast, cast, clamp, erf, fast_exp, isfinite, ldexp, lerp, mul_hi, polynomial,
    popcount, rotl, saturate, sign, sqrt)
"""

WRONG: list[tuple[str, type[KernelError], str, str]] = [
    (body("y = erf(i64(n))"), KernelTypeError, "erf needs an f32 or f64, not i64; write erf(f64(...))", "erf(i64(n))"),
    (body("y = erf(x, x)"), KernelTypeError, "erf takes 1 argument(s), 2 given", "erf(x, x)"),
    (body("y = atan2(x)"), KernelTypeError, "atan2 takes 2 argument(s), 1 given", "atan2(x)"),
    (body("y = atan2(x, i64(n))"), KernelTypeError, "atan2 of f32 and i64", "atan2(x, i64(n))"),
    (body("y = sqrt(x > 1)"), KernelTypeError, "sqrt needs an f32 or f64, not bool", "sqrt(x > 1)"),
    (body("y = fast_exp(u64(m))"), KernelTypeError, "fast_exp needs an f32 or f64, not u64", "fast_exp(u64(m))"),
    (body("y = f32(isfinite(i64(n)))"), KernelTypeError, "isfinite needs an f32 or f64, not i64", "isfinite(i64(n))"),
    (body("y = lerp(x, x, i64(n))"), KernelTypeError, "lerp of f32 and i64", "lerp(x, x, i64(n))"),
    (body("y = lerp(a, x, x)"), KernelTypeError, "expected a number, found the array a", "a"),
    (body("y = f32(clamp(n, m, m))"), KernelTypeError, "clamp of i32 and u32", "clamp(n, m, m)"),
    (body("y = f32(clamp(i64(n), 0, 1.5))"), KernelTypeError, "clamp of i64 and the number 1.5", "1.5"),
    (body("y = f32(sign(x > 1))"), KernelTypeError, "sign of truth values", "sign(x > 1)"),
    (body("y = ldexp(x, x)"), KernelTypeError, "ldexp needs integers, not f32", "ldexp(x, x)"),
    (body("y = polynomial(x, 1.0)"), KernelTypeError, "its coefficients as a tuple", "1.0"),
    (body("y = polynomial(x, ())"), KernelTypeError, "its coefficients as a tuple", "()"),
    (body("y = polynomial(x, (x, x))"), KernelTypeError, "numbers known while compiling", "(x, x)"),
    (body("y = f32(popcount(x))"), KernelTypeError, "popcount needs integers, not f32", "popcount(x)"),
    (body("y = f32(popcount(x > 1))"), KernelTypeError, "popcount of truth values", "popcount(x > 1)"),
    (body("y = f32(rotl(n, 1.5))"), KernelTypeError, "rotl needs integers, not f32", "rotl(n, 1.5)"),
    (body("y = f32(mul_hi(n, m))"), KernelTypeError, "mul_hi of i32 and u32", "mul_hi(n, m)"),
    (body("y = f32(add_sat(m, -1))"), KernelTypeError, "-1 does not fit u32", "-1"),
    (body("y = f32(np.left_shift(x, 1))"), KernelTypeError, "shifts need integers", "np.left_shift(x, 1)"),
    (body("y = f32(np.divide(n, n))"), KernelTypeError, "write // for a whole result", "np.divide(n, n)"),
    (body("y = f32(np.invert(x))"), KernelTypeError, "~ needs an integer", "np.invert(x)"),
    (body("y = f32(np.negative(n, n))"), KernelTypeError, "negative takes 1 argument(s), 2 given", "np.negative(n, n)"),
    (body("y = f32(round(x, 2))"), KernelTypeError, "round takes 1 argument", "round(x, 2)"),
    (body("y = cast(x)"), KernelTypeError, "cast takes 2 argument(s), 1 given", "cast(x)"),
    (body("y = cast(x, 5)"), KernelTypeError, "a scalar type, not the number 5", "5"),
    (body("y = cast(x, n)"), KernelTypeError, "a scalar type, not i32", "n"),
    (body("y = f32(saturate(x, bool))"), KernelTypeError, "saturate to bool", "saturate(x, bool)"),
    (body("y = f32(saturate(x, 'u8'))"), KernelError, "no str values", "'u8'"),
    (body("y = f32(bitcast(x, u16))"), KernelTypeError, "write bitcast(f16(x), u16) or bitcast(bf16(x), u16)",
     "bitcast(x, u16)"),
    (body("y = f32(bitcast(x, u64))"), KernelTypeError, "f32, 32 bits, to u64, 64 bits", "bitcast(x, u64)"),
    (body("y = f32(bitcast(x > 1, u32))"), KernelTypeError, "bitcast of truth values", "bitcast(x > 1, u32)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "error", "message", "marked"), WRONG, ids=[w[0].strip().splitlines()[-1].strip() for w in WRONG]
)
def test_wrong_call(tmp_path: Path, source: str, error: type[KernelError], message: str, marked: str) -> None:
    module = load(tmp_path, HELPERS + source)
    with pytest.raises(error) as raised:
        compile_kernel(module)
    text = str(raised.value)
    assert message in text
    _, line, caret = text.splitlines()
    first = caret.index("^")
    assert caret.strip() == "^" * len(marked)
    assert line[first : first + len(marked)] == marked
