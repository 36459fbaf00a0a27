"""Edge values of each scalar type, and comparison to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from krnlpy.scalar import SCALAR_TYPES, ScalarType, boolean

NUMBERS = tuple(t for t in SCALAR_TYPES if t is not boolean)
INTEGERS = tuple(t for t in SCALAR_TYPES if t.is_integer)
FLOATS = tuple(t for t in SCALAR_TYPES if t.is_float)
COMPUTED_FLOATS = tuple(t for t in FLOATS if t.compute is t)


def edges(type: ScalarType) -> np.ndarray[Any, Any]:
    """Values at which a type's arithmetic changes: ends, signs, zeros, powers of two; subnormals are left out, which
    devices may flush."""
    if type.is_integer:
        wanted = {0, 1, 2, 3, 5, 7, 100, type.max, type.max - 1, type.max // 2, type.max // 3, type.min, type.min + 1}
        wanted |= {1 << (type.bits - 2), type.bits - 1, type.bits}
        if type.kind == "int":
            wanted |= {-1, -2, -3, -7, -100}
        return np.array(sorted(wanted), type.dtype)
    if type is boolean:
        return np.array([False, True])
    values = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -2.5, 3.0, -7.0, 0.1, 100.25, -1000.0, 8388609.0, np.inf, -np.inf]
    with np.errstate(over="ignore"):
        return np.array([*values, np.nan, 2.0**-14], np.float64).astype(type.dtype)


def pairs(type: ScalarType) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Every edge value with every other."""
    a, b = np.meshgrid(edges(type), edges(type), indexing="ij")
    return a.reshape(-1), b.reshape(-1)


def assert_same(got: np.ndarray[Any, Any], want: np.ndarray[Any, Any], *operands: np.ndarray[Any, Any]) -> None:
    """Asserts equality to the last bit; any NaN equals any other, and the sign of a zero counts."""
    assert got.dtype == want.dtype
    if got.dtype == bool:  # bytes, of which 2 is another than 1
        got, want = got.view(np.uint8), want.view(np.uint8)
    with np.errstate(invalid="ignore"):
        same = (got == want) & (np.signbit(got) == np.signbit(want)) | np.isnan(got) & np.isnan(want)
    wrong = np.flatnonzero(~same)
    shown = [(*(o.reshape(-1)[i] for o in operands), got.reshape(-1)[i], want.reshape(-1)[i]) for i in wrong[:8]]
    assert not len(wrong), f"{len(wrong)} of {got.size} differ; (operands, got, want): {shown}"
