"""Tensors of which kernels reach a part at a time: what they compute is what they compute of small ones.

The reach is lowered, so that tensors of a few hundred kilobytes are large. Numbers are whole and small: each sum is
exact in f32, in any order and in any parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, arange, eye, flip, fold, linspace, pad, stack, tril, unfold
from autograph.functions.indexing.one_hot import one_hot
from krnlpy import Device, f32, i32, u8, u32
from krnlpy.errors import LimitExceeded
from tests.autograph.reference import conv2 as conv2_reference
from tests.support.devices import limit_reach
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = one_vulkan_device  # which parts there are is no matter of a driver

LIMIT = 1 << 18


@pytest.fixture
def limited(device: Device, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Device:
    """A device whose kernels reach so many bytes of a tensor, ``LIMIT`` unless told."""
    if device.info.backend != "vulkan":
        pytest.skip("its kernels reach all of its memory")
    limit_reach(device, getattr(request, "param", LIMIT), monkeypatch)
    return device


def whole(seed: int, shape: tuple[int, ...], below: int = 3) -> Any:
    return np.random.default_rng(seed).integers(-below + 1, below, shape).astype(np.float32)


def large(values: Any, device: Device) -> Tensor:
    """A tensor that kernels do not reach at once."""
    tensor = Tensor.from_numpy(values).to_device(device)
    assert not tensor.buffer.can_be_indexed
    return tensor


def small(values: Any, device: Device) -> Tensor:
    return Tensor.from_numpy(values).to_device(device)


@pytest.mark.parametrize(
    "shape", [(70_000,), (2, 40_000), (40_000, 2), (30, 40, 60), (3, 5000, 7), (5, 3, 5000)], ids=str
)
def test_sums(limited: Device, shape: tuple[int, ...]) -> None:
    values = whole(0, shape)
    x = large(values, limited)
    for axis in (None, *range(len(shape)), tuple(range(len(shape)))[1:]):
        if axis == ():
            continue
        assert np.array_equal(x.sum(axis).numpy(), values.sum(axis))
        assert np.array_equal(x.transpose().sum(axis).numpy(), values.T.sum(axis))
    assert np.array_equal(x[::-1, ...].sum(0).numpy(), values.sum(0))


def test_sums_of_bytes(limited: Device) -> None:
    values = (np.arange(300 * 1000) % 251).astype(np.uint8).reshape(300, 1000)
    x = large(values, limited)
    assert x.dtype is u8
    assert x.sum().dtype is u32
    assert np.array_equal(x.sum(0).numpy(), values.sum(0))
    assert np.array_equal(x.sum(1).numpy(), values.sum(1))
    assert x.sum().item() == values.sum()


@pytest.mark.parametrize(
    "shape", [(3000, 30, 20), (20, 30, 3000), (6, 12_000, 7), (300, 4, 300), (300, 250, 310)], ids=str
)
def test_products(limited: Device, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    a, b = whole(1, (m, k)), whole(2, (k, n))
    expected = (a.astype(np.float64) @ b).astype(np.float32)
    x, y = small(a, limited), small(b, limited)
    assert np.array_equal((x @ y).numpy(), expected)
    assert np.array_equal((small(a.T.copy(), limited).T @ small(b.T.copy(), limited).T).numpy(), expected)


def test_gradients_of_a_product(limited: Device) -> None:
    a, b = whole(3, (4000, 20)), whole(4, (20, 15))
    p, q = Parameter(large(a, limited)), Parameter(small(b, limited))
    p.init_grad()
    q.init_grad()
    y = p @ q
    y.backward(Tensor.ones(y.shape, f32, limited))
    assert np.array_equal(present(p.take_grad()).numpy(), np.ones((4000, 15)) @ b.T)
    assert np.array_equal(present(q.take_grad()).numpy(), a.T @ np.ones((4000, 15)))


@pytest.mark.parametrize(
    "options", [{}, {"stride": (2, 1), "padding": (1, 1)}, {"dilation": (1, 2), "padding": (2, 1)}], ids=str
)
@pytest.mark.parametrize("limited", [1 << 20], indirect=True, ids=["1 MiB"])  # partial sums take hundreds of KiB
def test_convolutions(limited: Device, options: dict[str, Any]) -> None:
    x, w = whole(5, (240, 3, 20, 21)), whole(6, (4, 3, 3, 3))
    p, q = Parameter(large(x, limited)), Parameter(small(w, limited))
    p.init_grad()
    q.init_grad()
    y = p.conv2(q, **options)
    assert np.array_equal(y.numpy(), conv2_reference(x, w, **options))
    dy = whole(7, y.shape, 2)
    y.backward(small(dy, limited))
    # Image by image, each of which is in reach.
    dx, dw = [], np.zeros(w.shape)
    for image, gradient in zip(x, dy, strict=True):
        one, filters = Parameter(small(image[None], limited)), Parameter(small(w, limited))
        one.init_grad()
        filters.init_grad()
        one.conv2(filters, **options).backward(small(gradient[None], limited))
        dx.append(present(one.take_grad()).numpy()[0])
        dw += present(filters.take_grad()).numpy()
    assert np.array_equal(present(p.take_grad()).numpy(), np.stack(dx))
    assert np.array_equal(present(q.take_grad()).numpy(), dw)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_max_pools(limited: Device, stride: int) -> None:
    x = whole(8, (60, 3, 20, 21), 50)
    p = Parameter(large(x, limited))
    p.init_grad()
    y = p.max_pool2(2, stride)
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), (2, 3))[:, :, ::stride, ::stride]
    assert np.array_equal(y.numpy(), windows.max((4, 5)))
    y.backward(Tensor.ones(y.shape, f32, limited))
    found = present(p.take_grad()).numpy()
    for image, gradient in zip(x[::20], found[::20], strict=True):
        one = Parameter(small(image[None], limited))
        one.init_grad()
        value = one.max_pool2(2, stride)
        value.backward(Tensor.ones(value.shape, f32, limited))
        assert np.array_equal(present(one.take_grad()).numpy()[0], gradient)
    assert found.sum() == y.size


def test_windows_as_columns(limited: Device) -> None:
    x = whole(9, (120, 3, 12, 17))
    images = large(x, limited)
    columns = unfold(images, 2, stride=2)
    expected = np.lib.stride_tricks.sliding_window_view(x, (2, 2), (2, 3))[:, :, ::2, ::2].transpose(0, 1, 4, 5, 2, 3)
    assert np.array_equal(columns.numpy(), expected.reshape(columns.shape))
    back = x.copy()
    back[..., 16] = 0  # in no window
    assert np.array_equal(fold(columns, (12, 17), 2, stride=2).numpy(), back)


def test_creation_and_shapes(limited: Device) -> None:
    for dtype in (i32, f32):
        x = arange(5, 150_000, 2, dtype=dtype, device=limited)
        assert not x.buffer.can_be_indexed and np.array_equal(x.numpy(), np.arange(5, 150_000, 2))
    between = linspace(0, 75_000, 75_001, device=limited).numpy()
    # Where a device has no f64, numbers come from the host: the same.
    assert np.array_equal(between, np.arange(75_001))
    assert np.array_equal(eye(300, device=limited).numpy(), np.eye(300))
    values = whole(11, (300, 301))
    x = large(values, limited)
    assert np.array_equal(tril(x, k=3).numpy(), np.tril(values, 3))
    assert np.array_equal(pad(x, 2, "reflect").numpy(), np.pad(values, 2, "reflect"))
    assert np.array_equal(stack([x, flip(x)], axis=1).numpy(), np.stack([values, np.flip(values)], 1))
    parameter = Parameter(x)
    parameter.init_grad()
    pad(parameter, 1, "edge").sum().backward()
    expected = np.ones_like(values)
    expected[[0, -1]] *= 2
    expected[:, [0, -1]] *= 2
    assert np.array_equal(present(parameter.take_grad()).numpy(), expected)


def test_losses(limited: Device) -> None:
    """Beside the same rows in two tensors that are in reach."""
    values, classes = whole(10, (9000, 9)), np.arange(9000, dtype=np.int32) % 9
    logits = Parameter(large(values, limited))
    logits.init_grad()
    loss = logits.cross_entropy_loss(classes, reduction="sum")
    loss.backward()
    total, right, gradients = 0.0, 0.0, []
    for half in (slice(4500), slice(4500, None)):
        some = Parameter(small(values[half], limited))
        some.init_grad()
        part = some.cross_entropy_loss(classes[half], reduction="sum")
        part.backward()
        total += part.item()
        gradients.append(present(some.take_grad()).numpy())
        right += some.accuracy(classes[half]).item() / 2
    # Sums of 9,000 numbers of about 3 in two orders: rounded by 2**-24 in each of the few levels of partial sums.
    assert loss.item() == pytest.approx(total, rel=9000 * 2**-24)
    assert np.array_equal(present(logits.take_grad()).numpy(), np.concatenate(gradients))
    assert logits.accuracy(classes).item() == pytest.approx(right, rel=2.0**-22)


def test_one_hot(limited: Device) -> None:
    classes = (np.arange(6000) * 7 % 11).astype(np.uint8).reshape(60, 100)
    found = one_hot(small(classes, limited), 11, i32)
    assert np.array_equal(found.numpy(), np.eye(11, dtype=np.int32)[classes])


def test_what_has_no_parts(limited: Device) -> None:
    with pytest.raises(LimitExceeded, match="launch on slices"):
        Tensor.ones((1, 1, 300, 300), f32, limited).max_pool2(2)
