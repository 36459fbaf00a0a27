"""Whole powers by repeated multiplication (square and multiply), as a small function of the generated code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krnlpy.dsl import ir

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.lowering import ProgramState


def whole_power(state: ProgramState, base: ir.Expr, exponent: int, where: ir.Location) -> ir.Expr:
    """``base ** exponent`` for a constant exponent of at least 0; integers wrap."""
    kind = base.type
    if exponent == 0:
        return ir.Const(1.0 if kind.is_float else 1, type=kind, location=where)
    if exponent == 1:
        return base
    if exponent == 2 and isinstance(base, ir.Local | ir.Argument | ir.SpecValue | ir.Const):
        return ir.Binary("mul", base, base, type=kind, location=where)
    key = ("power", exponent)
    function = state.functions.get((key, (kind,)))
    if function is None:
        function = _power_function(state.unique(f"power{exponent}_{kind}"), base, exponent, where)
        state.functions[key, (kind,)] = function
    return ir.Call(function, (base,), type=kind, location=where)


def _power_function(name: str, base: ir.Expr, exponent: int, where: ir.Location) -> ir.Function:
    kind = base.type
    x = ir.Variable("x", kind)
    square, result = ir.Variable("square", kind), ir.Variable("result", kind)
    body: list[ir.Stmt] = []

    def read(variable: ir.Variable) -> ir.Expr:
        return ir.Local(variable, type=kind, location=where)

    def multiply(a: ir.Variable, b: ir.Variable) -> ir.Expr:
        return ir.Binary("mul", read(a), read(b), type=kind, location=where)

    current, started = x, False
    while exponent:
        if exponent & 1:
            body.append(ir.Assign(result, multiply(result, current) if started else read(current), location=where))
            started = True
        exponent >>= 1
        if exponent:
            body.append(ir.Assign(square, multiply(current, current), location=where))
            current = square
    body.append(ir.Return((read(result),), location=where))
    return ir.Function(name, (x,), (kind,), tuple(body), (), where)
