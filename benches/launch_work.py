"""The work of the benchmark ``launch``; knows no software that does it."""

from __future__ import annotations

from typing import Any

import numpy as np

ELEMENTS = 256
ALPHA, BETA = 0.5, 1.0

Array = np.ndarray[Any, Any]


def inputs() -> tuple[Array, Array]:
    """The two operands."""
    rng = np.random.default_rng(0)
    return rng.random(ELEMENTS, np.float32), rng.random(ELEMENTS, np.float32)
