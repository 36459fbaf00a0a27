"""Control flow and assignment, against the same function run by Python."""

from __future__ import annotations

import numpy as np

from krnlpy.dsl import local_array, unroll
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Spec
from krnlpy.scalar import f32, i32, u8
from tests.support.launching import Launcher

from .values import assert_same

N = np.arange(-5, 20, dtype=np.int32)


def check(launch: Launcher, kernel: object, python: object, x: np.ndarray = N) -> None:
    want = np.array([python(value) for value in x.tolist()], x.dtype)
    assert_same(launch(kernel, x, np.zeros_like(x))[1], want, x)


def test_if_elif_else(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        if x < 0:
            y = -1
        elif x == 3 or (x == 4 and not x > 100):
            y = 34
        elif 6 <= x < 9:
            y = 68
        else:
            y = x

    def python(x: int) -> int:
        return -1 if x < 0 else 34 if x in (3, 4) else 68 if 6 <= x < 9 else x

    check(launch, kernel, python)


def test_while_break_continue(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        total = 0
        i = 0
        while i < x:
            i += 1
            if i % 3 == 0:
                continue
            if i > 12:
                break
            total += i
        y = total * 100 + i

    def python(x: int) -> int:
        total = i = 0
        while i < x:
            i += 1
            if i % 3 == 0:
                continue
            if i > 12:
                break
            total += i
        return total * 100 + i

    check(launch, kernel, python)


def test_for_over_ranges(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        total = 0
        for i in range(x):
            total += i
        for i in range(2, x):
            total += 10 * i
        for i in range(x, -3, -2):
            total += 100 * i
            if total > 20000:
                break
        for j in range(1, 10, 4):
            for k in range(j):
                if k == 3:
                    continue
                total += k
        y = total

    def python(x: int) -> int:
        total = sum(range(x)) + sum(10 * i for i in range(2, x))
        for i in range(x, -3, -2):
            total += 100 * i
            if total > 20000:
                break
        return total + sum(k for j in range(1, 10, 4) for k in range(j) if k != 3)

    check(launch, kernel, python)


def test_a_range_of_step_zero_and_of_a_step_that_varies(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        total = 0
        for i in range(0, 10, x):
            total += 1 + i
        for i in range(10, 0, x):
            total += 100 + i
        y = total

    def python(x: int) -> int:
        if x == 0:
            return 0
        return sum(1 + i for i in range(0, 10, x)) + sum(100 + i for i in range(10, 0, x))

    check(launch, kernel, python)


def test_the_loop_variable_is_not_the_iteration(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        total = 0
        stop = x
        i = -7
        for i in range(stop):
            stop = 0
            i = i * 2
            total += i
        y = total + 1000 * i

    def python(x: int) -> int:
        total, i = 0, -7
        for i in range(x):
            i = i * 2
            total += i
        return total + 1000 * i

    check(launch, kernel, python)


def test_ranges_at_the_ends_of_a_type(launch: Launcher) -> None:
    def kernel(start: Item[u8], stop: Item[u8], step: Item[u8], count: ItemMut[i32]) -> None:
        for _ in range(start, stop, step):
            count += 1

    start = np.array([250, 0, 200, 255, 1], np.uint8)
    stop = np.array([255, 255, 255, 255, 0], np.uint8)
    step = np.array([2, 100, 60, 1, 1], np.uint8)
    want = [len(range(*(int(v) for v in triple))) for triple in zip(start, stop, step, strict=True)]
    assert_same(launch(kernel, start, stop, step, np.zeros(5, np.int32))[3], np.array(want, np.int32))


def test_a_range_up_to_the_greatest_number(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        for i in range(x - 3, x, 2):
            y += 1
            if i < 0:
                y += 100

    x = np.array([2**31 - 1, 0], np.int32)
    assert_same(launch(kernel, x, np.zeros_like(x))[1], np.array([2, 202], np.int32))


def test_early_return(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        y = 1
        if x < 0:
            return
        for i in range(10):
            if i == x:
                y = 50 + i
                return
        y = 2

    check(launch, kernel, lambda x: 1 if x < 0 else 50 + x if x < 10 else 2)


def test_conditional_expressions_and_swaps(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        a, b = x, 7
        if a > b:
            a, b = b, a
        c = a if a > 0 else -a if a < -2 else 99
        y = c * 1000 + b

    def python(x: int) -> int:
        a, b = min(x, 7), max(x, 7)
        return (a if a > 0 else -a if a < -2 else 99) * 1000 + b

    check(launch, kernel, python)


def test_short_circuit_guards_an_index(launch: Launcher) -> None:
    def kernel(table: Global[i32], x: Item[i32], y: ItemMut[i32]) -> None:
        y = -1
        if x >= 0 and x < len(table) and table[x] > 2:
            y = table[x]
        if x < 0 or x >= table.shape[0] or table[x] < 2:
            y += 100
        y = y + (table[x] if 0 <= x < len(table) else -50)

    table = np.array([1, 5, 2, 8], np.int32)

    def python(x: int) -> int:
        inside = 0 <= x < 4
        value = int(table[x]) if inside else 0
        y = value if inside and value > 2 else -1
        y += 100 if not inside or value < 2 else 0
        return y + (value if inside else -50)

    want = np.array([python(x) for x in N.tolist()], np.int32)
    assert_same(launch(kernel, table, N, np.zeros_like(N))[2], want, N)


def test_local_arrays(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32], SIZE: Spec[i32] = 3) -> None:
        a = local_array(i32, (SIZE, SIZE + 1))
        for i in range(SIZE):
            for j in range(SIZE + 1):
                if (i + j) % 2 == 0:
                    a[i, j] = x + 10 * i + j
        total = 0
        for i in range(a.shape[0]):
            for j in range(a.shape[1]):
                total = total * 3 + a[i, j]
        y = total

    def python(x: int, size: int) -> int:
        total = 0
        for i in range(size):
            for j in range(size + 1):
                total = total * 3 + (x + 10 * i + j if (i + j) % 2 == 0 else 0)
        return (total + 2**31) % 2**32 - 2**31

    for size in (3, 2, 4):
        want = np.array([python(x, size) for x in N.tolist()], np.int32)
        assert_same(launch(kernel, N, np.zeros_like(N), specs={"SIZE": size})[1], want, N)


def test_scalars_and_specs_of_a_kernel(launch: Launcher) -> None:
    def kernel(
        small: u8,
        flag: bool,
        x: Item[f32],
        alpha: f32,
        y: ItemMut[f32],
        OFFSET: Spec[f32] = 0.5,
        TWICE: Spec[bool] = False,
    ) -> None:
        y = alpha * x + OFFSET + f32(small)
        if flag:
            y = -y
        if TWICE:
            y = y * 2

    x = np.linspace(-1, 1, 9, dtype=np.float32)
    y = np.float32(0.1) * x + np.float32(0.5) + np.float32(200)
    assert_same(launch(kernel, 200, False, x, 0.1, np.zeros_like(x))[1], y)
    assert_same(launch(kernel, 200, True, x, 0.1, np.zeros_like(x), specs={"TWICE": True})[1], -2 * y)
    z = np.float32(0.1) * x + np.float32(-8) + np.float32(200)
    assert_same(launch(kernel, 200, False, x, 0.1, np.zeros_like(x), specs={"OFFSET": -8.0})[1], z)


def test_augmented_assignment_of_elements(launch: Launcher) -> None:
    def kernel(a: GlobalMut[i32], x: Item[i32]) -> None:
        a[x] += 5
        a[x] *= x
        a[x] //= 2
        a[x] -= 1
        a[x] |= 64
        a[x] ^= 1

    x = np.arange(8, dtype=np.int32)
    a = np.arange(100, 108, dtype=np.int32)
    want = ((((a + 5) * x) // 2 - 1) | 64) ^ 1
    assert_same(launch(kernel, a, x)[0], want)


def test_the_variable_of_an_unrolled_loop_may_be_a_variable_before_and_after(launch: Launcher) -> None:
    def kernel(x: GlobalMut[i32]) -> None:
        for i in range(4):
            x[0] += i
        for i in unroll(range(3)):
            x[1] += i
        i = 5
        for i in unroll(range(0)):  # noqa: B007
            x[2] = 9
        x[2] += i
        turn = 0
        while turn < 3:
            x[3] = x[3] * 100 + i
            for i in unroll((10, 20, 30)):
                if i == 20:
                    break
                x[4] += i
            turn += 1
        for i in range(2):
            for i in unroll((7, 8)):
                x[5] += i
            x[6] += i

    (x,) = launch(kernel, np.zeros(7, np.int32), threads=(1, 1, 1), groups=(1, 1, 1))
    np.testing.assert_array_equal(x, [6, 3, 5, 52020, 30, 30, 16])
