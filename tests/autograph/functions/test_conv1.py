"""Convolution and max pooling of signals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from autograph import Conv1, MaxPool1, Parameter, Tensor
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from krnlpy import Device, ScalarType, bf16, f16, f32, i32
from tests.autograph.reference import DTYPES, apart, bound, check, check_choices, conv2, draw, max_pool2, tensor
from tests.support.tiers import sampled
from tests.support.typed import present

CASES = {
    "plain": ((2, 2, 6), (3, 2, 2), {}),
    "one": ((1, 1, 1), (1, 1, 1), {}),
    "as long as the signal": ((2, 3, 5), (4, 3, 5), {}),
    "padding": ((2, 2, 3), (2, 2, 3), {"padding": 2}),
    "stride": ((2, 2, 8), (2, 2, 3), {"stride": 2}),
    "dilation": ((1, 2, 9), (2, 2, 3), {"dilation": 3}),
    "all": ((3, 2, 9), (5, 2, 3), {"stride": 3, "padding": 2, "dilation": 2}),
    "stride beyond filter": ((1, 1, 8), (1, 1, 2), {"stride": 3}),
}
POOLS = {
    "plain": ((2, 3, 8), 2, None),
    "overlapping": ((1, 2, 9), 3, 1),
    "uncovered": ((2, 2, 11), 2, 3),
    "uncovered end": ((1, 2, 7), 3, None),
    "whole": ((2, 1, 5), 5, None),
    "one": ((2, 2, 3), 1, 1),
}


def conv1(x: Any, weight: Any, stride: int = 1, padding: int = 0, dilation: int = 1) -> Any:
    """In NumPy, as a plain loop over outputs and taps."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding)))
    taps = weight.shape[2]
    length = (x.shape[2] - dilation * (taps - 1) - 1) // stride + 1
    out = np.zeros((x.shape[0], weight.shape[0], length))
    for o in range(length):
        for k in range(taps):
            out[:, :, o] += x[:, :, o * stride + k * dilation] @ weight[:, :, k].T
    return out


@pytest.mark.parametrize(("dtype", "case"), sampled([*itertools.product([*DTYPES, f16], CASES)], 3), ids=str)
def test_value_and_gradients(case: Any, dtype: ScalarType, device: Device) -> None:
    signals, filters, options = CASES[case]
    x, w, b = draw(1, signals, dtype), draw(2, filters, dtype), draw(3, filters[:1], dtype)
    # The bias is added to a value already rounded.
    check(
        lambda x, w, b: x.conv1(w, b, **options),
        lambda x, w, b: conv1(x, w, **options) + b[:, None],
        [x, w, b],
        dtype,
        device,
        roundings=2,
    )


@pytest.mark.parametrize(("case", "dtype"), sampled([*itertools.product(POOLS, [*DTYPES, f16])], 2), ids=str)
def test_max_pool1(case: Any, dtype: ScalarType, device: Device) -> None:
    shape, filter, stride = POOLS[case]
    check_choices(
        lambda x: x.max_pool1(filter, stride),
        lambda x: max_pool2(x[:, :, None], (1, filter), (1, stride or filter))[:, :, 0],
        apart(4, shape, dtype),
        dtype,
        device,
    )


@pytest.mark.parametrize("case", POOLS)
def test_max_pool1_by_threads_that_share_a_row(case: Any, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """As GPUs do it."""
    monkeypatch.setattr("autograph.functions.pooling.maxima.threads_per_row", lambda device: 32)
    test_max_pool1(case, f32, device)


def test_it_is_conv2_of_height_1(device: Device) -> None:
    x, w = draw(5, (2, 3, 10), f32), draw(6, (4, 3, 3), f32)
    expected = conv2(x[:, :, None], w[:, :, None], (1, 2), (0, 1), (1, 2))[:, :, 0]
    found = tensor(x, f32, device).conv1(tensor(w, f32, device), stride=2, padding=1, dilation=2)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=bound(f32, 9, 9))


def test_views_of_any_strides(device: Device) -> None:
    x, w = draw(7, (12, 3, 2), f32), draw(8, (2, 4, 3), f32)
    a, b = tensor(x, f32, device).transpose()[:, 1:, ::-2], tensor(w, f32, device).transpose()[:, ::2, 1:]
    expected = conv1(x.T[:, 1:, ::-2], w.T[:, ::2, 1:])
    assert a.shape == (2, 2, 6) and b.shape == (3, 2, 1)
    np.testing.assert_allclose(a.conv1(b).numpy(), expected, rtol=0, atol=bound(f32, 2, 2))
    np.testing.assert_array_equal(
        a.max_pool1(2).numpy(), max_pool2(x.T[:, None, 1:, ::-2], (1, 2), (1, 2))[:, 0].astype(np.float32)
    )


def test_no_signals(device: Device) -> None:
    w = Parameter(Tensor.ones((2, 1, 3), f32, device))
    w.init_grad()
    y = Tensor.zeros((0, 1, 5), f32, device).conv1(w)
    assert y.shape == (0, 2, 3) and y.max_pool1(2).shape == (0, 2, 1)
    y.sum().backward()
    np.testing.assert_array_equal(present(w.grad).numpy(), np.zeros((2, 1, 3)))


def test_layers(device: Device) -> None:
    layer = Conv1(2, 3, 3, stride=2, padding=1, dilation=2, bias=True, device=device, seed=5)
    x = draw(9, (2, 2, 9), f32)
    weight, bias = layer.weight.numpy(), present(layer.bias).numpy()
    assert weight.shape == (3, 2, 3) and np.abs(weight).max() < np.sqrt(2 / 6)
    y = layer(tensor(x, f32, device))
    # 6 products of a number below 1 and a weight below sqrt(2 / 6) = 0.58, and a bias.
    expected = conv1(x, weight.astype(float), 2, 1, 2) + bias[:, None]
    np.testing.assert_allclose(y.numpy(), expected, rtol=0, atol=bound(f32, 7, 5, 2))
    np.testing.assert_array_equal(MaxPool1(2, 1)(y).numpy(), np.maximum(y.numpy()[..., :-1], y.numpy()[..., 1:]))
    assert repr(layer) == "Conv1(2, 3, 3, stride=2, padding=1, dilation=2, bias=True)  21 parameters"
    assert repr(MaxPool1(3)) == "MaxPool1(3)" and repr(MaxPool1(3, 1)) == "MaxPool1(3, stride=1)"


def test_what_does_not_fit(device: Device) -> None:
    x, w = Tensor.zeros((2, 3, 5), f32, device), Tensor.zeros((4, 3, 3), f32, device)
    with pytest.raises(ShapeError, match=r"conv1 takes signals of shape \[n, ic, w\], not \(3, 5\)"):
        x[0].conv1(w)
    with pytest.raises(ShapeError, match=r"conv1 takes filters of shape \[oc, ic / groups, fw\], not \(3, 3\)"):
        x.conv1(w[0])
    with pytest.raises(ShapeError, match=r"conv1 .* have 2 channels, the filters take 3 a group"):
        x[:, :2].conv1(w)
    with pytest.raises(ShapeError, match="padding 1 and dilation 4 does not fit into them"):
        x.conv1(w, padding=1, dilation=4)
    with pytest.raises(ShapeError, match="does not fit"):
        x.conv1(w[:, :, :0])
    with pytest.raises(ShapeError, match=r"conv1 .* bias of shape \(4,\), not \(3,\)"):
        x.conv1(w, Tensor.zeros(3, f32, device))
    with pytest.raises(DtypeError, match="conv1 of f32 and bf16"):
        x.conv1(w, Tensor.zeros(4, bf16, device))
    with pytest.raises(DtypeError, match="conv1 takes f16, bf16, f32, f64, not i32"):
        x.cast(i32).conv1(w)
    other = Device.host() if device.info.kind == "interpreter" else Device("interpreter")
    with pytest.raises(DeviceError, match="conv1 of tensors on"):
        x.conv1(w.to_device(other))
    for options in ({"stride": 0}, {"padding": -1}, {"dilation": (1, 1)}):
        with pytest.raises(ShapeError, match="expected a whole number of at least"):
            x.conv1(w, **options)
    with pytest.raises(ShapeError, match=r"max_pool1 of images .*window \(6,\) .* does not fit"):
        x.max_pool1(6)
    with pytest.raises(ShapeError, match=r"max_pool1 takes signals of shape \[n, c, w\]"):
        x[0].max_pool1(2)
    with pytest.raises(ShapeError, match="stride=0"):
        x.max_pool1(2, 0)
    with pytest.raises(DtypeError, match="max_pool1 takes f16, bf16, f32, f64, not i32"):
        x.cast(i32).max_pool1(2)
    with pytest.raises(AutographError, match="Conv1: outputs=0"):
        Conv1(1, 0, 3)
    with pytest.raises(ShapeError, match="filter=0"):
        MaxPool1(0)
