"""Functions of the language that are written in the language: one formula for all targets.

They avoid float operations that targets may do differently (``fma``). So their results differ between targets only
where division, square root or the elementary functions that they call differ. Those of f32 need no 64-bit types.

A function ``name`` is defined here for each type as ``name_f32`` and ``name_f64``, or once as ``name``; the compiler
imports a module when a kernel first calls one of its functions (:mod:`krnlpy.dsl.frontend.operations.library`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Formula = Callable[..., Any]
"""To type checkers, a function of the library."""
