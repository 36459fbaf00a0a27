"""Ids, group arrays, barriers and subgroups."""

from __future__ import annotations

import numpy as np
import pytest

from krnlpy.dsl import (
    barrier,
    global_id,
    global_threads,
    group_array,
    group_id,
    groups,
    subgroup_add,
    subgroup_id,
    subgroup_thread_id,
    subgroup_threads,
    subgroups,
    thread_id,
    threads,
)
from krnlpy.dsl.types.annotations import Global, GlobalMut, Out, Spec
from krnlpy.features import Feature
from krnlpy.scalar import bf16, f32, i32, u32
from tests.support.launching import Launcher

from .values import assert_same


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ids_of_three_dimensions(launch: Launcher, axis: int) -> None:
    def kernel(out: Out[i32, 4]) -> None:
        x = global_id(0)
        y = global_id(1)
        z = global_id(2)
        out[z, y, x, 0] = global_id(axis)
        out[z, y, x, 1] = global_threads(axis)
        out[z, y, x, 2] = group_id(axis)
        out[z, y, x, 3] = groups(axis)
        out[z, y, x, 4] = thread_id(axis)
        out[z, y, x, 5] = threads(axis)

    count, size = (2, 3, 2), (4, 2, 1)
    total = [c * s for c, s in zip(count, size, strict=True)]
    (got,) = launch(kernel, np.zeros((*total[::-1], 6), np.int32), threads=size, groups=count)
    ids = np.indices(total[::-1])[2 - axis]
    want = [ids, total[axis], ids // size[axis], count[axis], ids % size[axis], size[axis]]
    assert_same(got, np.stack(np.broadcast_arrays(*want), -1).astype(np.int32))


def test_group_arrays_start_at_zero_in_every_group(launch: Launcher) -> None:
    def kernel(out: GlobalMut[f32]) -> None:
        shared = group_array(f32, 16)
        i = thread_id()
        found = shared[15 - i]
        barrier()
        shared[i] = 1.0 + f32(group_id())
        barrier()
        out[global_id()] = found * 100 + shared[15 - i]

    got = launch(kernel, np.zeros(64, np.float32), groups=(4, 1, 1))[0]
    assert_same(got, np.repeat(np.arange(1, 5, dtype=np.float32), 16))


def test_a_group_array_of_a_storage_type_rounds(launch: Launcher) -> None:
    def kernel(x: Global[f32], out: Out[f32]) -> None:
        shared = group_array(bf16, 16)
        shared[thread_id()] = x[global_id()]
        barrier()
        out[global_id()] = shared[15 - thread_id()]

    x = np.linspace(0, 1, 16, dtype=np.float32)
    want = x.astype(bf16.dtype).astype(np.float32)[::-1]
    assert_same(launch(kernel, x, np.zeros_like(x), groups=(1, 1, 1))[1], np.ascontiguousarray(want))


def test_tree_reduction(launch: Launcher) -> None:
    def kernel(x: Global[i32], sums: Out[i32]) -> None:
        shared = group_array(i32, 32)
        i = thread_id()
        if global_id() < len(x):
            shared[i] = x[global_id()]
        barrier()
        step = 16
        while step > 0:
            if i < step:
                shared[i] += shared[i + step]
            barrier()
            step //= 2
        if i == 0:
            sums[group_id()] = shared[0]

    x = np.arange(1, 101, dtype=np.int32)
    got = launch(kernel, x, np.zeros(4, np.int32), threads=(32, 1, 1), groups=(4, 1, 1))[1]
    assert_same(got, np.array([x[i : i + 32].sum() for i in range(0, 100, 32)], np.int32))


@pytest.mark.parametrize("tile", [2, 4])
def test_tiled_matrix_product(launch: Launcher, tile: int) -> None:
    def kernel(a: Global[f32, 2], b: Global[f32, 2], c: Out[f32, 2], TILE: Spec[u32] = 4) -> None:
        left = group_array(f32, (TILE, TILE))
        right = group_array(f32, (TILE, TILE))
        x = thread_id(0)
        y = thread_id(1)
        column = global_id(0)
        row = global_id(1)
        total = 0.0
        for start in range(0, a.shape[1], i32(TILE)):
            k = start + x
            left[y, x] = a[row, k] if row < a.shape[0] and k < a.shape[1] else 0.0
            k = start + y
            right[y, x] = b[k, column] if k < b.shape[0] and column < b.shape[1] else 0.0
            barrier()
            for k in range(i32(TILE)):
                total += left[y, k] * right[k, x]
            barrier()
        if row < c.shape[0] and column < c.shape[1]:
            c[row, column] = total

    rng = np.random.default_rng(1)
    # Small whole numbers: every sum is exact, whatever its order.
    a = rng.integers(-8, 8, (6, 7)).astype(np.float32)
    b = rng.integers(-8, 8, (7, 5)).astype(np.float32)
    groups_xy = (-(-5 // tile), -(-6 // tile), 1)
    got = launch(
        kernel, a, b, np.zeros((6, 5), np.float32), threads=(tile, tile, 1), groups=groups_xy, specs={"TILE": tile}
    )
    assert_same(got[2], a @ b)


def test_threads_of_a_group_see_writes_to_buffers_after_a_barrier(launch: Launcher) -> None:
    def kernel(a: GlobalMut[i32], out: Out[i32]) -> None:
        i = global_id()
        a[i] = i * i
        barrier()
        out[i] = a[group_id() * threads() + threads() - 1 - thread_id()]

    got = launch(kernel, np.zeros(32, np.int32), np.zeros(32, np.int32), groups=(2, 1, 1))[1]
    squares = (np.arange(32, dtype=np.int32) ** 2).reshape(2, 16)
    assert_same(got, np.ascontiguousarray(squares[:, ::-1]).reshape(-1))


def test_barriers_in_a_loop_of_varying_length(launch: Launcher) -> None:
    def kernel(out: Out[i32]) -> None:
        shared = group_array(i32, 16)
        i = thread_id()
        for k in range(group_id() + 1):
            value = shared[(i + 1) % 16] + k + i
            barrier()
            shared[i] = value
            barrier()
        out[global_id()] = shared[i]

    want = []
    for group in range(3):
        shared = [0] * 16
        for k in range(group + 1):
            shared = [shared[(i + 1) % 16] + k + i for i in range(16)]
        want += shared
    assert_same(launch(kernel, np.zeros(48, np.int32), groups=(3, 1, 1))[0], np.array(want, np.int32))


def test_subgroup_ids_and_sum(launch: Launcher) -> None:
    if Feature.SUBGROUP_ARITHMETIC not in launch.backend.info.features:
        pytest.skip("the device has no subgroup arithmetic")

    def kernel(x: Global[i32], y: Global[f32], out: Out[i32, 2], sums: Out[f32]) -> None:
        i = global_id()
        out[i, 0] = subgroup_id()
        out[i, 1] = subgroups()
        out[i, 2] = subgroup_thread_id()
        out[i, 3] = subgroup_threads()
        out[i, 4] = subgroup_add(x[i])
        sums[i] = subgroup_add(y[i])

    size = 64
    x = np.arange(size, dtype=np.int32) ** 2
    y = x.astype(np.float32) / 4
    _, _, out, sums = launch(
        kernel, x, y, np.zeros((size, 5), np.int32), np.zeros(size, np.float32), threads=(size, 1, 1), groups=(1, 1, 1)
    )
    lanes = int(out[0, 3])
    assert lanes == launch.backend.info.subgroup_threads
    assert (out[:, 1] == -(-size // lanes)).all()
    # Threads with one subgroup id make a subgroup; which threads they are is the device's choice.
    for subgroup in range(out[0, 1]):
        members = np.flatnonzero(out[:, 0] == subgroup)
        assert sorted(out[members, 2]) == list(range(len(members)))
        assert (out[members, 4] == x[members].sum()).all()
        assert (sums[members] == y[members].sum()).all()


def test_the_sum_of_a_subgroup_is_of_its_active_threads(launch: Launcher) -> None:
    if Feature.SUBGROUP_ARITHMETIC not in launch.backend.info.features:
        pytest.skip("the device has no subgroup arithmetic")

    def kernel(out: GlobalMut[i32, 2]) -> None:
        i = thread_id()
        out[i, 0] = subgroup_id()
        if i % 3 == 0:
            out[i, 1] = subgroup_add(1)
        out[i, 2] = subgroup_add(1)

    got = launch(kernel, np.zeros((32, 3), np.int32), threads=(32, 1, 1), groups=(1, 1, 1))[0]
    third = np.arange(32) % 3 == 0
    for subgroup in set(got[:, 0].tolist()):
        members = got[:, 0] == subgroup
        assert (got[members & third, 1] == (members & third).sum()).all()
        assert (got[members, 2] == members.sum()).all()
