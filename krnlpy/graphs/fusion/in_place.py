"""Item kernels that may write where they read: to the place of an element that nobody needs after it was loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from krnlpy.dsl import ir

from .elements import Elements
from .source import Source


def in_place(source: Source) -> Iterator[tuple[Any, Any]]:
    """Pairs of memory that is only read and memory that is only written, of which the second may be the first: each
    thread has loaded all that it needs of an element before it stores the one at the same place."""
    if not source.is_of_items:
        return
    if any(isinstance(p, ir.ItemParameter) for f in source.program.functions for p in _places(f.body)):
        return
    users: dict[int, list[tuple[ir.BufferParameter, Elements, bool, bool]]] = {}
    for access in source.accesses:
        users.setdefault(id(access[1].memory), []).append(access)
    written = [of[0] for of in users.values() if len(of) == 1 and of[0][3] and not of[0][2]]
    read = [of for of in users.values() if not any(writes for *_, writes in of)]
    for q, target, _, _ in written:
        if not isinstance(q, ir.ItemParameter):
            continue
        for of in read:
            if all(
                isinstance(p, ir.ItemParameter)
                and _is_alike(elements, target)
                and _loads_first(source.program.body, p, q)
                for p, elements, _, _ in of
            ):
                yield of[0][1].memory, target.memory


def _is_alike(a: Elements, b: Elements) -> bool:
    """Whether elements lie at the same places, each of its memory."""
    return (a.size, a.offset, a.shape, a.strides) == (b.size, b.offset, b.shape, b.strides)


def _loads_first(body: ir.Block, p: ir.Place, q: ir.Place) -> bool:
    """Whether no load of p comes after a store to q."""
    is_stored = False
    for statement in body:
        nodes = list(ir.walk(statement))
        loads = any(isinstance(node, ir.Load) and node.place is p for node in nodes)
        stores = any(getattr(node, "place", None) is q and not isinstance(node, ir.Load) for node in nodes)
        if loads and is_stored:
            return False
        if loads and stores and not isinstance(statement, ir.Store):
            if not isinstance(statement, ir.If):
                return False
            if not (_loads_first(statement.then, p, q) and _loads_first(statement.otherwise, p, q)):
                return False
        is_stored |= stores
    return True


def _places(body: ir.Block) -> Iterator[Any]:
    return (getattr(node, "place", None) for node in ir.walk(body))
