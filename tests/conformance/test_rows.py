"""Rows and slices of arrays: views, through which the array itself is read and written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import func
from krnlpy.dsl import (
    atomic_add,
    barrier,
    derivative,
    global_id,
    grid,
    group_array,
    local_array,
    thread_id,
    unroll,
    vec2,
)
from krnlpy.dsl.types.annotations import Global, GlobalMut, Out, Spec
from krnlpy.errors import KernelAssertionError, KernelIndexError
from krnlpy.scalar import SCALAR_TYPES, ScalarType, f32, i32, u8, u32
from tests.support.launching import Launcher

from .values import assert_same

T = TypeVar("T")
ONE: Any = {"threads": (1, 1, 1), "groups": (1, 1, 1)}


@func
def total(values: Global[f32]) -> f32:
    result = 0.0
    for j in range(len(values)):
        result += values[j]
    return result


@func
def scaled(values: GlobalMut[f32], by: f32, at: i32 = 0):
    for j in range(at, values.size):
        values[j] *= by


@func
def corner(values: Global[f32, 2]) -> f32:
    return values[-1, -1] + total(values[0]) * 100.0


def test_rows_are_aliases(launch: Launcher) -> None:
    def kernel(a: GlobalMut[f32, 3], y: GlobalMut[f32]) -> None:
        i = global_id()
        if i < len(a):
            plane = a[i]
            row = plane[1]
            row[2] += 50.0
            a[i][0][1] = row[2]
            plane[1][0] -= 1.0
            scaled(plane[0], 2.0, at=2)
            y[i] = total(row) + len(row) * 1000.0 + len(plane) * 10000.0 + plane.ndim * 0.5 + a[i][-1][-1]
            i += 1  # what a row is was decided when it was taken
            row[1] = f32(i)

    a = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    got, y = launch(kernel, a, np.zeros(2, np.float32), groups=(1, 1, 1))
    want, sums = a.copy(), np.zeros(2, np.float32)
    for i in range(2):
        want[i, 1, 2] += 50
        want[i, 0, 1] = want[i, 1, 2]
        want[i, 1, 0] -= 1
        want[i, 0, 2:] *= 2
        sums[i] = want[i, 1].sum() + 4000 + 30000 + 1.0 + want[i, -1, -1]
        want[i, 1, 1] = i + 1
    assert_same(got, want)
    assert_same(y, sums)


def test_slices(launch: Launcher) -> None:
    def kernel(a: GlobalMut[f32, 2], y: GlobalMut[f32], n: i32, m: u32) -> None:
        y[0] = total(a[1, 2:n])
        y[1] = total(a[:, 1])
        y[2] = total(a[1:, n - 4])
        y[3] = total(a[0, m:])
        y[4] = total(a[2, 1:-1])
        y[5] = total(a[2, ::2]) + total(a[2, 1::3]) * 100.0
        y[6] = a[0, ::-1][0] + a[0, n::-2][1] * 100.0
        y[7] = len(a[0, 2:n]) + len(a[0, n:2]) * 10 + len(a[0, : n + 90]) * 100 + len(a[0, -n:]) * 1000
        block = a[1:, 2:4]
        y[8] = corner(block)
        y[9] = block.shape[0] * 10 + block.shape[1] + block.size * 100
        inner = a[2, 1:n][1:][::2]
        y[10] = total(inner) + inner[-1] * 100.0
        y[11] = total(a[..., 2]) + a[0, ...][1]
        scaled(a[:, 3][1:], 3.0)
        a[0:2, 0][1] = 77.0
        whole = a
        whole[2, 5] = -1.0

    a = np.arange(1, 19, dtype=np.float32).reshape(3, 6)
    got, y = launch(kernel, a, np.zeros(12, np.float32), 5, 3, **ONE)
    n = 5
    sums = [
        a[1, 2:n].sum(), a[:, 1].sum(), a[1:, n - 4].sum(), a[0, 3:].sum(), a[2, 1:-1].sum(),
        a[2, ::2].sum() + a[2, 1::3].sum() * 100, a[0, ::-1][0] + a[0, n::-2][1] * 100,
        # A bound that is below 0 at run time is cut off, it does not count from the end.
        3 + 0 + 6 * 100 + 6 * 1000,
        a[-1, 3] + a[1, 2:4].sum() * 100, 22 + 400,
        a[2, 1:n][1:][::2].sum() + a[2, 1:n][1:][::2][-1] * 100, a[..., 2].sum() + a[0, 1],
    ]  # fmt: skip
    want = a.copy()
    want[1:, 3] *= 3
    want[1, 0], want[2, 5] = 77, -1
    assert_same(y, np.array(sums, np.float32))
    assert_same(got, want)


@pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)
def test_rows_of_every_type(launch: Launcher, type: ScalarType) -> None:
    @func
    def copied(to: GlobalMut[T], values: Global[T]):
        for j in range(len(to)):
            to[j] = values[j]

    def kernel(a: Global[T, 2], y: GlobalMut[T, 2]) -> None:
        copied(y[0], a[1, ::-1])
        copied(y[1, 1:], a[0])

    a = np.arange(1, 9).reshape(2, 4).astype(type.dtype)
    y = launch(kernel, a, np.zeros((2, 4), type.dtype), **ONE)[1]
    assert_same(y, np.array([a[1, ::-1], [0, *a[0, :3]]], type.dtype))


def test_strided_buffers(launch: Launcher) -> None:
    def kernel(a: GlobalMut[f32, 2], y: GlobalMut[f32]) -> None:
        y[0] = total(a[1, 1:])
        scaled(a[:, 1], 2.0)

    a = np.arange(40, dtype=np.float32).reshape(5, 8)[::2, 1::3].T
    got, y = launch(kernel, a, np.zeros(1, np.float32), **ONE)
    want = a.copy()
    want[:, 1] *= 2
    assert_same(y[:1], a[1, 1:].sum(keepdims=True))
    assert_same(np.ascontiguousarray(got), np.ascontiguousarray(want))


def test_local_arrays_take_turns(launch: Launcher) -> None:
    """The rows of one array change places: what dynamic programming does."""

    def kernel(text: Global[u8], pattern: Global[u8], y: GlobalMut[i32], N: Spec[i32] = 7) -> None:
        table = local_array(i32, (2, N))
        before, now = table[0], table[1]
        for j in range(len(before)):
            before[j] = j
        for i in range(len(text)):
            now[0] = i + 1
            for j in range(len(pattern)):
                changed = before[j] + (text[i] != pattern[j])
                now[j + 1] = min(changed, before[j + 1] + 1, now[j] + 1)
            before, now = now, before
        y[0] = before[len(pattern)]

    words = [(b"kitten", b"sitten"), (b"sitting", b"kitten"), (b"abcdefgh", b"xbcdfh")]
    for a, b in words:
        arrays = (np.frombuffer(word, np.uint8).copy() for word in (a, b))
        (y,) = launch(kernel, *arrays, np.zeros(1, np.int32), **ONE)[2:]
        assert y[0] == _edit_distance(a, b), (a, b)


def _edit_distance(a: bytes, b: bytes) -> int:
    before = list(range(len(b) + 1))
    for i, x in enumerate(a):
        now = [i + 1]
        for j, c in enumerate(b):
            now.append(min(before[j] + (x != c), before[j + 1] + 1, now[j] + 1))
        before = now
    return before[-1]


def test_lengths_of_slices_are_known(launch: Launcher) -> None:
    @func
    def reversed_number(values):
        copy = local_array(values.dtype, len(values))
        for i in unroll(range(len(values))):
            copy[len(values) - 1 - i] = values[i]
        result = 0
        for i in range(len(copy)):
            result = result * 10 + copy[i]
        return result

    def kernel(y: GlobalMut[i32], n: i32) -> None:
        a = local_array(i32, (3, 5))
        for i in range(3):
            for j in range(5):
                a[i, j] = i + j
        y[0] = reversed_number(a[1])
        y[1] = reversed_number(a[n, 1:4])
        y[2] = reversed_number(a[:, n])
        y[3] = reversed_number(a[n, ::-2])

    (y,) = launch(kernel, np.zeros(4, np.int32), 2, **ONE)
    assert_same(y, np.array([54321, 543, 432, 246], np.int32))


@dataclass
class Cell:
    place: vec2
    mass: f32


def test_composite_elements_and_fields(launch: Launcher) -> None:
    @func
    def push(places: GlobalMut[vec2], by: f32):
        for j in range(len(places)):
            places[j].y += by

    @func
    def weight(cells):
        result = 0.0
        for j in range(len(cells)):
            result += cells[j].mass
        return result

    def kernel(y: GlobalMut[f32], n: i32) -> None:
        v = local_array(vec2, (2, 2))
        cells = local_array(Cell, (2, 3))
        row = cells[n]
        for j in range(3):
            row[j] = Cell(vec2(j), 1.0 + j)
            cells.mass[0, j] = 5.0
        row.mass[1] *= 10.0
        cells[n].place[2].x = -4.0
        cells[n][0].place[1] = 9.0
        push(row.place, 100.0)
        y[0] = weight(row)
        y[1] = weight(cells[0])
        y[2] = row[2].place.x + row[2].place.y
        y[3] = cells[1, 0].place.y
        y[4] = total(cells.mass[1])
        push(v[1], 3.0)
        v[0][1].x, v[0][n].y = 8.0, v[1, 1].y
        y[5] = total(cells[1, 1:].mass)
        y[6] = v[0, 1].x
        y[7] = v[0, 1].y + v[1, 0].y

    (y,) = launch(kernel, np.zeros(8, np.float32), 1, **ONE)
    assert_same(y, np.array([24, 15, 98, 109, 24, 23, 8, 6], np.float32))


def test_group_arrays_and_functions_with_barriers(launch: Launcher) -> None:
    @func
    def halves(values: GlobalMut[f32], count):
        barrier()
        half = count // 2
        while half > 0:
            if thread_id() < half:
                values[thread_id()] += values[thread_id() + half]
            barrier()
            half //= 2
        return values[0]

    def kernel(x: Global[f32, 2], y: Out[f32]) -> None:
        shared = group_array(f32, (2, 16))
        for row in unroll(range(2)):
            shared[row][thread_id()] = x[row][thread_id()]
        first = halves(shared[0], 16)
        second = halves(shared[1, 8:], 8)
        if thread_id() == 0:
            y[0] = first
            y[1] = second

    x = np.arange(32, dtype=np.float32).reshape(2, 16)
    y = launch(kernel, x, np.zeros(2, np.float32), groups=(1, 1, 1))[1]
    assert_same(y, np.array([x[0].sum(), x[1, 8:].sum()], np.float32))


def test_atomics_of_rows(launch: Launcher) -> None:
    @func
    def count(bins: GlobalMut[i32], at: i32):
        atomic_add(bins[at], 1)

    def kernel(bins: GlobalMut[i32, 2]) -> None:
        row = bins[global_id() % 2]
        atomic_add(row[global_id() % 3], 1)
        atomic_add(bins[2][0], 2)
        count(bins[2, 1:], 1)

    (bins,) = launch(kernel, np.zeros((3, 3), np.int32), groups=(1, 1, 1))
    want = np.zeros((3, 3), np.int32)
    for i in range(16):
        want[i % 2, i % 3] += 1
    want[2] = 32, 0, 16
    assert_same(bins, want)


TABLE = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_rows_of_tables_and_under_derivatives(launch: Launcher) -> None:
    @func
    def powers(x):
        c = local_array(f32, (2, 3))
        row = c[1]
        for j in range(3):
            row[j] = x * (j + 1.0)
        result = 0.0
        for k, v in enumerate(row):
            result += v * x ** (k + 1)
        for v in c[1, 1:]:
            result += v * v
        return result

    @func
    def weighted(x, i):
        result = 0.0
        for v in TABLE[i]:
            result += v * x
        return result

    @func
    def product(values: Global[f32], x):
        result = x
        for v in values:
            result *= v * x
        return result

    def kernel(y: GlobalMut[f32], n: i32) -> None:
        for i in range(3):
            y[i] = total(TABLE[i]) + total(TABLE[:, n]) * 100.0
            y[3 + i] = derivative(powers)(2.0) + derivative(weighted)(1.0, i)
        own = local_array(f32, (2, 2))
        own[1, 0], own[1, 1] = 2.0, 3.0
        y[6] = derivative(product, "x")(own[n], 1.5)

    (y,) = launch(kernel, np.zeros(7, np.float32), 1, **ONE)
    # x * x + 2 * x ** 3 + 3 * x ** 4 + 13 * x * x, and 6 * x ** 3
    slope = 2 * 2 + 6 * 2**2 + 12 * 2**3 + 26 * 2
    want = [*(TABLE.sum(1) + TABLE[:, 1].sum() * 100), *(slope + TABLE.sum(1)), 18 * 1.5**2]
    assert_same(y, np.array(want, np.float32))


def test_a_name_may_mean_other_rows_later(launch: Launcher) -> None:
    def kernel(a: GlobalMut[f32, 2], b: GlobalMut[f32, 2], n: i32) -> None:
        row = a[0]
        row[0] = 1.0
        row = b[1, 1:]  # of another array: no condition is around
        row[0] = 2.0
        if n > 1:
            row = b[0, n:]
        row[0] = 3.0
        for i in range(2):
            other = a[1]
            other[i] = 4.0
        for i in range(2):
            other = b[2]
            other[i] = 5.0
        if n > 2:
            chosen = a[2]
        else:
            chosen = a[n - 1]
        chosen[2] = 6.0
        either = a[2] if n == 2 else a[n // 3]
        either[3] = 8.0
        part = b[2, 3:] if n == 2 else b[2, n + 1 :]
        part[1] = 9.0
        row = row[1:]
        row = row[n // 2 - 1 :]
        row[0] = 7.0

    for n in (1, 2, 3):
        a, b = launch(kernel, np.zeros((3, 4), np.float32), np.zeros((3, 6), np.float32), n, **ONE)
        x, y = np.zeros((3, 4), np.float32), np.zeros((3, 6), np.float32)
        x[0, 0], y[1, 1] = 1, 2
        row = y[0, n:] if n > 1 else y[1, 1:]
        row[0], x[1, :2], y[2, :2] = 3, 4, 5
        x[2 if n > 2 else n - 1, 2] = 6
        x[2 if n == 2 else n // 3, 3] = 8
        y[2, 4 if n == 2 else n + 2] = 9
        row[1:][max(n // 2 - 1, 0) :][:1] = 7
        assert_same(a, x, n)
        assert_same(b, y, n)


def test_a_slice_has_a_range_of_its_own(launch: Launcher) -> None:
    """What lies beyond a slice is not touched, though it lies within the array."""
    if launch.backend.info.kind == "interpreter":
        pytest.skip("the interpreter checks every index")

    def kernel(a: GlobalMut[f32], at: Global[i32], y: GlobalMut[f32, 2]) -> None:
        part = a[2:6]
        down = a[6:2:-2]
        for k in range(len(at)):
            y[0, k] = part[at[k]]
            y[1, k] = down[at[k]]
        for k in range(len(at)):
            part[at[k]] = 50.0

    a = np.arange(10, dtype=np.float32)
    at = np.array([-1, 0, 1, 3, 4, 100, 2**31 - 1, -(2**31), -3], np.int32)
    got, _, y = launch(kernel, a, at, np.full((2, at.size), -1, np.float32), **ONE)
    want = np.stack([
        np.where((at >= 0) & (at < 4), at + 2.0, 0.0), np.where((at >= 0) & (at < 2), 6.0 - 2 * at, 0.0)
    ])  # fmt: skip
    assert_same(y, want.astype(np.float32))
    changed = a.copy()
    changed[[2, 3, 5]] = 50
    assert_same(got, changed)


def through_a_row(a: GlobalMut[f32, 2], i: i32, j: i32) -> None:
    row = a[i]
    row[0] = 1.0
    row[j] = 2.0


def through_a_slice(a: GlobalMut[f32, 2], i: i32, j: i32) -> None:
    part = a[1, i:3]
    part[0] = part[j] + 2.0


def in_a_function(a: GlobalMut[f32, 2], i: i32, j: i32) -> None:
    store_at(a[i, 1:], j)


@func
def store_at(values: GlobalMut[f32], j: i32):
    values[0] = 1.0
    values[j] = 2.0


@pytest.mark.parametrize(
    ("kernel", "i", "j", "text"),
    [
        (through_a_row, 0, 4, "row[j]"),
        (through_a_row, 2, 0, "row[0]"),
        (through_a_slice, 0, 3, "part[j]"),
        (through_a_slice, 1, -1, "part[j]"),
        (in_a_function, 1, 3, "values[j]"),
    ],
)
def test_debugging_raises_with_the_line(
    launch: Launcher, kernel: Callable[..., Any], i: int, j: int, text: str
) -> None:
    with pytest.raises(KernelIndexError) as caught:
        launch(kernel, np.ones((2, 4), np.float32), i, j, debug=True, **ONE)
    where: Any = store_at.__wrapped__ if kernel is in_a_function else kernel
    lines, first = inspect.getsourcelines(where)
    assert caught.value.line == first + next(n for n, line in enumerate(lines) if text in line)


def test_steps_of_slices_multiply(launch: Launcher) -> None:
    def kernel(a: GlobalMut[f32], y: GlobalMut[f32], n: i32) -> None:
        thirds = a[1::2][::3]
        y[0] = total(thirds) + f32(len(thirds)) * 1000.0
        backwards = a[::-2][n::2]
        y[1] = backwards[1] + f32(len(backwards)) * 1000.0
        y[2] = a[::-1][::-3][2]

    a = np.arange(1, 21, dtype=np.float32)
    _, y = launch(kernel, a, np.zeros(3, np.float32), 1, **ONE)
    thirds, backwards = a[1::2][::3], a[::-2][1::2]
    want = [thirds.sum() + len(thirds) * 1000, backwards[1] + len(backwards) * 1000, a[::-1][::-3][2]]
    assert_same(y, np.array(want, np.float32))


@func
def clear(values: GlobalMut[f32], by: f32):
    values[:] = by


def test_rows_and_slices_are_assigned(launch: Launcher) -> None:
    def kernel(x: Global[f32], a: GlobalMut[f32, 2], b: GlobalMut[f32, 3], n: i32) -> None:
        i = global_id()
        if i < len(a):
            a[i] = x[i]
            a[i, 1:4] = x[i : i + 3]
            b[i] = 2
            b[i, 1, :] = a[i]
            b[i, :, ::2] = b[i, :, 1::2]
            b[i, 2, 2:] = b[i, 1, 0:n]
            clear(a[i, n : n + 1], a[i, 1])
            t = local_array(f32, 3)
            t[:] = 7
            t[::2] = x[i : i + 2]
            q = [0.0, 1.0, 2.0, 3.0]
            q[:3] = t
            q[::-1] = [q[0], 1, q[2], 5.0]
            a[i, 2:] = q
            p = local_array(vec2, (2, 2))
            p[:, :] = vec2(x[i], 3)
            p[1, :1] = p[0, 1:]
            p[1, 1] += vec2(4, 5)
            b[i, 0] = p[1, 0].x + p[1, 1].y

    def expected(x: Any, a: Any, b: Any, n: int) -> None:
        for i in range(len(a)):
            a[i] = x[i]
            a[i, 1:4] = x[i : i + 3]
            b[i] = 2
            b[i, 1, :] = a[i]
            b[i, :, ::2] = b[i, :, 1::2].copy()
            b[i, 2, 2:] = b[i, 1, 0:n]
            a[i, n : n + 1] = a[i, 1]
            a[i, 2:] = [5, x[i + 1], 1, x[i]]
            b[i, 0] = x[i] + 8

    x = np.arange(1, 9, dtype=np.float32)
    arrays = [np.zeros((4, 6), np.float32), np.zeros((4, 3, 6), np.float32)]
    got = launch(kernel, x, *arrays, i32(4), groups=(1, 1, 1), threads=(4, 1, 1))
    expected(x, arrays[0], arrays[1], 4)
    for one, other in zip(got[1:], arrays, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("step", [1, -1, 2])
def test_parts_of_one_array_that_overlap(launch: Launcher, step: int) -> None:
    """All is read before anything is written, whichever lies first."""

    def kernel(a: GlobalMut[i32, 2], starts: Global[i32, 2]) -> None:
        i = global_id()
        if i < len(a):
            to, of = starts[i, 0], starts[i, 1]
            a[i, to : to + step * 4 : step] = a[i, of : of + step * 4 : step]

    starts = np.array([[9, 9], [9, 10], [10, 9], [9, 11], [11, 9], [8, 13]], np.int32)
    a = np.arange(6 * 24, dtype=np.int32).reshape(6, 24)
    got, _ = launch(kernel, a.copy(), starts, groups=(1, 1, 1), threads=(8, 1, 1))
    for i, (to, of) in enumerate(starts):
        a[i, to : to + step * 4 : step] = a[i, of : of + step * 4 : step].copy()
    np.testing.assert_array_equal(got, a)


def test_lengths_that_differ(launch: Launcher) -> None:
    def kernel(a: GlobalMut[i32, 2], x: Global[i32]) -> None:
        a[0] = x
        a[1, :2] = x

    x = np.array([1, 2, 3], np.int32)
    if launch.backend.info.kind != "interpreter":
        got, _ = launch(kernel, np.full((2, 4), 9, np.int32), x, **ONE)
        assert got.tolist() == [[1, 2, 3, 0], [1, 2, 9, 9]]
    with pytest.raises(KernelAssertionError, match="3 values for 4 elements"):
        launch(kernel, np.zeros((2, 4), np.int32), x, **ONE, debug=True)


def test_values_of_loops_that_surely_have_a_pass(launch: Launcher) -> None:
    def kernel(x: Global[f32], y: GlobalMut[f32, 2]) -> None:
        i = global_id()
        for k in range(3):
            t = x[i] * f32(k)
            if t > 4.0:
                z = vec2(1.0, t)
                continue
            z = vec2(t, 2.0)
        row = y[i]
        row[0] = t
        row[1] = z.x + z.y
        for k in range(9, 3, -2):
            if x[i] * f32(k) < 9.0:
                w = k
                break
            w = -k
        else:
            w = 100
        row[2] = f32(w)
        for a, b in grid(2, 3):
            v = a * 10 + b
        for weight in (0.25, 1.5):
            last = weight
            for k in range(2):
                inner = weight + k
        row[3] = v + last + inner
        for k in range(u32(2)):  # the name of a loop is free again
            row[3] += k

    x = np.array([0.0, 1.0, 2.0, 3.0], np.float32)
    _, y = launch(kernel, x, np.zeros((4, 4), np.float32), groups=(1, 1, 1), threads=(4, 1, 1))
    assert y[:, 0].tolist() == [0.0, 2.0, 4.0, 6.0]
    assert y[:, 1].tolist() == [2.0, 4.0, 6.0, 7.0]
    assert y[:, 2].tolist() == [9.0, 7.0, 100.0, 100.0]
    assert (y[:, 3] == 12 + 1.5 + 2.5 + 1).all()
