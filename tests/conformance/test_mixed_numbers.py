"""Whole numbers and truth values that meet floats: the types that Python's users expect, on every target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krnlpy.dsl import atan2, sqrt
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, Item, ItemMut
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32
from tests.support.launching import Launcher

X = np.array([0.5, -1.25, 3.0, 7.75], np.float32)
N = np.array([3, -2, 0, 100], np.int32)


@pytest.mark.parametrize("type", [i8, i16, i32, u8, u16, u32], ids=str)
def test_whole_numbers_become_floats(launch: Launcher, type: ScalarType) -> None:
    def kernel(x: Item[f32], n: Item[Any], y: ItemMut[f32], z: ItemMut[f32], w: ItemMut[f32], v: ItemMut[f32]) -> None:
        y = n * 0.25 + x / (n + 1)
        z = n
        z += n
        w = x ** (n % 4) if n < x else atan2(n, x) + sqrt(n * n)
        v = max(x, n) - min(n, 1.5)

    kernel.__annotations__["n"] = Item[type]
    n = np.abs(N).astype(type.dtype) if type.kind == "uint" else N.astype(type.dtype)
    _, _, y, z, w, v = launch(kernel, X, n, *(np.zeros_like(X) for _ in range(4)))
    wide = n.astype(np.float64)
    following = (n + np.ones_like(n)).astype(np.float64)
    squared = (n * n).astype(np.float64)  # wraps in the type, as the kernel's does
    np.testing.assert_allclose(y, wide * 0.25 + X / following, rtol=1e-6)
    np.testing.assert_array_equal(z, 2 * wide)
    with np.errstate(invalid="ignore"):
        want = np.where(wide < X, X.astype(np.float64) ** (n % 4), np.arctan2(wide, X) + np.sqrt(squared))
    np.testing.assert_allclose(w, want, rtol=2e-6)
    np.testing.assert_array_equal(v, np.maximum(X, wide) - np.minimum(wide, 1.5))


@pytest.mark.parametrize("type", [f16, bf16], ids=str)
def test_short_floats_are_computed_in_f32(launch: Launcher, type: ScalarType) -> None:
    def kernel(x: Item[Any], n: Item[i32], y: ItemMut[f32], z: ItemMut[Any]) -> None:
        y = x * n
        z = n

    kernel.__annotations__.update(x=Item[type], z=ItemMut[type])
    x = X.astype(type.dtype)
    _, _, y, z = launch(kernel, x, N, np.zeros_like(X), np.zeros_like(x))
    np.testing.assert_array_equal(y, x.astype(np.float32) * N)
    np.testing.assert_array_equal(z, N.astype(np.float32).astype(type.dtype))


def test_beside_f64(launch: Launcher) -> None:
    launch.needs(f64)

    def kernel(x: Item[f64], n: Item[i32], y: ItemMut[f64]) -> None:
        y = x * n + n

    n = np.array([16777217, -2147483647, 5, 0], np.int32)
    _, _, y = launch(kernel, X.astype(np.float64), n, np.zeros(4))
    np.testing.assert_array_equal(y, X.astype(np.float64) * n + n)


def test_great_numbers_are_rounded(launch: Launcher) -> None:
    def kernel(n: Item[i32], m: Item[u32], y: ItemMut[f32], z: ItemMut[f32]) -> None:
        y = n + 0.0
        z = m

    n = np.array([16777217, 16777219, 2147483647, -16777217], np.int32)
    m = n.view(np.uint32)
    _, _, y, z = launch(kernel, n, m, np.zeros(4, np.float32), np.zeros(4, np.float32))
    np.testing.assert_array_equal(y, n.astype(np.float32))
    np.testing.assert_array_equal(z, m.astype(np.float32))


def test_truth_counts(launch: Launcher) -> None:
    @func
    def number_of(a: Global[f32], least: f32) -> Any:
        count = 0
        for i in range(len(a)):
            count += a[i] > least
        return count

    def kernel(x: Item[f32], n: Item[i32], y: ItemMut[f32], k: ItemMut[i32], a: Global[f32]) -> None:
        y = (x > 0.0) * x + 0.5 * (n > 0)
        k = (x > 0.0) + (n > 0) + (True + 1) + number_of(a, 1.0) - (x > 5.0) * 3 + (x > 0.0) ** 2
        k += (n > 0) == 1
        k += i32(2.0 * (n + (1 if x > 0.0 else 0.5)) - 2.0 * n)

    _, _, y, k, _ = launch(kernel, X, N, np.zeros_like(X), np.zeros_like(N), X)
    positive, many = X > 0, N > 0
    np.testing.assert_array_equal(y, positive * X + 0.5 * many)
    number = int((X > 1).sum())
    np.testing.assert_array_equal(
        k, positive * 1 + many * 1 + 2 + number - (X > 5) * 3 + positive * 1 + many * 1 + 1 + positive
    )


def _stores(n: Item[i32], x: Item[f32], k: ItemMut[i32]) -> None:
    k = n * x


def _adds(n: Item[i32], x: Item[f32], k: ItemMut[i32]) -> None:
    k += 0.5


def _wide(n: Item[i64], x: Item[f32], k: ItemMut[f32]) -> None:
    k = n * x


def _wide_literal(n: Item[i64], x: Item[f32], k: ItemMut[f32]) -> None:
    k = n * 0.5


@pytest.mark.parametrize("kernel", [_stores, _adds, _wide, _wide_literal])
def test_what_needs_a_conversion(launch: Launcher, kernel: Callable[..., None]) -> None:
    wide = "wide" in kernel.__name__
    with pytest.raises(KernelTypeError, match=r"f64\(|i32\(|f32\("):
        launch(kernel, N.astype(np.int64) if wide else N, X, X if wide else N)
