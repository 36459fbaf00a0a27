"""Functions of the language that are written in the language: one formula for all targets.

They use no float operation that a target may do otherwise (no ``fma``), so that their results differ between targets
only where division, square root or the elementary functions that they call do. Those of f32 need no 64-bit types.

A function ``name`` is defined here for each type as ``name_f32`` and ``name_f64``, or once as ``name``; a module is
imported when a kernel first calls one of its functions.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from krnlpy.scalar import ScalarType

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.operations.calls import Func

Formula = Callable[..., Any]
"""To type checkers, a function of the library."""

_MODULES = {
    "error_function": "erf erfc",
    "exponentials": "expm1 sinh cosh",
    "gamma": "gamma lgamma",
    "integers": "popcount_64 reverse_bits_64 clz_64 mul_hi_64 mul_hi_signed add_sat_signed add_sat_unsigned"
    " sub_sat_signed sub_sat_unsigned byte_swap_32 byte_swap_64 rotate power",
    "inverse_trigonometric": "asin acos atan atan2",
    "logarithms": "log10 log1p asinh acosh atanh",
    "parts": "copysign signbit isfinite sign nextafter ldexp fmin fmax minimum maximum lerp step smoothstep",
    "remainders": "fmod remainder",
    "roots": "rsqrt cbrt hypot",
}
MODULES = {name: module for module, names in _MODULES.items() for name in names.split()}
"""Where the functions are."""


def find(name: str, type: ScalarType) -> Func:
    """The function of a name for operands of a type."""
    module = import_module(f"{__name__}.{MODULES[name]}")
    function: Func = getattr(module, f"{name}_{type}", None) or getattr(module, name)
    return function
