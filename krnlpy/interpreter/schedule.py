"""Runs the threads of a launch, in order where they are free of each other, else from one wait to the next."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, NoReturn

from krnlpy.dsl.interpret import SUBGROUP_THREADS, Fault, Interpretation, Now
from krnlpy.errors import KernelError

from .races import Accesses
from .watch import Watched, watch_array

Triple = tuple[int, int, int]
Kernel = Callable[..., Any]


def run(interpretation: Interpretation, kernel: Kernel, now: Now) -> None:
    """Runs all groups, one after another.

    Raises:
        KernelIndexError: a thread used an index that is out of range.
        KernelError: a thread did something else that it must not, or did not reach a barrier that others reached.
    """
    run_group = _run_suspending if interpretation.suspends else _run_free
    for z, y, x in itertools.product(*(range(count) for count in reversed(now.groups))):
        now.start_group((x, y, z))
        run_group(interpretation, kernel, now, _group_arrays(interpretation, now))


def _group_arrays(interpretation: Interpretation, now: Now) -> list[Watched]:
    """The arrays of a group, of zeros."""
    return [
        watch_array(array, shape, [zero] * prod(shape), Accesses(now))
        for array, (zero, shape) in zip(interpretation.program.group_arrays, interpretation.group_arrays, strict=True)
    ]


def _thread_ids(now: Now) -> Iterator[Triple]:
    """The ids of a group's threads, in their order."""
    for z, y, x in itertools.product(*(range(count) for count in reversed(now.threads))):
        yield x, y, z


def _items_of(now: Now, thread: Triple) -> range:
    """The items that a thread takes: its own, and where there are more items than threads, others after it."""
    count, index = 1, 0
    for axis in range(3):
        index += count * (now.group[axis] * now.threads[axis] + thread[axis])
        count *= now.groups[axis] * now.threads[axis]
    return range(index, now.items, count)


def _fail(fault: Fault, now: Now) -> NoReturn:
    """Raises what the thread did wrong, with its ids and the kernel's frames."""
    error = fault.error(f"{fault.message} ({now.describe(now.group, now.thread)})", *fault.location)
    raise error.with_traceback(fault.__traceback__) from None


def _run_free(interpretation: Interpretation, kernel: Kernel, now: Now, arrays: list[Watched]) -> None:
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


def _run_suspending(interpretation: Interpretation, kernel: Kernel, now: Now, arrays: list[Watched]) -> None:
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

    threads = [_Thread(ids, steps(ids)) for ids in _thread_ids(now)]
    subgroups = [threads[i : i + SUBGROUP_THREADS] for i in range(0, len(threads), SUBGROUP_THREADS)]
    for thread in threads:
        resume(thread)
    while any(thread.waits is not None for thread in threads):
        for subgroup in subgroups:
            while active := _together(subgroup):
                # Whole numbers wrap, and f32 is rounded, where the sum arrives.
                total = sum(thread.waits[2] for thread in active)
                for thread in active:
                    resume(thread, total)
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
