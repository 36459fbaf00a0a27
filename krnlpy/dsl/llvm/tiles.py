"""Loops over small local arrays, hinted so that LLVM keeps the arrays in registers.

A kernel that computes a tile of its result keeps the sums in a local array, and passes over it in loops of constant
length inside a loop of any length. The array can only become registers if each of its elements has a constant index:
loops over it are unrolled in full. If the innermost one passes over the last axis and only stores, it is vectorised
instead: LLVM finds vectors in unrolled code for some lengths only.
"""

from __future__ import annotations

from collections.abc import Callable

from krnlpy.dsl import ir

from .math import calls_libm

_LONGEST = 64
_LARGEST = 1024
"""Bytes of an array. Registers hold about so many; a longer one stays in memory whatever is done."""
_MOST = 4096
"""Nodes of the IR that a loop may become."""
_WIDEST = 16
"""Elements of a vector. LLVM splits what is wider than the CPU's registers."""

Static = Callable[[ir.Expr], int | None]


def loop_hints(block: ir.Block, static: Static, vectors: bool = True) -> dict[ir.For, int]:
    """For each loop that is to be hinted the width of its vectors, or 0 where it is to be written out.

    Args:
        block: statements with loops in them.
        static: the value of an integer expression that is known while compiling, or None.
        vectors: whether LLVM can make vectors: not of code that checks each index, and reports it.
    """
    hints: dict[ir.For, int] = {}
    _visit(block, static, False, hints)
    return hints if vectors else {loop: width for loop, width in hints.items() if not width}


def _visit(block: ir.Block, static: Static, in_loop: bool, hints: dict[ir.For, int]) -> int:
    """Hints the loops in a block, the innermost first; returns how many nodes the block becomes."""
    size = 0
    for statement in block:
        count = _count(statement, static) if isinstance(statement, ir.For) else None
        over_tile = count is not None and isinstance(statement, ir.For) and _passes_over_tile(statement, static)
        inner_loop = in_loop or (isinstance(statement, ir.For | ir.While) and not over_tile)
        own = 1 + sum(1 for expression in ir.expressions(statement) for _ in ir.walk(expression))
        body = sum(_visit(inner, static, inner_loop, hints) for inner in ir.blocks(statement))
        if over_tile and count is not None and isinstance(statement, ir.For):
            if in_loop and count % 4 == 0 and _is_elementwise(statement):
                hints[statement] = min(count & -count, _WIDEST)
            elif count * body <= _MOST:
                hints[statement] = 0
                body *= count
        size += own + body
    return size


def _count(loop: ir.For, static: Static) -> int | None:
    start, stop, step = (static(e) for e in (loop.start, loop.stop, loop.step))
    if start is None or stop is None or not step:
        return None
    count = len(range(start, stop, step))
    return count if 1 < count <= _LONGEST else None


def _passes_over_tile(loop: ir.For, static: Static) -> bool:
    return any(
        _is_tile(node.place, static) and any(_reads(index, loop.variable) for index in node.index)
        for node in ir.walk(loop.body)
        if isinstance(node, ir.Load | ir.Store)
    )


def _is_tile(place: ir.Place, static: Static) -> bool:
    if not isinstance(place, ir.LocalArray) or isinstance(place, ir.GroupArray):
        return False
    size = place.type.size
    for expression in place.shape:
        length = static(expression)
        if length is None:
            return False
        size *= length
    return size <= _LARGEST


def _is_elementwise(loop: ir.For) -> bool:
    """Whether LLVM can and may vectorise a loop: an iteration only stores, and in the arrays that it stores to it
    touches only its own place of the last axis. A sum would be added in another order, which the hint to vectorise
    allows; libm has no functions of vectors."""
    if not isinstance(loop.step, ir.Const) or loop.step.value != 1:
        return False
    nodes = list(ir.walk(loop.body))
    if not all(isinstance(statement, ir.Store) for statement in loop.body) or any(map(_is_call, nodes)):
        return False
    stored = {statement.place for statement in loop.body if isinstance(statement, ir.Store)}
    return all(isinstance(place, ir.LocalArray) for place in stored) and all(
        _is_variable(node.index[-1], loop.variable)
        and not any(_reads(index, loop.variable) for index in node.index[:-1])
        for node in nodes
        if isinstance(node, ir.Load | ir.Store) and node.place in stored
    )


def _is_call(node: ir.Stmt | ir.Expr) -> bool:
    return isinstance(node, ir.Call) or calls_libm(node)


def _is_variable(expression: ir.Expr, variable: ir.Variable) -> bool:
    return isinstance(expression, ir.Local) and expression.variable is variable


def _reads(expression: ir.Expr, variable: ir.Variable) -> bool:
    return any(_is_variable(node, variable) for node in ir.walk(expression) if isinstance(node, ir.Expr))
