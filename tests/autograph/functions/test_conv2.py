"""Convolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Conv2, Parameter, Tensor
from autograph.errors import DtypeError, ShapeError
from krnlpy import Device, ScalarType, f32, i32
from tests.autograph.reference import DTYPES, bound, check, conv2, draw, tensor
from tests.support.typed import present, untyped

CASES = {
    "plain": ((2, 2, 5, 6), (3, 2, 3, 2), {}),
    "one": ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    "wide filter": ((2, 1, 4, 7), (6, 1, 1, 5), {}),
    "padding": ((2, 2, 4, 3), (2, 2, 3, 3), {"padding": (1, 2)}),
    "stride": ((2, 2, 6, 7), (2, 2, 3, 2), {"stride": (2, 3)}),
    "dilation": ((1, 2, 7, 8), (2, 2, 3, 3), {"dilation": (2, 3)}),
    "all": ((2, 3, 6, 5), (5, 3, 2, 3), {"stride": (3, 2), "padding": (2, 1), "dilation": (1, 2)}),
    "stride beyond filter": ((1, 1, 7, 7), (1, 1, 2, 2), {"stride": (3, 3)}),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradients(case: Any, dtype: ScalarType, device: Device) -> None:
    images, filters, options = CASES[case]
    x, w = draw(1, images, dtype), draw(2, filters, dtype)
    check(lambda x, w: x.conv2(w, **options), lambda x, w: conv2(x, w, **options), [x, w], dtype, device)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_bias_is_of_channels(dtype: ScalarType, device: Device) -> None:
    x, w, b = draw(3, (2, 1, 3, 4), dtype), draw(4, (4, 1, 2, 2), dtype), draw(5, (4,), dtype)
    # The bias is added to a value already rounded.
    check(
        lambda x, w, b: x.conv2(w, b),
        lambda x, w, b: conv2(x, w) + b[:, None, None],
        [x, w, b],
        dtype,
        device,
        roundings=2,
    )


def test_views_of_any_strides(device: Device) -> None:
    x, w = draw(6, (5, 6, 2, 3), f32), draw(7, (3, 3, 2, 2), f32)
    a = tensor(x, f32, device).transpose(3, 2, 0, 1)[:, :, ::2, 1:]
    b = tensor(w, f32, device).transpose(1, 0, 2, 3)[:, :2]
    expected = conv2(x.transpose(3, 2, 0, 1)[:, :, ::2, 1:], w.transpose(1, 0, 2, 3)[:, :2])
    np.testing.assert_allclose(a.conv2(b).numpy(), expected, rtol=0, atol=bound(f32, 8, 8))


def test_many_images(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("a million products")
    # The gradient of the filters is a sum over images, in slices that are summed by themselves.
    x, w = draw(8, (100, 1, 28, 28), f32), draw(9, (2, 1, 5, 5), f32)
    p, q = Parameter(tensor(x, f32, device)), Parameter(tensor(w, f32, device))
    p.init_grad()
    q.init_grad()
    y = p.conv2(q)
    np.testing.assert_allclose(y.numpy(), conv2(x, w), rtol=0, atol=bound(f32, 25, 25))
    y.backward(Tensor.ones(y.shape, f32, device))
    ones = np.ones((100, 2, 24, 24))
    found = present(q.take_grad()).numpy()
    expected = conv2(x.transpose(1, 0, 2, 3), ones.transpose(1, 0, 2, 3)).transpose(1, 0, 2, 3)
    # 57,600 numbers below 1, summed in parts: the error of a part of m numbers is below m**2 * 2**-24, and 100 * 24
    # rows of 24 are summed, then those; the slack of the bound is a factor of about 10.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2_400 * 24 * 24 * 2.0**-24)
    full = conv2(ones, w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3), padding=(4, 4))
    np.testing.assert_allclose(present(p.take_grad()).numpy(), full, rtol=0, atol=bound(f32, 50, 50))


def test_empty_batch(device: Device) -> None:
    x = Tensor.zeros((0, 1, 5, 5), f32, device)
    w = Parameter(Tensor.ones((2, 1, 3, 3), f32, device))
    w.init_grad()
    y = x.conv2(w)
    assert y.shape == (0, 2, 3, 3)
    y.sum().backward()
    np.testing.assert_array_equal(present(w.grad).numpy(), np.zeros((2, 1, 3, 3)))


def test_what_does_not_fit(device: Device) -> None:
    x, w = Tensor.zeros((2, 3, 5, 5), f32, device), Tensor.zeros((4, 3, 3, 3), f32, device)
    with pytest.raises(ShapeError, match=r"\[n, ic, h, w\], not \(3, 5, 5\)"):
        x[0].conv2(w)
    with pytest.raises(ShapeError, match="the images have 2 channels, the filters take 3 a group"):
        x[:, :2].conv2(w)
    with pytest.raises(ShapeError, match="does not fit into them"):
        x[..., :2].conv2(w)
    with pytest.raises(ShapeError, match=r"bias of shape \(4,\), not \(3,\)"):
        x.conv2(w, Tensor.zeros(3, f32, device))
    with pytest.raises(ShapeError, match="stride=0"):
        x.conv2(w, stride=0)
    with pytest.raises(ShapeError, match="padding="):
        x.conv2(w, padding=untyped((1, 1, 1)))
    with pytest.raises(DtypeError, match="f16, bf16, f32, f64, not i32"):
        x.cast(i32).conv2(w.cast(i32))


def test_layer(device: Device) -> None:
    layer = Conv2(2, 3, (3, 2), stride=2, padding=(1, 0), bias=True, device=device, seed=5)
    x = draw(10, (2, 2, 5, 6), f32)
    expected = (
        conv2(x, layer.weight.numpy(), stride=(2, 2), padding=(1, 0)) + present(layer.bias).numpy()[:, None, None]
    )
    # 12 products of a number below 1 and a weight below sqrt(2 / 12) = 0.41, and a bias.
    np.testing.assert_allclose(layer(tensor(x, f32, device)).numpy(), expected, rtol=0, atol=bound(f32, 13, 6, 2))
