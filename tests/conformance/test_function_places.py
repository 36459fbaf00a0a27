"""Functions over arrays and buffers, with several results, with effects, with barriers."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from krnlpy.dsl import barrier, global_id, group_array, local_array, thread_id
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Out
from krnlpy.scalar import f32, i32, u8
from tests.support.launching import Launcher

from .values import assert_same

T = TypeVar("T", f32, i32)
X = np.linspace(-2, 2, 16, dtype=np.float32)


@func
def low_high(a, b):
    if a < b:
        return a, b
    return b, a


@func
def nested_results(a):
    return (a, a + 1.0), 2.0 * a


@func
def add_at(values: GlobalMut[T], i: i32, amount: T) -> None:
    if i >= len(values):
        return
    values[i] += amount


@func
def add_twice(values, i, amount) -> None:
    add_at(values, i, amount)
    add_at(values, i, amount)


@func
def total(values, start=0, step=1):
    sum = values[start]
    for i in range(start + step, len(values), step):
        sum += values[i]
    return sum


@func
def apply(function, value):
    return function(value)


@func
def square(x):
    return x * x


@func
def zero_of(type):
    return type(0)


@func
def tree_sum(partial, threads):
    barrier()
    step = threads // 2
    while step > 0:
        if thread_id() < step:
            partial[thread_id()] += partial[thread_id() + step]
        barrier()
        step //= 2
    return partial[0]


@func
def with_scratch(partial, value):
    scratch = local_array(f32, (2, 2))
    scratch[1, 1] += value
    partial[thread_id()] = scratch[1, 1]
    barrier()
    return partial[(thread_id() + 1) % 4], scratch[0, 0]


def test_several_results(launch: Launcher) -> None:
    def kernel(x: Item[f32], y: ItemMut[f32]) -> None:
        low, high = low_high(x, 0.5)
        (same, more), double = nested_results(x)
        pair = low_high(low, -1.0)
        y = low * 100.0 + high + same + more + double + 1000.0 * pair[0]

    low, high = np.minimum(X, np.float32(0.5)), np.maximum(X, np.float32(0.5))
    more, double = X + np.float32(1), np.float32(2) * X
    want = low * np.float32(100) + high + X + more + double
    want = want + np.float32(1000) * np.minimum(low, np.float32(-1))
    assert_same(launch(kernel, X, np.zeros_like(X))[1], want, X)


def test_functions_write_to_buffers_and_arrays(launch: Launcher) -> None:
    def kernel(y: GlobalMut[f32], n: GlobalMut[i32]) -> None:
        i = global_id()
        own = local_array(f32, 3)
        add_twice(own, 1, 0.25)
        add_twice(y, i, f32(i) + own[1])
        add_at(n, i, i)
        add_at(n, 1000, 5)

    y, n = launch(kernel, np.ones(16, np.float32), np.zeros(16, np.int32), groups=(1, 1, 1))
    assert_same(y, 1 + 2 * (np.arange(16, dtype=np.float32) + np.float32(0.5)), y)
    assert_same(n, np.arange(16, dtype=np.int32), n)


def test_functions_read_arrays_of_every_kind(launch: Launcher) -> None:
    def kernel(a: Global[f32], b: Global[u8], y: Out[f32]) -> None:
        shared = group_array(f32, 4)
        own = local_array(i32, 3)
        own[2] = thread_id()
        shared[thread_id()] = f32(thread_id())
        barrier()
        y[global_id()] = total(a) + total(shared, step=2) + f32(total(own)) + f32(i32(total(b, 1)))

    a, b = np.arange(5, dtype=np.float32), np.array([1, 2, 3], np.uint8)
    y = launch(kernel, a, b, np.zeros(4, np.float32), threads=(4, 1, 1), groups=(1, 1, 1))[2]
    assert_same(y, 10 + (0 + 2) + np.arange(4, dtype=np.float32) + 5, y)


def test_functions_and_types_as_arguments(launch: Launcher) -> None:
    def kernel(x: Item[f32], y: ItemMut[f32]) -> None:
        y = apply(square, x) + scaled_default(x) + scaled_default(x, factor=3.0) + f32(zero_of(u8)) + zero_of(f32)

    want = X * X + X * np.float32(2) + X * np.float32(3) + np.float32(0) + np.float32(0)
    assert_same(launch(kernel, X, np.zeros_like(X))[1], want, X)


@func
def scaled_default(value, factor=2.0):
    return value * factor


def test_functions_with_barriers_are_written_out(launch: Launcher) -> None:
    def kernel(x: Global[f32], y: GlobalMut[f32]) -> None:
        partial = group_array(f32, 8)
        partial[thread_id()] = x[global_id()]
        sum = tree_sum(partial, 8)
        barrier()
        partial[thread_id()] = sum
        y[global_id()] = tree_sum(partial, 8)

    y = launch(kernel, X, np.zeros_like(X), threads=(8, 1, 1), groups=(2, 1, 1))[1]
    sums = X.reshape(2, 8).astype(np.float64).sum(1)
    # Eight numbers of at most 2, then eight equal ones of at most 16: 7 roundings each of at most 64 * 2^-24.
    np.testing.assert_allclose(y, np.repeat(sums * 8, 8), rtol=0, atol=14 * 64 * 2**-24)


def test_local_arrays_of_written_out_functions_start_at_zero_in_each_call(launch: Launcher) -> None:
    def kernel(y: GlobalMut[f32]) -> None:
        partial = group_array(f32, 4)
        for i in range(3):
            other, zero = with_scratch(partial, f32(thread_id() + i))
            barrier()
            y[thread_id()] += other + 100.0 * zero

    y = launch(kernel, np.zeros(4, np.float32), threads=(4, 1, 1), groups=(1, 1, 1))[0]
    assert_same(y, np.array([3 * ((t + 1) % 4) + 3 for t in range(4)], np.float32), y)
