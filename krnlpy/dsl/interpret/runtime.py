"""What generated Python code uses while it runs: the current thread, its faults, and what debuggers show of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from krnlpy.dsl.ir import Location
from krnlpy.dsl.ir.formats import Format, render
from krnlpy.dsl.semantics.breakpoints import debugger
from krnlpy.dsl.semantics.collectives import SUBGROUP_THREADS
from krnlpy.errors import KernelAssertionError, KernelIndexError, KernelOverflowError, SourceError
from krnlpy.scalar import scalar_type

from .expressions import PREFIX, Site
from .fences import Fences

Triple = tuple[int, int, int]


class Fault(Exception):
    """A thread did what it must not. The scheduler, which knows the thread, raises ``error`` in its place."""

    def __init__(self, error: type[SourceError], message: str, location: Location) -> None:
        self.error, self.message, self.location = error, message, location
        super().__init__(message)


@dataclass(slots=True)
class ExecutionState:
    """The thread that runs, and when.

    Attributes:
        group: of the thread. ``thread``: its ids in the group; ``item``: the index of its item.
        phase: counts up with each group and each barrier. What threads of a group do in one phase is in no order.
        first_phase: the group's first.
        atomic: whether what the thread accesses now is part of an atomic operation.
        held: what was printed and is not yet sorted, with the item or the thread's place in its group; None where
            threads print in the right order by themselves.
        subgroup_threads: threads of a subgroup.
        step: counts up with each barrier of a subgroup, and each fence.
        synchronized_at: for two threads of the group, the step before which what the first one did comes before what
            the second one does now: that of their last common barrier of a subgroup, or of a fence.
        fences: what fences and atomics put in order.
    """

    groups: Triple
    threads: Triple
    items: int
    group: Triple = (0, 0, 0)
    thread: Triple = (0, 0, 0)
    item: int = 0
    phase: int = 0
    first_phase: int = 0
    atomic: bool = False
    held: list[tuple[int, str]] | None = None
    subgroup_threads: int = SUBGROUP_THREADS
    step: int = 0
    synchronized_at: dict[tuple[Triple, Triple], int] = field(default_factory=dict)
    fences: Fences = field(default_factory=Fences)

    def start_group(self, group: Triple) -> None:
        self.group = group
        self.phase += 1
        self.first_phase = self.phase
        self.synchronized_at.clear()
        self.fences.start_group()

    def synchronize(self, threads: Sequence[Triple]) -> None:
        """Notes that threads of a subgroup are at its barrier together."""
        self.step += 1
        self.synchronized_at.update(dict.fromkeys(itertools.product(threads, threads), self.step))

    def fence(self, scope: str) -> None:
        """Notes that the thread is at a fence."""
        self.step += 1
        for other, step in self.fences.fence(self.thread, scope, self.step).items():
            pair = other, self.thread
            self.synchronized_at[pair] = max(step, self.synchronized_at.get(pair, 0))

    def describe(self, group: Triple, thread: Triple) -> str:
        """A thread in words."""
        ids = tuple(group[axis] * self.threads[axis] + thread[axis] for axis in range(3))
        return f"thread with global_id {ids}: group {group}, thread {thread}"

    def write(self, text: str) -> None:
        """Prints, or keeps what the thread prints until it can be sorted."""
        if self.held is None:
            print(text, end="")  # nothing where there is no sys.stdout
        else:
            self.held.append((self.item if self.items else self.linear(), text))

    def release(self) -> None:
        """Prints what is held, sorted by item or thread."""
        if self.held:
            print("".join(text for _, text in sorted(self.held, key=lambda entry: entry[0])), end="")
            self.held.clear()

    def linear(self) -> int:
        """The place of the thread in its group."""
        x, y, z = self.thread
        return (z * self.threads[1] + y) * self.threads[0] + x


@dataclass(frozen=True)
class Storage:
    """A buffer's elements as generated code sees them.

    Attributes:
        view: what is indexed: a memoryview; for f16 and bf16, which a memoryview cannot hold, a NumPy array; or what
            checks accesses and does the same.
        array: all elements of the memory, for debuggers.
        write: for ``Out`` buffers: called with value, index, site and the index along each axis, instead of a store.
    """

    view: Any
    array: np.ndarray[Any, Any]
    write: Callable[..., None] | None = None


class DebuggerArray:
    """A local or group array as debuggers show it: with its shape, as it is when one looks."""

    def __init__(self, values: Any, shape: Sequence[int], type: str) -> None:
        self._values, self.shape, self._type = getattr(values, "view", values), tuple(shape), type

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self._values, dtype or scalar_type(self._type).dtype).reshape(self.shape)

    def __getitem__(self, index: Any) -> Any:
        return np.asarray(self)[index]

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return repr(np.asarray(self))


def functions(sites: Sequence[Site], formats: Sequence[Format], now: ExecutionState) -> dict[str, Any]:
    """What generated code calls that depends on the program."""

    def out_of_range(site: int, axis: int, index: int, length: int) -> NoReturn:
        what = sites[site].what
        message = f"index {index} is out of range: {what} has length {length} along axis {axis}"
        raise Fault(KernelIndexError, message, sites[site].location)

    def fit(value: int, least: int, greatest: int, site: int, symbol: str, *operands: int) -> int:
        if least <= value <= greatest:
            return value
        type = sites[site].what
        operation = f"{operands[0]} {symbol} {operands[1]}" if len(operands) == 2 else f"{symbol}({operands[0]})"
        message = f"overflow: {operation} is {value}; {type} holds {least} to {greatest}"
        raise Fault(KernelOverflowError, message, sites[site].location)

    def write(format: int, *values: Any) -> None:
        now.write(render(formats[format], values))

    def assertion_failed(site: int, format: int, *values: Any) -> NoReturn:
        text = render(formats[format], values)
        message = f"assertion failed: {text}" if text else "assertion failed"
        raise Fault(KernelAssertionError, message, sites[site].location)

    def atomic(on: bool) -> None:
        now.atomic = on

    def fence(scope: str) -> None:
        now.fence(scope)

    found = {PREFIX + f.__name__: f for f in (out_of_range, fit, write, assertion_failed, atomic, fence)}
    return {**found, **debugger_names(now), PREFIX + "breakpoint": debugger(), PREFIX + "shown": DebuggerArray}


def debugger_names(now: ExecutionState) -> Mapping[str, Any]:
    """``global_id()`` and the like under the names that they have in kernels, for a debugger's prompt."""

    def of_axis(values: Callable[[], Triple]) -> Callable[..., int]:
        return lambda axis=0: values()[axis]

    return {
        "global_id": lambda axis=0: now.group[axis] * now.threads[axis] + now.thread[axis],
        "group_id": of_axis(lambda: now.group),
        "thread_id": of_axis(lambda: now.thread),
        "groups": of_axis(lambda: now.groups),
        "threads": of_axis(lambda: now.threads),
        "global_threads": lambda axis=0: now.groups[axis] * now.threads[axis],
        "subgroup_id": lambda: now.linear() // now.subgroup_threads,
        "subgroup_thread_id": lambda: now.linear() % now.subgroup_threads,
        "item_id": lambda: now.item,
        "items": lambda: now.items,
    }
