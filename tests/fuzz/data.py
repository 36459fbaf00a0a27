"""What buffers hold at first: for each type the values at which its arithmetic changes, and random ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from krnlpy.scalar import ScalarType, boolean

SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan)
TAME = (0.5, 1.0, -1.0, 1.5, -2.5, 3.0, 7.0, 255.5, -0.75, 100.25, 1e4, -1e4, 16777217.0, 2.0**-10, 65504.0)


def values(type: ScalarType, shape: tuple[int, ...], seed: int, special: bool) -> np.ndarray[Any, Any]:
    """Numbers of a type, the same for the same seed.

    Args:
        special: whether floats may be zeros, infinities or NaN. Subnormal f32 and f64 are left out, which devices may
            flush to zero.
    """
    rng = np.random.default_rng(seed)
    size = math.prod(shape)
    if type is boolean:  # bytes that others wrote: all but 0 are true
        return rng.choice(np.array([0, 0, 0, 1, 1, 2, 255], np.uint8), size).view(np.bool_).reshape(shape)
    if type.is_float:
        edges = np.array(TAME + (SPECIAL if special else ()))
        drawn = np.round(rng.normal(0, 40, size), 2)
        drawn[np.abs(drawn) < 0.25] = 0.25
        exact = rng.integers(-64, 64, size).astype(np.float64)
        if not special:
            exact[exact == 0] = 4
        drawn = np.where(rng.random(size) < 0.5, drawn, exact)
    else:
        small = [0, 1, 2, 3, 7, type.bits - 1, type.bits, 100]
        ends = [type.max, type.max - 1, type.max // 2, type.max // 2 + 1, type.min, type.min + 1]
        signed = [-1, -2, -7, -100] if type.kind == "int" else []
        edges = np.array([*small, *ends, *signed], type.dtype)
        drawn = rng.integers(type.min, type.max, size, type.dtype, endpoint=True)
        near = rng.integers(0, 12, size).astype(type.dtype)
        drawn = np.where(rng.random(size) < 0.6, drawn, near)
    with np.errstate(over="ignore", invalid="ignore"):
        chosen = np.where(rng.random(size) < 0.35, rng.choice(edges, size), drawn)
        return chosen.astype(type.dtype).reshape(shape)
