"""How far elementary functions are from the exact result, in units in the last place: tight, and alike on every target.

Drivers may compute them to a few thousand ulp; kernels therefore bring their own. The reference is NumPy's long double
where that is wider than double, and double for f32. The bounds are those of ``ulp_bounds.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import dsl
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.scalar import ScalarType, f32, f64
from tests.support.launching import Launcher
from tests.support.tiers import deep, sampled

from . import special_functions
from .ulp_bounds import BOUNDS

T = TypeVar("T", f32, f64)
COUNT = 600
Array = np.ndarray[Any, Any]


def unary(function: Callable[..., Any]) -> Callable[..., Any]:
    def kernel(x: Item[T], y: ItemMut[T]) -> None:
        y = function(x)

    return kernel


def binary(function: Callable[..., Any]) -> Callable[..., Any]:
    def kernel(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
        z = function(x, y)

    return kernel


def worst(got: Array, exact: Array) -> float:
    """The greatest error in ulp of the results that are normal numbers of the type; a subnormal one may be flushed."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.abs(exact.astype(got.dtype))
    normal = (rounded >= np.finfo(got.dtype).tiny) & np.isfinite(rounded)
    assert normal.sum() > COUNT // 2
    assert np.isfinite(got[normal]).all()
    return float((np.abs(got - exact)[normal] / np.spacing(rounded[normal])).max())


def uniform(low: float, high: float, seed: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(low, high, COUNT)


def signs() -> Array:
    return np.random.default_rng(2).choice([-1.0, 1.0], COUNT)


def sizes(type: ScalarType, share: float = 1.0, seed: int = 1) -> Array:
    """Numbers of every size, or of a share of the exponents."""
    end = (37.0 if type is f32 else 290.0) * share
    return 10.0 ** uniform(-end, end, seed)


def spread(type: ScalarType) -> Array:
    """Numbers of every size, of both signs."""
    return sizes(type) * signs()


def small(type: ScalarType) -> Array:
    """Numbers from the least to 1."""
    return 10.0 ** uniform(-36.0, 0.0) * signs()


Arguments = Callable[[ScalarType], Array]


def between(low: float, high: float, of_f64: float = 1.0) -> Arguments:
    """Evenly spread; for f64 in an interval so many times as long."""
    return lambda type: uniform(low, high) * (of_f64 if type is f64 else 1)


def beyond(least: float, most: float) -> Arguments:
    """1 and more, as many near 1 as far away."""
    return lambda _: 1 + 10.0 ** uniform(least, most)


def to_poles(_: ScalarType) -> Array:
    return (1 - 10.0 ** uniform(-7, 0)) * signs()


# By name: the exact function, and where it is measured.
UNARY: dict[str, tuple[Callable[[Array], Array], dict[str, Arguments]]] = {
    "sqrt": (np.sqrt, {"sizes": sizes}),
    "rsqrt": (lambda x: 1 / np.sqrt(x), {"sizes": sizes}),
    "cbrt": (np.cbrt, {"sizes": spread}),
    "exp": (np.exp, {"wide": between(-80, 80, 8), "near 0": between(-1e-3, 1e-3)}),
    "exp2": (np.exp2, {"wide": between(-120, 120, 8)}),
    "expm1": (np.expm1, {"near 0": between(-1, 1), "wide": between(-20, 80, 8), "small": small}),
    "log": (np.log, {"sizes": sizes, "near 1": between(0.9, 1.1)}),
    "log2": (np.log2, {"sizes": sizes, "near 1": between(0.9, 1.1)}),
    "log10": (np.log10, {"sizes": sizes, "near 1": between(0.5, 2)}),
    "log1p": (np.log1p, {"sizes": sizes, "small": small, "to the pole": lambda t: -np.abs(to_poles(t))}),
    "sin": (np.sin, {"near": between(-20, 20), "small": between(-1e-3, 1e-3), "great": spread}),
    "cos": (np.cos, {"near": between(-20, 20), "great": spread}),
    "tan": (np.tan, {"near": between(-20, 20), "small": small, "great": spread}),
    "asin": (np.arcsin, {"all": between(-1, 1), "small": small, "to the ends": to_poles}),
    "acos": (np.arccos, {"all": between(-1, 1), "to the ends": to_poles}),
    "atan": (np.arctan, {"near": between(-3, 3), "sizes": spread}),
    "sinh": (np.sinh, {"near 0": between(-2, 2), "wide": between(-89, 89, 7.97), "small": small}),
    "cosh": (np.cosh, {"near 0": between(-2, 2), "wide": between(-89, 89, 7.97)}),
    "tanh": (np.tanh, {"near": between(-5, 5), "small": small}),
    "asinh": (np.arcsinh, {"near": between(-3, 3), "sizes": spread}),
    "acosh": (np.arccosh, {"near 1": beyond(-6, 1), "wide": beyond(0, 36)}),
    "atanh": (np.arctanh, {"all": between(-1, 1), "small": small, "to the poles": to_poles}),
    "erf": (special_functions.erf, {"near": between(-5, 5), "small": small}),
    "erfc": (special_functions.erfc, {"near": between(-3, 3), "far": between(0, 9, 2.9)}),
    "gamma": (special_functions.gamma, {"near": between(0.01, 10), "far": between(0.01, 34, 5), "below 0":
              between(-30, 0)}),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), {"near": between(-5, 5), "far": between(-80, 80)}),
    "softplus": (lambda x: np.where(x > 40, x, np.log1p(np.exp(np.minimum(x, 40)))),
                 {"near": between(-5, 5), "far": between(-80, 80)}),
    "lgamma": (special_functions.lgamma, {"near": lambda _: 3 + uniform(0, 6), "far": beyond(1, 15), "to 0":
               lambda _: 10.0 ** uniform(-20, -0.1), "middle": between(1.2, 1.8)}),
    "degrees": (lambda x: x * (180 / special_functions.PI), {"near": between(-9, 9)}),
    "radians": (lambda x: x * (special_functions.PI / 180), {"near": between(-900, 900)}),
}  # fmt: skip
BINARY: dict[str, tuple[Callable[[Array, Array], Array], dict[str, tuple[Arguments, Arguments]]]] = {
    "hypot": (np.hypot, {
        "near": (between(-9, 9), lambda _: uniform(-9, 9, 3)),
        "great": (lambda t: 0.5 * 10.0 ** uniform(35, 38) * (1e270 if t is f64 else 1),
                  lambda t: 0.5 * 10.0 ** uniform(35, 38, 3) * (1e270 if t is f64 else 1)),
        "small": (lambda t: 10.0 ** uniform(-36, -34) * (1e-270 if t is f64 else 1),
                  lambda t: 10.0 ** uniform(-36, -34, 3) * (1e-270 if t is f64 else 1)),
    }),
    "atan2": (np.arctan2, {
        "near": (between(-9, 9), lambda _: uniform(-9, 9, 3)),
        "sizes": (lambda t: sizes(t, 0.4) * signs(), lambda t: sizes(t, 0.4, 3)),
    }),
    "pow": (np.power, {
        f"of {base}": (lambda _, base=base: base ** uniform(-1, 1), lambda _, size=size: uniform(-size, size, 3))
        for base, size in [(1.01, 3000.0), (2.0, 100.0), (30.0, 20.0), (1e30, 1.0)]
    }),
}  # fmt: skip


def test_every_bound_is_asserted() -> None:
    assert set(BOUNDS) == {*UNARY, *BINARY}


def grid(functions: dict[str, tuple[Any, dict[str, Any]]]) -> list[Any]:
    """Each function in each place; for each change, in the first of its places."""
    return [
        case for name, (_, places) in functions.items() for case in sampled([(name, p) for p in places], len(places))
    ]


CASES, PAIRS = grid(UNARY), grid(BINARY)
by_type = pytest.mark.parametrize("type", (f32, f64), ids=str)


@by_type
@pytest.mark.parametrize(("name", "where"), CASES, ids=lambda v: v.replace(" ", "-"))
def test_function(launch: Launcher, name: str, where: str, type: ScalarType) -> None:
    exact, places = UNARY[name]
    x = places[where](type).astype(type.dtype)
    got = launch(unary(getattr(dsl, name)), x, np.zeros_like(x))[1]
    with np.errstate(all="ignore"):
        reference = exact(x.astype(np.longdouble))
    assert worst(got, reference) <= BOUNDS[name][type is f64]


@by_type
@pytest.mark.parametrize(("name", "where"), PAIRS, ids=lambda v: v.replace(" ", "-"))
def test_function_of_two(launch: Launcher, name: str, where: str, type: ScalarType) -> None:
    exact, places = BINARY[name]
    x, y = (arguments(type).astype(type.dtype) for arguments in places[where])
    got = launch(binary(pow if name == "pow" else getattr(dsl, name)), x, y, np.zeros_like(x))[2]
    with np.errstate(all="ignore"):
        reference = exact(x.astype(np.longdouble), y.astype(np.longdouble))
    assert worst(got, reference) <= BOUNDS[name][type is f64]


ODD = ("sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "expm1", "log1p", "erf", "cbrt", "rint", "sqrt")


@by_type
@pytest.mark.parametrize("name", ODD)
def test_zeros_keep_their_sign(launch: Launcher, name: str, type: ScalarType) -> None:
    x = np.array([0.0, -0.0], type.dtype)
    got = launch(unary(getattr(dsl, name)), x, np.ones_like(x))[1]
    assert (got == 0).all()
    assert np.signbit(got).tolist() == [False, True]


def denormals(type: ScalarType) -> Array:
    least = float(np.finfo(type.dtype).smallest_subnormal)
    return np.random.default_rng(4).integers(1, 1 << 20, COUNT) * least


DEFINED_AT_0 = tuple(name for name in UNARY if name not in ("acosh", "gamma"))  # 1 / x overflows


@deep
@by_type
@pytest.mark.parametrize("name", DEFINED_AT_0)
def test_of_denormals(launch: Launcher, name: str, type: ScalarType) -> None:
    """A denormal argument counts as itself, or, where the device takes it for 0, as 0; it may be returned as it is."""
    exact = UNARY[name][0]
    x = denormals(type).astype(type.dtype)
    got = launch(unary(getattr(dsl, name)), x, np.zeros_like(x))[1]
    with np.errstate(all="ignore"):
        reference = exact(x.astype(np.longdouble))
        of_zero = exact(np.zeros(1, np.longdouble))[0]
        close = np.abs(got - reference) <= BOUNDS[name][type is f64] * np.spacing(np.abs(reference.astype(type.dtype)))
    flushed = (got == of_zero) | (got == x) & (of_zero == 0)
    assert (close | flushed).all(), (x[~(close | flushed)][:4], got[~(close | flushed)][:4])


RESULTS: dict[str, tuple[Arguments, Arguments]] = {
    "exp": (between(-103, -88), between(-744, -709)),
    "exp2": (between(-148, -127), between(-1073, -1023)),
    "erfc": (between(9.2, 10), between(26.6, 27.2)),
}


@by_type
@pytest.mark.parametrize("name", RESULTS)
def test_denormal_results(launch: Launcher, name: str, type: ScalarType) -> None:
    """A denormal result is as precise as any, or 0."""
    x = RESULTS[name][type is f64](f32).astype(type.dtype)
    got = launch(unary(getattr(dsl, name)), x, np.zeros_like(x))[1]
    reference = UNARY[name][0](x.astype(np.longdouble))
    unit = float(np.finfo(type.dtype).smallest_subnormal)
    close = np.abs(got - reference) <= BOUNDS[name][type is f64] * unit + np.spacing(np.abs(got))
    assert (close | (got == 0)).all()
