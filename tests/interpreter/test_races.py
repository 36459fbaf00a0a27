"""Which pairs of accesses race, without kernels: all kinds, in one group and in two, across a barrier."""

from __future__ import annotations

import itertools

import pytest

from krnlpy.dsl.interpret.translate import ExecutionState, Fault
from krnlpy.interpreter.races import Accesses

KINDS = ("read", "write", "atomic")


def access(accesses: Accesses, now: ExecutionState, kind: str) -> None:
    now.atomic = kind == "atomic"
    record = accesses.write if kind == "write" else accesses.read
    record(7, access.__code__, 0, lambda at: f"element {at}", 7)


@pytest.mark.parametrize(("first", "second"), [*itertools.product(KINDS, KINDS)])
@pytest.mark.parametrize("apart", ["thread", "group", "barrier", "same"])
def test_pairs(first: str, second: str, apart: str) -> None:
    now = ExecutionState((2, 1, 1), (2, 1, 1), 0)
    accesses = Accesses(now)
    now.start_group((0, 0, 0))
    access(accesses, now, first)
    if apart == "group":
        now.start_group((1, 0, 0))
    elif apart == "barrier":
        now.phase += 1
    if apart != "same":
        now.thread = (1, 0, 0)
    harmless = first == second and first != "write"
    if apart in ("thread", "group") and not harmless:
        with pytest.raises(Fault, match="data race on element 7"):
            access(accesses, now, second)
    else:
        access(accesses, now, second)


def test_a_read_hidden_by_later_ones() -> None:
    """Thread 0 writes what thread 1 read before thread 0 read it too; and what another group read long ago."""
    now = ExecutionState((2, 1, 1), (2, 1, 1), 0)
    accesses = Accesses(now)
    threads = [(0, 0, 0), (1, 0, 0)]
    now.start_group((0, 0, 0))
    for now.thread in (threads[1], threads[0]):
        access(accesses, now, "read")
    with pytest.raises(Fault, match=r"thread \(1, 0, 0\)"):
        access(accesses, now, "write")
    now.start_group((1, 0, 0))
    for _ in range(3):
        now.phase += 1
        for now.thread in threads:
            access(accesses, now, "read")
    now.phase += 1
    with pytest.raises(Fault, match=r"group \(0, 0, 0\)"):
        access(accesses, now, "write")
