"""Axes so long that drivers which end loops after 65,535 passes would end those of one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Tensor
from autograph.ops import accuracy, conv1, conv2, cross_entropy, matmul, sum
from autograph.ops import conv2_direct as direct
from autograph.ops import im2col as windows
from krnlpy import Buffer, Device, DriverDefect, f16, f32

LONG = 70_001


@pytest.fixture
def vulkan(device: Device) -> Device:
    if device.info.backend != "vulkan":
        pytest.skip("has its own algorithms, or takes its time; and no driver")
    return device


def ones(shape: Any, device: Device, dtype: Any = f32) -> Tensor:
    return Tensor(Buffer.ones(1, dtype, device).reshape((1,) * len(shape)).broadcast_to(shape))


def test_sums(vulkan: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sum, "_THREADS", 1)  # as where other axes are long too
    x = Tensor.from_numpy(np.arange(3 * LONG, dtype=np.int32).reshape(3, LONG) % 7, vulkan)
    assert x.sum(1).numpy().tolist() == x.numpy().sum(1).tolist()


def test_products(vulkan: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "_GROUPS", 0)  # as where matrices are large
    a = np.arange(2 * LONG, dtype=np.int32).reshape(2, LONG) % 5
    b = np.arange(2 * LONG, dtype=np.int32).reshape(LONG, 2) % 3
    found = (Tensor.from_numpy(a, vulkan) @ Tensor.from_numpy(b, vulkan)).numpy()
    assert found.tolist() == (a @ b).tolist()


def test_accuracy_of_many_classes(vulkan: Device) -> None:
    logits = np.zeros((4, LONG), np.float32)
    classes = np.array([0, LONG - 1, 40_000, 5], np.int32)
    logits[np.arange(4), classes] = 1.0
    logits[2, LONG - 2] = logits[3, 40_000] = 2.0  # greater, in another piece
    assert accuracy.accuracy(Tensor.from_numpy(logits, vulkan), classes).item() == 2


@pytest.mark.parametrize("count", [30_000, LONG])
def test_cross_entropy_of_many_classes(vulkan: Device, count: int) -> None:
    """A thread has a row: of more classes, it is refused where the driver ends loops."""
    logits = Tensor.from_numpy(np.zeros((2, count), np.float32), vulkan)
    try:
        loss = cross_entropy.cross_entropy_loss(logits, np.array([0, count - 1])).item()
    except DriverDefect:
        assert count == LONG
        assert any("ends the loops" in sentence for sentence in vulkan.defects)
    else:
        # Sums of ones up to 2^24 are exact; exp, log and the rest are right to a few of 2^-24.
        assert abs(loss - np.log(count)) < 2**-20 * np.log(count)


def test_wide_windows(vulkan: Device) -> None:
    x = Tensor.from_numpy(np.arange(LONG + 3, dtype=np.int32).reshape(1, 1, 1, LONG + 3), vulkan)
    columns = windows.im2col(x, (1, LONG), stride=2, padding=(0, 1))
    padded = np.pad(x.numpy().ravel(), 1)
    assert (columns.numpy() == np.stack([padded[first : first + LONG] for first in (0, 2, 4)])).all()


@pytest.mark.parametrize("filter", [(1, 50), (50, 1), (7, 9), (30, 30)])
def test_windows_in_parts(vulkan: Device, monkeypatch: pytest.MonkeyPatch, filter: tuple[int, int]) -> None:
    """As where windows are so large that a pixel is in too many."""
    x = Tensor.from_numpy(np.arange(2 * 50 * 50, dtype=np.int32).reshape(2, 1, 50, 50), vulkan)
    how: dict[str, Any] = {"stride": (2, 3), "padding": (1, 0), "dilation": 1}
    columns = windows.im2col(x, filter, **how)
    back = windows.col2im(columns, x.shape, filter, **how)
    monkeypatch.setattr(windows, "LONGEST", 20)
    assert (windows.im2col(x, filter, **how).numpy() == columns.numpy()).all()
    assert (windows.col2im(columns, x.shape, filter, **how).numpy() == back.numpy()).all()


@pytest.mark.parametrize("dtype", [f32, f16])
def test_convolution_of_many_channels(vulkan: Device, dtype: Any) -> None:
    """All sums are exact in f32, and f16 rounds the last one, once."""
    channels = 8200
    x, weight = ones((1, channels, 4, 4), vulkan, dtype), ones((1, channels, 3, 3), vulkan, dtype) * 2**-6
    value = conv2.conv2(x, weight).numpy()
    assert (value == np.asarray(9 * channels * 2**-6, value.dtype)).all()


def test_gradient_of_many_channels(vulkan: Device) -> None:
    channels = 8200
    window = conv2.Window((3, 3), (1, 1), (0, 0), (1, 1))
    dy, weight = ones((1, channels, 2, 2), vulkan).buffer, ones((channels, 1, 3, 3), vulkan).buffer
    dx = Buffer.zeros((1, 1, 4, 4), f32, vulkan)
    direct.input_gradient(dy, weight, dx, window)
    assert dx.numpy()[0, 0].tolist() == (channels * np.outer([1, 2, 2, 1], [1, 2, 2, 1])).tolist()


def test_gradient_of_filters_of_wide_signals(vulkan: Device) -> None:
    x, dy = ones((1, 1, 1, LONG + 2), vulkan).buffer, ones((1, 1, 1, LONG), vulkan).buffer
    window = conv2.Window((1, 3), (1, 1), (0, 0), (1, 1))
    assert direct.weight_gradient(x, dy, (1, 1, 1, 3), window).numpy().ravel().tolist() == [LONG] * 3


def test_gradient_of_filters_of_many_rows(vulkan: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_SLICED_THREADS", 1)  # as where there are many filters
    x, dy = ones((1, 1, 302, 302), vulkan).buffer, ones((1, 1, 300, 300), vulkan).buffer
    window = conv2.Window((3, 3), (1, 1), (0, 0), (1, 1))
    assert direct.weight_gradient(x, dy, (1, 1, 3, 3), window).numpy().ravel().tolist() == [90_000] * 9


def test_convolution_along_one_axis(vulkan: Device) -> None:
    x = Tensor.from_numpy(np.ones((1, 2, LONG), np.float32), vulkan)
    weight = Tensor.from_numpy(np.ones((3, 2, 5), np.float32), vulkan)
    assert (conv1.conv1(x, weight).numpy() == 10).all()
