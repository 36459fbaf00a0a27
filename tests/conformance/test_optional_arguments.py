"""Arguments that may be None, ``*args``, starred arguments, and parameters that are given by name only."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from krnlpy import Global, GlobalMut, Item, ItemMut, f32, func, i32
from krnlpy.dsl import derivative, unroll, value_and_partials, vec3, vec4
from tests.support.launching import Launcher, lower


@func
def scaled(x, by: f32 | None = None, shift: Optional[f32] = None):  # noqa: UP045
    y = x if by is None else x * by
    if shift is not None and shift > 0.0:
        y += shift
    return y


@func
def total(*args: Any, scale=1.0, first: Any = None):
    result = 0.0
    for a in unroll(args):
        result += a
    if not first:
        result += 100.0
    return result * scale + len(args)


@func
def forward(f, *rest):
    return f(*rest)


@func
def entry(i, table: Global[i32] | None = None):
    if table is None:
        return i
    return table[i]


@func
def put(place: Any, *values):
    for i in unroll(range(len(values))):
        place[i] = values[i]


def test_none_is_decided_while_compiling(launch: Launcher) -> None:
    table = np.array([5, 7, 9], np.int32)

    def run(x: Item[f32], n: Item[i32], y: ItemMut[f32], z: ItemMut[i32]) -> None:
        y = scaled(x) + 10.0 * scaled(x, 3) + 100.0 * scaled(x, shift=x) + 1000.0 * scaled(x, None, 1.0)
        z = entry(n) + 100 * entry(n, table)
        if x is None or n is None:
            z = 1.0  # never compiled: nothing that is known at run time is None

    x, n = np.array([-2, 1, 4], np.float32), np.array([0, 2, 1], np.int32)
    _, _, y, z = launch(run, x, n, np.zeros(3, np.float32), np.zeros(3, np.int32))
    np.testing.assert_array_equal(y, x + 30 * x + 100 * (x + np.maximum(x, 0)) + 1000 * (x + 1))
    np.testing.assert_array_equal(z, n + 100 * table[n])


def test_any_number_of_arguments(launch: Launcher) -> None:
    def run(x: Item[f32], y: ItemMut[f32]) -> None:
        t, v = (x, 2), vec3(x, 1, 2)
        y = total(x, 1) + total(*t, scale=10.0, first=1) + total(*v, x) + total() + forward(total, x, x)
        y += max(*v) + vec4(*t, *t).w + forward(scaled, x) + sum((*t, x, *v))

    x = np.array([-2, 1, 4], np.float32)
    _, y = launch(run, x, np.zeros(3, np.float32))
    want = (x + 101 + 2) + ((x + 2) * 10 + 2) + (2 * x + 103 + 4) + 100 + (2 * x + 102)
    np.testing.assert_array_equal(y, want + np.maximum(x, 2) + 2 + x + (3 * x + 5))


def test_arguments_may_be_arrays_and_functions(launch: Launcher) -> None:
    @func
    def applied(x, *functions):
        for f in unroll(functions):
            x = f(x)
        return x

    def run(a: GlobalMut[f32]) -> None:
        put(a, 1.0, 2.5, 3)
        a[3] = applied(a[1], scaled, abs, scaled)

    (a,) = launch(run, np.zeros(4, np.float32), groups=(1, 1, 1), threads=(1, 1, 1))
    assert a.tolist() == [1.0, 2.5, 3.0, 2.5]


def test_derivatives_by_arguments_of_each_kind(launch: Launcher) -> None:
    @func
    def product(x, /, *factors, power=1.0):
        for factor in unroll(factors):
            x = x * factor
        return x * power * power

    def run(x: Item[f32], dx: ItemMut[f32], dp: ItemMut[f32], d2: ItemMut[f32]) -> None:
        dx = derivative(product, "x")(x, x, 2.0, power=3.0)
        dp = value_and_partials(product, "power")(x, 5.0, power=3.0)[1]
        d2 = value_and_partials(product)(x, 7.0, x)[3]

    x = np.array([-2, 1, 4], np.float32)
    _, dx, dp, d2 = launch(run, x, *(np.zeros(3, np.float32),) * 3)
    np.testing.assert_array_equal(dx, 18 * x)
    np.testing.assert_array_equal(dp, 30 * x)
    np.testing.assert_array_equal(d2, 7 * x)


def test_equal_calls_share_a_function() -> None:
    def run(x: Item[f32], y: ItemMut[f32]) -> None:
        y = total(x, x) + total(1.0, x) + total(x) + scaled(x) + scaled(x, None)

    assert len(lower(run).functions) == 3
