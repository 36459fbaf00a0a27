"""Functions that kernels call."""

from __future__ import annotations

import numpy as np

from krnlpy.dsl import global_id, local_array
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Item, ItemMut, Out
from krnlpy.scalar import f32, i32, u32
from tests.support.launching import Launcher

from .values import assert_same

X = np.linspace(-2, 2, 17, dtype=np.float32)


@func
def lerp(a, b, t):
    return a + t * (b - a)


@func
def clamp(x, low, high):
    if x < low:
        return low
    return high if x > high else x


@func
def horner(x: f32):
    coefficients = local_array(f32, 4)
    for i in range(4):
        coefficients[i] = f32(i) - 1.5
    total = 0.0
    for i in range(len(coefficients)):
        total = total * x + coefficients[3 - i]
    return total


@func
def collatz(n: u32):
    steps = 0
    while n != 1:
        if steps > 200:
            return -1
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


@func
def nested(x):
    return clamp(horner(x), -1.0, lerp(0.5, 1.5, 0.5))


def test_functions_of_functions(launch: Launcher) -> None:
    def kernel(x: Item[f32], y: ItemMut[f32]) -> None:
        y = nested(x) + lerp(x, 2.0, 0.25)

    one = np.float32(1)
    c = [np.float32(i - 1.5) for i in range(4)]
    polynomial = ((c[3] * X + c[2]) * X + c[1]) * X + c[0]
    want = np.clip(polynomial, -one, one) + (X + np.float32(0.25) * (np.float32(2) - X))
    assert_same(launch(kernel, X, np.zeros_like(X))[1], want, X)


def test_a_function_for_each_type_it_is_called_with(launch: Launcher) -> None:
    def kernel(x: Item[f32], n: Item[i32], y: ItemMut[f32], m: ItemMut[i32]) -> None:
        y = clamp(x, -1.0, 1.0)
        m = clamp(n, -1, 1)

    n = np.arange(-8, 9, dtype=np.int32)
    _, _, y, m = launch(kernel, X, n, np.zeros_like(X), np.zeros_like(n))
    assert_same(y, np.clip(X, np.float32(-1), np.float32(1)), X)
    assert_same(m, np.clip(n, -1, 1), n)


def test_parameters_of_a_function_are_its_own(launch: Launcher) -> None:
    def kernel(n: Item[u32], steps: ItemMut[i32]) -> None:
        count = n
        steps = collatz(count) * 100 + i32(count)

    def python(n: int) -> int:
        return 0 if n == 1 else 1 + python(n // 2 if n % 2 == 0 else 3 * n + 1)

    n = np.arange(1, 20, dtype=np.uint32)
    want = np.array([python(k) * 100 + k for k in n.tolist()], np.int32)
    assert_same(launch(kernel, n, np.zeros(19, np.int32))[1], want, n)


@func
def twice_global_id():
    return 2 * global_id()


def test_ids_in_functions(launch: Launcher) -> None:
    def kernel(out: Out[i32]) -> None:
        out[global_id()] = twice_global_id() + 1

    assert_same(launch(kernel, np.zeros(32, np.int32), groups=(2, 1, 1))[0], np.arange(1, 65, 2, dtype=np.int32))


def test_whole_powers(launch: Launcher) -> None:
    def kernel(n: Item[i32], x: Item[f32], m: ItemMut[i32], y: ItemMut[f32]) -> None:
        m = n**3 + n**7 * n**0
        y = x**2 + x**4

    n = np.arange(-8, 9, dtype=np.int32)
    _, _, m, y = launch(kernel, n, X, np.zeros_like(n), np.zeros_like(X))
    assert_same(m, n**3 + n**7, n)
    square = X * X
    assert_same(y, square + square * square, X)
