"""The lengths of local and group arrays are known where the kernel is compiled: they size other arrays, and unroll."""

from __future__ import annotations

import numpy as np

from krnlpy import func
from krnlpy.dsl import group_array, local_array, unroll, vec2
from krnlpy.dsl.types.annotations import GlobalMut, Spec
from krnlpy.scalar import f32, i32
from tests.support.launching import Launcher


def test_lengths_size_arrays_and_unroll(launch: Launcher) -> None:
    def kernel(x: GlobalMut[i32]) -> None:
        shared = group_array(i32, (8, 2))
        own = local_array(f32, (len(shared) // 2, 3))
        pairs = local_array(vec2, own.shape[0] + 1)
        for i in unroll(range(len(own))):
            if i == 3:  # decided while compiling
                x[0] = i
            pairs[i + 1].y = own[i, 2] + 1.0
        x[1], x[2] = shared.shape
        x[3] = own.size * 10 + len(pairs)
        x[4] = i32(pairs[-1].y)
        x[5] = shared.ndim

    (x,) = launch(kernel, np.zeros(6, np.int32), threads=(1, 1, 1), groups=(1, 1, 1))
    np.testing.assert_array_equal(x, [3, 8, 2, 125, 1, 2])


def test_lengths_in_functions(launch: Launcher) -> None:
    @func
    def reversed_sum(values):
        copy = local_array(values.dtype, len(values))
        for i in unroll(range(len(values))):
            copy[len(values) - 1 - i] = values[i]
        total = 0
        for i in unroll(range(len(copy))):
            total = total * 10 + copy[i]
        return total

    def kernel(x: GlobalMut[i32]) -> None:
        a = local_array(i32, 3)
        b = local_array(i32, 4)
        for i in range(4):
            a[i % 3] = i + 1
            b[i] = i + 5
        x[0] = reversed_sum(a)
        x[1] = reversed_sum(b)

    (x,) = launch(kernel, np.zeros(2, np.int32), threads=(1, 1, 1), groups=(1, 1, 1))
    np.testing.assert_array_equal(x, [324, 8765])


def test_lengths_that_specs_decide(launch: Launcher) -> None:
    def kernel(x: GlobalMut[i32], N: Spec[i32] = 5) -> None:
        first = local_array(i32, (N, 2))
        second = local_array(i32, len(first) * 2 - 1)
        third = local_array(i32, first.size + second.shape[0] // 2)
        second[-1] = 3
        x[0] = len(second)
        x[1] = len(third)
        for i in range(len(second)):
            x[2] += second[i] * (i + 1)

    for n in (5, 2):
        (x,) = launch(kernel, np.zeros(3, np.int32), threads=(1, 1, 1), groups=(1, 1, 1), specs={"N": n})
        np.testing.assert_array_equal(x, [2 * n - 1, 2 * n + (2 * n - 1) // 2, 3 * (2 * n - 1)])
