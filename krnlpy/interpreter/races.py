"""Data races: two threads touch the same memory, one of them writes, and nothing orders the two.

Barriers order the threads of a group, and subgroup barriers those of a subgroup; threads of different groups are
ordered by nothing but atomics with fences before and after them. Two atomic accesses never race with each other. Two
writes race even if both write the same value, as in ThreadSanitizer: the memory models of Vulkan and C++ give no
meaning to any race.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import PurePath
from types import CodeType
from typing import Literal, NoReturn

from krnlpy.dsl.interpret.fences import Released
from krnlpy.dsl.interpret.translate import ExecutionState, Fault
from krnlpy.dsl.ir import Location
from krnlpy.errors import KernelRaceError
from krnlpy.sources import line_of

AccessKind = Literal["read", "write", "atomic"]

_WORDS = {"read": "read", "write": "written", "atomic": "changed by an atomic"}


Access = tuple[int, tuple[int, int, int], tuple[int, int, int], CodeType, int, int]
"""When (a phase), by which thread of which group, and by which instruction of generated code something was accessed;
and at which step of subgroups."""

Describe = Callable[[int], str]
"""The name of an element in messages, by its index."""


class Accesses:
    """What the threads of a launch did to each unit of memory: enough to see the next race.

    The last read is kept, and one that it may hide; likewise for atomics. A write that races with any read races with
    one of these two.
    """

    def __init__(self, now: ExecutionState) -> None:
        self._now = now
        self._writes: dict[int, Access] = {}
        self._reads: dict[int, tuple[Access, Access | None]] = {}
        self._atomics: dict[int, tuple[Access, Access | None]] = {}
        self._released: dict[int, Released] = {}

    def read(self, unit: int, code: CodeType, instruction: int, describe: Describe, at: int) -> None:
        """Records a read of a unit, which is part of the element ``at`` of what ``describe`` knows.

        Raises:
            Fault: it races with an access before it.
        """
        now = self._now
        phase, thread = now.phase, now.thread
        if now.atomic:
            self._atomic(unit, (phase, thread, now.group, code, instruction, now.step), describe, at)
            now.fences.read(thread, self._released.get(unit))
            return
        known = self._reads.get(unit)
        if known is not None and known[0][0] == phase and known[0][1] is thread:
            return  # this thread was here already
        here = (phase, thread, now.group, code, instruction, now.step)
        last = self._writes.get(unit)
        if last is not None:
            self._check("write", last, "read", here, describe, at)
        if self._atomics:
            self._check_both("atomic", self._atomics.get(unit), "read", here, describe, at)
        self._reads[unit] = (here, None if known is None else self._hidden(known))

    def write(self, unit: int, code: CodeType, instruction: int, describe: Describe, at: int) -> None:
        """Records a write, as :meth:`read` does."""
        now = self._now
        here = (now.phase, now.thread, now.group, code, instruction, now.step)
        if now.atomic:
            self._atomic(unit, here, describe, at)
            released = now.fences.write(now.group, now.thread, self._released.get(unit))
            if released is not None:
                self._released[unit] = released
            return
        last = self._writes.get(unit)
        if last is not None:
            self._check("write", last, "write", here, describe, at)
        self._check_both("read", self._reads.get(unit), "write", here, describe, at)
        if self._atomics:
            self._check_both("atomic", self._atomics.get(unit), "write", here, describe, at)
        self._writes[unit] = here

    def _atomic(self, unit: int, here: Access, describe: Describe, at: int) -> None:
        self._check("write", self._writes.get(unit), "atomic", here, describe, at)
        self._check_both("read", self._reads.get(unit), "atomic", here, describe, at)
        known = self._atomics.get(unit)
        self._atomics[unit] = (here, None if known is None else self._hidden(known))

    def _races(self, other: Access) -> bool:
        """Whether an earlier access is in no order with what the thread does now."""
        now = self._now
        if other[0] < now.first_phase:  # of another group
            return now.fences.groups.get(other[2], 0) <= other[5]
        if other[0] != now.phase or other[1] is now.thread:
            return False
        return now.synchronized_at.get((other[1], now.thread), 0) <= other[5]

    def _hidden(self, known: tuple[Access, Access | None]) -> Access | None:
        """What must be kept beside the access that is made now."""
        last, hidden = known
        if hidden is not None and hidden[0] < self._now.first_phase and self._races(hidden):
            return hidden  # another group: in no order with all that this one does
        if self._races(last):
            return last
        return hidden if hidden is not None and self._races(hidden) else None

    def _check_both(
        self,
        kind: AccessKind,
        others: tuple[Access, Access | None] | None,
        doing: AccessKind,
        here: Access,
        describe: Describe,
        at: int,
    ) -> None:
        if others is not None:
            self._check(kind, others[0], doing, here, describe, at)
            self._check(kind, others[1], doing, here, describe, at)

    def _check(
        self, kind: AccessKind, other: Access | None, doing: AccessKind, here: Access, describe: Describe, at: int
    ) -> None:
        if other is not None and self._races(other):
            self._fail(kind, other, doing, here, describe(at))

    def _fail(self, kind: AccessKind, other: Access, doing: AccessKind, here: Access, name: str) -> NoReturn:
        there_group, there_code, there_instruction = other[2:5]
        where, there = locate(*here[3:5]), locate(there_code, there_instruction)
        line = f"line {there.line}" if there.file == where.file else f"{PurePath(there.file).name}:{there.line}"
        text = line_of(there.file, there.line).encode()[there.column : there.end_column].decode()
        if there_group == here[2]:
            advice = "with no barrier() between the two"
        else:
            advice = "and threads of different groups are in no order"
        raise Fault(
            KernelRaceError,
            f"data race on {name}: it is {_WORDS[doing]} here, and {_WORDS[kind]} in {line} (`{text}`) by the"
            f" {self._now.describe(there_group, other[1])}, {advice}",
            where,
        )


def locate(code: CodeType, instruction: int) -> Location:
    """The place in the kernel's source that an instruction of generated code stands for."""
    line, _, column, end_column = next(itertools.islice(code.co_positions(), instruction // 2, None))
    return Location(code.co_filename, line or code.co_firstlineno, column or 0, end_column or 0)
