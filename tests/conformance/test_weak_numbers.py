"""Literals take the type of what they meet, also where one of two is chosen, and where they are raised to a power."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest

from krnlpy import func
from krnlpy.dsl import ivec2, vec2
from krnlpy.dsl.types.annotations import GlobalMut, Item, ItemMut
from krnlpy.scalar import ScalarType, bf16, f16, f32, f64, i8, i32, u8, u16, u32
from tests.support.launching import Launcher

from .values import assert_same

T = TypeVar("T")
X = np.arange(-3, 6, dtype=np.int32)


@pytest.mark.parametrize("type", [u8, i8, u16, u32, f16, bf16, f32, f64], ids=str)
def test_a_choice_is_stored(launch: Launcher, type: ScalarType) -> None:
    launch.needs(type)

    def kernel(x: Item[i32], y: ItemMut[T]) -> None:
        y = 1 if x > 2 else 0 if x < 0 else 7

    want = np.where(X > 2, 1, np.where(X < 0, 0, 7)).astype(type.dtype)
    assert_same(launch(kernel, X, np.full(X.shape, 9, type.dtype))[1], want, X)


def test_a_choice_meets_numbers_of_its_surroundings(launch: Launcher) -> None:
    @func
    def scaled(x: f32, factor: f32):
        return x * factor

    @func
    def either(x, y):
        return x if x > y else (3 if y == 2 else 4)

    def kernel(x: Item[i32], a: ItemMut[u8], b: ItemMut[f32], c: ItemMut[u16]) -> None:
        a += 200 if x > 2 else 100  # wraps as a u8 does
        b = scaled(b * (1 if x > 0 else 0.5), 3 if x == 1 else 2)
        c = min(either(c, 2 if x < 4 else 1), 1000 if x == 5 else c)

    count = len(X)
    start = [np.full(count, 99, np.uint8), np.arange(count, dtype=np.float32), np.arange(count, dtype=np.uint16)]
    _, a, b, c = launch(kernel, X, *start)
    assert_same(a, (99 + np.where(X > 2, 200, 100)).astype(np.uint8), X)
    assert_same(b, (start[1] * np.where(X > 0, 1, 0.5) * np.where(X == 1, 3, 2)).astype(np.float32), X)
    other = np.where(X < 4, 2, 1)
    chosen = np.where(start[2] > other, start[2], np.where(other == 2, 3, 4))
    assert_same(c, np.minimum(chosen, np.where(X == 5, 1000, start[2])).astype(np.uint16), X)


def test_a_choice_with_a_type_keeps_it(launch: Launcher) -> None:
    """What was converted, or put into a vector or a variable, takes no other type any more."""

    def kernel(x: Item[i32], y: Item[u8], a: ItemMut[i32], b: ItemMut[i32], c: ItemMut[i32]) -> None:
        a = y + i32(200 if x > 2 else 100)
        b = y + ivec2(200 if x > 2 else 100, 0).x
        chosen = 200 if x > 2 else 100
        c = y + chosen

    count = len(X)
    y = np.full(count, 99, np.uint8)
    want = 99 + np.where(X > 2, 200, 100).astype(np.int32)
    for got in launch(kernel, X, y, *np.zeros((3, count), np.int32))[2:]:
        assert_same(got, want, X)


def test_a_choice_stays_weak_where_its_condition_is_evaluated_early(launch: Launcher) -> None:
    @func
    def next_of(counter: GlobalMut[i32], i):
        counter[i] += 1
        return counter[i]

    def kernel(x: GlobalMut[i32], y: GlobalMut[u8], z: GlobalMut[f32]) -> None:
        y[0], y[1] = 1 if x[0] == 0 else 2, 3 if x[0] == 1 else 4
        y[2] = y[3] = 5 if x[0] == 0 else 6
        y[4] = (7 if x[0] == 0 else 8) + u8(next_of(x, 0))
        v = vec2(z[0], z[1]) * (2 if x[0] == 1 else 3)
        z[0], z[1] = v.x, v.y

    start = [np.zeros(1, np.int32), np.zeros(5, np.uint8), np.ones(2, np.float32)]
    x, y, z = launch(kernel, *start, threads=(1, 1, 1), groups=(1, 1, 1))
    assert x.tolist() == [1]
    assert y.tolist() == [1, 4, 5, 5, 8]
    assert z.tolist() == [2, 2]


def test_choices_keep_all_of_their_digits(launch: Launcher) -> None:
    """A literal is rounded once, to the type that it meets; not to f32 on its way to an f64."""
    launch.needs(f64)

    def kernel(x: Item[i32], y: ItemMut[f64]) -> None:
        y = y + (0.1 if x > 2 else (0.3 if x > 0 else 16777217))

    want = 1 + np.where(X > 2, 0.1, np.where(X > 0, 0.3, 16777217.0))
    assert_same(launch(kernel, X, np.ones(X.shape))[1], want, X)


def test_a_negative_literal_to_an_unsigned_power(launch: Launcher) -> None:
    def kernel(x: GlobalMut[i32], y: GlobalMut[f32]) -> None:
        for n in range(u32(8)):
            x[n] = (-1) ** n + 10 * (-2) ** u8(n) + 1000 * 3 ** i32(n)
            y[n] = f32((-1) ** n) / (2.0 * f32(n) + 1.0)

    x, y = launch(kernel, np.zeros(8, np.int32), np.zeros(8, np.float32), threads=(1, 1, 1), groups=(1, 1, 1))
    n = np.arange(8)
    np.testing.assert_array_equal(x, (-1) ** n + 10 * (-2) ** n + 1000 * 3**n)
    np.testing.assert_array_equal(y, ((-1) ** n / (2 * n + 1).astype(np.float32)).astype(np.float32))
