"""How far elementary functions are from the exact result, in units in the last place: tight, and alike on every target.

Drivers may compute them to a few thousand ulp; kernels therefore bring their own. The reference is NumPy's long double
where that is wider than double, and double for f32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy.dsl import cos, exp, exp2, log, log2, sin, tan, tanh
from krnlpy.dsl.types import Item, ItemMut
from krnlpy.scalar import ScalarType, f32, f64

from .conftest import Launcher

T = TypeVar("T", f32, f64)
COUNT = 600


def exponential(x: Item[T], y: ItemMut[T]):
    y = exp(x)


def exponential2(x: Item[T], y: ItemMut[T]):
    y = exp2(x)


def logarithm(x: Item[T], y: ItemMut[T]):
    y = log(x)


def logarithm2(x: Item[T], y: ItemMut[T]):
    y = log2(x)


def sine(x: Item[T], y: ItemMut[T]):
    y = sin(x)


def cosine(x: Item[T], y: ItemMut[T]):
    y = cos(x)


def tangent(x: Item[T], y: ItemMut[T]):
    y = tan(x)


def hyperbolic_tangent(x: Item[T], y: ItemMut[T]):
    y = tanh(x)


def power(x: Item[T], y: Item[T], z: ItemMut[T]):
    z = x**y


def ulps(got: np.ndarray[Any, Any], exact: np.ndarray[Any, Any]) -> float:
    assert np.isfinite(got).all()
    return float((np.abs(got - exact) / np.spacing(np.abs(exact.astype(got.dtype)))).max())


def uniform(low: float, high: float) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).uniform(low, high, COUNT)


def spread(type: ScalarType) -> np.ndarray[Any, Any]:
    """Numbers of every size, of both signs."""
    size = 37.0 if type is f32 else 290.0
    return 10.0 ** uniform(-size, size) * np.random.default_rng(2).choice([-1.0, 1.0], COUNT)


# Kernel, NumPy's function, arguments, ulp. 3/2 ulp for a result made by one last sum, 2 more roundings where the
# argument was reduced far, 4 for a quotient of two such results, with a little to spare.
CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[[ScalarType], Any], float]] = {
    "exp": (exponential, np.exp, lambda t: uniform(-80, 80) * (1 if t is f32 else 8), 1.5),
    "exp2": (exponential2, np.exp2, lambda t: uniform(-120, 120) * (1 if t is f32 else 8), 1.5),
    "exp near 0": (exponential, np.exp, lambda t: uniform(-1e-3, 1e-3), 1.5),
    "log": (logarithm, np.log, lambda t: np.abs(spread(t)), 1.5),
    "log near 1": (logarithm, np.log, lambda t: uniform(0.9, 1.1), 1.5),
    "log2": (logarithm2, np.log2, lambda t: np.abs(spread(t)), 2.0),
    "log2 near 1": (logarithm2, np.log2, lambda t: uniform(0.9, 1.1), 2.0),
    "sin": (sine, np.sin, lambda t: uniform(-20, 20), 2.0),
    "sin of small": (sine, np.sin, lambda t: uniform(-1e-3, 1e-3), 2.0),
    "sin of great": (sine, np.sin, spread, 3.0),
    "cos": (cosine, np.cos, lambda t: uniform(-20, 20), 2.0),
    "cos of great": (cosine, np.cos, spread, 3.0),
    "tan": (tangent, np.tan, lambda t: uniform(-20, 20), 4.5),
    "tanh": (hyperbolic_tangent, np.tanh, lambda t: uniform(-5, 5), 2.0),
    "tanh of small": (hyperbolic_tangent, np.tanh, lambda t: uniform(-1e-3, 1e-3), 2.0),
}


@pytest.mark.parametrize("type", (f32, f64), ids=str)
@pytest.mark.parametrize("case", CASES)
def test_function(launch: Launcher, case: str, type: ScalarType) -> None:
    kernel, reference, arguments, limit = CASES[case]
    x = arguments(type).astype(type.dtype)
    (_, got) = launch(kernel, x, np.zeros_like(x))
    assert ulps(got, reference(x.astype(np.longdouble))) <= limit


@pytest.mark.parametrize("type", (f32, f64), ids=str)
@pytest.mark.parametrize(("base", "size"), [(1.01, 3000.0), (2.0, 100.0), (30.0, 20.0), (1e30, 1.0)])
def test_power(launch: Launcher, base: float, size: float, type: ScalarType) -> None:
    x = (base ** uniform(-1, 1)).astype(type.dtype)
    y = np.random.default_rng(3).uniform(-size, size, COUNT).astype(type.dtype)
    got = launch(power, x, y, np.zeros_like(x))[2]
    assert ulps(got, np.power(x.astype(np.longdouble), y.astype(np.longdouble))) <= 1.5


@pytest.mark.parametrize("type", (f32, f64), ids=str)
@pytest.mark.parametrize("kernel", (sine, tangent, hyperbolic_tangent))
def test_zeros_keep_their_sign(launch: Launcher, kernel: Callable[..., Any], type: ScalarType) -> None:
    x = np.array([0.0, -0.0], type.dtype)
    got = launch(kernel, x, np.ones_like(x))[1]
    assert (got == 0).all()
    assert np.signbit(got).tolist() == [False, True]
