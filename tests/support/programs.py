"""Programs of the IR, as tests have them."""

from __future__ import annotations

from krnlpy.dsl.ir import Program
from krnlpy.dsl.ir.verify import verify


def verify_programs() -> None:
    """Has every program that this process makes verified, as in debug mode."""
    Program.__post_init__ = verify  # type: ignore[method-assign,assignment]
