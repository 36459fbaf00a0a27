"""Windows of images as columns, and back; the reference's tests, ported, against plain loops."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, fold, unfold
from autograph.errors import ShapeError
from krnlpy import Device, ScalarType
from krnlpy.scalar import bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from tests.autograph.reference import bound, close, conv2, draw, image_size, summed, tensor, unfolded
from tests.support.devices import requires
from tests.support.tiers import sampled
from tests.support.typed import present

TYPES = [u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64]
FILTERS = [(1, 1), (3, 3), (5, 5), (7, 7), (1, 3), (3, 5), (1, 7)]
OPTIONS = [
    {},
    {"padding": (0, 1)},
    {"padding": (1, 1)},
    {"stride": (1, 2)},
    {"stride": (2, 2)},
    {"dilation": (1, 2)},
    {"dilation": (2, 2)},
]
SIZES = [(1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (13, 1), (1, 13)]  # images, channels
OUTPUTS = list(itertools.product((1, 2, 3, 5), repeat=2))


def some(device: Device, cases: Any) -> Any:
    """The interpreter takes seconds for what devices do in microseconds."""
    return cases[:: 13 if device.info.kind == "interpreter" else 1]


CASES = [(size, output) for size in SIZES for output in OUTPUTS]
# 9 has no factor in common with the 7 filters, 7 options and 2 types, so that each of them is in the sample.
GRID = sampled(list(itertools.product(FILTERS, OPTIONS, (bf16, f32))), 9)


@pytest.mark.parametrize(("filter", "options", "dtype"), GRID, ids=str)
def test_unfold_and_fold(filter: tuple[int, int], options: dict[str, Any], dtype: ScalarType, device: Device) -> None:
    for (n, c), output in some(device, CASES)[:: 8 if device.info.kind != "host" else 1]:
        shape = n, c, *image_size(output, filter, **options)
        x = (np.arange(np.prod(shape)) % 251).astype(dtype.dtype).reshape(shape)
        expected = unfolded(x, filter, **options)
        found = unfold(Tensor.from_numpy(x, device), filter, **options)
        np.testing.assert_array_equal(found.numpy(), expected)
        columns = (np.arange(expected.size) % 4).astype(dtype.dtype).reshape(expected.shape)
        back = fold(Tensor.from_numpy(columns, device), shape[2:], filter, **options)
        # Sums of at most 49 numbers below 4 are whole numbers that bf16 holds.
        np.testing.assert_array_equal(back.numpy(), summed(columns, shape, filter, **options))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_dtype(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    x = (np.arange(2 * 3 * 4 * 5) % 60).astype(dtype.dtype).reshape(2, 3, 4, 5)
    options = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}
    found = unfold(Tensor.from_numpy(x, device), (2, 2), **options)
    np.testing.assert_array_equal(found.numpy(), unfolded(x, (2, 2), **options))
    columns = (np.arange(found.size) % 5).astype(dtype.dtype).reshape(found.shape)
    back = fold(Tensor.from_numpy(columns, device), x.shape[2:], (2, 2), **options)
    np.testing.assert_array_equal(back.numpy(), summed(columns, x.shape, (2, 2), **options))


def test_narrow_sums_are_wide(device: Device) -> None:
    # 9 times 100 wraps in u8 as the sum of 32 bits does; of 25 bf16 numbers of 1 + 2**-7, each step would round.
    x = fold(Tensor.full((1, 9, 9), 100, u8, device), (5, 5), 3)
    assert x.numpy()[0, 0, 2, 2] == 900 % 256
    x = fold(Tensor.full((1, 25, 25), 1 + 2**-7, bf16, device), (9, 9), 5)
    assert x.numpy()[0, 0, 4, 4] == np.float32(25 * (1 + 2**-7)).astype(bf16.dtype)


def test_views(device: Device) -> None:
    x = np.arange(2 * 3 * 6 * 8, dtype=np.float32).reshape(2, 6, 8, 3)
    view = Tensor.from_numpy(x, device).transpose(0, 3, 1, 2)[1:, ::-1, 1:, ::2]
    same = x.transpose(0, 3, 1, 2)[1:, ::-1, 1:, ::2]
    np.testing.assert_array_equal(unfold(view, 3).numpy(), unfolded(same, (3, 3)))
    columns = unfolded(same, (3, 3)).T.copy()
    back = fold(Tensor.from_numpy(columns, device).transpose(), same.shape[2:], 3)
    np.testing.assert_array_equal(back.numpy(), summed(columns.T, same.shape, (3, 3)))


def test_each_is_the_gradient_of_the_other(device: Device) -> None:
    options = {"stride": (2, 1), "padding": (1, 1), "dilation": (1, 2)}
    x = Parameter(tensor(draw(1, (2, 2, 5, 6), f32), f32, device))
    x.init_grad()
    columns = unfold(x, (3, 2), **options)
    gradient = draw(2, columns.shape, f32)
    columns.backward(tensor(gradient, f32, device))
    expected = summed(gradient, x.shape, (3, 2), **options)
    np.testing.assert_allclose(present(x.grad).numpy(), expected, rtol=0, atol=bound(f32, 6, 6))
    y = Parameter(tensor(gradient, f32, device))
    y.init_grad()
    image = draw(3, x.shape, f32)
    fold(y, x.shape[2:], (3, 2), **options).backward(tensor(image, f32, device))
    np.testing.assert_array_equal(present(y.grad).numpy(), unfolded(image, (3, 2), **options).astype(np.float32))


@pytest.mark.parametrize(("filter", "options", "dtype"), GRID, ids=str)
def test_convolution_is_a_product(
    filter: tuple[int, int], options: dict[str, Any], dtype: ScalarType, device: Device
) -> None:
    for (n, c), output in CASES[:: 16 if device.info.kind == "host" else 50]:
        shape = n, c, *image_size(output, filter, **options)
        x, weight = draw(4, shape, dtype), draw(5, (2, c, *filter), dtype)
        images, filters = tensor(x, dtype, device), tensor(weight, dtype, device)
        product = [filters.reshape((2, -1)) @ columns for columns in unfold(images, filter, **options)]
        expected = conv2(x, weight, **options)
        terms = c * filter[0] * filter[1]
        size = conv2(np.abs(x), np.abs(weight), **options)
        for found, wanted, sizes in zip(product, expected, size, strict=True):
            close(found.numpy(), wanted.reshape(2, -1), dtype, terms, sizes.reshape(2, -1))
        close(images.conv2(filters, **options).numpy(), expected, dtype, terms, size)


def test_empty(device: Device) -> None:
    x = unfold(Tensor.zeros((0, 2, 4, 4), f32, device), 3)
    assert x.shape == (0, 18, 4)
    assert fold(x, (4, 4), 3).shape == (0, 2, 4, 4)
    assert unfold(Tensor.zeros((2, 0, 4, 4), f32, device), 3).shape == (2, 0, 4)


def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.zeros((1, 2, 4, 4), f32, device)
    with pytest.raises(ShapeError, match=r"unfold takes images of shape \[n, c, h, w\]"):
        unfold(x.reshape((8, 4)), 3)
    with pytest.raises(ShapeError, match=r"size \(4, 4\).*does not fit"):
        unfold(x, 5)
    with pytest.raises(ShapeError, match="stride=0"):
        unfold(x, 3, stride=0)
    with pytest.raises(ShapeError, match=r"\(1, 17, 4\): images of size .* have windows of shape \[n, c \* 9, 4\]"):
        fold(Tensor.zeros((1, 17, 4), f32, device), (4, 4), 3)
    with pytest.raises(ShapeError, match="expected one to three lengths"):
        fold(Tensor.zeros((1, 18, 4), f32, device), (1, 2, 4, 4), 3)
