"""Arithmetic of tangents, in which None stands for 0 and costs nothing."""

from __future__ import annotations

from typing import overload

from krnlpy.dsl import ir
from krnlpy.scalar import ScalarType

Tangents = list[ir.Expr | None]
"""A tangent for each direction."""


def neg(e: ir.Expr | None) -> ir.Expr | None:
    return None if e is None else ir.Unary("neg", e, type=e.type, location=e.location)


def add(a: ir.Expr | None, b: ir.Expr | None) -> ir.Expr | None:
    if a is None or b is None:
        return b if a is None else a
    if isinstance(b, ir.Unary) and b.op == "neg":
        return ir.Binary("sub", a, b.operand, type=a.type, location=a.location)
    return ir.Binary("add", a, b, type=a.type, location=a.location)


def mul(tangent: ir.Expr | None, factor: ir.Expr) -> ir.Expr | None:
    if tangent is None:
        return None
    if isinstance(tangent, ir.Const) and tangent.value == 1.0:
        return factor
    return ir.Binary("mul", tangent, factor, type=factor.type, location=factor.location)


def div(tangent: ir.Expr | None, divisor: ir.Expr) -> ir.Expr | None:
    if tangent is None:
        return None
    return ir.Binary("div", tangent, divisor, type=divisor.type, location=divisor.location)


@overload
def cast(e: ir.Expr, type: ScalarType) -> ir.Expr: ...
@overload
def cast(e: None, type: ScalarType) -> None: ...
@overload
def cast(e: ir.Expr | None, type: ScalarType) -> ir.Expr | None: ...
def cast(e: ir.Expr | None, type: ScalarType) -> ir.Expr | None:
    if e is None or e.type is type:
        return e
    return ir.Cast(e, type=type, location=e.location)
