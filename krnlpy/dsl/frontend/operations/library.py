"""Calls of functions of :mod:`krnlpy.dsl.library`, made by the compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krnlpy.dsl import ir, library

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.syntax.expressions import ExpressionLowering


def call_library(lowering: ExpressionLowering, name: str, operands: tuple[ir.Expr, ...], where: ir.Location) -> ir.Expr:
    """A call of a library function with operands of the types that it takes; the first one's type chooses it."""
    function = lowering.library_function(library.find(name, operands[0].type), operands)
    return ir.Call(function, operands, type=function.results[0], location=where)


def horner(lowering: ExpressionLowering, x: ir.Expr, coefficients: tuple[ir.Const, ...], where: ir.Location) -> ir.Expr:
    """The polynomial of x with the coefficients, lowest power first, by Horner's rule."""
    x = lowering.steady(x) if len(coefficients) > 2 else x
    result: ir.Expr = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        product = ir.Binary("mul", result, x, type=x.type, location=where)
        result = ir.Binary("add", product, coefficient, type=x.type, location=where)
    return result
