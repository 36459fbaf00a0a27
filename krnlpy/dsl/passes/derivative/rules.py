"""What differentiation must be told: which functions have rules of their own, and where new functions go."""

from __future__ import annotations

from typing import Any, Protocol

from krnlpy.dsl import ir

Applied = ir.Binary | ir.Math | ir.Call | ir.Invoke
"""An operation or a function with its operands."""

Partials = tuple[Any | None, ...]
"""A function of the language for each operand; None where the derivative is 0."""


class Rules(Protocol):
    """What the pass asks of the frontend, which stands above it."""

    def partials(self, node: Applied) -> Partials | None:
        """The partial derivatives of what a node applies; None where it has no rule, and is derived from its body."""

    def partial_function(self, partial: Any, operands: tuple[ir.Expr, ...], value: ir.Expr) -> ir.Expr:
        """A call of a partial derivative for operands, and the value of the function there."""

    def unique(self, name: str) -> str:
        """A function name not yet taken in the program."""

    def add(self, function: ir.Function) -> None:
        """Makes a function one of the program's; those that it calls are already."""


def operands_of(node: Applied) -> tuple[ir.Expr, ...]:
    """What an operation or a function is applied to."""
    match node:
        case ir.Binary():
            return (node.left, node.right)
        case ir.Math():
            return node.operands
    return node.arguments
