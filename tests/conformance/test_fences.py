"""Atomic loads and stores, and fences: what threads learn of each other without a barrier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import Device
from krnlpy.dsl import (
    atomic_add,
    atomic_exchange,
    atomic_load,
    atomic_max,
    atomic_store,
    barrier,
    global_id,
    group_array,
    group_id,
    group_memory_fence,
    groups,
    ivec3,
    memory_fence,
    thread_id,
    threads,
)
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, ItemMut
from krnlpy.errors import KernelRaceError
from krnlpy.scalar import ScalarType, f32, i32, u32
from tests.support.launching import Launcher

from .test_atomics import any_launch, needs  # noqa: F401  # a fixture
from .values import NUMBERS, assert_same, pairs

T = TypeVar("T")


@pytest.mark.parametrize("type", NUMBERS, ids=str)
def test_each_type_is_loaded_and_stored(any_launch: Launcher, type: ScalarType) -> None:  # noqa: F811
    launch = any_launch
    needs(launch, type)

    def kernel(a: GlobalMut[T], s: GlobalMut[T, 2], value: Global[T], out: GlobalMut[T, 2]) -> None:
        g = group_array(T, (2, 16))
        i, k = global_id(), thread_id()
        if i < len(a):
            out[0, i] = atomic_load(a[i])
            atomic_store(a[i], value[i])
            out[1, i] = atomic_load(a[i])
            out[2, i] = atomic_load(s[i, 1])
            atomic_store(s[i, 1], value[i])
            atomic_store(g[1, k], value[i])
            out[3, i] = atomic_load(g[1, k])
            out[4, i] = g[1, k]

    old, value = pairs(type)
    base = np.zeros((old.size, 5), type.dtype)
    strided = base[::-1, 1:4:2]
    strided[:, 1] = old
    out = np.zeros((5, old.size), type.dtype)
    a, s, _, got = launch(kernel, old, strided, value, out, groups=(-(-old.size // 16), 1, 1))
    for seen, want in zip(got, (old, value, old, value, value), strict=True):
        assert_same(seen, want, old, value)
    assert_same(a, value)
    assert_same(np.ascontiguousarray(s[:, 1]), value)
    assert not s[:, 0].any()  # the neighbours are as they were


def test_stores_of_neighbours_in_one_word_lose_nothing(any_launch: Launcher) -> None:  # noqa: F811
    def kernel(a: GlobalMut[T]) -> None:
        atomic_store(a[global_id()], T(global_id() + 1))

    for dtype in (np.uint8, np.int16, np.float16):
        (a,) = any_launch(kernel, np.zeros(64, dtype), threads=(16, 1, 1), groups=(4, 1, 1))
        assert_same(a, np.arange(1, 65).astype(dtype))


def test_in_items_vectors_and_functions_and_out_of_range(launch: Launcher) -> None:
    @func
    def take(a: GlobalMut[i32], i: i32) -> i32:
        value = atomic_load(a[i])
        atomic_store(a[i], value + 1)
        return value

    def items(x: ItemMut[i32], a: GlobalMut[i32], only_read: GlobalMut[i32], only_written: GlobalMut[f32]) -> None:
        before = x
        x = take(a, x) + 10 * atomic_load(only_read[x])
        atomic_store(only_written[before], 0.5)

    first, zeros = np.int32([2, 0]), np.zeros(3, np.float32)
    x, a, _, w = launch(items, first, np.int32([5, 6, 7]), np.int32([1, 2, 3]), zeros)
    assert x.tolist() == [37, 15] and a.tolist() == [6, 6, 8] and w.tolist() == [0.5, 0, 0.5]

    def groups_of_threads(out: GlobalMut[i32, 2], a: GlobalMut[i32], past: i32) -> None:
        v = group_array(ivec3, 2)
        k = thread_id()
        if k < 3:
            atomic_store(v[1][k], 7 + k)
        barrier()
        out[k, 0] = atomic_load(v[1][k % 3]) * 10 + atomic_load(v[0].y)
        if past > 0:
            out[k, 1] = atomic_load(a[past + k])
            atomic_store(a[past + k], 3)

    interpreted = launch.backend.info.backend == "interpreter"  # which raises where an index is out of range
    out, a, *_ = launch(groups_of_threads, np.ones((16, 2), np.int32), a, 0 if interpreted else 3, groups=(1, 1, 1))
    assert (out[:, 0] == 70 + 10 * (np.arange(16) % 3)).all()
    assert (out[:, 1] == interpreted).all() and a.tolist() == [6, 6, 8]


def last_of_all(parts: GlobalMut[f32], arrived: GlobalMut[i32], total: GlobalMut[f32]) -> None:
    own = group_array(i32, 1)
    k, size = thread_id(), threads()
    parts[group_id() * size + k] = global_id() + 1.0
    memory_fence()
    barrier()
    if k == 0:
        own[0] = atomic_add(arrived[0], 1)
    barrier()
    if own[0] == groups() - 1:
        memory_fence()
        if k == 0:
            for i in range(groups() * size):
                total[0] += parts[i]
            atomic_store(arrived[0], 0)


@pytest.mark.parametrize("size", [1, 8, 64])
def test_the_last_group_adds_up_what_all_wrote(launch: Launcher, size: int) -> None:
    count = 12
    parts, arrived, total = np.zeros(count * size, np.float32), np.zeros(1, np.int32), np.zeros(1, np.float32)
    for _ in range(5):
        got = launch(last_of_all, parts, arrived, total, threads=(size, 1, 1), groups=(count, 1, 1))
        assert got[2][0] == sum(range(1, count * size + 1)) and got[1][0] == 0


def test_the_last_thread_of_a_group_adds_up(launch: Launcher) -> None:
    def kernel(x: GlobalMut[i32], total: GlobalMut[i32]) -> None:
        own, count = group_array(i32, 32), group_array(i32, 1)
        k = thread_id()
        own[k] = x[global_id()]
        group_memory_fence()
        if atomic_add(count[0], 1) == threads() - 1:
            group_memory_fence()
            for i in range(threads()):
                total[group_id()] += own[i]

    x = np.arange(64, dtype=np.int32)
    total = launch(kernel, x, np.zeros(2, np.int32), threads=(32, 1, 1), groups=(2, 1, 1))[1]
    assert total.tolist() == x.reshape(2, 32).sum(1).tolist()


def without_a_release(data: GlobalMut[i32], flag: GlobalMut[u32]) -> None:
    if global_id() == 0:
        data[0] = 1
        atomic_exchange(flag[0], 1)
        memory_fence()
    elif atomic_load(flag[0]) == 1:
        memory_fence()
        data[1] = data[0]


def without_an_acquire(data: GlobalMut[i32], flag: GlobalMut[u32]) -> None:
    if global_id() == 0:
        data[0] = 1
        memory_fence()
        atomic_store(flag[0], 1)
    elif atomic_load(flag[0]) == 1:
        data[1] = data[0]


def of_a_group_only(data: GlobalMut[i32], flag: GlobalMut[u32]) -> None:
    if global_id() == 0:
        data[0] = 1
        group_memory_fence()
        atomic_store(flag[0], 1)
    elif atomic_load(flag[0]) == 1:
        group_memory_fence()
        data[1] = data[0]


def by_another_flag(data: GlobalMut[i32], flag: GlobalMut[u32]) -> None:
    if global_id() == 0:
        data[0] = 1
        memory_fence()
        atomic_store(flag[1], 1)
    elif atomic_max(flag[0], 1) == 0:
        memory_fence()
        data[1] = data[0]


def what_is_written_later(data: GlobalMut[i32], flag: GlobalMut[u32]) -> None:
    if global_id() == 0:
        memory_fence()
        data[0] = 1
        atomic_store(flag[0], 1)
    elif atomic_load(flag[0]) == 1:
        memory_fence()
        data[1] = data[0]


def in_order(data: GlobalMut[i32], flag: GlobalMut[u32]) -> None:
    if global_id() == 0:
        data[0] = 1
        memory_fence()
        atomic_store(flag[0], 1)
    elif atomic_load(flag[0]) == 1:
        memory_fence()
        data[1] = data[0]


WRONG: list[Callable[..., Any]] = [
    without_a_release, without_an_acquire, of_a_group_only, by_another_flag, what_is_written_later,
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2])
def test_the_interpreter_knows_what_fences_order(size: int) -> None:
    """Between groups, and between the threads of one."""
    launch = Launcher(Device.interpreter().backend)

    def run(kernel: Callable[..., Any]) -> Any:
        data, flag = np.zeros(2, np.int32), np.zeros(2, np.uint32)
        return launch(kernel, data, flag, threads=(size, 1, 1), groups=(2 // size, 1, 1))

    assert run(in_order)[0].tolist() == [1, 1]
    for kernel in WRONG:
        if size == 2 and kernel is of_a_group_only:
            run(kernel)
            continue
        with pytest.raises(KernelRaceError, match="element \\(0,\\) of data"):
            run(kernel)
