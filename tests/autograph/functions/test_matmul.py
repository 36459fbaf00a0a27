"""Matrix products."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from autograph import Tensor
from autograph.errors import DtypeError, ShapeError
from krnlpy import Device, ScalarType, bf16, f16, f32, i8, i32, u8, u16
from tests.autograph.reference import DTYPES, bound, check, close, draw, tensor
from tests.support.tiers import sampled
from tests.support.typed import untyped

SIZES = [(1, 1, 1), (3, 5, 2), (4, 4, 4), (33, 7, 9), (2, 31, 34)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 5, 2), (5, 6, 7)], ids=str)
def test_value_and_gradients(size: tuple[int, int, int], dtype: ScalarType, device: Device) -> None:
    m, k, n = size
    x, y = draw(1, (m, k), dtype), draw(2, (k, n), dtype)
    check(lambda x, y: x @ y, lambda x, y: x @ y, [x, y], dtype, device)


@pytest.mark.parametrize(
    ("dtype", "size", "left", "right"), sampled([*itertools.product([f16, *DTYPES], SIZES, "nt", "nt")], 3), ids=str
)
def test_transposed_operands(
    size: tuple[int, int, int], left: Any, right: Any, dtype: ScalarType, device: Device
) -> None:
    m, k, n = size
    x, y = draw(3, (m, k), dtype), draw(4, (k, n), dtype)
    a = tensor(x, dtype, device) if left == "n" else tensor(x.T, dtype, device).T
    b = tensor(y, dtype, device) if right == "n" else tensor(y.T, dtype, device).T
    close(a.matmul(b).numpy(), x @ y, dtype, k, np.abs(x) @ np.abs(y))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_long_inner_axis_is_split(dtype: ScalarType, device: Device) -> None:
    k = 200 if device.info.kind == "interpreter" else 3_001
    x, y = draw(5, (2, k), dtype), draw(6, (k, 3), dtype)
    found = (tensor(x, dtype, device) @ tensor(y, dtype, device)).numpy()
    close(found, x @ y, dtype, k, np.abs(x) @ np.abs(y))


@pytest.mark.parametrize("dtype", [f16, bf16, i8, u16], ids=str)
@pytest.mark.parametrize(("m", "k", "n"), [(7, 3, 4), (8, 3, 2), (5, 9, 3), (1, 40, 2), (9, 1, 1)], ids=str)
def test_narrow_products_in_blocks_of_rows(
    m: int, k: int, n: int, dtype: ScalarType, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host converts so many elements at once; whole small numbers, of which no sum rounds."""
    monkeypatch.setattr("autograph.functions.products.host._CONVERTED_BLOCK", 8)
    rng = np.random.default_rng(m)
    x, y = (rng.integers(0, 2, shape).astype(dtype.dtype) for shape in ((m, k), (k, n)))
    found = (Tensor.from_numpy(x, device) @ Tensor.from_numpy(y.T.copy(), device).T).numpy()
    np.testing.assert_array_equal(found.astype(int), x.astype(int) @ y.astype(int))


def test_a_narrow_product_of_more_than_4_million_elements(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("millions of products")
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 2, (2_051, 2_048)), rng.integers(0, 2, (2_048, 2)) * (np.arange(2_048) % 32 == 0)[:, None]
    found = (tensor(x, bf16, device) @ tensor(y, bf16, device)).numpy()
    # Sums of at most 64 ones: numbers of bf16.
    np.testing.assert_array_equal(found.astype(int), x @ y)


def test_larger_than_a_group(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("thousands of threads")
    x, y = draw(7, (130, 70), f32), draw(8, (70, 101), f32)
    found = (tensor(x, f32, device) @ tensor(y, f32, device)).numpy()
    np.testing.assert_allclose(found, x @ y, rtol=0, atol=bound(f32, 70, 70))


def test_operands_with_gaps(device: Device) -> None:
    x, y = draw(9, (8, 12), f32), draw(10, (12, 8), f32)
    found = (tensor(x, f32, device)[::2, 1::3] @ tensor(y, f32, device)[:4, 2:7]).numpy()
    np.testing.assert_allclose(found, x[::2, 1::3] @ y[:4, 2:7], rtol=0, atol=bound(f32, 4, 4))


@pytest.mark.parametrize("dtype", [i32, u8], ids=str)
def test_integers(dtype: ScalarType, device: Device) -> None:
    x = np.arange(12, dtype=dtype.dtype).reshape(3, 4)
    found = (Tensor.from_numpy(x, device) @ Tensor.from_numpy(x, device).T).numpy()
    np.testing.assert_array_equal(found, (x.astype(np.int64) @ x.T.astype(np.int64)).astype(dtype.dtype))


def test_empty(device: Device) -> None:
    x, y = Tensor.zeros((3, 0), f32, device), Tensor.zeros((0, 2), f32, device)
    np.testing.assert_array_equal((x @ y).numpy(), np.zeros((3, 2)))
    assert (Tensor.zeros((0, 3), f32, device) @ x).shape == (0, 0)


def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.zeros((2, 3), f32, device)
    with pytest.raises(ShapeError, match=r"shapes \(2, 3\) and \(2, 3\): 3 columns do not fit 2 rows"):
        x @ x
    with pytest.raises(ShapeError, match=r"shapes \(2, 3\) and \(2,\): 3 columns do not fit 2 rows"):
        x @ x[:, 0]
    with pytest.raises(ShapeError, match="each needs an axis"):
        x @ x[0, 0]
    with pytest.raises(ShapeError, match="leading axes, aligned at the right, must be equal or of length 1"):
        Tensor.zeros((2, 3, 4), f32, device) @ Tensor.zeros((3, 4, 2), f32, device)
    with pytest.raises(DtypeError, match="i64 and f32"):
        Tensor.zeros((2, 2), "i64", device) @ x
    with pytest.raises(DtypeError, match="takes a tensor, not int"):
        x @ untyped(2)
