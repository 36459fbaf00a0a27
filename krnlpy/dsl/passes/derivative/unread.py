"""Leaves out what nothing reads: a derivative without its value pays for no more than what it needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from krnlpy.dsl import ir

Owned = ir.Variable | ir.LocalArray


def without_unread(body: ir.Block, arrays: Iterable[ir.LocalArray]) -> ir.Block:
    """The body of a function without effects, without what gives values to variables and arrays that are never read.

    Args:
        body: the body.
        arrays: the function's own.
    """
    return _Sweep(set(arrays)).run(body)


class _Sweep:
    def __init__(self, arrays: set[ir.LocalArray]) -> None:
        self._arrays = arrays

    def run(self, body: ir.Block) -> ir.Block:
        readers: defaultdict[Owned, list[Owned]] = defaultdict(list)  # what is read to give it a value
        wanted: list[Owned] = []
        for node in ir.walk(body):
            if not isinstance(node, ir.Stmt):
                continue
            given = self._gives(node)
            reads = [owned for e in ir.expressions(node) for owned in _reads(e)]
            if isinstance(node, ir.Invoke):
                reads += ir.captured_arrays(node.function)
            if given is None:
                wanted += reads
            for owned in given or ():
                readers[owned] += reads
        read: set[Owned] = set()
        while wanted:
            owned = wanted.pop()
            if owned not in read:
                read.add(owned)
                wanted += readers[owned]
        return self._block(body, read)

    def _gives(self, s: ir.Stmt) -> tuple[Owned, ...] | None:
        """What a statement is there for; None: it stays whatever is read."""
        match s:
            case ir.Assign():
                return (s.variable,)
            case ir.Store(place=ir.LocalArray()) if s.place in self._arrays:
                return (s.place,)
            case ir.Invoke() if not ir.captured_arrays(s.function):
                return s.targets
        return None

    def _block(self, block: ir.Block, read: set[Owned]) -> ir.Block:
        return tuple(s for statement in block for s in self._statement(statement, read))

    def _statement(self, s: ir.Stmt, read: set[Owned]) -> Iterator[ir.Stmt]:
        given = self._gives(s)
        if given is not None:
            if any(owned in read for owned in given):
                yield s
            return
        match s:
            case ir.If():
                then, otherwise = self._block(s.then, read), self._block(s.otherwise, read)
                if then or otherwise:  # conditions have no effects
                    yield replace(s, then=then, otherwise=otherwise)
            case ir.While() | ir.For():
                yield replace(s, body=self._block(s.body, read))
            case _:
                yield s


def _reads(e: ir.Expr) -> Iterator[Owned]:
    for node in ir.walk(e):
        if isinstance(node, ir.Local):
            yield node.variable
        elif isinstance(node, ir.Load | ir.Extent) and isinstance(node.place, ir.LocalArray):
            yield node.place
