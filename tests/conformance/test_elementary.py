"""Special values of the elementary functions, and the functions that are exact, against Python and NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import dsl
from krnlpy.dsl import clamp, ldexp, lerp, polynomial, sign, signbit, smoothstep, step
from krnlpy.dsl.types.annotations import GlobalMut, Item, ItemMut
from krnlpy.scalar import ScalarType, f16, f32, f64, i8, i32, i64, u8, u16, u32
from tests.support.launching import Launcher

from .values import COMPUTED_FLOATS, INTEGERS, assert_same, edges, pairs

T = TypeVar("T")
C = TypeVar("C")
INF, NAN = math.inf, math.nan
by_type = pytest.mark.parametrize("type", COMPUTED_FLOATS, ids=str)


def unary(function: Callable[..., Any]) -> Callable[..., Any]:
    def kernel(x: Item[T], y: ItemMut[T]) -> None:
        y = function(x)

    return kernel


def binary(function: Callable[..., Any]) -> Callable[..., Any]:
    def kernel(x: Item[T], c: Item[C], y: ItemMut[T]) -> None:
        y = function(x, c)

    return kernel


SPECIAL: dict[str, list[tuple[float, float]]] = {
    "rsqrt": [(0.0, INF), (4.0, 0.5), (INF, 0.0), (-1.0, NAN), (NAN, NAN)],
    "cbrt": [(0.0, 0.0), (-0.0, -0.0), (27.0, 3.0), (-8.0, -2.0), (INF, INF), (-INF, -INF), (NAN, NAN)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (-INF, -1.0), (-1e4, -1.0), (INF, INF), (1e4, INF), (NAN, NAN)],
    "log10": [(1.0, 0.0), (1000.0, 3.0), (1e-5, -5.0), (1e10, 10.0), (0.0, -INF), (-1.0, NAN), (INF, INF), (NAN, NAN)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-2.0, NAN), (INF, INF), (NAN, NAN)],
    "asin": [(0.0, 0.0), (-0.0, -0.0), (1.0, math.pi / 2), (-1.0, -math.pi / 2), (1.5, NAN), (NAN, NAN)],
    "acos": [(1.0, 0.0), (-1.0, math.pi), (0.0, math.pi / 2), (-1.5, NAN), (NAN, NAN)],
    "atan": [(-0.0, -0.0), (1.0, math.pi / 4), (INF, math.pi / 2), (-INF, -math.pi / 2), (NAN, NAN)],
    "sinh": [(-0.0, -0.0), (INF, INF), (-INF, -INF), (1e4, INF), (-1e4, -INF), (NAN, NAN)],
    "cosh": [(0.0, 1.0), (-INF, INF), (INF, INF), (-1e4, INF), (NAN, NAN)],
    "asinh": [(-0.0, -0.0), (INF, INF), (-INF, -INF), (NAN, NAN)],
    "acosh": [(1.0, 0.0), (0.5, NAN), (-3.0, NAN), (-3e4, NAN), (-INF, NAN), (INF, INF), (NAN, NAN)],
    "atanh": [(-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.5, NAN), (-3e4, NAN), (INF, NAN), (NAN, NAN)],
    "erf": [(-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (10.0, 1.0), (-10.0, -1.0), (NAN, NAN)],
    "erfc": [(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (100.0, 0.0), (-10.0, 2.0), (NAN, NAN)],
    "gamma": [(0.0, INF), (-0.0, -INF), (1.0, 1.0), (5.0, 24.0), (14.0, 6227020800.0), (-1.0, NAN), (-20.0, NAN),
              (INF, INF), (-INF, NAN), (200.0, INF), (-200.5, -0.0), (-201.5, 0.0), (NAN, NAN)],
    "lgamma": [(1.0, 0.0), (2.0, 0.0), (0.0, INF), (-0.0, INF), (-3.0, INF), (INF, INF), (-INF, INF), (-1e30, INF),
               (NAN, NAN)],
    "sign": [(3.5, 1.0), (-0.25, -1.0), (0.0, 0.0), (-0.0, 0.0), (INF, 1.0), (-INF, -1.0), (NAN, NAN)],
}  # fmt: skip


@by_type
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(launch: Launcher, name: str, type: ScalarType) -> None:
    x, want = (np.array(column, type.dtype) for column in zip(*SPECIAL[name], strict=True))
    got = launch(unary(getattr(dsl, name)), x, np.zeros_like(x))[1]
    assert_same(got, want, x)


def test_negative_gamma(launch: Launcher) -> None:
    launch.needs(f64)
    x = np.concatenate([np.linspace(-9.9, -0.1, 50), -np.array([20.5, 100.25, 170.75])])
    for name, reference in (("gamma", math.gamma), ("lgamma", math.lgamma)):
        got = launch(unary(getattr(dsl, name)), x, np.zeros_like(x))[1]
        want = np.array([reference(v) for v in x])
        # Near zeros of lgamma, what is left of a difference of numbers below 30; of the last gamma, which is subnormal,
        # what devices may take for 0 (lavapipe 26.1 does).
        atol = 1e-14 if name == "lgamma" else float(np.finfo(np.float64).tiny)
        np.testing.assert_allclose(got, want, rtol=2e-15, atol=atol)


@by_type
def test_atan2_of_zeros_and_infinities(launch: Launcher, type: ScalarType) -> None:
    values = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, NAN], type.dtype)
    y, x = (m.reshape(-1) for m in np.meshgrid(values, values))
    got = launch(binary(dsl.atan2), y, x, np.zeros_like(x))[2]
    np.testing.assert_allclose(got, np.arctan2(y, x), rtol=2 * float(np.finfo(type.dtype).eps))
    assert (np.signbit(got) == np.signbit(np.arctan2(y, x)))[~np.isnan(got)].all()


@by_type
def test_hypot_of_infinities(launch: Launcher, type: ScalarType) -> None:
    values = np.array([0.0, -0.0, 3.0, INF, -INF, NAN], type.dtype)
    y, x = (m.reshape(-1) for m in np.meshgrid(values, values))
    got = launch(binary(dsl.hypot), y, x, np.zeros_like(x))[2]
    assert_same(got[x != y], np.hypot(y, x)[x != y], y[x != y], x[x != y])


# --------------------------------------------------------------------------------------------------- exact functions


def float_pairs(type: ScalarType) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(5)
    size = 30 if type is f32 else 250
    x = np.concatenate([pairs(type)[0], 10.0 ** random.uniform(-size, size, 200), random.uniform(-50, 50, 100)])
    y = np.concatenate([pairs(type)[1], 10.0 ** random.uniform(-size, size, 200), random.uniform(-5, 5, 100)])
    return (x * random.choice([1, -1], x.size)).astype(type.dtype), y.astype(type.dtype)


def ieee_remainder(x: float, y: float) -> float:
    try:
        return math.remainder(x, y)
    except ValueError:
        return NAN


EXACT: dict[str, Callable[..., Any]] = {
    "fmod": np.fmod,
    "remainder": np.vectorize(ieee_remainder, otypes=[np.float64]),
    "copysign": np.copysign,
    "fmin": np.fmin,
    "fmax": np.fmax,
    "nextafter": np.nextafter,
}


@by_type
@pytest.mark.parametrize("name", EXACT)
def test_exact_functions(launch: Launcher, name: str, type: ScalarType) -> None:
    x, y = float_pairs(type)
    with np.errstate(all="ignore"):
        want = EXACT[name](x, y).astype(type.dtype)
    got = launch(binary(getattr(dsl, name)), x, y, np.zeros_like(x))[2]
    # A subnormal result may be flushed; of zeros of two signs, fmin and fmax may give either.
    keep = (np.abs(want) >= np.finfo(type.dtype).tiny) | (want == 0) | np.isnan(want)
    if name in ("fmin", "fmax"):
        keep &= (x != 0) | (y != 0)
    assert_same(got[keep], want[keep], x[keep], y[keep])


@by_type
@pytest.mark.parametrize("function", (np.minimum, np.maximum), ids=lambda f: f.__name__)
def test_numpys_extrema_pass_on_nan(launch: Launcher, function: Callable[..., Any], type: ScalarType) -> None:
    x, y = float_pairs(type)
    keep = (x != 0) | (y != 0)
    with np.errstate(invalid="ignore"):
        want = function(x, y)
    got = launch(binary(function), x, y, np.zeros_like(x))[2]
    assert_same(got[keep], want[keep], x[keep], y[keep])


@by_type
@pytest.mark.parametrize("function", (dsl.rint, round, np.rint, np.round), ids=["rint", "round", "np.rint", "np.round"])
def test_rint(launch: Launcher, function: Callable[..., Any], type: ScalarType) -> None:
    halves = np.arange(-8.0, 8.5, 0.5)
    x = np.concatenate([edges(type), halves, [0.49999997, -0.3, 2.0**30 + 0.5, 4503599627370497.5]]).astype(type.dtype)
    assert_same(launch(unary(function), x, np.zeros_like(x))[1], np.rint(x), x)


def classes(x: Item[T], y: ItemMut[u8]) -> None:
    y = u8(np.isfinite(x)) + 2 * u8(signbit(x))


@by_type
def test_classes(launch: Launcher, type: ScalarType) -> None:
    x = edges(type)
    x = x[~np.isnan(x)]
    want = np.isfinite(x).astype(np.uint8) + 2 * np.signbit(x).astype(np.uint8)
    assert_same(launch(classes, x, np.zeros(x.shape, np.uint8))[1], want, x)
    nan = np.full(1, NAN, type.dtype)
    assert launch(classes, nan, np.zeros(1, np.uint8))[1][0] & 1 == 0


@by_type
@pytest.mark.parametrize("counts", (i8, i32, i64), ids=str)
def test_ldexp(launch: Launcher, counts: ScalarType, type: ScalarType) -> None:
    many = [0, 1, -1, 24, -24, 100, -100]
    if counts.bits > 8:
        many += [127, 128, -126, -127, 200, -200, 1023, 1024, -1022, -1023, 1500, -1500, 2**31 - 1, -(2**31)]
    x, n = (m.reshape(-1) for m in np.meshgrid(edges(type), np.array(many, counts.dtype)))
    x = x * type.dtype.type(1.1)
    with np.errstate(all="ignore"):
        want = np.ldexp(x, n.astype(np.int32))
    got = launch(binary(ldexp), x, n, np.zeros_like(x))[2]
    keep = (np.abs(want) >= np.finfo(type.dtype).tiny) | (want == 0) & (n > -2000) & (np.abs(x) > 0) | (x == 0)
    assert_same(got[keep], want[keep], x[keep], n[keep])


def bounds(x: Item[T], y: Item[T], a: ItemMut[T], b: ItemMut[T], c: ItemMut[T]) -> None:
    a = clamp(x, y, y + 2)
    b = np.clip(x, 1, 5)
    c = sign(x)


@pytest.mark.parametrize("type", (*INTEGERS, f32, f64), ids=str)
def test_bounds(launch: Launcher, type: ScalarType) -> None:
    x, y = pairs(type)
    if type.is_float:
        x, y = x[~np.isnan(y)], y[~np.isnan(y)]
    results = launch(bounds, x, y, *[np.zeros_like(x) for _ in range(3)])[2:]
    with np.errstate(all="ignore"):
        high = y + type.dtype.type(2)
        lower = np.where(y > x, y, x)
        assert_same(results[0], np.where(high < lower, high, lower).astype(type.dtype), x, y)
        assert_same(results[1], np.clip(x, type.dtype.type(1), type.dtype.type(5)), x)
        assert_same(results[2], np.sign(x), x)


def curves(x: Item[T], a: ItemMut[T], b: ItemMut[T], c: ItemMut[T], d: ItemMut[T], e: ItemMut[T]) -> None:
    a = lerp(2.0, 6.0, x)
    b = step(0.5, x)
    c = smoothstep(0.25, 0.75, x)
    d = polynomial(x, (1, -2.0, 0.5))
    e = polynomial(x * 2.0, (1.0, 1.0, 1.0, 1.0))


@by_type
def test_curves(launch: Launcher, type: ScalarType) -> None:
    x = np.array([0.0, 0.25, 0.375, 0.5, 0.625, 1.0, -1.0, 2.0], type.dtype)
    a, b, c, d, e = launch(curves, x, *[np.zeros_like(x) for _ in range(5)])[1:]
    t = np.clip((x - type.dtype.type(0.25)) * 2, 0, 1)
    assert_same(a, 2 * (1 - x) + 6 * x)
    assert_same(b, (x >= 0.5).astype(type.dtype))
    assert_same(c, t * t * (3 - 2 * t))
    assert_same(d, (type.dtype.type(0.5) * x - 2) * x + 1)
    assert_same(e, ((2 * x + 1) * (2 * x) + 1) * (2 * x) + 1)


# ------------------------------------------------------------------------------------------------------------ names


def numpys(x: Item[f32], a: ItemMut[f32], b: ItemMut[f32], c: ItemMut[f32]) -> None:
    a = np.arctan2(np.arcsin(x), np.deg2rad(90.0)) + np.square(x) + np.reciprocal(x + 2)
    b = np.add(np.negative(x), np.true_divide(x, 2.0)) * np.remainder(x, 0.75)
    c = math.hypot(x, math.pow(x + 1, 2.0)) + math.degrees(math.atan(x)) + np.fabs(math.remainder(x, 0.75))


def test_names_of_math_and_numpy(launch: Launcher) -> None:
    x = np.linspace(-1, 1, 41, dtype=np.float32)
    _, a, b, c = launch(numpys, x, *[np.zeros_like(x) for _ in range(3)])
    w = x.astype(np.float64)
    np.testing.assert_allclose(a, np.arctan2(np.arcsin(w), np.pi / 2) + w * w + 1 / (w + 2), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(b, (w / 2 - w) * (w - 0.75 * np.floor(w / 0.75)), rtol=1e-5, atol=1e-6)
    ieee = np.abs([math.remainder(v, 0.75) for v in w])
    np.testing.assert_allclose(c, np.hypot(w, (w + 1) ** 2) + np.degrees(np.arctan(w)) + ieee, rtol=1e-5, atol=1e-6)


def folded(x: Item[f64], y: ItemMut[f64], z: ItemMut[f64]) -> None:
    y = x * math.sqrt(2.0)
    z = x + dsl.atan2(1, 1) * np.exp(1)


def test_functions_of_known_numbers_are_computed_in_double_precision(launch: Launcher) -> None:
    x = np.array([1.0, 2.0], np.float64)
    _, y, z = launch(folded, x, np.zeros_like(x), np.zeros_like(x))
    assert_same(y, x * math.sqrt(2.0))
    assert_same(z, x + math.atan2(1, 1) * math.exp(1))


def of_narrow(n: Item[u16], h: Item[f16], y: ItemMut[f32], z: ItemMut[f16]) -> None:
    y = dsl.sqrt(n) + dsl.hypot(n, h)
    z = dsl.erf(h)


def test_narrow_types_are_computed_in_f32(launch: Launcher) -> None:
    n = np.array([1, 4, 65025], np.uint16)
    h = np.array([0.5, -1.0, 3.0], np.float16)
    _, _, y, z = launch(of_narrow, n, h, np.zeros(3, np.float32), np.zeros(3, np.float16))
    np.testing.assert_allclose(y, np.sqrt(n.astype(np.float64)) + np.hypot(n, h.astype(np.float64)), rtol=3e-7)
    assert_same(z, np.array([math.erf(v) for v in h], np.float16))


def of_vectors(a: GlobalMut[f32], n: GlobalMut[i32]) -> None:
    v = dsl.vec3(a[0], a[1], a[2])
    w = polynomial(v, (1.0, 2.0, 3.0)) + lerp(v, v * 2.0, 0.5) + clamp(v, 0.0, 1.0) + np.minimum(dsl.rint(v), 0.5)
    bits = dsl.rotl(dsl.bitcast(v, u32), 4) >> dsl.popcount(dsl.uvec3(1, 3, 7))
    for i in dsl.unroll(range(3)):
        a[i] = w[i]
        n[i] = dsl.cast(bits[i], i32)


def test_functions_go_element_by_element(launch: Launcher) -> None:
    x = np.array([-0.25, 1.5, 2.75], np.float32)
    got, bits = launch(of_vectors, x, np.zeros(3, np.int32), groups=(1, 1, 1), threads=(1, 1, 1))
    want = 1 + 2 * x + 3 * x * x + 1.5 * x + np.clip(x, 0, 1) + np.minimum(np.rint(x), 0.5)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    u = x.view(np.uint32)
    assert_same(bits, ((u << 4 | u >> 28) >> np.array([1, 2, 3], np.uint32)).astype(np.uint32).view(np.int32))


# ------------------------------------------------------------------------------------------------------------- fast_*

# Bounds of Vulkan 1.3, "Precision and Operation of SPIR-V Instructions", as relative and absolute errors.
FAST: dict[str, tuple[Callable[..., Any], tuple[float, float], float, float]] = {
    "fast_exp": (np.exp, (-10, 10), 23 * 2.0**-23, 0.0),
    "fast_exp2": (np.exp2, (-10, 10), 23 * 2.0**-23, 0.0),
    "fast_log": (np.log, (0.1, 10), 3 * 2.0**-23, 2.0**-21),
    "fast_log2": (np.log2, (0.1, 10), 3 * 2.0**-23, 2.0**-21),
    "fast_sin": (np.sin, (-3.1, 3.1), 0.0, 2.0**-11),
    "fast_cos": (np.cos, (-3.1, 3.1), 0.0, 2.0**-11),
    "fast_tan": (np.tan, (-1.4, 1.4), 2.0**-8, 2.0**-9),
    "fast_tanh": (np.tanh, (-5, 5), 2.0**-17, 2.0**-20),
    "fast_rsqrt": (lambda x: 1 / np.sqrt(x), (0.01, 100), 2 * 2.0**-23, 0.0),
}


@by_type
@pytest.mark.parametrize("name", FAST)
def test_fast_functions(launch: Launcher, name: str, type: ScalarType) -> None:
    reference, ends, relative, absolute = FAST[name]
    x = np.linspace(*ends, 101).astype(type.dtype)
    got = launch(unary(getattr(dsl, name)), x, np.zeros_like(x))[1]
    np.testing.assert_allclose(got, reference(x.astype(np.float64)), rtol=relative, atol=absolute)


def fast_pairs(x: Item[T], y: Item[T], a: ItemMut[T], b: ItemMut[T], c: ItemMut[T]) -> None:
    a = dsl.fast_pow(x, y)
    b = dsl.fast_min(x, y)
    c = dsl.fast_max(x, y)


@by_type
def test_fast_functions_of_two(launch: Launcher, type: ScalarType) -> None:
    x, y = (m.reshape(-1).astype(type.dtype) for m in np.meshgrid(np.linspace(0.1, 4, 20), np.linspace(-3, 3, 20)))
    _, _, a, b, c = launch(fast_pairs, x, y, *[np.zeros_like(x) for _ in range(3)])
    # pow is exp2(y * log2(x)): 3 ulp or 2**-21 of the logarithm, times y, and exp2's own.
    np.testing.assert_allclose(a, np.power(x.astype(np.float64), y), rtol=64 * 2.0**-23)
    assert_same(b, np.minimum(x, y))
    assert_same(c, np.maximum(x, y))
