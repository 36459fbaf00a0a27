"""Atomics as the interpreter runs them: threads run one at a time, so reading, computing and writing is enough."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from krnlpy.scalar import boolean

from . import ir
from .interpret_expressions import Expressions, call


@dataclass(frozen=True, eq=False)
class SameBits(ir.Expr):
    """Whether two numbers of one type have the same bits."""

    left: ir.Expr
    right: ir.Expr


class Atomics(Expressions):
    """Translates what atomics are made of."""

    def _SameBits(self, node: SameBits) -> ast.expr:  # noqa: N802
        return call("same_bits", self.expr(node.left), self.expr(node.right))


def in_steps(node: ir.Atomic) -> ir.Block:
    """An atomic as a load and a store."""
    type, where = node.place.type.compute, node.location
    variable = node.targets[0] if node.targets else ir.Variable("old", type)
    old = ir.Local(variable, type=type, location=where)
    load = ir.Assign(variable, ir.Load(node.place, node.index, type=type, location=where), location=where)

    def store(value: ir.Expr) -> ir.Stmt:
        return ir.Store(node.place, node.index, value, location=where)

    if node.op == "compare_exchange":
        assert node.expected is not None
        condition = SameBits(old, node.expected, type=boolean, location=where)
        return (load, ir.If(condition, (store(node.value),), (), location=where))
    if node.op == "exchange":
        return (load, store(node.value))
    return (load, store(ir.Binary(node.op, old, node.value, type=type, location=where)))
