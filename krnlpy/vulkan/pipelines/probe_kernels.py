"""Small kernels with known results, which show what a driver computes wrongly.

Each is run in one group; every driver that knows Vulkan survives them, but for that of stray loops.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.backend.protocol import BuildRequest
from krnlpy.dsl import barrier, subgroup_barrier, subgroup_id, subgroup_thread_id, subgroup_threads, thread_id, threads
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.ir import Program
from krnlpy.dsl.ir.layout import Variant, layout_of
from krnlpy.dsl.types.annotations import GlobalMut

if TYPE_CHECKING:
    from krnlpy.backend.protocol import Backend
    from krnlpy.dsl.types.checked import i32, u32
else:
    from krnlpy.scalar import i32, u32

PASSES = 100_000
"""Of the loop that is tried: no driver is known to end loops later."""

_SHAPES = ((5, 3, 2), (4, 4, 4), (3, 5, 1))
_THREADS = 64
_VARIANT = Variant(0, (True,))


def probe_long_loop(passes: i32, y: GlobalMut[u32]) -> None:
    k = 0
    while k < passes:
        k += 1
    y[0] = u32(k)


def probe_subgroup_places(y: GlobalMut[u32]) -> None:
    place = (thread_id(2) * threads(1) + thread_id(1)) * threads(0) + thread_id(0)
    y[place] = u32(subgroup_id() * subgroup_threads() + subgroup_thread_id())


def probe_some_at_barriers(y: GlobalMut[u32]) -> None:
    i = thread_id()
    if subgroup_id() > 0:
        y[i] = u32(1)
        subgroup_barrier()
        y[i] += u32(1)
        subgroup_barrier()
        y[i] += u32(1)
    else:
        y[i] = u32(3)


def probe_left_loops(y: GlobalMut[u32]) -> None:
    i = thread_id()
    y[i] = u32(i + 1)
    barrier()  # or compilers know what is read
    last = u32(0)
    k = 0
    while True:
        last = y[i]
        k += 1
        if k > i % 5:
            break
    y[i] = last


def probe_stray_loops(y: GlobalMut[u32]) -> None:
    for i in range(thread_id(), _THREADS // 2, _THREADS):  # half of the threads have no pass
        total = u32(0)
        k = 0
        while k <= i % 3 + i32(y[i]):
            total += y[i] + u32(1)
            k += 1
        y[i] = total


def probe_idle_lanes(y: GlobalMut[u32]) -> None:
    i = thread_id()
    if i == 0:
        y[0] = u32(1)
    k = 0
    while True:
        barrier()
        k += 1
        if u32(k) * y[0] > 2:  # a lane without a thread reads 0
            break
    if i > 0:
        y[i] = u32(k)


def passes_of_a_loop(backend: Backend) -> int:
    """How many of ``PASSES`` passes a loop makes."""
    return int(_run(backend, probe_long_loop, (1, 1, 1), PASSES)[0])


def subgroups_have_ids(backend: Backend) -> bool:
    """Whether each thread of groups with several axes has a place of its own: a subgroup's id, and a lane."""
    return all(len(np.unique(_run(backend, probe_subgroup_places, shape))) == prod(shape) for shape in _SHAPES)


def subgroups_meet(backend: Backend) -> bool:
    """Whether all threads go on after barriers of subgroups to which one of the subgroups does not come."""
    return bool((_run(backend, probe_some_at_barriers, (_THREADS, 1, 1)) == 3).all())


def loads_are_kept(backend: Backend) -> bool:
    """Whether each thread has what it last read in a loop, which threads leave one before the other."""
    return bool((_run(backend, probe_left_loops, (_THREADS, 1, 1)) == np.arange(1, _THREADS + 1)).all())


def idle_lanes_rest(backend: Backend) -> bool:
    """Whether all threads leave a loop with a barrier in it, where lanes of the last subgroup have none."""
    return bool((_run(backend, probe_idle_lanes, (_THREADS + 13, 1, 1))[1:] == 3).all())


def loops_are_skipped(backend: Backend) -> bool:
    """Whether loops within loops leave alone what no thread of a subgroup reaches; where not, the process may end."""
    values = np.where(np.arange(_THREADS) < _THREADS // 2, np.arange(_THREADS) % 3 + 1, 0)
    return bool((_run(backend, probe_stray_loops, (_THREADS, 1, 1)) == values).all())


def probe_programs() -> list[tuple[Program, Variant]]:
    """All that are run, to be shipped compiled."""
    kernels = (
        *(probe_long_loop, probe_subgroup_places, probe_some_at_barriers),
        *(probe_left_loops, probe_stray_loops, probe_idle_lanes),
    )
    return [(_program(kernel, (1, 1, 1)), _VARIANT) for kernel in kernels]


def _program(kernel: Callable[..., None], shape: tuple[int, int, int]) -> Program:
    return frontend.lower(frontend.read_signature(kernel), {}, shape, unchecked=True)


def _run(
    backend: Backend, kernel: Callable[..., None], shape: tuple[int, int, int], *numbers: int
) -> np.ndarray[Any, Any]:
    """What a group of a kernel writes, an element for each thread."""
    program, count = _program(kernel, shape), prod(shape)
    executable = backend.build(BuildRequest(program, _VARIANT, {}, shape))
    memory = backend.allocate(4 * count)
    backend.fill(memory, 0, 4 * count, bytes(4))
    parameters = layout_of(program, _VARIANT).format.pack(*numbers, 0, count)
    backend.launch(executable, (1, 1, 1), [(memory, 0, 4 * count)], parameters)
    words = np.empty(count, "<u4")
    backend.download(memory, 0, words.view(np.uint8))
    return words
