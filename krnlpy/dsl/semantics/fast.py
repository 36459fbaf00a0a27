"""The exact counterparts of the ``fast_*`` functions, for targets without faster ones."""

from __future__ import annotations

from typing import cast

from krnlpy.dsl import ir


def exact(e: ir.Math) -> ir.Expr:
    """The exact function of a ``fast_*`` one."""
    name = e.name.removeprefix("fast_")
    if name in ("pow", "min", "max"):
        left, right = e.operands
        return ir.Binary(cast(ir.BinaryOp, name), left, right, type=e.type, location=e.location)
    if name == "rsqrt":
        root = ir.Math("sqrt", e.operands, type=e.type, location=e.location)
        one = ir.Const(1.0, type=e.type, location=e.location)
        return ir.Binary("div", one, root, type=e.type, location=e.location)
    return ir.Math(cast(ir.MathName, name), e.operands, type=e.type, location=e.location)
