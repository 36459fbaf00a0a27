"""Places among sorted elements, different elements, counts and quantiles, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph
from autograph import Tensor
from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Device, bf16, f16, f32, i32, i64, u8, u32
from tests.support.tiers import one_vulkan_device
from tests.support.typed import untyped

Array = np.ndarray[Any, Any]
TINY = np.float32(1e-45)  # subnormal, which some devices take for 0


def some(shape: Any, seed: int = 0) -> Array:
    x: Array = np.random.default_rng(seed).integers(-20, 20, shape).astype(np.float32)
    x.flat[:6] = [np.nan, -0.0, 0.0, np.inf, TINY, np.nan]
    return x


def test_searchsorted(device: Device) -> None:
    x, wanted = some(60), some((3, 40), 1)
    ordered = np.sort(x)
    for side in ("left", "right"):
        expected = np.searchsorted(ordered, wanted, side)
        tensor = Tensor.from_numpy(wanted, device)
        found = autograph.searchsorted(Tensor.from_numpy(ordered, device), tensor, side=side)
        assert found.dtype is i32
        np.testing.assert_array_equal(found.numpy(), expected)
        given = Tensor.from_numpy(x, device)
        found = autograph.searchsorted(given, tensor, side=side, sorter=autograph.argsort(given))
        np.testing.assert_array_equal(found.numpy(), expected)
    # Dtypes are promoted, and numbers take part as in arithmetic.
    whole = Tensor.from_numpy(np.array([1, 2, 3], np.int32), device)
    assert autograph.searchsorted(whole, 2.5).item() == 2 and autograph.searchsorted(whole, 2, side="right").item() == 2
    assert autograph.searchsorted(whole, Tensor.from_numpy(np.array([2.5], np.float32), device)).item() == 2
    assert autograph.searchsorted(Tensor.zeros(0, f32, device), whole).numpy().tolist() == [0, 0, 0]


def test_isin(device: Device) -> None:
    x, others = some((3, 40)), some((2, 5), 1)
    for invert in (False, True):
        found = autograph.isin(Tensor.from_numpy(x, device), Tensor.from_numpy(others, device), invert=invert)
        assert found.dtype == bool
        np.testing.assert_array_equal(found.numpy(), np.isin(x, others, invert=invert))
        found = autograph.isin(Tensor.from_numpy(x, device), Tensor.zeros(0, f32, device), invert=invert)
        assert found.numpy().all() == invert
    assert autograph.isin(Tensor.from_numpy(np.array([1, 3], np.uint8), device), 3).numpy().tolist() == [False, True]
    assert autograph.isin(3, Tensor.from_numpy(np.array([1, 3], np.uint8), device)).item() is True


def test_unique(device: Device) -> None:
    arrays: list[Any] = [some((3, 50)), np.arange(7, dtype=np.int32) // 2, np.array([True, False, True]), np.float32(3)]
    if device.info.kind != "interpreter":
        arrays.append(np.random.default_rng(0).integers(0, 900, 5000).astype(np.int32))
    for x in arrays:
        tensor = Tensor.from_numpy(x, device)
        found = autograph.unique_all(tensor)
        values, indices, inverse, counts = np.unique(
            x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
        )
        np.testing.assert_array_equal(found.values.numpy(), values)
        np.testing.assert_array_equal(found.indices.numpy(), indices)
        np.testing.assert_array_equal(found.inverse_indices.numpy(), inverse.reshape(np.shape(x)))
        np.testing.assert_array_equal(found.counts.numpy(), counts)
        assert found.values.dtype == tensor.dtype and found.counts.dtype is found.indices.dtype is i32
    np.testing.assert_array_equal(autograph.unique_values(tensor).numpy(), values)
    np.testing.assert_array_equal(autograph.unique_counts(tensor).counts.numpy(), counts)
    np.testing.assert_array_equal(
        autograph.unique_inverse(tensor).inverse_indices.numpy(), inverse.reshape(np.shape(x))
    )
    nothing = autograph.unique_all(Tensor.zeros((0, 3), f32, device))
    assert [part.shape for part in nothing] == [(0,), (0,), (0, 3), (0,)]


def test_bincount(device: Device) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 20, 200)
    weights = rng.standard_normal(200).astype(np.float32)
    for dtype in (u8, i32, u32):
        found = autograph.bincount(Tensor.from_numpy(x.astype(np.int32), device).cast(dtype), minlength=25)
        assert found.dtype is i32
        np.testing.assert_array_equal(found.numpy(), np.bincount(x, minlength=25))
    numbers = Tensor.from_numpy(x.astype(np.int32), device)
    # Each sum has some 10 numbers of 1, with roundings of 2**-24.
    expected = np.bincount(x, weights)
    first = autograph.bincount(numbers, Tensor.from_numpy(weights, device)).numpy()
    np.testing.assert_allclose(first, expected, rtol=0, atol=1e-5)
    again = autograph.bincount(numbers, Tensor.from_numpy(weights, device)).numpy()
    np.testing.assert_array_equal(first.view(np.int32), again.view(np.int32))
    whole = autograph.bincount(numbers, Tensor.from_numpy(x.astype(np.int8), device))
    assert whole.dtype is i32
    np.testing.assert_array_equal(whole.numpy(), np.bincount(x, x))
    # In bf16, 256 + 1 is 256: sums would stay there.
    ones = autograph.bincount(Tensor.zeros(300, i32, device), Tensor.ones(300, bf16, device))
    assert ones.dtype is bf16 and ones.cast(f32).item() == 300
    assert autograph.bincount(Tensor.zeros(0, i32, device)).shape == (0,)
    assert autograph.bincount(Tensor.zeros(0, i32, device), minlength=2).numpy().tolist() == [0, 0]


def test_derivatives_of_sums_of_weights(device: Device) -> None:
    numbers = Tensor.from_numpy(np.array([2, 0, 2, 1], np.int32), device)
    slopes = Tensor.from_numpy(np.array([1.0, 10.0, 100.0], np.float32), device)
    weights = Tensor.from_numpy(np.array([1.0, 2.0, 3.0, 4.0], np.float32), device)

    def f(weights: Tensor) -> Any:
        sums = autograph.bincount(numbers, weights)
        return (sums * sums * slopes).sum()

    def g(weights: Tensor) -> Any:
        return autograph.grad(f)(weights)[0]

    assert autograph.grad(f)(weights).numpy().tolist() == [800, 4, 800, 80]
    assert autograph.grad(g)(weights).numpy().tolist() == [200, 0, 200, 0]


def test_histogram(device: Device) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 40)).astype(np.float32)
    tensor = Tensor.from_numpy(x, device)
    weights = rng.random((5, 40)).astype(np.float32)
    for bins, limits in ((10, None), (3, (-1.0, 1.0)), (np.array([-1, 0, 0.5, 2], np.float32), None)):
        given: Any = Tensor.from_numpy(bins, device) if isinstance(bins, np.ndarray) else bins
        for weighed in (False, True):
            found = autograph.histogram(
                tensor, given, limits, weights=Tensor.from_numpy(weights, device) if weighed else None
            )
            counts, edges = np.histogram(x, bins, limits, weights=weights if weighed else None)
            np.testing.assert_allclose(found.counts.numpy(), counts, rtol=1e-5)
            np.testing.assert_allclose(found.edges.numpy(), edges, rtol=0, atol=1e-6)  # of up to 4, in f32
    # Edges that are equal in f32, and those of bf16, which are far from equal distances.
    close = Tensor.from_numpy(np.array([1e8, 1e8 + 8, 1e8 + 16, 1e8 + 16], np.float32), device)
    assert autograph.histogram(close, 64).counts.numpy().sum() == 4
    narrow = autograph.histogram(tensor.cast(bf16), 30)
    edges = narrow.edges.cast(f32).numpy()
    np.testing.assert_array_equal(narrow.counts.numpy(), np.histogram(tensor.cast(bf16).cast(f32).numpy(), edges)[0])
    # The last bin has its end; what is outside or NaN does not count; whole numbers are compared as f32.
    edge = Tensor.from_numpy(np.array([0, 1, 2, 3, np.nan, -np.inf, np.inf], np.float32), device)
    assert autograph.histogram(edge, 2, (0, 2)).counts.numpy().tolist() == [1, 2]
    whole = Tensor.from_numpy(np.array([5, 5, 5], np.int32), device)
    assert autograph.histogram(whole, 2).counts.numpy().tolist() == [0, 3]
    assert autograph.histogram(whole, 2).edges.numpy().tolist() == [4.5, 5, 5.5]
    assert autograph.histogram(Tensor.zeros(0, f32, device), 2).counts.numpy().tolist() == [0, 0]


def test_quantiles(device: Device) -> None:
    x = np.random.default_rng(0).standard_normal((5, 20)).astype(np.float32)
    tensor = Tensor.from_numpy(x, device)
    for axis in (None, 0, -1):
        for keepdims in (False, True):
            for q in (0.25, [0, 0.3, 1.0]):
                found = autograph.quantile(tensor, q, axis, keepdims=keepdims)
                expected = np.quantile(x.astype(np.float64), q, axis, keepdims=keepdims)
                assert found.shape == expected.shape
                np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)
            found = autograph.median(tensor, axis, keepdims=keepdims)
            np.testing.assert_allclose(found.numpy(), np.median(x, axis, keepdims=keepdims), rtol=1e-6)
    x[1, 3] = np.nan
    np.testing.assert_array_equal(
        np.isnan(autograph.median(Tensor.from_numpy(x, device), 1).numpy()), np.arange(5) == 1
    )
    assert autograph.median(Tensor.from_numpy(np.array([1, 4], np.int32), device)).item() == 2.5
    three = Tensor.from_numpy(np.array([8, 1, 2], np.float32), device)
    slopes = autograph.grad(lambda x: autograph.quantile(x, 0.25))(three)
    assert slopes.numpy().tolist() == [0, 0.5, 0.5]


@one_vulkan_device
def test_errors(device: Device) -> None:
    x, whole = Tensor.ones((2, 3), f32, device), Tensor.ones(3, i32, device)
    with pytest.raises(ShapeError, match=r"shape \[n\]"):
        autograph.searchsorted(x, x)
    with pytest.raises(AutographError, match="side='up'"):
        untyped(autograph.searchsorted)(whole, whole, side="up")
    with pytest.raises(DtypeError, match="whole numbers"):
        autograph.searchsorted(whole, whole, sorter=whole.cast(f32))
    with pytest.raises(ShapeError, match="sorter"):
        autograph.searchsorted(whole, whole, sorter=whole[:2])
    with pytest.raises(DtypeError, match="beside one"):
        autograph.isin(1, 2)
    with pytest.raises(DtypeError, match="tensor"):
        untyped(autograph.unique_values)([1])
    with pytest.raises(DtypeError, match="whole numbers"):
        autograph.bincount(x)
    with pytest.raises(ShapeError, match=r"shape \[n\]"):
        autograph.bincount(x.cast(i32))
    with pytest.raises(ShapeError, match="from -1 on"):
        autograph.bincount(-whole)
    with pytest.raises(ShapeError, match="weights"):
        autograph.bincount(whole, whole[:2])
    with pytest.raises(ShapeError, match="bins=0"):
        autograph.histogram(x, 0)
    with pytest.raises(ShapeError, match="edges"):
        autograph.histogram(x, x)
    for limits in ((2, 1), (0, np.inf), 3):
        with pytest.raises(AutographError, match="histogram"):
            untyped(autograph.histogram)(x, 2, limits)
    with pytest.raises(AutographError, match=r"q=1\.5"):
        autograph.quantile(x, 1.5)
    with pytest.raises(ShapeError, match="no elements"):
        autograph.median(x[:0], 0)
    if device.is_host:
        with pytest.raises(DtypeError, match="i64"):
            autograph.median(whole.cast(i64))
    with pytest.raises(DtypeError, match="bool"):
        autograph.bincount(whole, whole > 0)
    assert autograph.median(x.cast(f16)).dtype is f16
