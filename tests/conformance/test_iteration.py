"""Loops over arrays, rows, vectors and tuples, and ``enumerate``, ``zip``, ``reversed`` and ``grid`` of these."""

# ruff: noqa: B007, B905, SIM113 (loops as people write them)
from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from krnlpy import func
from krnlpy.dsl import barrier, grid, group_array, ivec3, local_array, mat2, sqrt, thread_id, unroll, vec2, vec3
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Spec
from krnlpy.scalar import f32, f64, i32, u8, u32
from tests.support.launching import Launcher

from .values import assert_same

ONE: Any = {"threads": (1, 1, 1), "groups": (1, 1, 1)}


def test_over_arrays_and_rows(launch: Launcher) -> None:
    @func
    def total(values):
        result = 0.0
        for value in values:
            result += value
        return result

    def kernel(a: Global[f32, 2], counts: Global[u8], y: GlobalMut[f32], n: i32, N: Spec[i32] = 4) -> None:
        place = 0
        for row in a:
            y[place] = total(row)
            for value in row:
                y[3] += value * value
            for value in row[1:n]:
                if value > 3.0:
                    break
                y[4] += value
            else:
                y[5] += 1.0
            place += 1
        for count in counts:
            if count == 2:
                continue
            y[6] += count
        own = local_array(f32, N)
        for i in range(len(own)):
            own[i] = i * 0.5
        for value in own:
            y[7] += value
        for value in own[::-1]:
            y[8] = y[8] * 2.0 + value
        y[9] = total(own[1:]) + total(a[:, 0]) * 100.0

    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    counts = np.array([1, 2, 3, 2, 9], np.uint8)
    y = launch(kernel, a, counts, np.zeros(10, np.float32), 3, **ONE)[2]
    want = [*a.sum(1), (a * a).sum(), 1 + 2, 1, 13, 3, 1.5 * 8 + 1 * 4 + 0.5 * 2, 3 + a[:, 0].sum() * 100]
    assert_same(y, np.array(want, np.float32))


def test_over_vectors_and_tuples(launch: Launcher) -> None:
    def kernel(x: Item[f32], n: Item[i32], y: ItemMut[f32], z: ItemMut[i32]) -> None:
        v = vec3(x, x * 2.0, -1.0)
        y = 0.0
        z = 0
        for c in v:
            y += c * c
            v.x += c  # what is gone over is what it was
        for c in v:
            if c < 0.0:
                break
            y += 100.0 * c
        else:
            y += 1.0
        for row in mat2(x, 2.0, 3.0, 4.0):
            for c in row:
                y += c
        for value, weight in ((n, 2), (x, 0.5), (1, 10)):
            y += value * weight
        for k in (1, 2, 4):
            if k == n:
                continue
            z += k
        for c in ivec3(n, 5, 7):
            c += 1  # a variable of its own
            z += c
        for f in (sqrt, abs):
            y += f(abs(x) * 4.0)
        last = 0
        for last in (3, 4, 5):
            pass
        z += last * 100

    x = np.array([1, -2, 4], np.float32)
    n = np.array([1, 2, 3], np.int32)
    y, z = launch(kernel, x, n, np.zeros(3, np.float32), np.zeros(3, np.int32))[2:]
    sums, whole = [], []
    for a, k in zip(x.tolist(), n.tolist(), strict=True):
        total = a * a + 4 * a * a + 1
        first = a + a + 2 * a - 1
        for c in (first, 2 * a, -1.0):
            if c < 0:
                break
            total += 100 * c
        total += a + 9 + 2 * k + 0.5 * a + 10
        total += (abs(a) * 4) ** 0.5 + abs(a) * 4
        sums.append(total)
        whole.append(sum(p for p in (1, 2, 4) if p != k) + k + 15 + 500)
    assert_same(y, np.array(sums, np.float32))
    assert_same(z, np.array(whole, np.int32))


def test_enumerate_zip_and_reversed(launch: Launcher) -> None:
    def kernel(
        a: Global[f32], b: Global[i32], c: GlobalMut[f32, Literal[2]], y: GlobalMut[i32], n: i32, m: u32
    ) -> None:
        for i, value in enumerate(a):
            y[i] = i32(value) * 10 + i
        for i, (value, weight) in enumerate(zip(a, b), 1):
            y[8] += i32(value) * weight * i
        for value, row in zip(a, c):
            for j, place in enumerate(row):
                row[j] = place + value
        for i in reversed(range(n)):
            y[9] = y[9] * 3 + i
        for i in reversed(range(1, 3 * n, 2)):
            y[10] = y[10] * 3 + i
        for i in reversed(range(m)):
            y[11] = y[11] * 3 + i32(i)
        for i, j in zip(range(n, -20, -3), reversed(range(5, 5 + n))):
            y[12] += i * j
            if j == 6:
                break
        else:
            y[12] = -1
        for i, k in enumerate(range(n, n + 4), start=n):
            y[13] += i * k
        for value in reversed(b[:3]):
            y[14] = y[14] * 2 + value
        for i, w in enumerate((5, 7)):
            y[15] += (i + 1) * w
        for v, w in zip(vec2(1.0, 2.0), a):
            y[15] += i32(v * w) * 1000
        for p, q in zip((1, 2, 3), b):
            y[16] += p * q
        for i in reversed(range(n - 100)):
            y[17] = 1

    a = np.array([2, 3, 5, 7], np.float32)
    b = np.array([1, -2, 3, 4, 100], np.int32)
    c = np.arange(6, dtype=np.float32).reshape(3, 2)
    n = 4
    changed, y = launch(kernel, a, b, c, np.zeros(18, np.int32), n, 3, **ONE)[2:]
    want = np.zeros(18, np.int64)
    want[:4] = a * 10 + np.arange(4)
    want[8] = sum(int(v) * w * i for i, (v, w) in enumerate(zip(a, b, strict=False), 1))
    for place, numbers in (
        (9, reversed(range(n))), (10, reversed(range(1, 3 * n, 2))), (11, reversed(range(3)))
    ):  # fmt: skip
        for i in numbers:
            want[place] = want[place] * 3 + i
    for i, j in zip(range(n, -20, -3), reversed(range(5, 5 + n)), strict=False):
        want[12] += i * j
        if j == 6:
            break
    want[13] = sum(i * k for i, k in enumerate(range(n, n + 4), start=n))
    for v in reversed(b[:3]):
        want[14] = want[14] * 2 + v
    want[15] = 5 + 14 + (2 + 6) * 1000
    want[16] = 1 - 4 + 9
    assert_same(y, want.astype(np.int32))
    assert_same(changed, c + a[:3, None])


def test_grids(launch: Launcher) -> None:
    def kernel(a: GlobalMut[i32, 2], y: GlobalMut[i32], n: i32) -> None:
        for i, j in grid(a.shape):
            a[i, j] = i * 10 + j
        for i, j in grid(range(1, len(a) - 1), range(a.shape[1] - 1, 0, -2)):
            if i + j == 4:
                continue
            y[0] = y[0] * 3 + a[i, j]
        for place in grid(2, n):
            y[1] += a[place]
        for i, j, k in grid(n, 3, range(2, 9)):
            y[2] += 1
            if i * j * k >= 7:
                y[3] = i * 100 + j * 10 + k
                break
        else:
            y[3] = -1
        for i, j in grid(n, 0):
            y[4] = i + j
        else:
            y[5] = 5
        for number, (i, j) in enumerate(grid(2, range(1, n))):
            y[6] += number * (i * 10 + j)
        for i in grid(n):
            y[7] += i
        for i, j in np.ndindex(2, 2):
            y[8] = y[8] * 4 + i * 2 + j
        for i, j in reversed(grid(2, 2)):
            y[9] = y[9] * 4 + i * 2 + j
        for i, j in unroll(grid(2, 3)):
            if i == 1:
                y[10] += j + i

    n = 4
    a, y = launch(kernel, np.zeros((4, 5), np.int32), np.zeros(11, np.int32), n, **ONE)
    places = np.arange(4)[:, None] * 10 + np.arange(5)
    want = np.zeros(11, np.int32)
    for i in range(1, 3):
        for j in range(4, 0, -2):
            if i + j != 4:
                want[0] = want[0] * 3 + places[i, j]
    want[1] = places[:2, :n].sum()
    count, left = 0, -1
    for i, j, k in np.ndindex(n, 3, 7):
        count += 1
        if i * j * (k + 2) >= 7:
            left = i * 100 + j * 10 + k + 2
            break
    want[2], want[3], want[5] = count, left, 5
    want[6] = sum(m * (i * 10 + j + 1) for m, (i, j) in enumerate(np.ndindex(2, n - 1)))
    want[7:11] = 6, 0b00011011, 0b11100100, 1 + 2 + 3
    assert_same(a, places.astype(np.int32))
    assert_same(y, want)


def test_loops_with_barriers(launch: Launcher) -> None:
    def kernel(x: Global[i32, 2], y: GlobalMut[i32]) -> None:
        shared = group_array(i32, (2, 16))
        for turn, row in enumerate(x):
            shared[turn % 2][thread_id()] = row[thread_id()]
            barrier()
            for value in shared[turn % 2]:
                y[thread_id()] += value * (turn + 1)
            barrier()

    x = np.arange(48, dtype=np.int32).reshape(3, 16)
    y = launch(kernel, x, np.zeros(16, np.int32), groups=(1, 1, 1))[1]
    assert_same(y, np.full(16, (x.sum(1) * [1, 2, 3]).sum(), np.int32))


def test_variables_of_loops(launch: Launcher) -> None:
    """A loop's variable may be used again with another type; a variable before has a value after."""

    def kernel(a: Global[f32], b: Global[i32], y: GlobalMut[f32], z: GlobalMut[i32]) -> None:
        for v in a:
            y[0] += v
        for v in b:
            z[0] += v // 2
        for v in vec2(3.0, 4.0):
            y[1] += v
        for v in a[1:]:
            a_half = v * 0.5
            y[2] += a_half
        w = 10.0
        for w in a:
            pass
        y[3] = w
        i = 7
        for i, w in enumerate(a):
            if w > 2.5:
                break
        z[1] = i
        y[4] = w

    a, b = np.array([2, 3, 5], np.float32), np.array([5, 7], np.int32)
    y, z = launch(kernel, a, b, np.zeros(5, np.float32), np.zeros(2, np.int32), **ONE)[2:]
    assert_same(y, np.array([10, 7, 4, 5, 3], np.float32))
    assert_same(z, np.array([5, 1], np.int32))


def test_wide_ranges_in_zip(launch: Launcher) -> None:
    launch.needs(f64)

    def kernel(a: Global[f64], y: GlobalMut[f64], n: u32) -> None:
        for i, (value, k) in enumerate(zip(a, range(n))):
            y[0] += value * i
            y[1] += value * k
        for value in (a[0], 2.5, 3):
            y[2] += value

    a = np.array([1.5, 2.5, 3.5], np.float64)
    y = launch(kernel, a, np.zeros(3), 2, **ONE)[1]
    assert_same(y, np.array([2.5, 2.5, 7.0]))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_ranges_of_any_step(launch: Launcher, n: int) -> None:
    def kernel(y: GlobalMut[i32], start: i32, stop: i32, step: i32) -> None:
        for i, k in enumerate(range(start, stop, step)):
            y[0] = y[0] * 3 + k + i
        for k in reversed(range(start, stop, step)):
            y[1] = y[1] * 3 + k
        for k in reversed(range(stop, start, -2)):
            y[2] = y[2] * 3 + k

    for start, stop, step in ((n, 9, 2), (9, n, -3), (n, n, 1), (n, 4, -1)):
        (y,) = launch(kernel, np.zeros(3, np.int32), start, stop, step, **ONE)
        want = [0, 0, 0]
        for i, k in enumerate(range(start, stop, step)):
            want[0] = want[0] * 3 + k + i
        for k in reversed(range(start, stop, step)):
            want[1] = want[1] * 3 + k
        for k in reversed(range(stop, start, -2)):
            want[2] = want[2] * 3 + k
        assert_same(y, np.array(want, np.int32), (start, stop, step))
