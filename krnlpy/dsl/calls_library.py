"""Calls of functions of :mod:`krnlpy.dsl.library`, made by the compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ir, library

if TYPE_CHECKING:
    from .expressions import ExpressionLowering


def call_library(lowering: ExpressionLowering, name: str, operands: tuple[ir.Expr, ...], where: ir.Location) -> ir.Expr:
    """A call of a library function with operands of the types that it takes; the first one's type chooses it."""
    callee = library.find(name, operands[0].type)
    key = (callee, tuple(operand.type for operand in operands))
    function = lowering.state.functions.get(key)
    if function is None:
        function = lowering.library_function(callee, key[1])
        lowering.state.functions[key] = function
    return ir.Call(function, operands, type=function.result, location=where)


def horner(lowering: ExpressionLowering, x: ir.Expr, coefficients: tuple[ir.Const, ...], where: ir.Location) -> ir.Expr:
    """The polynomial of x with the coefficients, lowest power first. A function of its own if x is computed."""
    if len(coefficients) <= 2 or isinstance(x, ir.Local | ir.Argument | ir.SpecValue | ir.Const):
        return _horner(x, coefficients, where)
    kind, state = x.type, lowering.state
    key = ("polynomial", *(c.value for c in coefficients))
    function = state.functions.get((key, (kind,)))
    if function is None:
        variable = ir.Variable("x", kind)
        value = _horner(ir.Local(variable, type=kind, location=where), coefficients, where)
        body = (ir.Return(value, location=where),)
        function = ir.Function(state.unique(f"polynomial_{kind}"), (variable,), kind, body, (), where)
        state.functions[key, (kind,)] = function
    return ir.Call(function, (x,), type=kind, location=where)


def _horner(x: ir.Expr, coefficients: tuple[ir.Const, ...], where: ir.Location) -> ir.Expr:
    result: ir.Expr = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        product = ir.Binary("mul", result, x, type=x.type, location=where)
        result = ir.Binary("add", product, coefficient, type=x.type, location=where)
    return result
