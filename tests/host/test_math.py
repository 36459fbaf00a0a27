"""Elementary functions on the host against NumPy in f64 and libm."""

import math
from typing import TypeVar

import numpy as np
import pytest

from krnlpy.dsl import ceil, cos, exp, exp2, floor, fma, isinf, isnan, log, log2, sin, sqrt, tan, tanh, trunc
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.scalar import ScalarType, f32, f64, i32, u8

from .launch import launch

T = TypeVar("T")


def k_exp(x: Item[T], y: ItemMut[T]) -> None:
    y = exp(x)


def k_exp2(x: Item[T], y: ItemMut[T]) -> None:
    y = exp2(x)


def k_log(x: Item[T], y: ItemMut[T]) -> None:
    y = log(x)


def k_log2(x: Item[T], y: ItemMut[T]) -> None:
    y = log2(x)


def k_sin(x: Item[T], y: ItemMut[T]) -> None:
    y = sin(x)


def k_cos(x: Item[T], y: ItemMut[T]) -> None:
    y = cos(x)


def k_tan(x: Item[T], y: ItemMut[T]) -> None:
    y = tan(x)


def k_tanh(x: Item[T], y: ItemMut[T]) -> None:
    y = tanh(x)


def k_sqrt(x: Item[T], y: ItemMut[T]) -> None:
    y = sqrt(x)


KERNELS = {
    np.exp: k_exp, np.exp2: k_exp2, np.log: k_log, np.log2: k_log2, np.sin: k_sin, np.cos: k_cos, np.tan: k_tan,
    np.tanh: k_tanh, np.sqrt: k_sqrt,
}  # fmt: skip


def samples() -> np.ndarray:
    """Every exponent, both signs, with a spread of significands; and where the functions are delicate."""
    bits = np.arange(0, 1 << 32, 9973, dtype=np.uint64).astype(np.uint32).view(np.float32)
    near = [
        np.float32(c) + np.linspace(-1, 1, 20001, dtype=np.float32) for c in (0, 1, 10, -10, 80, -80, -100, 120, -140)
    ]
    turns = (np.arange(1, 20000) * (math.pi / 2)).astype(np.float32)
    special = np.array(
        [0.0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 88.72283, 88.72284, -103.97, 128, -149, -150], np.float32
    )
    return np.concatenate([bits, *near, turns, turns * 2**12, special])


def ulps(result: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The distance in units of the last place of an f32; exact results (f64) that round to inf count as such."""
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    same = (result == rounded) | (np.isnan(result) & np.isnan(rounded))
    finite = np.where(np.isinf(rounded), np.copysign(np.finfo(np.float32).max, rounded), rounded)
    largest = np.float32(2.0**127)
    unit = np.spacing(np.minimum(np.abs(np.where(np.isnan(finite), 1, finite)), largest)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(same, 0, np.abs(result.astype(np.float64) - exact) / unit)


@pytest.mark.parametrize("function", KERNELS, ids=lambda f: f.__name__)
def test_f32_functions(function: np.ufunc) -> None:
    x = samples()
    y = np.zeros_like(x)
    launch(KERNELS[function], x, y, types={T: f32})
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.float64))
    error = ulps(y, exact)
    worst = np.nanargmax(np.where(np.isnan(error), np.inf, error))
    limit = 0.5000001 if function is np.sqrt else 2
    assert error[worst] <= limit, f"{x[worst]!r}: {y[worst]!r}, not {exact[worst]!r}: {error[worst]} ulp"
    zeros = exact == 0
    assert np.array_equal(np.signbit(y[zeros]), np.signbit(exact[zeros]))


@pytest.mark.parametrize("function", KERNELS, ids=lambda f: f.__name__)
def test_f64_functions(function: np.ufunc) -> None:
    x = np.concatenate([np.linspace(-20, 20, 4001), 10.0 ** np.arange(-300, 300, 7), [0.0, np.inf, -np.inf, np.nan]])
    y = np.zeros_like(x)
    launch(KERNELS[function], x, y, types={T: f64})
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(y, function(x), rtol=2**-50)  # a few ulp between two libraries


@pytest.mark.parametrize("type", [f32, f64], ids=repr)
def test_power(type: ScalarType) -> None:
    def power(x: Item[T], n: Item[T], y: ItemMut[T]) -> None:
        y = x**n

    values = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -8.0, 3.7, np.inf, -np.inf, np.nan]
    x, n = (m.reshape(-1).astype(type.dtype) for m in np.meshgrid(values, [*values, 3.0, -3.0, 1 / 3]))
    y = np.zeros_like(x)
    launch(power, x, n, y, types={T: type})
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(y, np.power(x, n), rtol=4 * np.finfo(type.dtype).eps)


@pytest.mark.parametrize("type", [f32, f64], ids=repr)
def test_rounding_and_classes(type: ScalarType) -> None:
    def classify(x: Item[T], down: ItemMut[T], up: ItemMut[T], zero: ItemMut[T], size: ItemMut[T], fused: ItemMut[T],
                 kind: ItemMut[u8]) -> None:  # fmt: skip
        down = floor(x)
        up = ceil(x)
        zero = trunc(x)
        size = abs(x)
        fused = fma(x, T(2), T(1))
        kind = u8(isnan(x)) + u8(2) * u8(isinf(x))

    x = np.array([0.0, -0.0, 0.5, -0.5, 1.5, -1.5, 1e30, np.inf, -np.inf, np.nan], type.dtype)
    results = [np.zeros_like(x) for _ in range(5)]
    kind = np.zeros(x.size, np.uint8)
    launch(classify, x, *results, kind, types={T: type})
    for result, right in zip(results, [np.floor(x), np.ceil(x), np.trunc(x), np.abs(x), x * 2 + 1], strict=True):
        np.testing.assert_array_equal(result, right)
        assert np.array_equal(np.signbit(result)[:-1], np.signbit(right)[:-1])
    assert kind.tolist() == [0] * 7 + [2, 2, 1]


def test_abs_of_the_least_integer_wraps() -> None:
    def magnitude(x: Item[i32], y: ItemMut[i32]) -> None:
        y = abs(x)

    x = np.array([-(2**31), -5, 0, 7], np.int32)
    y = np.zeros_like(x)
    launch(magnitude, x, y)
    assert y.tolist() == [-(2**31), 5, 0, 7]
