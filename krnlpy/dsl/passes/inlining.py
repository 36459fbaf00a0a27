"""Which functions are worth a copy at each of their calls."""

from __future__ import annotations

from collections import Counter

from krnlpy.dsl import ir

_LIMIT = 1500
"""Nodes in all copies of a function together: four of ``erf``. Each thousand costs LLVM some 300 ms."""


def inlined_functions(program: ir.Program) -> frozenset[ir.Function]:
    """The functions whose copies, at all calls that inlining makes of them, are short enough together.

    A loop that calls a function does not become vectors, and a function that is called twice is not inlined by itself:
    ``erf(x) + erf(2 * x)`` then takes eight times as long as ``erf(x)``.
    """
    copies: Counter[ir.Function] = Counter(_calls(program.body))
    for function in reversed(program.functions):  # callers first
        for callee, count in _calls(function.body).items():
            copies[callee] += count * copies[function]
    size: dict[ir.Function, int] = {}
    chosen = set()
    for function in program.functions:  # callees first
        own = sum(1 for _ in ir.walk(function.body))
        inside = sum(count * size[callee] for callee, count in _calls(function.body).items() if callee in chosen)
        size[function] = own + inside
        if size[function] * copies[function] <= _LIMIT:
            chosen.add(function)
    return frozenset(chosen)


def _calls(body: ir.Block) -> Counter[ir.Function]:
    return Counter(node.function for node in ir.walk(body) if isinstance(node, ir.Call | ir.Invoke))
