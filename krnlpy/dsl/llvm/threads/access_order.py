"""Whether LLVM may be told that the threads of a loop are independent of one another.

They are, but LLVM assumes more: in a loop that is marked as parallel it also reorders the accesses of one thread,
when it joins those to neighbouring elements, ``a[2 * i]`` and ``a[2 * i + 1]``, to one wide access. It loads at the
first of them and stores at the last one, whatever is in between. So a loop is not marked if a thread reads after it has
written, and there are accesses to join.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from krnlpy.dsl import ir


def tolerates_reordering(block: ir.Block) -> bool:
    """Whether what a thread does means the same when its accesses to neighbours are joined."""
    if _has_fence(block):
        return False
    accesses: list[_Access] = []
    _collect(block, accesses)
    counts = Counter(access for access in accesses if not isinstance(access[1], ir.ItemParameter))
    if all(count < 2 for count in counts.values()):
        return True
    kinds = [kind for kind, _ in accesses]
    return "store" not in kinds or "load" not in kinds[kinds.index("store") :]


_Access = tuple[str, ir.Place]


def _has_fence(block: ir.Block) -> bool:
    return any(
        isinstance(node, ir.Fence) or (isinstance(node, ir.Call | ir.Invoke) and _function_has_fence(node.function))
        for node in ir.walk(block)
    )


@lru_cache(maxsize=256)  # a function may be called on very many ways
def _function_has_fence(function: ir.Function) -> bool:
    return _has_fence(function.body)


@lru_cache(maxsize=256)
def _of_function(function: ir.Function) -> tuple[_Access, ...]:
    """The accesses of a function: of each the first and the last, which is all that counts."""
    accesses: list[_Access] = []
    _collect(function.body, accesses)
    first = {access: n for n, access in reversed(list(enumerate(accesses)))}
    last = {access: n for n, access in enumerate(accesses)}
    return tuple(accesses[n] for n in sorted({*first.values(), *last.values()}))


def _collect(block: ir.Block, accesses: list[_Access]) -> None:
    """Adds the accesses to memory that threads share, in the order in which a thread makes them."""
    for statement in block:
        for expression in ir.expressions(statement):
            _collect_loads(expression, accesses)
        if isinstance(statement, ir.Invoke):
            accesses += _of_function(statement.function)
        if isinstance(statement, ir.Store) and _is_shared(statement.place):
            accesses.append(("store", statement.place))
        inner: list[_Access] = []
        for body in ir.blocks(statement):
            _collect(body, inner)
        # Another round of a loop comes after the first.
        accesses += inner * 2 if isinstance(statement, ir.For | ir.While) else inner


def _collect_loads(expression: ir.Expr, accesses: list[_Access]) -> None:
    for node in ir.walk(expression):
        if isinstance(node, ir.Load) and _is_shared(node.place):
            accesses.append(("load", node.place))
        elif isinstance(node, ir.Call):
            accesses += _of_function(node.function)


def _is_shared(place: ir.Place) -> bool:
    return not isinstance(place, ir.LocalArray) or isinstance(place, ir.GroupArray)
