"""Training a network, end to end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import SGD, Tensor
from krnlpy import Device, ScalarType, bf16, f16, f32
from tests.support.tiers import deep

from .lenet5 import LeNet5


def images(count: int, seed: int = 0) -> Any:
    """Ten classes: a bright bar whose place and direction tell the class, in noise."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 10, count).astype(np.uint8)
    pixels = rng.integers(0, 64, (count, 1, 28, 28))
    for image, c in zip(pixels, classes, strict=True):
        start = 2 + 5 * (c % 5)
        area = image[0, start : start + 4] if c < 5 else image[0, :, start : start + 4]
        area += 150
    return pixels.astype(np.uint8), classes


def run(device: Device, dtype: ScalarType, steps: int, batch: int = 20) -> Any:
    model, optimizer = LeNet5(device, dtype, seed=1), SGD(0.9)
    losses, shares = [], []
    for step in range(steps):
        pixels, classes = images(batch, step)
        x = Tensor.from_numpy(pixels, device).scaled_cast(1 / 255, dtype)
        t = Tensor.from_numpy(classes, device)
        model.init_parameter_grads()
        y = model(x)
        loss = y.cross_entropy_loss(t)
        losses.append(loss)
        shares.append(y.accuracy(t))
        loss.backward()
        model.update(0.02, optimizer)
    return np.array([loss.item() for loss in losses]), [share.item() for share in shares], model


@pytest.mark.parametrize("dtype", [f32, *(pytest.param(dtype, marks=deep) for dtype in (f16, bf16))], ids=str)
def test_training_lowers_the_loss(dtype: ScalarType, device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("millions of products")
    losses, shares, _ = run(device, dtype, 40)
    # From ln(10) = 2.3, chance, to well below.
    assert losses[0] > 2
    assert losses[-5:].mean() < 0.5
    assert np.mean(shares[-5:]) > 0.8


@pytest.mark.parametrize("dtype", [f32, bf16], ids=str)
def test_training_is_reproducible_bit_for_bit(dtype: ScalarType, device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("millions of products")
    first, _, a = run(device, dtype, 5)
    second, _, b = run(device, dtype, 5)
    assert first.tolist() == second.tolist()
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert p.numpy().tobytes() == q.numpy().tobytes()
