"""Evaluation order, the walrus operator, loops with else, unrolled loops, constant negative indices."""

from __future__ import annotations

import numpy as np

from krnlpy.dsl import local_array, unroll
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Spec
from krnlpy.scalar import f32, i32
from tests.support.launching import Launcher

from .test_statements import check
from .values import assert_same

N = np.arange(-5, 20, dtype=np.int32)


def test_walrus_in_conditions(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        k = 0
        if (n := x * 3) > 9 and (m := n - 4) < 30:
            m = n - 4
            y = n + m
        elif n < 0 or (k := n + 1) > 5:
            y = -n
        else:
            y = k * 100

    def python(x: int) -> int:
        n = x * 3
        if n > 9 and n - 4 < 30:
            return n + n - 4
        return -n if n < 0 or n + 1 > 5 else (n + 1) * 100

    check(launch, kernel, python)


def test_walrus_in_a_conditional_expression(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        y = n + 1 if (n := x * 3) > 9 else n

    check(launch, kernel, lambda x: x * 3 + 1 if x * 3 > 9 else x * 3)


def test_walrus_in_a_while_condition(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        i = 0
        total = 0
        while (square := i * i) < x:
            i += 1
            if square % 2 == 1:
                continue
            total += square
        y = total * 1000 + square

    def python(x: int) -> int:
        i = total = 0
        while (square := i * i) < x:
            i += 1
            if square % 2 == 1:
                continue
            total += square
        return total * 1000 + square

    check(launch, kernel, python)


def test_operands_are_read_before_later_effects(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        v = x
        y = v * 100 + (v := v + 1) * 10 + v

    check(launch, kernel, lambda x: x * 100 + (x + 1) * 10 + x + 1)


@func
def push(a, n, value):
    a[n] = value
    return n + 1


def test_effects_under_conditions_happen_only_there(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        log = local_array(i32, 8)
        n = 0
        if x > 3 and push(log, n, 7) == 1:
            n += 1
        z = push(log, 4, 5) if x % 2 == 0 else push(log, 5, 6)
        w = x > 100 or push(log, 6, 9) == 7 or push(log, 7, 1) == 0
        y = log[0] + 10 * log[4] + 100 * log[5] + 1000 * log[6] + 10000 * log[7] + 100000 * (z + n) + i32(w)

    def python(x: int) -> int:
        log = [0] * 8
        n = 0
        if x > 3:
            log[0] = 7
            n = 1
        even = x % 2 == 0
        log[4 if even else 5] = 5 if even else 6
        z = 5 if even else 6
        log[6] = 9
        return log[0] + 10 * log[4] + 100 * log[5] + 1000 * log[6] + 100000 * (z + n) + 1

    check(launch, kernel, python)


def test_chained_comparison_evaluates_once_and_only_as_far_as_needed(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        calls = local_array(i32, 2)
        inside = 0 < counted(calls, 0, x) < counted(calls, 1, 10)
        y = i32(inside) + 10 * calls[0] + 100 * calls[1]

    check(launch, kernel, lambda x: int(0 < x < 10) + 10 + 100 * (x > 0))


@func
def counted(calls, i, value):
    calls[i] += 1
    return value


def test_for_else(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        for d in range(2, x):
            if x % d == 0:
                found = d
                break
        else:
            y = -1
            return
        y = found

    def python(x: int) -> int:
        return next((d for d in range(2, x) if x % d == 0), -1)

    check(launch, kernel, python)


def test_while_else_and_continue(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        i = 0
        while i < 5:
            i += 1
            if i % 2 == 0:
                continue
            if i == x:
                break
        else:
            i = 100
        y = i

    check(launch, kernel, lambda x: x if x in (1, 3, 5) else 100)


def test_else_of_a_loop_without_break_always_runs(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        total = 0
        for i in range(x):
            total += i
        else:
            last = 1000
        y = total + last

    check(launch, kernel, lambda x: sum(range(x)) + 1000)


def test_nested_loops_with_else(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        count = 0
        for i in range(4):
            for j in range(4):
                if i * j == x:
                    break
            else:
                count += 1
                continue
            count += 10
        y = count

    def python(x: int) -> int:
        return sum(10 if any(i * j == x for j in range(4)) else 1 for i in range(4))

    check(launch, kernel, python)


def test_variables_of_an_endless_loop_have_values_after_it(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        i = 0
        while True:
            i += 1
            if i * i > x:
                root = i
                break
        y = root

    check(launch, kernel, lambda x: next(i for i in range(1, 100) if i * i > x))


def test_unrolled_loops(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        total = 0
        for i in unroll(range(6, 0, -2)):
            for weight in unroll((1, 10)):
                if weight == 10 and i == 4:
                    continue
                if i == 2 and weight == 10:
                    break
                total += i * weight + x
        else:
            total += 7
        y = total

    check(launch, kernel, lambda x: (6 + x) + (60 + x) + (4 + x) + (2 + x) + 7)


def test_unrolled_loop_left_by_a_static_break(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        total = x
        for i in unroll(range(100)):
            if i == 3:
                break
            total += i
        else:
            total = -1
        y = total

    check(launch, kernel, lambda x: x + 3)


def test_unrolled_loop_over_values(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        total = 0
        for value in unroll((x, x * 2, 5)):
            total = total * 3 + value
        y = total

    check(launch, kernel, lambda x: (x * 3 + x * 2) * 3 + 5)


def test_negative_constant_indices(launch: Launcher) -> None:
    def kernel(a: Global[i32, 2], y: GlobalMut[i32], TILE: Spec[i32] = 3) -> None:
        t = local_array(i32, (TILE, 4))
        t[-1, -4] = a[-1, -2]
        t[0, -1] = a[-2, 0]
        y[-1] = t[2, 0]
        y[0] = t[0, 3]
        shape = a.shape
        y[1] = shape[-1]

    a = np.arange(12, dtype=np.int32).reshape(3, 4)
    y = launch(kernel, a, np.zeros(3, np.int32), threads=(1, 1, 1), groups=(1, 1, 1))[1]
    assert_same(y, np.array([4, 4, 10], np.int32), a)


def test_divmod_and_static_identity(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        quotient, rest = divmod(x, 3)
        y = quotient * 10 + rest
        if x_type is i32 and x_type is not f32:
            y += 1000

    check(launch, kernel, lambda x: x // 3 * 10 + x % 3 + 1000)


x_type = i32


def test_several_targets_and_tuple_variables(launch: Launcher) -> None:
    def kernel(x: Item[i32], y: ItemMut[i32]) -> None:
        a = b = x
        b += 1
        pair = (a, f32(b) * 0.5)
        if x > 3:
            pair = (b, 1.5)
        first, second = pair
        a, b = b, a
        y = first + 10 * i32(second * 2.0) + 100 * (a - b) + 1000 * pair[0]

    def python(x: int) -> int:
        first, second = (x + 1, 1.5) if x > 3 else (x, (x + 1) * 0.5)
        return first + 10 * int(second * 2.0) + 100 + 1000 * first

    check(launch, kernel, python)
