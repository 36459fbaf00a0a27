"""Conversions, bits and the arithmetic of integers that kernels call."""

from __future__ import annotations

from typing import Any

from .marker import builtin

# -------------------------------------------------------------------------------------------------------------- types


@builtin
def cast(value: Any, type: Any) -> Any:
    """``type(value)``; the type may be ``type(y)`` or ``array.dtype``, which type checkers take for a type variable."""


@builtin
def saturate(value: Any, type: Any) -> Any:
    """The nearest value that a type has: integers and floats beyond the ends of the type become its ends, the greatest
    finite value of a float type; NaN becomes 0, and stays NaN in a float type."""


@builtin
def bitcast(value: Any, type: Any) -> Any:
    """The bits of a value read as a type of the same size. For f16 and bf16, write ``bitcast(f16(x), u16)``."""


# ------------------------------------------------------------ bits of an integer of any type; the result has its type


@builtin
def popcount(x: Any) -> Any:
    """How many bits are 1."""


@builtin
def clz(x: Any) -> Any:
    """How many 0 bits stand above the highest 1; all bits of 0."""


@builtin
def ctz(x: Any) -> Any:
    """How many 0 bits stand below the lowest 1; all bits of 0."""


@builtin
def bit_length(x: Any) -> Any:
    """How many bits x takes: the bits of its type less clz(x)."""


@builtin
def reverse_bits(x: Any) -> Any:
    """The bits in reverse order."""


@builtin
def byte_swap(x: Any) -> Any:
    """The bytes in reverse order."""


@builtin
def rotl(x: Any, count: Any) -> Any:
    """The bits rotated to the left; the count is any integer and counts modulo the width."""


@builtin
def rotr(x: Any, count: Any) -> Any:
    """The bits rotated to the right; the count is any integer and counts modulo the width."""


# ------------------------------------------------------------------------------------------------- integer arithmetic


@builtin
def mul_hi(x: Any, y: Any) -> Any:
    """The high half of the product, in twice the width."""


@builtin
def add_sat(x: Any, y: Any) -> Any:
    """x + y, at the end of the type where it does not fit."""


@builtin
def sub_sat(x: Any, y: Any) -> Any:
    """x - y, at the end of the type where it does not fit."""
