"""The elementary functions, against NumPy in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy.dsl import ceil, cos, exp, exp2, floor, fma, isinf, isnan, log, log2, sin, sqrt, tan, tanh, trunc
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.scalar import ScalarType, f32, f64, u8
from tests.support.launching import Launcher

from .test_operators import assert_close
from .values import COMPUTED_FLOATS, assert_same, edges

T = TypeVar("T", f32, f64)


def square_root(x: Item[T], y: ItemMut[T]) -> None:
    y = sqrt(x)


def exponential(x: Item[T], y: ItemMut[T]) -> None:
    y = exp(x)


def exponential2(x: Item[T], y: ItemMut[T]) -> None:
    y = exp2(x)


def logarithm(x: Item[T], y: ItemMut[T]) -> None:
    y = log(x)


def logarithm2(x: Item[T], y: ItemMut[T]) -> None:
    y = log2(x)


def sine(x: Item[T], y: ItemMut[T]) -> None:
    y = sin(x)


def cosine(x: Item[T], y: ItemMut[T]) -> None:
    y = cos(x)


def tangent(x: Item[T], y: ItemMut[T]) -> None:
    y = tan(x)


def hyperbolic_tangent(x: Item[T], y: ItemMut[T]) -> None:
    y = tanh(x)


def floors(x: Item[T], y: ItemMut[T]) -> None:
    y = floor(x)


def ceils(x: Item[T], y: ItemMut[T]) -> None:
    y = ceil(x)


def truncs(x: Item[T], y: ItemMut[T]) -> None:
    y = trunc(x)


def classify(x: Item[T], y: ItemMut[u8]) -> None:
    y = u8(isnan(x)) + 2 * u8(isinf(x))


def fused(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = fma(x, y, -1.0)


by_type = pytest.mark.parametrize("type", COMPUTED_FLOATS, ids=str)

# Kernel, NumPy's function, relative and absolute error that Vulkan grants an f32 (Vulkan 1.3, "Precision and Operation
# of SPIR-V Instructions"; 3 ulp + 2|x| ulp of exp are 23 ulp at |x| = 10; sin and cos are 2^-11 absolute in
# -pi..pi, tan inherits both).
INEXACT = [
    (square_root, np.sqrt, 3 * 2.0**-23, 0.0),
    (exponential, np.exp, 23 * 2.0**-23, 0.0),
    (exponential2, np.exp2, 23 * 2.0**-23, 0.0),
    (logarithm, np.log, 3 * 2.0**-23, 2.0**-21),
    (logarithm2, np.log2, 3 * 2.0**-23, 2.0**-21),
    (sine, np.sin, 0.0, 2.0**-11),
    (cosine, np.cos, 0.0, 2.0**-11),
    (tangent, np.tan, 2.0**-8, 2.0**-9),
    (hyperbolic_tangent, np.tanh, 2.0**-17, 2.0**-20),
]


@by_type
@pytest.mark.parametrize(
    ("kernel", "reference", "relative", "absolute"), INEXACT, ids=[kernel.__name__ for kernel, *_ in INEXACT]
)
def test_inexact(
    launch: Launcher,
    kernel: Callable[..., Any],
    reference: Callable[..., Any],
    relative: float,
    absolute: float,
    type: ScalarType,
) -> None:
    x = np.linspace(-3.1, 3.1, 63).astype(type.dtype) * (3 if kernel in (exponential, exponential2) else 1)
    if kernel in (logarithm, logarithm2, square_root):
        x = np.abs(x) + type.dtype.type(2.0**-10)
    if kernel is tangent:
        x = x[np.abs(np.cos(x)) > 0.1]
    want = reference(x.astype(np.float64))
    got = launch(kernel, x, np.zeros_like(x))[1]
    if launch.backend.info.backend != "vulkan":
        # A few roundings of the type itself.
        relative, absolute = 4 * float(np.finfo(type.dtype).eps), float(np.finfo(type.dtype).eps)
    np.testing.assert_allclose(got, want, rtol=relative, atol=absolute)


SPECIAL: list[tuple[Callable[..., Any], list[tuple[float, float]]]] = [
    (square_root, [(0.0, 0.0), (4.0, 2.0), (math.inf, math.inf), (math.nan, math.nan), (-1.0, math.nan)]),
    (exponential, [(0.0, 1.0), (-math.inf, 0.0), (math.inf, math.inf), (1000.0, math.inf), (-1000.0, 0.0)]),
    (exponential2, [(0.0, 1.0), (3.0, 8.0), (-math.inf, 0.0), (math.inf, math.inf), (2000.0, math.inf)]),
    (logarithm, [(1.0, 0.0), (0.0, -math.inf), (math.inf, math.inf), (-1.0, math.nan)]),
    (logarithm2, [(1.0, 0.0), (8.0, 3.0), (0.0, -math.inf), (math.inf, math.inf), (-1.0, math.nan)]),
    (hyperbolic_tangent, [(0.0, 0.0), (math.inf, 1.0), (-math.inf, -1.0), (100.0, 1.0), (-100.0, -1.0)]),
]


@by_type
@pytest.mark.parametrize(("kernel", "cases"), SPECIAL, ids=[kernel.__name__ for kernel, _ in SPECIAL])
def test_special_values(
    launch: Launcher, kernel: Callable[..., Any], cases: list[tuple[float, float]], type: ScalarType
) -> None:
    x, want = (np.array(column, type.dtype) for column in zip(*cases, strict=True))
    got = launch(kernel, x, np.zeros_like(x))[1]
    # Powers and roots of two may be 3 ulp off on GPUs, infinities and NaN may not.
    assert_close(got, want, 3, x)


@by_type
@pytest.mark.parametrize(
    ("kernel", "reference"), [(floors, np.floor), (ceils, np.ceil), (truncs, np.trunc)], ids=["floor", "ceil", "trunc"]
)
def test_whole_numbers(
    launch: Launcher, kernel: Callable[..., Any], reference: Callable[..., Any], type: ScalarType
) -> None:
    x = np.concatenate([edges(type), np.array([2.5, -2.5, 0.49, -0.49, 1e9, 3e30], type.dtype)])
    assert_same(launch(kernel, x, np.zeros_like(x))[1], reference(x), x)


@by_type
def test_classes(launch: Launcher, type: ScalarType) -> None:
    x = edges(type)
    want = np.isnan(x).astype(np.uint8) + 2 * np.isinf(x).astype(np.uint8)
    assert_same(launch(classify, x, np.zeros(x.shape, np.uint8))[1], want, x)


@by_type
def test_fma(launch: Launcher, type: ScalarType) -> None:
    eps = float(np.finfo(type.dtype).eps)
    x = np.array([1 + eps, 2.0, 0.5, -3.0], type.dtype)
    y = np.array([1 - eps, 0.75, 2.0, 4.0], type.dtype)
    got = launch(fused, x, y, np.zeros_like(x))[2]
    # (1 + eps)(1 - eps) - 1 is -eps**2 fused, and 0 where the product is rounded first.
    assert got[0] in (0, type.dtype.type(-(eps**2)))
    assert_same(got[1:], (x * y - 1)[1:])
