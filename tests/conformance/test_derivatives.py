"""Derivatives of functions as people write them: variables, branches, loops, calls, composites, arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import Global, GlobalMut, dsl, func
from krnlpy.dsl import (
    Matrix,
    cos,
    define_partials,
    derivative,
    dot,
    exp,
    local_array,
    sin,
    sqrt,
    value_and_partials,
    vec2,
    vec3,
)
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.scalar import bf16, f16, f32, f64, i32
from tests.support.launching import Launcher

Array = np.ndarray[Any, Any]
T = TypeVar("T", f32, f64)
S = TypeVar("S", f16, bf16)
X = np.linspace(-2.0, 2.5, 19).astype(np.float32)
EPS = float(np.finfo(np.float32).eps)


def same(got: Array, want: Any, ulps: float = 16.0) -> None:
    """As exact as some operations of f32 are, of numbers of the greatest one's size."""
    want = np.broadcast_to(np.asarray(want, np.float64), got.shape)
    assert np.abs(got - want).max() <= ulps * EPS * max(1.0, float(np.abs(want).max()))


def slopes(launch: Launcher, f: Any) -> Array:
    """The derivative of a function of one number at ``X``."""

    def kernel(x: Item[f32], y: ItemMut[f32]) -> None:
        y = derivative(f)(x)

    return launch(kernel, X, np.zeros_like(X))[1]


# -------------------------------------------------------------------------------------------------------- statements


@func
def reassigned(x):
    t = x
    t = t * t
    t = t * x + t
    t += 3.0 * x
    x = t * 2.0
    return x + 0.0


@func
def branching(x):
    if x < -1.0:
        return x * x
    if x < 1.0:
        t = 3.0 * x
    else:
        t = x * x * x
    return t + 1.0 if x > 0.0 else t - x


@func
def looping(x):
    total = x
    for i in range(1, 5):
        if i == 3:
            continue
        total = total * x + f32(i)
    k = 0
    while True:
        total += x
        k += 1
        if k > 2:
            break
    return total


@func
def zeroed(x):
    t = x * x
    if x > 0.0:
        t = 0.0
    return t


@func
def unchanging(x):
    return 4.0


@func
def by_kinds(x):
    a = x % 0.75
    b = divmod(x, 0.5)
    return (
        a
        + b[1]
        + float(int(x))
        + x // 2.0
        + -x
        + +x * 2.0
        - x / 3.0
        + 2.0 / (x + 5.0)
        + x**2
        + x**3
        + (x + 3.0) ** -1.5
    )


def test_statements(launch: Launcher) -> None:
    x = X.astype(np.float64)
    same(slopes(launch, reassigned), 2 * (3 * x**2 + 2 * x + 3))
    want = np.where(x < -1, 2 * x, np.where(x < 1, 3.0, 3 * x**2) - np.where(x > 0, 0.0, 1.0))
    same(slopes(launch, branching), want)
    same(slopes(launch, looping), 4 * x**3 + 2 * x + 5)
    same(slopes(launch, zeroed), np.where(x > 0, 0.0, 2 * x))
    same(slopes(launch, unchanging), 0.0)
    same(slopes(launch, by_kinds), 1 + 1 - 1 + 2 - 1 / 3 - 2 / (x + 5) ** 2 + 2 * x + 3 * x**2 - 1.5 * (x + 3) ** -2.5)


# ------------------------------------------------------------------------------------------------------------- calls


@func
def pair(x, y):
    return x * y, x + 3.0 * y


@func
def scaled(x, factor=3.0, power: i32 = 2):
    t = x
    for _ in range(power - 1):
        t *= x
    return factor * t


@func
def applied(f, x):
    return f(x) * f(2.0 * x)


@func
def calling(x):
    a, b = pair(x, sin(x))
    return a * b + scaled(x) + scaled(x, power=3) + applied(sin_of, x)


@func
def sin_of(x):
    return sin(x)


def test_calls(launch: Launcher) -> None:
    x = X.astype(np.float64)
    s, c = np.sin(x), np.cos(x)
    pairs = (s + x * c) * (x + 3 * s) + x * s * (1 + 3 * c)
    applied_slope = c * np.sin(2 * x) + s * 2 * np.cos(2 * x)
    same(slopes(launch, calling), pairs + 6 * x + 9 * x**2 + applied_slope)


def test_written_in_a_kernel_and_in_a_function(launch: Launcher) -> None:
    slope = derivative(scaled, "x")

    @func
    def both(x):
        return derivative(scaled)(x) + slope(x, 1.0, power=3)

    def kernel(x: Item[f32], y: ItemMut[f32], z: ItemMut[f32]) -> None:
        y = both(x) + dsl.derivative(scaled, argument="factor")(x, 5.0)
        z = derivative(both)(x)

    _, y, z = launch(kernel, X, np.zeros_like(X), np.zeros_like(X))
    x = X.astype(np.float64)
    same(y, 6 * x + 3 * x**2 + x**2)
    same(z, 6 + 6 * x)


def test_second_and_third_derivatives(launch: Launcher) -> None:
    @func
    def f(x, y):
        return exp(x * y) * sin(x) + y * y * y * x

    hessian = value_and_partials(value_and_partials_first(f), "x", "y")

    def kernel(x: Item[f64], xx: ItemMut[f64], xy: ItemMut[f64], yyy: ItemMut[f64]) -> None:
        _, dx, dy = hessian(x, 0.5 * x)
        xx = dx
        xy = dy
        yyy = derivative(derivative(derivative(f, 1), 1), 1)(x, 0.5 * x)

    launch.needs(f64)
    x = X.astype(np.float64)
    _, xx, xy, yyy = launch(kernel, x, *(np.zeros_like(x) for _ in range(3)))
    y = 0.5 * x
    e, s, c = np.exp(x * y), np.sin(x), np.cos(x)
    np.testing.assert_allclose(xx, e * (y * y * s + 2 * y * c - s), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(xy, e * (s + x * y * s + x * c) + 3 * y * y, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(yyy, x**3 * e * s + 6 * x, rtol=1e-13, atol=1e-13)


def value_and_partials_first(f: Any) -> Any:
    return derivative(f, "x")


# -------------------------------------------------------------------------------------------------------- composites


@dataclass
class Ball:
    place: vec3
    radius: f32


@func
def energy(v: vec3):
    return 0.5 * dot(v, v) + v.x * v.y


@func
def circle(t):
    return vec2(cos(t), sin(t)) * t


@func
def volume(ball: Ball):
    return ball.radius**3 * (1.0 + ball.place.z) + dot(ball.place, ball.place)


@func
def determinant_of(m: Matrix[f32, 2, 2]):
    return dsl.determinant(m)


@func
def weighted_trace(m: Matrix[f32, 2, 2]):
    return 3.0 * dsl.trace(m)


@func
def moved(ball: Ball, t):
    return Ball(ball.place + vec3(t, t * t, 1.0), ball.radius * t)


@func
def sin_and_cos(t):
    return sin(2.0 * t), cos(t)


def test_composites(launch: Launcher) -> None:
    def kernel(x: Item[f32], out: GlobalMut[f32, 2]) -> None:
        i = dsl.item_id()
        g = derivative(energy)(vec3(x, 2.0 * x, 1.0))
        out[i, 0] = g.x
        out[i, 1] = g.y
        out[i, 2] = g.z
        tangent = derivative(circle)(x)
        out[i, 3] = tangent.x
        out[i, 4] = tangent.y
        ball = Ball(vec3(1.0, 2.0, x), 2.0)
        size, by_ball = value_and_partials(volume)(ball)
        out[i, 5] = size
        out[i, 6] = by_ball.place.z
        out[i, 7] = by_ball.radius
        by_matrix = derivative(determinant_of)(Matrix[f32, 2, 2](x, 2.0, 3.0, 4.0))
        out[i, 8] = by_matrix[0, 0]
        out[i, 9] = by_matrix[1, 1]
        out[i, 10] = by_matrix[0, 1]
        speed = derivative(moved, "t")(ball, x)
        out[i, 11] = speed.place.y
        out[i, 12] = speed.radius
        a, b = derivative(sin_and_cos)(x)
        out[i, 13] = a
        out[i, 14] = b
        of_trace = derivative(weighted_trace)(Matrix[f32, 2, 2](x, 2.0, 3.0, 4.0))
        out[i, 15] = of_trace[1, 1]
        out[i, 16] = of_trace[0, 1]

    out = np.zeros((X.size, 17), np.float32)
    out = launch(kernel, X, out)[1]
    x = X.astype(np.float64)
    s, c = np.sin(x), np.cos(x)
    one = np.ones_like(x)
    want = [
        3 * x, 3 * x, one, c - x * s, s + x * c, 8 * (1 + x) + 5 + x * x, 8 + 2 * x, 12 * (1 + x), 4 * one, x, -3 * one,
        2 * x, 2 * one, 2 * np.cos(2 * x), -s, 3 * one, 0 * one,
    ]  # fmt: skip
    same(out, np.stack(want, axis=1))


# ------------------------------------------------------------------------------------------------------------ arrays


@func
def fill_powers(a: GlobalMut[f32], x) -> None:
    a[0] = 1.0
    for i in range(1, 4):
        a[i] = a[i - 1] * x


@func
def total(a: Global[f32]):
    result = f32(0.0)
    for i in range(len(a)):
        result += a[i]
    return result


@func
def through_arrays(x):
    own = local_array(f32, 4)
    other = local_array(f32, 4)
    fill_powers(own, x)
    fill_powers(other, 2.0)
    own[0] += other[3] * x
    return total(own) + total(other)


@func
def table(x, values: Global[f32], i):
    return x * values[i] + values[i + 1]


def test_arrays(launch: Launcher) -> None:
    def kernel(x: Item[f32], y: ItemMut[f32], z: ItemMut[f32], both: ItemMut[f32], values: Global[f32]) -> None:
        y = derivative(through_arrays)(x)
        z = derivative(table, "x")(x, values, 1)
        both = through_arrays(x)

    zeros = [np.zeros_like(X) for _ in range(3)]
    _, y, z, both, _ = launch(kernel, X, *zeros, np.array([3.0, 5.0, 7.0], np.float32))
    x = X.astype(np.float64)
    same(y, 1 + 2 * x + 3 * x**2 + 8)
    same(z, 5.0)
    same(both, 1 + x + x**2 + x**3 + 8 * x + 15)


# ------------------------------------------------------------------------------------------------------------- types


@pytest.mark.parametrize("type", [f16, bf16], ids=str)
def test_short_floats(launch: Launcher, type: Any) -> None:
    @func
    def f(x):
        return x * x * x

    def kernel(x: Item[S], y: ItemMut[f32], z: ItemMut[S]) -> None:
        y = derivative(f)(x)
        z = derivative(f)(x)

    x = np.array([0.5, -1.25, 3.0], type.dtype)
    _, y, z = launch(kernel, x, np.zeros(3, np.float32), np.zeros(3, type.dtype))
    want = 3 * x.astype(np.float64) ** 2
    same(y, want)
    np.testing.assert_array_equal(z, want.astype(type.dtype))


def test_mixed_types(launch: Launcher) -> None:
    launch.needs(f64)

    @func
    def f(x: f32, y: f64):
        return f64(x) * y + f64(sin(x))

    def kernel(x: Item[f32], dx: ItemMut[f64], dy: ItemMut[f64]) -> None:
        _, a, b = value_and_partials(f)(x, f64(x) * 2.0)
        dx = a
        dy = b

    _, dx, dy = launch(kernel, X, np.zeros(X.size), np.zeros(X.size))
    x = X.astype(np.float64)
    same(dx, 2 * x + np.cos(x))
    np.testing.assert_array_equal(dy, x)


def test_whole_numbers_are_left_out_unless_they_are_named(launch: Launcher) -> None:
    def kernel(x: Item[f32], y: ItemMut[f32]) -> None:
        _, dx, dfactor = value_and_partials(scaled)(x, 2.0, 3)
        y = dx + dfactor

    same(launch(kernel, X, np.zeros_like(X))[1], 6 * X.astype(np.float64) ** 2 + X.astype(np.float64) ** 3)


# ------------------------------------------------------------------------------------------------------------- by hand


@func
def newton_root(a):
    x = a
    for _ in range(30):
        x = 0.5 * (x + a / x)
    return x


@func
def root_slope(a, x):
    return 0.5 / x


@func
def blended(a, b):
    return a * b


@func
def seven(a, b):
    return 7.0 * a


define_partials(newton_root, root_slope)
define_partials(blended, seven, None)


def test_partials_by_hand(launch: Launcher) -> None:
    @func
    def outer(x):
        return newton_root(x * x + 1.0) + blended(x, x)

    def kernel(x: Item[f32], y: ItemMut[f32], z: ItemMut[f32]) -> None:
        y = derivative(outer)(x)
        z = derivative(newton_root)(abs(x) + 1.0) + derivative(blended, 1)(x, x)

    _, y, z = launch(kernel, X, np.zeros_like(X), np.zeros_like(X))
    x = X.astype(np.float64)
    same(y, x / np.sqrt(x * x + 1) + 7 * x)
    same(z, 0.5 / np.sqrt(np.abs(x) + 1))


# --------------------------------------------------------------------------------------------------------- independence


@func
def deep(x, y, n):
    t = x
    for _ in range(n):
        a, b = pair(t, y)
        t = sin(a) + b * 0.25 if t < 1.0 else sqrt(t * t + y * y)
    return t * y


def test_a_derivative_does_not_depend_on_what_else_is_wanted(launch: Launcher) -> None:
    def kernel(
        x: Item[T], y: Item[T], value: ItemMut[T], dx: ItemMut[T], dy: ItemMut[T], alone: GlobalMut[T, 2]
    ) -> None:
        v, a, b = value_and_partials(deep, "x", "y")(x, y, 6)
        value = v
        dx = a
        dy = b
        i = dsl.item_id()
        alone[i, 0] = deep(x, y, 6)
        alone[i, 1] = derivative(deep, "x")(x, y, 6)
        alone[i, 2] = derivative(deep, "y")(x, y, 6)
        alone[i, 3] = value_and_partials(deep, "y", "x")(x, y, 6)[2]

    zeros = [np.zeros_like(X) for _ in range(3)]
    _, _, value, dx, dy, alone = launch(kernel, X, X[::-1].copy(), *zeros, np.zeros((X.size, 4), np.float32))
    assert np.isfinite(dx).all() and np.abs(dx).max() > 0.1
    np.testing.assert_array_equal(alone, np.stack([value, dx, dy, dx], axis=1))


@func
def either(x: Any, y: Any) -> Any:
    t = x * 2.0 if x > y else y * 3.0
    if x > 1.0:
        t = y * t
    return t


def test_directions_that_meet(launch: Launcher) -> None:
    """A variable changes along one direction here and along another there."""

    def kernel(x: Item[f32], y: Item[f32], dx: ItemMut[f32], dy: ItemMut[f32]) -> None:
        _, a, b = value_and_partials(either)(x, y)
        dx = a
        dy = b

    y = X[::-1].copy()
    _, _, dx, dy = launch(kernel, X, y, np.zeros_like(X), np.zeros_like(X))
    t = np.where(y < X, 2 * X, 3 * y)
    same(dx, np.where(y < X, 2.0, 0.0) * np.where(X > 1, y, 1.0))
    same(dy, np.where(y < X, 0.0, 3.0) * np.where(X > 1, y, 1.0) + np.where(X > 1, t, 0.0))


def test_what_is_not_chosen_does_not_count(launch: Launcher) -> None:
    """Neither its value nor its tangents, which may be NaN there."""

    @func
    def safe(x):
        t = sqrt(x) if x > 0.0 else 0.0
        return t * 2.0 if x > 0.0 else x * 0.0

    same(slopes(launch, safe), np.where(X > 0, 1 / np.sqrt(np.maximum(X, 1e-9).astype(np.float64)), 0.0), 32)


@func
def gelu(x):
    return 0.5 * x * (1.0 + dsl.erf(x * 0.7071067811865476))


def test_gelu(launch: Launcher) -> None:
    x = X.astype(np.float64)
    erf = np.array([math.erf(v / math.sqrt(2)) for v in x])
    same(slopes(launch, gelu), 0.5 * (1 + erf) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi))
