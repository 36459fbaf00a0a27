"""Constant arrays in GLSL: all of a shader lie in one buffer, as words of 32 bits.

GLSL's own constant arrays are no good: where the index is not a constant, compilers copy the array at each access
(of 4,096 floats in lavapipe: 200 times the time of a buffer, and 50 seconds to compile).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from krnlpy.dsl import ir
from krnlpy.scalar import ScalarType, boolean, f64

from .context import Context


class Tables:
    """Where the tables of a program lie in their buffer."""

    def __init__(self, program: ir.Program) -> None:
        self._starts: dict[ir.Place, int] = {}
        self._parts: list[np.ndarray[Any, Any]] = []
        start = 0
        for table in program.constant_arrays:
            self._starts[table] = start
            self._parts.append(_words(table.values, table.type.compute))
            start += self._parts[-1].size

    @property
    def words(self) -> bytes:
        """The contents of the buffer."""
        return b"".join(part.tobytes() for part in self._parts)

    def element(self, context: Context, table: ir.ConstantArray, name: str, linear: str) -> tuple[str, str]:
        """How to find an element: where ``at`` is, and the value there."""
        type, start = table.type.compute, self._starts[table]
        if type.size < 8:
            at, word = f"{start}u + {linear}", f"{name}[at]"
            if type is boolean:
                return at, f"{word} != 0u"
            if type.is_float:
                return at, f"uintBitsToFloat({word})"
            return at, f"int({word})" if type.kind == "int" else word
        at, low, high = f"{start}u + 2u * ({linear})", f"{name}[at]", f"{name}[at + 1u]"
        if type is f64:
            return at, f"packDouble2x32(uvec2({low}, {high}))"
        value = f"(uint64_t({high}) << 32) | uint64_t({low})"
        return at, f"int64_t({value})" if type.kind == "int" else value


def _words(values: Sequence[int | float | bool], type: ScalarType) -> np.ndarray[Any, Any]:
    """Elements in their type of computation as words; narrow integers have one each."""
    if type.size == 8 or type.is_float:
        return np.asarray(values, type.dtype).view(np.uint32)
    return np.asarray(values, np.int64).astype(np.uint32)
