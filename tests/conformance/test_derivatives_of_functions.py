"""Derivatives of every function of the language, on every target: against their mathematical form, against differences
of the function itself, and where they have limits and kinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import dsl, func
from krnlpy.dsl import derivative, value_and_partials
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.scalar import ScalarType, f32, f64
from tests.support.launching import Launcher
from tests.support.tiers import one_vulkan_device, sampled

from .derivative_table import CASES, SECOND, Case
from .values import COMPUTED_FLOATS

T = TypeVar("T", f32, f64)
INF, NAN = math.inf, math.nan
Array = np.ndarray[Any, Any]
by_type = pytest.mark.parametrize("type", COMPUTED_FLOATS, ids=str)
FUNCTIONS: dict[str, Callable[..., Any]] = {"abs": abs, "pow": pow}


def function_of(name: str, count: int) -> Callable[..., Any]:
    """A function of the language as a ``@func``."""
    called = FUNCTIONS.get(name) or getattr(dsl, name)

    if count == 1:

        @func
        def f(x):
            return called(x)
    elif count == 2:

        @func
        def f(x, y):
            return called(x, y)
    else:

        @func
        def f(x, y, z):
            return called(x, y, z)

    return f


def kernel_of(f: Callable[..., Any], count: int) -> Callable[..., Any]:
    """Writes the value and the partial derivatives of a function, and the value by itself."""
    if count == 1:

        def kernel(x: Item[T], plain: ItemMut[T], value: ItemMut[T], dx: ItemMut[T]) -> None:
            plain = f(x)
            v, a = value_and_partials(f)(x)
            value = v
            dx = a
    elif count == 2:

        def kernel(
            x: Item[T], y: Item[T], plain: ItemMut[T], value: ItemMut[T], dx: ItemMut[T], dy: ItemMut[T]
        ) -> None:
            plain = f(x, y)
            v, a, b = value_and_partials(f)(x, y)
            value = v
            dx = a
            dy = b
    else:

        def kernel(
            x: Item[T],
            y: Item[T],
            z: Item[T],
            plain: ItemMut[T],
            value: ItemMut[T],
            dx: ItemMut[T],
            dy: ItemMut[T],
            dz: ItemMut[T],
        ) -> None:
            plain = f(x, y, z)
            v, a, b, c = value_and_partials(f)(x, y, z)
            value = v
            dx = a
            dy = b
            dz = c

    return kernel


def run(launch: Launcher, name: str, arguments: list[Array]) -> tuple[Array, list[Array]]:
    """The value and the partial derivatives; the value must be the function's own bit for bit."""
    count = len(arguments)
    outputs = [np.full_like(arguments[0], 7.0) for _ in range(count + 2)]
    results = launch(kernel_of(function_of(name, count), count), *arguments, *outputs)[count:]
    plain, value, *partials = results
    bits = np.uint32 if plain.itemsize == 4 else np.uint64
    both_nan = np.isnan(plain) & np.isnan(value)
    assert ((plain.view(bits) == value.view(bits)) | both_nan).all()
    return value, partials


def assert_close(got: Array, exact: Array, ulps: float) -> None:
    spacing = np.spacing(np.abs(exact).astype(got.dtype)).astype(np.longdouble)
    error = np.abs(got.astype(np.longdouble) - exact) / spacing
    assert np.isfinite(got).all()
    assert error.max() <= ulps, f"{error.max():.1f} ulp"


@one_vulkan_device  # each function is exact on each; what is made of them is decided above devices
@by_type
@pytest.mark.parametrize("name", CASES)
def test_mathematical_form(launch: Launcher, name: str, type: ScalarType) -> None:
    launch.needs(type)
    case = CASES[name]
    arguments = [a.astype(type.dtype) for a in case.arguments()]
    _, partials = run(launch, name, arguments)
    exact = [partial(*(a.astype(np.longdouble) for a in arguments)) for partial in case.partials]
    for got, want in zip(partials, exact, strict=True):
        assert_close(got, want, case.ulps)


STEPS = ("floor", "ceil", "trunc", "rint", "sign", "nextafter")
"""Of which a difference over a step is not the derivative."""


@pytest.mark.parametrize(("name",), sampled([(name,) for name in CASES if name not in STEPS], 5))
def test_differences(launch: Launcher, name: str) -> None:
    """Against central differences of the function itself, in f64: to what these are good for."""
    launch.needs(f64)
    case = CASES[name]
    arguments = case.arguments(seed=2)
    _, partials = run(launch, name, arguments)
    for place, got in enumerate(partials):
        h = 1e-6 * np.maximum(1.0, np.abs(arguments[place]))
        sides = []
        for sign in (1.0, -1.0):
            moved = [a + sign * h if i == place else a for i, a in enumerate(arguments)]
            sides.append(run(launch, name, moved)[0])
        difference = (sides[0] - sides[1]) / (2 * h)
        # The error is h**2 / 6 of the third derivative, and an ulp of the value over h.
        value = np.maximum(np.abs(sides[0]), np.abs(got))
        assert np.abs(difference - got).max() <= 2e-7 * max(1.0, float(value.max())), name


@pytest.mark.parametrize(("name",), sampled([(name,) for name in SECOND], 3))
def test_second_derivatives(launch: Launcher, name: str) -> None:
    launch.needs(f64)
    f = function_of(name, 1)

    def kernel(x: Item[f64], y: ItemMut[f64]) -> None:
        y = derivative(derivative(f))(x)

    (x,) = CASES[name].arguments()
    got = launch(kernel, x, np.zeros_like(x))[1]
    want = SECOND[name](x.astype(np.longdouble))
    # The rules' own derivatives: each has some more operations, and terms that cancel where it is small.
    assert np.abs(got - want).max() <= 64 * np.finfo(np.float64).eps * float(np.abs(want).max())


# What has no derivative, and where a rule could give NaN though there is one: (arguments, derivatives).
LIMITS: dict[str, list[tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "abs": [((0.0,), (0.0,)), ((-0.0,), (0.0,)), ((-3.0,), (-1.0,)), ((INF,), (1.0,))],
    "sqrt": [((0.0,), (INF,)), ((INF,), (0.0,))],
    "cbrt": [((0.0,), (INF,)), ((-8.0,), (1 / 12,))],
    "hypot": [((0.0, 0.0), (0.0, 0.0)), ((0.0, -2.0), (0.0, -1.0)), ((1e30, 1e30), (0.5**0.5, 0.5**0.5))],
    "pow": [
        ((0.0, 2.0), (0.0, 0.0)),
        ((0.0, 1.0), (1.0, 0.0)),
        ((0.0, 0.0), (0.0, 0.0)),
        ((0.0, 0.5), (INF, 0.0)),
        ((2.0, 0.0), (0.0, math.log(2.0))),
    ],
    "atan2": [((0.0, 0.0), (0.0, 0.0)), ((0.0, -1.0), (-1.0, 0.0)), ((1e30, 0.0), (0.0, -1e-30))],
    "log": [((0.0,), (INF,)), ((INF,), (0.0,))],
    "log1p": [((-1.0,), (INF,)), ((0.0,), (1.0,))],
    "exp": [((-1000.0,), (0.0,)), ((0.0,), (1.0,)), ((1000.0,), (INF,))],
    "expm1": [((-1000.0,), (0.0,)), ((0.0,), (1.0,))],
    "tanh": [((1000.0,), (0.0,)), ((-1000.0,), (0.0,)), ((0.0,), (1.0,)), ((INF,), (0.0,))],
    "sigmoid": [((1000.0,), (0.0,)), ((-1000.0,), (0.0,)), ((0.0,), (0.25,)), ((INF,), (0.0,)), ((-INF,), (0.0,))],
    "softplus": [((1000.0,), (1.0,)), ((-1000.0,), (0.0,)), ((0.0,), (0.5,)), ((INF,), (1.0,)), ((-INF,), (0.0,))],
    "erf": [((1000.0,), (0.0,)), ((-INF,), (0.0,)), ((0.0,), (2 / math.sqrt(math.pi),))],
    "erfc": [((1000.0,), (-0.0,)), ((0.0,), (-2 / math.sqrt(math.pi),))],
    "asin": [((1.0,), (INF,)), ((-1.0,), (INF,)), ((0.0,), (1.0,))],
    "acos": [((1.0,), (-INF,)), ((0.0,), (-1.0,))],
    "atan": [((1e30,), (1e-60,)), ((0.0,), (1.0,))],
    "asinh": [((1e30,), (1e-30,)), ((0.0,), (1.0,))],
    "acosh": [((1.0,), (INF,)), ((1e30,), (1e-30,))],
    "atanh": [((0.0,), (1.0,)), ((1.0,), (INF,))],
    "cosh": [((0.0,), (0.0,))],
    "lgamma": [((1e20,), (math.log(1e20),))],
    "fmin": [((2.0, 2.0), (0.5, 0.5)), ((NAN, 2.0), (0.0, 1.0)), ((1.0, 2.0), (1.0, 0.0))],
    "fmax": [((2.0, 2.0), (0.5, 0.5)), ((0.0, -0.0), (0.5, 0.5)), ((1.0, 2.0), (0.0, 1.0))],
    "clamp": [((1.0, 1.0, 3.0), (0.5, 0.5, 0.0)), ((5.0, 1.0, 3.0), (0.0, 0.0, 1.0))],
    "copysign": [((0.0, 1.0), (0.0, 0.0)), ((-2.0, -1.0), (1.0, 0.0))],
    "sign": [((0.0,), (0.0,))],
    "floor": [((2.0,), (0.0,))],
}


@by_type
@pytest.mark.parametrize("name", LIMITS)
def test_limits(launch: Launcher, name: str, type: ScalarType) -> None:
    launch.needs(type)
    columns = zip(*(arguments for arguments, _ in LIMITS[name]), strict=True)
    _, partials = run(launch, name, [np.array(column, type.dtype) for column in columns])
    want = np.array([derivatives for _, derivatives in LIMITS[name]], type.dtype).T
    tiny = float(np.finfo(type.dtype).tiny)
    for got, exact in zip(partials, want, strict=True):
        np.testing.assert_allclose(got, exact, rtol=32 * float(np.finfo(type.dtype).eps), atol=tiny)


def test_every_function_has_a_rule() -> None:
    """Each function of floats that the language lists is looked at here, or said why not."""
    from krnlpy.dsl.frontend.operations.math import _FLOAT_FUNCTIONS

    names = {name for listed in _FLOAT_FUNCTIONS.values() for name in listed.split()}
    elsewhere = {"signbit", "isnan", "isinf", "isfinite", "smoothstep"} | {n for n in names if n.startswith("fast_")}
    assert names - elsewhere == names & set(CASES)


@pytest.mark.parametrize("name", sorted(n for n in dir(dsl) if n.startswith("fast_")))
def test_quick_functions(launch: Launcher, name: str) -> None:
    """The derivatives of the imprecise functions are near those of the precise ones."""
    case = CASES[{"fast_min": "fmin", "fast_max": "fmax"}.get(name, name.removeprefix("fast_"))]
    narrow = tuple((max(low, -3.0), min(high, 3.0)) for low, high in case.domains)
    arguments = [a.astype(np.float32) for a in Case(narrow, case.partials).arguments()]
    _, partials = run(launch, name, arguments)
    for got, partial in zip(partials, case.partials, strict=True):
        want = partial(*(a.astype(np.longdouble) for a in arguments)).astype(np.float64)
        # GLSL grants fast functions errors of 2**-11 absolute, or some ulp for each unit of the argument.
        np.testing.assert_allclose(got, want, rtol=2e-2, atol=4e-3)


# ------------------------------------------------------------------------------------------------ smooth, made of kinks


@func
def stable_softplus(x):
    return max(x, 0.0) + dsl.log1p(dsl.exp(-abs(x)))


@func
def logaddexp(a, b):
    return max(a, b) + dsl.log1p(dsl.exp(-abs(a - b)))


@func
def relu(x):
    return max(x, 0.0)


@func
def entropy(x):
    return x * dsl.log(x)


@by_type
def test_kinks_that_cancel(launch: Launcher, type: ScalarType) -> None:
    launch.needs(type)

    def kernel(x: Item[T], a: ItemMut[T], b: ItemMut[T], c: ItemMut[T], d: ItemMut[T]) -> None:
        a = derivative(stable_softplus)(x)
        b = derivative(logaddexp, "a")(x, x)
        c = derivative(relu)(x)
        d = derivative(entropy)(abs(x) + 1.0e-3)

    x = np.array([0.0, -0.0, 3.0, -3.0, 1000.0, -1000.0], type.dtype)
    _, a, b, c, d = launch(kernel, x, *(np.zeros_like(x) for _ in range(4)))
    with np.errstate(over="ignore"):
        sigmoid = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(a, sigmoid, rtol=1e-6, atol=1e-37)
    np.testing.assert_array_equal(b, np.full(6, 0.5))
    np.testing.assert_array_equal(c, [0.5, 0.5, 1.0, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(d, np.log(np.abs(x) + 1e-3) + 1, rtol=2e-6)
