"""Local arrays that are declared anywhere: in branches, loops and functions, and several in a line."""

from __future__ import annotations

import numpy as np
import pytest

from krnlpy import f64, kernel
from krnlpy.dsl import barrier, derivative, group_array, local_array, thread_id, unroll, vec2
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, ItemMut, Spec
from krnlpy.errors import KernelError
from krnlpy.scalar import f32, i32
from tests.support.launching import Launcher


def test_each_pass_of_a_loop_begins_with_zeros(launch: Launcher) -> None:
    @func
    def spread(n: i32) -> i32:
        total = 0
        for i in range(n):
            if i % 2 == 0:
                a, flags = local_array(i32, (2, 3)), local_array(bool, 2)
                a[i % 2, i % 3] += i
                flags[i // 4 % 2] = not flags[i // 4 % 2]
                for j in range(3):
                    total += a[0, j] + (1 if flags[j % 2] else 0)
        return total

    def kernel(x: ItemMut[i32], N: Spec[i32] = 3) -> None:
        if x > 3:
            a = local_array(i32, 2 * N)
            a[x % 6] = x
            x = a[x % 6] + a[(x + 1) % 6]
        else:
            a = local_array(i32, 2 * N)
            a[0], a[5] = x, 1
            for k in unroll(range(3)):
                b = local_array(vec2, 2)
                b[1].y += 1.0
                a[0] += i32(b[1].y + b[0].x) * k
            x = spread(x) * 100 + a[0] + a[5]

    start = np.arange(8, dtype=np.int32)
    (got,) = launch(kernel, start)

    def reference(x: int) -> int:
        if x > 3:
            return x
        each = [i + (2 if i // 4 % 2 == 0 else 1) for i in range(0, x, 2)]
        return sum(each) * 100 + x + 3 + 1

    assert got.tolist() == [reference(x) for x in range(8)]


def test_in_loops_with_barriers(launch: Launcher) -> None:
    """There each thread of the host keeps its arrays from one stretch to the next."""

    @func
    def turned(shared: GlobalMut[i32], k: i32) -> i32:
        own = local_array(i32, 2)
        own[0] += shared[k]
        barrier()
        shared[(k + 1) % 8] = own[0]
        barrier()
        own[1] += shared[k]
        return own[0] * 10 + own[1]

    def kernel(out: GlobalMut[i32, 2]) -> None:
        shared, sums = group_array(i32, 8), local_array(i32, 3)
        k = thread_id()
        shared[k] = k
        barrier()
        for i in range(3):
            own = local_array(i32, 4)
            own[i] += turned(shared, k)
            barrier()
            for j in range(4):
                sums[i] += own[j]
        for i in range(3):
            out[k, i] = sums[i]

    (out,) = launch(kernel, np.zeros((8, 3), np.int32), threads=(8, 1, 1), groups=(1, 1, 1))
    k = np.arange(8)
    assert (out == np.stack([(k - i) % 8 * 10 + (k - i - 1) % 8 for i in range(3)], axis=1)).all()


def test_their_derivatives(launch: Launcher) -> None:
    @func
    def f(x: f32) -> f32:
        total = 0.0
        for i in range(3):
            powers = local_array(f32, 3)
            powers[i] += x * x
            if i > 0:
                inner = local_array(f32, 2)
                inner[1] = x
                total += inner[1] + inner[0]
            for j in range(3):
                total += powers[j] * (i + 1.0)
        return total

    def kernel(x: ItemMut[f32]) -> None:
        x = derivative(f)(x)

    (got,) = launch(kernel, np.float32([1, 2]))
    assert got.tolist() == [14, 26]  # of 6 x x + 2 x


def other_shape(x: ItemMut[i32]) -> None:
    a = local_array(i32, 2)
    a[0] = x
    if x > 1:
        a = local_array(i32, 3)


def on_one_path(x: ItemMut[i32]) -> None:
    if x > 1:
        a = local_array(i32, 3)
        a[0] = 1
    x = a[0]


def after_the_loop(x: ItemMut[i32]) -> None:
    for _ in range(x):
        a = local_array(i32, 3)
    x = a[0]


def of_another_kind(x: ItemMut[i32]) -> None:
    a = 1
    x = a
    a = local_array(i32, 3)


def taken_by_a_parameter(a: Global[f64], y: GlobalMut[f64]) -> None:
    for _ in range(2):
        a = local_array(f64, 3)


def shared_in_a_branch(y: GlobalMut[f64]) -> None:
    if len(y) > 1:
        a = group_array(f64, 3)
        y[0] = a[0]


def within_an_expression(x: ItemMut[i32]) -> None:
    x = local_array(i32, 3)[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (other_shape, "a is an array of another type or shape since line"),
        (on_one_path, "may not have a value here"),
        (after_the_loop, "may not have a value here"),
        (of_another_kind, "the name a is taken"),
        (taken_by_a_parameter, "the name a is taken"),
        (shared_in_a_branch, "group_array must be at the top of the kernel"),
        (within_an_expression, "local_array may only be used as `name = local_array"),
    ],
)
def test_what_is_refused(wrong: object, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        kernel(wrong).inspect("ir")
