"""Axes so long that drivers which end loops after 65,535 passes would end those of one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, fold, unfold
from autograph.functions import launch
from autograph.functions.convolution import direct
from autograph.functions.convolution.correlation import correlate_back, correlate_both
from autograph.functions.convolution.geometry import Window
from autograph.functions.losses.accuracy import accuracy
from autograph.functions.products import stacks
from autograph.functions.reducers import reducer
from krnlpy import Buffer, Device, ScalarType, bf16, f16, f32
from tests.autograph.reference import LEAST, ROUNDING, draw, tensor

LONG = 70_001


@pytest.fixture
def vulkan(device: Device) -> Device:
    if device.info.backend != "vulkan":
        pytest.skip("has its own algorithms, or takes its time; and no driver")
    return device


def ones(shape: Any, device: Device, dtype: Any = f32) -> Tensor:
    return Tensor(Buffer.ones(1, dtype, device).reshape((1,) * len(shape)).broadcast_to(shape))


def flat(filter: tuple[int, int]) -> Window:
    """Of images, with no padding."""
    return Window((1, *filter), (1, 1, 1), (0, 0, 0), (1, 1, 1))


def test_sums(vulkan: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reducer, "_THREADS", 1)  # as where other axes are long too
    monkeypatch.setattr(reducer, "_work", reducer._work.__wrapped__)  # which remembers how it split a shape
    x = Tensor.from_numpy(np.arange(3 * LONG, dtype=np.int32).reshape(3, LONG) % 7, vulkan)
    assert x.sum(1).numpy().tolist() == x.numpy().sum(1).tolist()


def test_products(vulkan: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "_GROUPS", 0)  # as where matrices are large
    a = np.arange(2 * LONG, dtype=np.int32).reshape(2, LONG) % 5
    b = np.arange(2 * LONG, dtype=np.int32).reshape(LONG, 2) % 3
    found = (Tensor.from_numpy(a, vulkan) @ Tensor.from_numpy(b, vulkan)).numpy()
    assert found.tolist() == (a @ b).tolist()


def test_accuracy_of_many_classes(vulkan: Device) -> None:
    logits = np.zeros((4, LONG), np.float32)
    classes = np.array([0, LONG - 1, 40_000, 5], np.int32)
    logits[np.arange(4), classes] = 1.0
    logits[2, LONG - 2] = logits[3, 40_000] = 2.0  # greater, in another piece
    assert accuracy(Tensor.from_numpy(logits, vulkan), classes).item() == 0.5


@pytest.mark.parametrize("count", [32_640, 32_641, 40_000, LONG])
def test_cross_entropy_of_many_equal_classes(device: Device, count: int) -> None:
    """Sums of ones up to 2^24 are exact: no class is lost. A quarter of them is masked, whole pieces too."""
    logits = np.zeros((2, count), np.float32)
    logits[1, : count // 4] = -np.inf
    x = Parameter(Tensor.from_numpy(logits, device))
    x.init_grad()
    loss = x.cross_entropy_loss(np.array([0, count - 1]), "sum")
    counts = np.array([count, count - count // 4])
    # Logarithms are right to 3 ulp, quotients to 2.5, and what is made of them is rounded.
    assert abs(loss.item() - np.log(counts).sum()) < 2.0**-20 * np.log(count)
    loss.backward()
    expected = np.isfinite(logits) / counts[:, None]
    expected[0, 0] -= 1
    expected[1, count - 1] -= 1
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=3 * 2.0**-23, atol=0)


@pytest.mark.parametrize(("count", "dtype"), [(40_000, f32), (40_000, f16), (40_000, bf16), (LONG, f32)], ids=str)
def test_cross_entropy_of_many_classes(device: Device, count: int, dtype: ScalarType) -> None:
    rows, classes = np.arange(3), np.array([0, count // 2, count - 1])
    logits = draw(1, (3, count), dtype, -4, 4)
    x = Parameter(tensor(logits, dtype, device))
    x.init_grad()
    loss = x.cross_entropy_loss(classes, "sum")
    loss.backward()
    assert x.grad is not None
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = powers / powers.sum(axis=1, keepdims=True)
    # exp(-y) is off by 3 + 2y ulp (what Vulkan grants), y at most 8. Each of the partial sums is of positive numbers,
    # of no more than 2^16, so that it is off by as many roundings of itself; the logarithm by as much, and by 3 ulp.
    power, size = (3 + 16) * 2.0**-23, min(count, 1 << 15) if not device.is_host else count
    total = power + size * 2.0**-24
    assert abs(loss.item() + np.log(p[rows, classes]).sum()) < 3 * (total + 16 * 4 * 2.0**-23)
    # The quotient of a power and a sum is off by 2.5 ulp more; then comes a difference, and it is rounded to the dtype.
    expected = p.copy()
    expected[rows, classes] -= 1
    bound = p * (power + total + 3 * 2.0**-23) + np.abs(expected) * (ROUNDING[dtype] + 2.0**-24) + LEAST[dtype]
    assert np.all(np.abs(x.grad.numpy() - expected) <= bound)


def test_pool_of_a_large_window(device: Device) -> None:
    x = np.random.default_rng(1).permutation(90_000).astype(np.float32).reshape(1, 1, 300, 300)
    p = Parameter(Tensor.from_numpy(x, device))
    p.init_grad()
    y = p.max_pool2(300)
    assert y.numpy().ravel().tolist() == [89_999]
    y.backward(Tensor.ones(y.shape, f32, device))
    assert p.grad is not None
    np.testing.assert_array_equal(p.grad.numpy(), x == 89_999)


@pytest.mark.parametrize(
    ("shape", "filter", "stride"),
    [
        ((450, 410), (300, 300), (50, 37)),  # windows that overlap
        ((2, 90_001), (2, 2), (2, 2)),  # many windows in a row
        ((3, 20_000), (3, 3), (1, 1)),
        ((2, 70_010), (2, 70_000), (1, 3)),  # rows longer than what a thread passes over
    ],
    ids=str,
)
def test_pools_of_large_images(vulkan: Device, shape: Any, filter: Any, stride: Any) -> None:
    """Beside those of the host, which cuts nothing. Gradients are sums of ones."""
    x = np.random.default_rng(2).permutation(shape[0] * shape[1]).astype(np.float32).reshape(1, 1, *shape)
    found = []
    for device in (Device.host(), vulkan):
        p = Parameter(Tensor.from_numpy(x, device))
        p.init_grad()
        y = p.max_pool2(filter, stride)
        y.backward(Tensor.ones(y.shape, f32, device))
        assert p.grad is not None
        found.append((y.numpy(), p.grad.numpy()))
    for whole, cut in zip(*found, strict=True):
        np.testing.assert_array_equal(cut, whole)


@pytest.mark.parametrize(
    ("image", "filter", "options"),
    [
        ((301, 301), (300, 300), {}),
        ((290, 295), (300, 300), {"padding": (6, 3), "stride": 2}),
        ((1, 70_001), (1, 70_000), {}),
        ((400, 500), (200, 170), {"dilation": (2, 3), "padding": (0, 4), "stride": (1, 3)}),
    ],
    ids=str,
)
def test_convolution_with_large_filters(vulkan: Device, image: Any, filter: Any, options: dict[str, Any]) -> None:
    """Whole numbers, whose sums are exact, beside those of the host, which cuts nothing."""
    rng = np.random.default_rng(3)
    x, w = (rng.integers(-2, 3, (1, 1, *size)).astype(np.float32) for size in (image, filter))
    found = []
    for device in (Device.host(), vulkan):
        value = Tensor.from_numpy(x, device).conv2(Tensor.from_numpy(w, device), **options)
        found.append(value.numpy())
    np.testing.assert_array_equal(found[1], found[0])
    assert found[0].size <= 100


def test_gradient_through_large_filters(vulkan: Device) -> None:
    rng = np.random.default_rng(4)
    w = rng.integers(-2, 3, (1, 1, 300, 300)).astype(np.float32)
    window = Window((1, 300, 300), (1, 1, 1), (0, 250, 250), (1, 1, 1))
    dy = ones((1, 1, 221, 231), vulkan)
    dx = correlate_back(dy, Tensor.from_numpy(w, vulkan), window, 1, (20, 30))
    expected = [[w[0, 0, y + 30 : y + 251, x + 20 : x + 251].sum() for x in range(30)] for y in range(20)]
    assert dx.numpy()[0, 0].tolist() == expected


def test_wide_windows(vulkan: Device) -> None:
    x = Tensor.from_numpy(np.arange(LONG + 3, dtype=np.int32).reshape(1, 1, 1, LONG + 3), vulkan)
    columns = unfold(x, (1, LONG), stride=2, padding=(0, 1))
    padded = np.pad(x.numpy().ravel(), 1)
    assert (np.stack([padded[first : first + LONG] for first in (0, 2, 4)]) == columns.numpy()[0].T).all()


@pytest.mark.parametrize("filter", [(1, 50), (50, 1), (7, 9), (30, 30)])
def test_windows_in_parts(vulkan: Device, monkeypatch: pytest.MonkeyPatch, filter: tuple[int, int]) -> None:
    """As where windows are so large that a pixel is in too many."""
    x = Tensor.from_numpy(np.arange(2 * 50 * 50, dtype=np.int32).reshape(2, 1, 50, 50), vulkan)
    how: dict[str, Any] = {"stride": (2, 3), "padding": (1, 0), "dilation": 1}
    columns = unfold(x, filter, **how)
    back = fold(columns, (50, 50), filter, **how)
    monkeypatch.setattr(launch, "MAX_PASSES", 20)
    assert (unfold(x, filter, **how).numpy() == columns.numpy()).all()
    assert (fold(columns, (50, 50), filter, **how).numpy() == back.numpy()).all()


@pytest.mark.parametrize("dtype", [f32, f16])
def test_convolution_of_many_channels(vulkan: Device, dtype: Any) -> None:
    """All sums are exact in f32, and f16 rounds the last one, once."""
    channels = 8200
    x, weight = ones((1, channels, 4, 4), vulkan, dtype), ones((1, channels, 3, 3), vulkan, dtype) * 2**-6
    value = x.conv2(weight).numpy()
    assert (value == np.asarray(9 * channels * 2**-6, value.dtype)).all()


def test_gradient_of_many_channels(vulkan: Device) -> None:
    channels = 8200
    dy, weight = ones((1, channels, 2, 2), vulkan), ones((channels, 1, 3, 3), vulkan)
    dx = correlate_back(dy, weight, flat((3, 3)), 1, (4, 4))
    assert dx.numpy()[0, 0].tolist() == (channels * np.outer([1, 2, 2, 1], [1, 2, 2, 1])).tolist()


def test_gradient_of_filters_of_wide_signals(vulkan: Device) -> None:
    x, dy = ones((1, 1, 1, LONG + 2), vulkan), ones((1, 1, 1, LONG), vulkan)
    assert correlate_both(x, dy, flat((1, 3)), 1, (1, 1, 1, 3)).numpy().ravel().tolist() == [LONG] * 3


def test_gradient_of_filters_of_many_rows(vulkan: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_SLICED_THREADS", 1)  # as where there are many filters
    x, dy = ones((1, 1, 302, 302), vulkan), ones((1, 1, 300, 300), vulkan)
    assert correlate_both(x, dy, flat((3, 3)), 1, (1, 1, 3, 3)).numpy().ravel().tolist() == [90_000] * 9


def test_convolution_along_one_axis(vulkan: Device) -> None:
    x = Tensor.from_numpy(np.ones((1, 2, LONG), np.float32), vulkan)
    weight = Tensor.from_numpy(np.ones((3, 2, 5), np.float32), vulkan)
    assert (x.conv1(weight).numpy() == 10).all()
