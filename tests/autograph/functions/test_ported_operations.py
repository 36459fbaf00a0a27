"""The reference's tests of losses, pooling and the rectifier, ported: on each device, against the same in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from krnlpy import Device, ScalarType, bf16, f32, u8, u16, u32
from tests.autograph.reference import ROUNDING, cross_entropy, draw, max_pool2, tensor
from tests.support.typed import present

FLOATS = [bf16, f32]
LABELS = [u8, u16, u32]
BATCHES = [(1, 8), (31, 16), (1000, 100)]


def logits_and_classes(shape: tuple[int, ...], dtype: ScalarType, labels: ScalarType) -> Any:
    logits = draw(1, shape, dtype, -2, 2)
    return logits, np.random.default_rng(2).integers(0, shape[1], shape[0]).astype(labels.dtype)


def skip_large(shape: tuple[int, ...], device: Device) -> None:
    if device.info.kind == "interpreter" and shape[0] > 100:
        pytest.skip("thousands of threads")


@pytest.mark.parametrize("shape", BATCHES, ids=str)
@pytest.mark.parametrize("labels", LABELS, ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_accuracy(dtype: ScalarType, labels: ScalarType, shape: tuple[int, ...], device: Device) -> None:
    skip_large(shape, device)
    logits, classes = logits_and_classes(shape, dtype, labels)
    found = tensor(logits, dtype, device).accuracy(Tensor.from_numpy(classes, device))
    assert found.item() == pytest.approx((logits.argmax(1) == classes).mean(), rel=2.0**-22)  # a sum and a quotient


@pytest.mark.parametrize("shape", BATCHES, ids=str)
@pytest.mark.parametrize("labels", LABELS, ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_cross_entropy_loss(dtype: ScalarType, labels: ScalarType, shape: tuple[int, ...], device: Device) -> None:
    skip_large(shape, device)
    logits, classes = logits_and_classes(shape, dtype, labels)
    x = Parameter(tensor(logits, dtype, device))
    x.init_grad()
    loss = x.cross_entropy_loss(Tensor.from_numpy(classes, device), "sum")
    # As far as the reference lets a device differ from the host in f32 (a thousandth of the batch in bf16).
    host = tensor(logits, dtype, Device.host()).cross_entropy_loss(classes, "sum").item()
    assert abs(loss.item() - host) <= max(shape[0], host) * 2.0**-23
    # Rows are off by less than 16 * 2**-24 of 11; of up to 1,000 rows, 32 at a time are added, twice.
    np.testing.assert_allclose(host, cross_entropy(logits, classes, "sum"), rtol=64 * 2.0**-24)
    loss.backward()
    softmax = np.exp(logits - logits.max(1, keepdims=True))
    powers = softmax / softmax.sum(1, keepdims=True)
    expected = powers - np.eye(shape[1])[classes]
    # exp of a number from -4 to 0 is off by 3 + 2 * 4 ulp, the sum by as many and a rounding for each term, the
    # quotient by 2.5 ulp, the difference by a rounding; then it is rounded to the dtype.
    atol = (22 + 22 + shape[1] + 5) * 2.0**-24 * powers + 2.0**-24 + ROUNDING[dtype] * np.abs(expected)
    assert np.all(np.abs(present(x.grad).numpy().astype(np.float64) - expected) <= atol)


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (1, 1, 12, 12), (2, 3, 4, 4), (1, 1, 24, 24)], ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_max_pool2(dtype: ScalarType, shape: tuple[int, ...], device: Device) -> None:
    values = (np.random.default_rng(3).permutation(int(np.prod(shape))) % 251 - 100).astype(np.float64).reshape(shape)
    x = Parameter(tensor(values, dtype, device))
    x.init_grad()
    y = x.max_pool2(2)
    expected = max_pool2(values, (2, 2), (2, 2))
    np.testing.assert_array_equal(y.numpy().astype(np.float64), expected)
    dy = (np.arange(expected.size) % 7 + 1.0).reshape(expected.shape)
    y.backward(tensor(dy, dtype, device))
    dx = np.zeros(shape)
    for n, c, oy, ox in np.ndindex(*expected.shape):
        window = values[n, c, 2 * oy : 2 * oy + 2, 2 * ox : 2 * ox + 2]
        ky, kx = np.unravel_index(window.argmax(), (2, 2))
        dx[n, c, 2 * oy + ky, 2 * ox + kx] = dy[n, c, oy, ox]
    np.testing.assert_array_equal(present(x.grad).numpy().astype(np.float64), dx)


@pytest.mark.parametrize("shape", [(1, 8), (15, 20)], ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_relu(dtype: ScalarType, shape: tuple[int, ...], device: Device) -> None:
    values = (np.arange(np.prod(shape)) % 10 - 4.5).reshape(shape)
    x = Parameter(tensor(values, dtype, device))
    x.init_grad()
    y = x.relu()
    np.testing.assert_array_equal(y.numpy().astype(np.float64), np.maximum(values, 0))
    dy = (np.arange(values.size) % 4 + 1.0).reshape(shape)
    y.backward(tensor(dy, dtype, device))
    np.testing.assert_array_equal(present(x.grad).numpy().astype(np.float64), np.where(values > 0, dy, 0))
