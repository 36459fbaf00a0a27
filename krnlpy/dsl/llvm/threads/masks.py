"""Masks: which threads of a group take the branch that is being written.

A mask is a byte for each thread: 0 if it takes this branch. Masks are nested; a thread that leaves a loop or returns is
taken out of all masks up to that loop's, so that it is back where they end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from krnlpy.dsl.llvm.builder import ACCESS_GROUP, Builder

from .strips import CountedLoop


class Masks:
    """The masks around what is being written.

    Args:
        threads: of a group.
    """

    def __init__(self, b: Builder, threads: int) -> None:
        self._b = b
        self._threads = threads
        self._stack: list[str] = []
        self._loops: list[int] = []

    @property
    def current(self) -> str | None:
        """The address of the innermost mask; None if all threads are active."""
        return self._stack[-1] if self._stack else None

    @property
    def in_loop(self) -> bool:
        return bool(self._loops)

    def push(self, mask: str) -> None:
        self._stack.append(mask)

    @contextmanager
    def masked_by(self, mask: str) -> Iterator[None]:
        """What is written inside is done by the threads of a mask."""
        self._stack.append(mask)
        yield
        self._stack.pop()

    @contextmanager
    def loop(self, mask: str, iteration: str) -> Iterator[None]:
        """What is written inside is the body of a loop: ``iteration`` is the mask of one pass."""
        self._loops.append(len(self._stack))
        with self.masked_by(mask), self.masked_by(iteration):
            yield
        self._loops.pop()

    def leave(self, how: str, position: str) -> None:
        """Takes a thread out of an iteration (``continue``), of the loop (``break``), or for good (``return``)."""
        first = {"return": 0, "break": self._loops[-1] if self._loops else 0}.get(how)
        if first is None:
            first = self._loops[-1] + 1
        for mask in self._stack[first:]:
            self.disable(mask, position)

    def disable(self, mask: str, position: str) -> None:
        self._b.store("i8", "1", self._b.element(mask, position, 1), ACCESS_GROUP)

    def skip(self, position: str, next_label: str) -> None:
        """Goes on to the next thread if this one does not take this branch."""
        mask = self.current
        if mask is None:
            return
        b = self._b
        goes = b.fresh("goes")
        flag = b.load("i8", b.element(mask, position, 1), ACCESS_GROUP)
        b.branch_if(b.op(f"icmp eq i8 {flag}, 0"), goes, next_label)
        b.place(goes)

    def start(self, mask: str) -> None:
        """A mask of all threads that arrive here."""
        if self.current is None:
            self._fill(mask, 0)
            return
        name = "llvm.memcpy.p0.p0.i64"
        self._b.module.define(name, f"declare void @{name}(ptr, ptr, i64, i1)")
        self._b.do(f"call void @{name}(ptr {mask}, ptr {self.current}, i64 {self._threads}, i1 false)")

    def clear(self, mask: str) -> None:
        """A mask of no threads."""
        self._fill(mask, 1)

    def enable(self, mask: str, position: str) -> None:
        self._b.store("i8", "0", self._b.element(mask, position, 1), ACCESS_GROUP)

    def _fill(self, mask: str, value: int) -> None:
        name = "llvm.memset.p0.i64"
        self._b.module.define(name, f"declare void @{name}(ptr, i8, i64, i1)")
        self._b.do(f"call void @{name}(ptr {mask}, i8 {value}, i64 {self._threads}, i1 false)")

    def branch_if_none(self, mask: str, none: str, some: str) -> None:
        """Branches on whether a mask has no thread."""
        b = self._b
        out = b.alloca("i8")
        b.store("i8", "1", out)
        with CountedLoop(b, "i64", "0", str(self._threads)) as loop:
            flag = b.load("i8", b.element(mask, loop.index, 1))
            b.store("i8", b.op(f"and i8 {b.load('i8', out)}, {flag}"), out)
        b.branch_if(b.op(f"icmp ne i8 {b.load('i8', out)}, 0"), none, some)
