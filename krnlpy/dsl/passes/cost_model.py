"""An estimate of the work that a thread of a kernel does, from the kernel's text alone."""

from __future__ import annotations

from functools import lru_cache

from krnlpy.dsl import ir

_LOOP_WORK = 64
"""How often the body of a loop is taken to run."""
_MATH_WORK = 32
"""An elementary function, in nodes."""


def estimated_work(node: ir.Stmt | ir.Expr | ir.Block) -> int:
    """Roughly how many nodes of the IR are evaluated, functions and repetitions of loops included."""
    if isinstance(node, tuple):
        return sum(map(estimated_work, node))
    if isinstance(node, ir.For | ir.While):
        return _LOOP_WORK * estimated_work(node.body)
    if isinstance(node, ir.If):
        return estimated_work(node.condition) + estimated_work(node.then) + estimated_work(node.otherwise)
    total = 0
    for part in ir.walk(node):
        if isinstance(part, ir.Call):
            total += _function_work(part.function)
        total += node_work(part)
    return total


@lru_cache(maxsize=256)  # a function may be called on very many ways
def _function_work(function: ir.Function) -> int:
    return estimated_work(function.body)


def node_work(node: ir.Stmt | ir.Expr) -> int:
    """The work of a node itself, without what is in it."""
    return _MATH_WORK if isinstance(node, ir.Math) or (isinstance(node, ir.Binary) and node.op == "pow") else 1
