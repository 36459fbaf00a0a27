"""Groups on the host: barriers, group arrays, ids, and control flow around barriers."""

from typing import TypeVar

import numpy as np
import pytest

from krnlpy.dsl import (
    barrier,
    global_id,
    global_threads,
    group_array,
    group_id,
    groups,
    local_array,
    subgroup_add,
    subgroup_id,
    subgroup_thread_id,
    subgroup_threads,
    subgroups,
    thread_id,
    threads,
)
from krnlpy.dsl.passes import parallel_regions  # fmt: skip
from krnlpy.dsl.types.annotations import Global, GlobalMut, Spec
from krnlpy.errors import KernelSyntaxError
from krnlpy.scalar import f32, i32, u8, u32
from tests.support.launching import lower

from .launch import launch

T = TypeVar("T")


def matmul(a: Global[T, 2], b: Global[T, 2], c: GlobalMut[T, 2], TILE: Spec[i32] = 16) -> None:
    left = group_array(T, (TILE, TILE))
    right = group_array(T, (TILE, TILE))
    row = global_id(1)
    column = global_id(0)
    y = thread_id(1)
    x = thread_id(0)
    total = T(0)
    for k in range(0, a.shape[1], TILE):
        left[y, x] = a[row, k + x]
        right[y, x] = b[k + y, column]
        barrier()
        for j in range(TILE):
            total += left[y, j] * right[j, x]
        barrier()
    c[row, column] = total


@pytest.mark.parametrize("shape", [(16, 16, 16), (33, 20, 50), (1, 70, 5), (64, 64, 64)])
@pytest.mark.parametrize("tile", [4, 16])
def test_tiled_product(shape: tuple[int, int, int], tile: int) -> None:
    m, k, n = shape
    random = np.random.default_rng(0)
    a = random.standard_normal((m, k)).astype(np.float32)
    b = random.standard_normal((k, n)).astype(np.float32)
    c = np.full((m, n), np.nan, np.float32)
    size = (-(-n // tile), -(-m // tile), 1)
    launch(matmul, a, b, c, types={T: f32}, TILE=tile, threads=(tile, tile, 1), groups=size)
    # Sums of k products, each rounded: k * 2**-24 of the sum of magnitudes.
    assert (np.abs(c - a.astype(np.float64) @ b) <= k * 2.0**-23 * (np.abs(a) @ np.abs(b))).all()


def test_integer_product_of_transposed_matrices() -> None:
    a = np.arange(20 * 30, dtype=np.int32).reshape(30, 20).T
    b = np.arange(30 * 10, dtype=np.int32).reshape(10, 30).T
    c = np.zeros((20, 10), np.int32)
    launch(matmul, a, b, c, types={T: i32}, TILE=8, threads=(8, 8, 1), groups=(2, 3, 1))
    assert np.array_equal(c, a @ b)


@pytest.mark.parametrize("count", [1, 255, 256, 1000, 5000])
def test_tree_reduction(count: int) -> None:
    def reduce(x: Global[f32], y: GlobalMut[f32], N: Spec[i32] = 256) -> None:
        sums = group_array(f32, N)
        t = thread_id()
        s = 0.0
        for i in range(global_id(), len(x), global_threads()):
            s += x[i]
        sums[t] = s
        barrier()
        half = N // 2
        while half > 0:
            if t < half:
                sums[t] += sums[t + half]
            barrier()
            half //= 2
        if t == 0:
            y[group_id()] = sums[0]

    x = np.arange(count, dtype=np.float32) % 7
    y = np.zeros(3, np.float32)
    launch(reduce, x, y, threads=(256, 1, 1), groups=(3, 1, 1))
    assert y.sum() == x.sum()  # whole numbers below 2**24


def test_group_arrays_start_at_zero_in_every_group() -> None:
    def count(y: GlobalMut[i32]) -> None:
        seen = group_array(i32, 4)
        seen[thread_id()] += 1
        barrier()
        y[global_id()] = seen[3 - thread_id()]

    y = np.zeros(400, np.int32)
    launch(count, y, threads=(4, 1, 1), groups=(100, 1, 1))
    assert (y == 1).all()


def test_variables_that_cross_barriers() -> None:
    def cross(x: Global[i32], y: GlobalMut[i32]) -> None:
        shared = group_array(i32, 32)
        own = local_array(i32, (2, 3))
        t = thread_id()
        v = x[global_id()]
        flag = v % 2 == 0
        small = u8(v)
        own[1, t % 3] = v
        shared[t] = v
        barrier()
        neighbour = shared[(t + 1) % 32]
        if flag:
            v += 1000
        barrier()
        shared[t] = v + neighbour
        barrier()
        n = 0
        for i in range(3):
            n += own[1, i] + own[0, i]
        y[global_id()] = shared[31 - t] + n + i32(small) * (2 if flag else 3)

    x = np.arange(64, dtype=np.int32) * 3
    y = np.zeros(64, np.int32)
    launch(cross, x, y, threads=(32, 1, 1), groups=(2, 1, 1))
    expected = []
    for group in x.reshape(2, 32):
        changed = group + np.where(group % 2 == 0, 1000, 0) + np.roll(group, -1)
        expected.append(changed[::-1] + group + group.astype(np.uint8) * np.where(group % 2 == 0, 2, 3))
    assert np.array_equal(y, np.concatenate(expected))


def test_jumps_out_of_loops_with_barriers() -> None:
    def search(x: Global[i32, 2], y: GlobalMut[i32, 2]) -> None:
        found = group_array(i32, 1)
        t = thread_id()
        steps = 0
        where = -1
        for i in range(x.shape[1] - 1, -1, -1):
            if i % 2 == 1:
                continue
            steps += 1
            if t == 3 and x[group_id(), i] == 7:
                found[0] = 1
            barrier()
            if found[0] == 1:
                where = i
                break
            barrier()
        y[group_id(), t] = where * 100 + steps

    x = np.zeros((4, 11), np.int32)
    x[0, 4] = x[1, 10] = x[2, 5] = x[3, 0] = 7
    y = np.zeros((4, 8), np.int32)
    launch(search, x, y, threads=(8, 1, 1), groups=(4, 1, 1))
    assert y.tolist() == [[404] * 8, [1001] * 8, [-94] * 8, [6] * 8]


def test_threads_that_skip_an_iteration_come_back() -> None:
    def skip(y: GlobalMut[i32]) -> None:
        shared = group_array(i32, 8)
        t = thread_id()
        for k in range(4):
            shared[t] = k * t
            barrier()
            right = shared[(t + 1) % 8]
            barrier()
            if (t + k) % 2 == 0:
                continue
            y[t] += right

    y = np.zeros(8, np.int32)
    launch(skip, y, threads=(8, 1, 1))
    assert y.tolist() == [sum(k * ((t + 1) % 8) for k in range(4) if (t + k) % 2) for t in range(8)]


def test_threads_that_skip_the_end_of_a_branch_come_back() -> None:
    def skip(y: GlobalMut[i32], n: i32) -> None:
        shared = group_array(i32, 8)
        t = thread_id()
        for k in range(4):
            if k < n:
                shared[t] = k
                barrier()
                if t == shared[7 - t]:
                    continue
                y[t] += 1

    y = np.zeros(8, np.int32)
    launch(skip, y, 3, threads=(8, 1, 1))
    assert y.tolist() == [2, 2, 2, 3, 3, 3, 3, 3]


def test_threads_that_would_skip_a_meeting_of_subgroups_are_refused() -> None:
    def skip(y: GlobalMut[i32]) -> None:
        for k in range(4):
            barrier()
            if thread_id() == k:
                continue
            y[thread_id()] += subgroup_add(1)

    with pytest.raises(
        KernelSyntaxError, match=r"this depends on thread_id\(\), which differs.* put what they skip under"
    ):
        launch(skip, np.zeros(8, np.int32), threads=(8, 1, 1))


def test_barriers_in_branches() -> None:
    def branches(x: Global[i32], y: GlobalMut[i32], n: i32) -> None:
        shared = group_array(i32, 16)
        t = thread_id()
        last = -1
        if n > 2:
            for k in range(n):
                shared[t] = x[t] + k
                barrier()
                y[t] += shared[15 - t]
                last = k
                barrier()
        else:
            shared[t] = -x[t]
            barrier()
            y[t] = shared[15 - t]
        y[t] += last * 1000

    x = np.arange(16, dtype=np.int32)
    for n in (1, 3, 5):
        y = np.zeros(16, np.int32)
        launch(branches, x, y, n, threads=(16, 1, 1))
        expected = n * x[::-1] + n * (n - 1) // 2 + (n - 1) * 1000 if n > 2 else -x[::-1] - 1000
        assert np.array_equal(y, expected)


def test_loop_variable_that_the_body_assigns() -> None:
    def assign(y: GlobalMut[i32]) -> None:
        shared = group_array(i32, 8)
        t = thread_id()
        for k in range(4):
            shared[t] = k
            barrier()
            k = k * 10 + t
            y[t] += k + shared[7 - t]
            barrier()

    y = np.zeros(8, np.int32)
    launch(assign, y, threads=(8, 1, 1))
    assert np.array_equal(y, sum(k * 10 + np.arange(8) + k for k in range(4)))


def test_return_before_a_barrier() -> None:
    def early(x: Global[i32], y: GlobalMut[i32], n: Global[i32]) -> None:
        shared = group_array(i32, 8)
        t = thread_id()
        if x[group_id()] < 0:
            return
        if n[t] > 0:  # the others go on: more than the language promises, but no hang and no wrong memory
            return
        shared[t] = t
        barrier()
        k = 0
        while k < 2 + x[group_id()] * 0:
            y[global_id()] += shared[t] + k
            barrier()
            k += 1

    y = np.zeros((3, 8), np.int32)
    leaves = (np.arange(8) < 3).astype(np.int32)
    launch(early, np.array([1, -1, 2], np.int32), y.reshape(-1), leaves, threads=(8, 1, 1), groups=(3, 1, 1))
    expected = [0, 0, 0, 7, 9, 11, 13, 15]
    assert y.tolist() == [expected, [0] * 8, expected]


def test_return_after_the_last_barrier() -> None:
    def late(y: GlobalMut[i32]) -> None:
        shared = group_array(i32, 8)
        t = thread_id()
        shared[t] = t
        barrier()
        if t % 2 == 0:
            return
        y[t] = shared[7 - t]

    y = np.zeros(8, np.int32)
    launch(late, y, threads=(8, 1, 1))
    assert y.tolist() == [0, 6, 0, 4, 0, 2, 0, 0]
    assert not parallel_regions.split(lower(late).body).returns


def test_only_needed_variables_are_kept() -> None:
    split = parallel_regions.split(lower(matmul, T=f32).body)
    assert {v.name for v in split.uniform} == {"k"}
    assert {v.name for v in split.recomputed} == {"row", "column", "x", "y"}
    assert {v.name for v in split.crossing} == {"total"}


def test_ids() -> None:
    def ids(y: GlobalMut[i32, 2]) -> None:
        t = (thread_id(2) * threads(1) + thread_id(1)) * threads(0) + thread_id(0)
        g = (group_id(2) * groups(1) + group_id(1)) * groups(0) + group_id(0)
        row = g * threads(0) * threads(1) * threads(2) + t

        y[row, 0] = global_id(0) + global_threads(0) * (global_id(1) + global_threads(1) * global_id(2))
        y[row, 1] = subgroup_id() * 8 + subgroup_thread_id() - t
        y[row, 2] = subgroup_add(t) + subgroups()
        y[row, 3] = subgroup_threads()

    y = np.full((3 * 2 * 4 * 24, 4), -1, np.int32)
    launch(ids, y, threads=(4, 3, 2), groups=(3, 2, 4))
    assert sorted(y[:, 0].tolist()) == list(range(len(y)))
    assert not y[:, 1].any()
    sums = np.arange(24).reshape(3, 8).sum(axis=1)
    assert np.array_equal(y[:, 2], np.tile(np.repeat(sums, 8) + 3, 24))
    assert (y[:, 3] == 8).all()


def test_many_groups_on_all_cores() -> None:
    def shift(x: Global[u32], y: GlobalMut[u32]) -> None:
        shared = group_array(u32, 64)
        shared[thread_id()] = x[global_id()]
        barrier()
        s = u32(0)
        for i in range(64):
            s += shared[i]
        y[global_id()] = s + shared[63 - thread_id()]

    x = np.arange(64 * 5000, dtype=np.uint32)
    y = np.zeros_like(x)
    launch(shift, x, y, threads=(64, 1, 1), groups=(5000, 1, 1))
    rows = x.reshape(-1, 64)
    assert np.array_equal(y.reshape(-1, 64), rows[:, ::-1] + rows.sum(axis=1, dtype=np.uint32, keepdims=True))
