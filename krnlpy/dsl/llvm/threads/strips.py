"""The loops around a kernel's code: over items, groups and threads."""

from __future__ import annotations

from types import TracebackType

from krnlpy.dsl.llvm.builder import Builder
from krnlpy.dsl.llvm.polls import charge


class Strips:
    """Cuts ``range(start, stop)`` of i64 into ranges ``start`` to ``stop``, around what is written in a ``with`` block
    for one of them; the kernel can be stopped between two.

    Args:
        longest: how many iterations are done without a poll.
        work: of one iteration.
    """

    def __init__(self, b: Builder, start: str, stop: str, longest: str, work: str) -> None:
        self._b, self._first, self._end, self._longest, self._work = b, start, stop, longest, work
        self._head, self._leave = b.fresh("strips"), b.fresh("leave")
        self.start = self.stop = ""

    def __enter__(self) -> Strips:
        b = self._b
        self._position = b.alloca("i64")
        b.store("i64", self._first, self._position)
        strip = b.fresh("strip")
        b.place(self._head)
        self.start = b.load("i64", self._position)
        b.branch_if(b.op(f"icmp slt i64 {self.start}, {self._end}"), strip, self._leave)
        b.place(strip)
        rest = b.op(f"sub nsw i64 {self._end}, {self.start}")
        count = b.intrinsic("llvm.smin.i64", "i64", ("i64", rest), ("i64", self._longest))
        charge(b, b.op(f"mul nsw i64 {count}, {self._work}"))
        self.stop = b.op(f"add nsw i64 {self.start}, {count}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        self._b.store("i64", self.stop, self._position)
        self._b.branch(self._head)
        self._b.place(self._leave)


class CountedLoop:
    """``for index in range(start, stop)`` of i32 or i64, around what is written in a ``with`` block.

    Args:
        parallel: whether the iterations are independent where accesses are marked with the access group.
    """

    def __init__(self, b: Builder, type: str, start: str, stop: str, parallel: bool = False) -> None:
        self._b, self._type, self._start, self._stop, self._parallel = b, type, start, stop, parallel
        self._head, self.next_label, self._leave = b.fresh("loop"), b.fresh("next"), b.fresh("leave")
        self.index = ""

    def __enter__(self) -> CountedLoop:
        b = self._b
        self._counter = b.alloca(self._type)
        b.store(self._type, self._start, self._counter)
        body = b.fresh("body")
        b.place(self._head)
        self.index = b.load(self._type, self._counter)
        more = b.op(f"icmp slt {self._type} {self.index}, {self._stop}")
        b.branch_if(more, body, self._leave)
        b.place(body)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        b = self._b
        b.place(self.next_label)
        b.store(self._type, b.op(f"add nsw {self._type} {self.index}, 1"), self._counter)
        b.branch(self._head, b.module.parallel_loop() if self._parallel else "")
        b.place(self._leave)
