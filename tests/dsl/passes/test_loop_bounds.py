"""How many passes loops make, so far as programs and launches tell."""

from __future__ import annotations

import math
from typing import Any

import pytest

from krnlpy import Global, GlobalMut, Item, ItemMut, Kernel, Spec, f32, f64, func, i32, i64, kernel, u8, u32
from krnlpy.dsl import fmod, gamma, group_array, local_array, sin, thread_id
from krnlpy.dsl.passes.loop_bounds import KnownLaunch, has_loops, loop_passes

THREADS = (64, 1, 1)


def passes(made: Kernel, **known: Any) -> tuple[int, float]:
    """Of a launch of one group, without what is added for prologues."""
    program = made.definition.program({}, THREADS)
    scalars = {name: (value, value) for name, value in known.pop("scalars", {}).items()}
    launch = KnownLaunch(THREADS, known.pop("specs", {}), 0, ((1, 1),) * 3, scalars, **known)
    return loop_passes(program, launch)


def test_what_has_no_loops() -> None:
    @kernel
    def plain(x: Global[f32], y: GlobalMut[f32]) -> None:
        y[thread_id()] = x[thread_id()] if x.size > 1 else 0.0

    assert not has_loops(plain.definition.program({}, THREADS))
    assert passes(plain) == (0, 0)


def test_ranges() -> None:
    @kernel
    def loop(n: i32, m: i32, y: GlobalMut[i32]) -> None:
        for i in range(n):
            y[0] = i
        for i in range(10, m, 3):
            y[0] = i
        for i in range(m, -5, -7):
            y[0] = i

    assert passes(loop, scalars={"n": 1000, "m": 3010}) == (1000 + 1000 + 431, 1001 + 1001 + 432)
    assert passes(loop, scalars={"n": 0, "m": -5}) == (0, 3)
    assert passes(loop, scalars={"n": 2, "m": 2}) == (0, 3 + 1 + 2)  # those that may be unrolled count for nothing
    assert passes(loop)[0] == 0
    assert passes(loop)[1] > 2**31


def test_nested_loops_multiply() -> None:
    @kernel
    def loop(x: Global[f32, 2], y: GlobalMut[f32]) -> None:
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                y[0] += x[i, j]

    assert passes(loop, shapes={"x": (400, 300)}) == (400 + 400 * 300, 400 * (1 + 301) + 1)


def test_what_may_leave_a_loop_or_not_enter_it() -> None:
    @kernel
    def loop(n: i32, x: Global[i32], y: GlobalMut[i32]) -> None:
        for i in range(n):
            if x[i] > 0:
                break
        for i in range(n):
            if x[i] > 0:
                return
        for i in range(n):
            y[i] = 1

    @kernel
    def branch(n: i32, x: Global[i32], y: GlobalMut[i32]) -> None:
        if x[0] > 0:
            for i in range(n):
                y[i] = 1
        elif x[0] < 0:
            for i in range(2 * n):
                y[i] = 1

    assert passes(loop, scalars={"n": 1000}) == (0, 3003)
    assert passes(branch, scalars={"n": 1000}) == (0, 3002)


@pytest.mark.parametrize("up", [True, False])
def test_while_loops_that_count(up: bool) -> None:
    @kernel
    def rising(n: i32, x: Global[i32], y: GlobalMut[i32]) -> None:
        k = 0
        while k < n and x[k] > 0:
            y[k] = 1
            k += 2

    @kernel
    def falling(n: i32, y: GlobalMut[i32]) -> None:
        k = n
        while 0 <= k:  # noqa: SIM300
            y[k] = 1
            k -= 1

    if up:
        assert passes(rising, scalars={"n": 1001}) == (0, 502)
    else:
        assert passes(falling, scalars={"n": 1000}) == (1001, 1002)


def test_while_loops_that_need_not_end() -> None:
    @kernel
    def skips(n: i32, x: Global[i32], y: GlobalMut[i32]) -> None:
        k = 0
        while k < n:
            if x[k] > 0:
                continue
            k += 1

    @kernel
    def twice(n: i32, x: Global[i32], y: GlobalMut[i32]) -> None:
        k = 0
        while k < n:
            k += 1
            if x[k] > 0:
                k -= 1

    @kernel
    def wraps(n: u8, y: GlobalMut[i32]) -> None:
        k = u8(0)
        while k < n:
            k += u8(2)

    @kernel
    def moving(n: i32, y: GlobalMut[i32]) -> None:
        k, end = 0, n
        while k < end:
            k += 1
            end += 1

    @kernel
    def by_data(x: Global[i32], y: GlobalMut[i32]) -> None:
        while y[0] < x[0]:
            y[0] += 1

    for made in (skips, twice, moving, by_data):
        assert passes(made, scalars={"n": 10})[1] >= 2**31 - 1, made
    assert passes(wraps, scalars={"n": 255})[1] == math.inf
    assert passes(wraps, scalars={"n": 254})[1] == 128


def test_while_loops_over_bits() -> None:
    @kernel
    def halves(x: Item[u32], y: ItemMut[u32]) -> None:
        n = x
        while n > 0:
            n //= u32(2)
            y += u32(1)

    @kernel
    def doubles(n: i32, y: GlobalMut[i32]) -> None:
        k = 1
        while k < n:
            k *= 2
            y[0] += k

    assert passes(halves, items=(64, 64))[1] <= 40
    assert passes(doubles, scalars={"n": 1 << 20})[1] <= 24
    assert passes(doubles, scalars={"n": (1 << 31) - 1})[1] == math.inf  # 2^31 wraps


def test_bounds_from_types_and_specs() -> None:
    @kernel
    def bytes_(x: Global[u8], y: GlobalMut[i32]) -> None:
        for i in range(x[0]):
            y[0] += i32(i)

    @kernel
    def tiles(n: i32, y: GlobalMut[i32], T: Spec[i32]) -> None:
        for first in range(0, n, T):
            for i in range(first, min(first + T, n)):
                y[0] += i

    assert passes(bytes_)[1] == 256
    low, high = passes(tiles, scalars={"n": 10_000}, specs={"T": 100})
    assert low <= 100 + 10_000
    assert high >= 100 + 10_000


def test_items_and_strides() -> None:
    @kernel
    def one(x: ItemMut[f32]) -> None:
        x += 1.0

    @kernel
    def many(n: i32, x: ItemMut[f32]) -> None:
        for _ in range(n):
            x += 1.0

    assert passes(one, items=(64_000, 64_000)) == (1000, 1001)
    assert passes(one, items=(64_001, 64_001)) == (1001, 1002)
    assert passes(many, items=(64_000, 64_000), scalars={"n": 500}) == (501_000, 1000 * 502 + 1)


@func
def added(x: Any, n: i32) -> f32:
    total = 0.0
    for i in range(n):
        total += x[i]
    return total


def test_functions_arrays_and_mathematics() -> None:
    @kernel
    def calls(n: i32, x: Global[f32], y: GlobalMut[f32]) -> None:
        y[0] = added(x, n) + (added(x, 2 * n) if n > 3 else 0.0)

    @kernel
    def arrays(y: GlobalMut[f32]) -> None:
        own = local_array(f32, (10, 10))
        shared = group_array(f32, 640)
        y[0] = own[0, 0] + shared[0]

    @kernel
    def sines(y: GlobalMut[f64]) -> None:
        y[0] = sin(y[0])

    assert passes(calls, scalars={"n": 1000}) == (1000, 1001 + 2001)
    assert passes(arrays) == (0, 101 + 11)
    assert passes(sines)[1] > 22


def test_functions_of_the_library_end() -> None:
    @kernel
    def ours(x: Item[f64], y: ItemMut[f64], z: ItemMut[f64]) -> None:
        y = fmod(x, y)
        z = gamma(x)

    assert 240 < passes(ours, items=(64, 64))[1] < 2000


def test_wide_integers() -> None:
    @kernel
    def wide(n: i64, y: GlobalMut[i64]) -> None:
        k = i64(0)
        while k < n:
            k += i64(1)
        y[0] = k

    assert passes(wide, scalars={"n": 1 << 40})[0] == 1 << 40
    assert passes(wide)[1] >= 1 << 62
