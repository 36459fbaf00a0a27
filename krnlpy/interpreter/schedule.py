"""Runs the threads of a launch, in order where they are free of each other, else from one wait to the next."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, NoReturn

from krnlpy.dsl.interpret.statements import zero
from krnlpy.dsl.interpret.translate import ExecutionState, Fault, Interpretation
from krnlpy.dsl.semantics.collectives import combine
from krnlpy.errors import KernelError

from .races import Accesses
from .watch import Watched, watch_array

Triple = tuple[int, int, int]
Kernel = Callable[..., Any]


def run(interpretation: Interpretation, kernel: Kernel, now: ExecutionState) -> None:
    """Runs all groups, one after another.

    Raises:
        KernelIndexError: a thread used an index that is out of range.
        KernelError: a thread did something else that it must not, or did not reach a barrier that others reached.
    """
    run_group = _run_suspending if interpretation.suspends else _run_free
    # Where threads take turns, or several items, what they print is not in the order that all targets keep.
    if interpretation.suspends or now.items > now.groups[0] * now.threads[0]:
        now.held = []
    try:
        for z, y, x in itertools.product(*(range(count) for count in reversed(now.groups))):
            now.start_group((x, y, z))
            run_group(interpretation, kernel, now, _group_arrays(interpretation, now))
            if not now.items:
                now.release()
    finally:
        now.release()


def _group_arrays(interpretation: Interpretation, now: ExecutionState) -> list[Watched]:
    """The arrays of a group, of zeros."""
    return [
        watch_array(array, shape, [zero] * prod(shape), Accesses(now))
        for array, (zero, shape) in zip(interpretation.program.group_arrays, interpretation.group_arrays, strict=True)
    ]


def _thread_ids(now: ExecutionState) -> Iterator[Triple]:
    """The ids of a group's threads, in their order."""
    for z, y, x in itertools.product(*(range(count) for count in reversed(now.threads))):
        yield x, y, z


def _items_of(now: ExecutionState, thread: Triple) -> range:
    """The items that a thread takes: its own, and where there are more items than threads, others after it."""
    count, index = 1, 0
    for axis in range(3):
        index += count * (now.group[axis] * now.threads[axis] + thread[axis])
        count *= now.groups[axis] * now.threads[axis]
    return range(index, now.items, count)


def _fail(fault: Fault, now: ExecutionState) -> NoReturn:
    """Raises what the thread did wrong, with its ids and the kernel's frames."""
    error = fault.error(f"{fault.message} ({now.describe(now.group, now.thread)})", *fault.location)
    raise error.with_traceback(fault.__traceback__) from None


def _run_free(interpretation: Interpretation, kernel: Kernel, now: ExecutionState, arrays: list[Watched]) -> None:
    """Runs a group whose threads never wait."""
    group, has_items = now.group, bool(interpretation.program.items)
    for thread in _thread_ids(now):
        now.thread = thread
        try:
            if has_items:
                for item in _items_of(now, thread):
                    now.item = item
                    kernel(*group, *thread, item)
            else:
                kernel(*group, *thread, *arrays)
        except Fault as fault:
            _fail(fault, now)


@dataclass
class _Thread:
    """A thread under way. ``waits`` is what it yielded last, None when it has ended."""

    ids: Triple
    steps: Generator[Any, Any, Any]
    waits: Any = field(default=None)


def _run_suspending(interpretation: Interpretation, kernel: Kernel, now: ExecutionState, arrays: list[Watched]) -> None:
    """Runs a group whose threads wait for each other."""
    group, has_items = now.group, bool(interpretation.program.items)
    items: dict[Triple, int] = {}

    def steps(thread: Triple) -> Generator[Any, Any, Any]:
        if not has_items:
            yield from kernel(*group, *thread, (), *arrays)
            return
        for iteration, item in enumerate(_items_of(now, thread)):
            now.item = items[thread] = item
            yield from kernel(*group, *thread, (iteration,), item)

    def resume(thread: _Thread, value: Any = None) -> None:
        now.thread = thread.ids
        now.item = items.get(thread.ids, 0)
        try:
            thread.waits = thread.steps.send(value)
        except StopIteration:
            thread.waits = None
        except Fault as fault:
            _fail(fault, now)

    def results(subgroup: list[_Thread], active: list[_Thread]) -> list[tuple[Any, ...]]:
        """What an operation of a subgroup gives its active threads."""
        site = active[0].waits[1]
        operation = interpretation.collectives[site]
        if operation.op == "barrier":
            now.synchronize([thread.ids for thread in active])
        lanes = [subgroup.index(thread) for thread in active]
        found = []
        for thread, result in zip(active, combine(operation, lanes, [t.waits[2] for t in active], size), strict=True):
            if result is None and interpretation.program.unchecked:
                message = f"{interpretation.sites[site].what} reads from a lane of which the thread is not active"
                now.thread = thread.ids
                _fail(Fault(KernelError, message, interpretation.sites[site].location), now)
            found.append((zero(operation.targets[0].type),) if result is None else result)
        return found

    threads = [_Thread(ids, steps(ids)) for ids in _thread_ids(now)]
    size = interpretation.subgroup_threads
    subgroups = [threads[i : i + size] for i in range(0, len(threads), size)]
    for thread in threads:
        resume(thread)
    while any(thread.waits is not None for thread in threads):
        for subgroup in subgroups:
            while active := _together(subgroup):
                for thread, result in zip(active, results(subgroup, active), strict=True):
                    resume(thread, result)
        _check_barrier(interpretation, threads, group)
        now.phase += 1
        for thread in threads:
            if thread.waits is not None:
                resume(thread)


def _together(subgroup: list[_Thread]) -> list[_Thread]:
    """The threads that are at one subgroup operation and behind all others; none when all are at barriers or ended."""
    waiting = [t for t in subgroup if t.waits is not None and len(t.waits) == 3]
    if not waiting:
        return []
    behind = min(t.waits[0] for t in waiting)
    return [t for t in waiting if t.waits[0] == behind]


def _check_barrier(interpretation: Interpretation, threads: list[_Thread], group: Triple) -> None:
    """Raises unless all threads that are left wait at one barrier, in the same iteration, or all have ended."""
    first = next((t for t in threads if t.waits is not None), None)
    if first is None:
        return
    elsewhere = [t for t in threads if t.waits is None or t.waits[0] != first.waits[0]]
    if not elsewhere:
        return
    here = interpretation.sites[first.waits[1]]
    other = elsewhere[0]
    if other.waits is None:
        where = "has ended"
    elif other.waits[1] == first.waits[1]:
        where = "is there in another iteration of the loop"
    else:
        line = interpretation.sites[other.waits[1]].location.line
        where = f"waits at the barrier in line {line}"
    message = (
        f"divergent barrier: {len(threads) - len(elsewhere)} of the {len(threads)} threads of group {group} wait here, "
        f"but thread {other.ids} {where}; all threads of a group must come to the same barrier"
    )
    raise KernelError(message, *here.location)
