"""The interpreter's own: what debuggers see, waiting threads, names, memory, limits."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import numpy as np
import pytest

from krnlpy.backend.protocol import BuildRequest
from krnlpy.dsl import barrier, group_array, subgroup_add, thread_id
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Out, Spec
from krnlpy.errors import LimitExceeded
from krnlpy.scalar import f32, i32
from tests.support.launching import Launcher, lower
from tests.support.typed import present


def test_tracing_shows_the_users_lines_and_variables(launch: Launcher) -> None:
    def kernel(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
        total = 0.0
        for i in range(2):
            total += alpha * x + f32(i)
        y = total

    seen: list[tuple[int, dict[str, Any]]] = []

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != __file__ or frame.f_code.co_name != "kernel":
            return None
        if event == "line":
            seen.append((frame.f_lineno - kernel.__code__.co_firstlineno, dict(frame.f_locals)))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        launch(kernel, 2.0, np.full(1, 3, np.float32), np.zeros(1, np.float32))
    finally:
        sys.settrace(before)
    assert [line for line, _ in seen if line] == [1, 2, 3, 2, 3, 2, 4]
    assert seen[-1][1]["total"] == 13.0 and seen[-1][1]["i"] == 1


def test_names_that_generated_code_uses_too(launch: Launcher) -> None:
    def kernel(_krnl_items: i32, range: Item[i32], value: i32, float: ItemMut[i32]) -> None:
        _krnl_math_abs = -5
        int = abs(_krnl_math_abs)
        a, b = value, int
        a, b = b, a
        value_1 = a * 100 + b
        float = value_1 + range + _krnl_items // 2

    x = np.arange(3, dtype=np.int32)
    assert (launch(kernel, 9, x, 7, np.zeros_like(x))[1] == x + 507 + 4).all()


@func
def sum_of_lanes(x: f32):
    total = 0.0
    for _ in range(2):
        total = total * 10.0 + subgroup_add(x)
    return total


def test_functions_may_wait(launch: Launcher) -> None:
    def kernel(y: GlobalMut[f32], z: GlobalMut[i32]) -> None:
        i = thread_id()
        if i % 2 == 0:
            y[i] = sum_of_lanes(f32(i)) + sum_of_lanes(1.0)
        z[i] = subgroup_add(i)

    y, z = launch(kernel, np.zeros(16, np.float32), np.zeros(16, np.int32), groups=(1, 1, 1))
    even = np.arange(16).reshape(2, 8)[:, ::2].sum(1)
    want = np.zeros((2, 8), np.float32)
    want[:, ::2] = (even * 11 + 44)[:, None]
    assert (y == want.reshape(-1)).all()
    assert (z == np.repeat(np.arange(16).reshape(2, 8).sum(1), 8)).all()


def test_lanes_that_leave_a_loop_wait_for_the_others(launch: Launcher) -> None:
    def kernel(counts: GlobalMut[i32, 2]) -> None:
        i = thread_id()
        k = 0
        while k < i:
            counts[i, k] = subgroup_add(1)
            k += 1
            if k == 5:
                break
        counts[i, 7] = subgroup_add(1)

    (got,) = launch(kernel, np.zeros((8, 8), np.int32), threads=(8, 1, 1), groups=(1, 1, 1))
    want = np.zeros((8, 8), np.int32)
    for i in range(8):
        for k in range(min(i, 5)):
            want[i, k] = 7 - k  # those with a greater i are still in the loop
    want[:, 7] = 8
    assert (got == want).all()


def test_the_sum_of_whole_numbers_wraps(launch: Launcher) -> None:
    def kernel(x: Global[i32], y: GlobalMut[i32]) -> None:
        y[thread_id()] = subgroup_add(x[thread_id()])

    x = np.full(8, 2**30, np.int32)
    assert (launch(kernel, x, np.zeros_like(x), threads=(8, 1, 1), groups=(1, 1, 1))[1] == 0).all()


def test_fewer_threads_than_items_take_turns(launch: Launcher) -> None:
    def kernel(y: ItemMut[i32]) -> None:
        y += 1

    got = launch(kernel, np.zeros(50, np.int32), groups=(1, 1, 1))[0]
    assert (got == 1).all()


def test_group_memory_and_threads_are_limited(launch: Launcher) -> None:
    def kernel(y: Out[f32], SIZE: Spec[i32] = 4) -> None:
        a = group_array(f32, SIZE)
        a[thread_id()] = 1.0
        barrier()
        y[thread_id()] = a[thread_id()]

    program = lower(kernel, (1, 1, 1))
    variant = Variant(0, (True,))

    def build(size: int, threads: tuple[int, int, int]) -> Any:
        return launch.backend.build(BuildRequest(program, variant, {"SIZE": size}, threads, False))

    assert build(2**14, (32, 32, 1)).threads == (32, 32, 1)
    with pytest.raises(LimitExceeded, match="65540 bytes; at most 65536"):
        build(2**14 + 1, (1, 1, 1))
    with pytest.raises(LimitExceeded, match="1025 threads a group; at most 1024"):
        build(4, (1025, 1, 1))


def test_adopted_memory_is_shared(launch: Launcher) -> None:
    backend = launch.backend
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    memory, start = backend.adopt(array.reshape(-1).view(np.uint8))
    assert start == 0 and memory.nbytes == 24 and np.shares_memory(backend.view(memory), array)
    backend.fill(memory, 4, 8, np.float32(-2).tobytes())
    assert array.reshape(-1).tolist() == [0, -2, -2, 3, 4, 5]


def test_copies(launch: Launcher) -> None:
    backend = launch.backend
    memory = backend.allocate(8)
    backend.upload(memory, 0, np.arange(8, dtype=np.uint8))
    backend.copy(memory, 1, memory, 5, 3)
    out = np.zeros(5, np.uint8)
    backend.download(memory, 3, out)
    assert out.tolist() == [3, 4, 1, 2, 3]


def test_new_memory_is_not_zero(launch: Launcher) -> None:
    # Its content is undefined; zeros would hide kernels that read what was never written.
    assert present(launch.backend.view(launch.backend.allocate(4))).all()


def test_a_launch_without_groups_does_nothing(launch: Launcher) -> None:
    def kernel(y: GlobalMut[i32]) -> None:
        y[99] = 1

    assert launch(kernel, np.zeros(1, np.int32), groups=(0, 1, 1))[0].tolist() == [0]
