"""The first losses of one seed are the same on every device, but for rounding."""

from __future__ import annotations

import numpy as np
import pytest

from autograph import SGD, Tensor
from autograph.data import Mnist, batches, load_mnist
from examples.lenet5 import LeNet5
from krnlpy import Device, f32
from tests.support.tiers import deep

STEPS = 50
"""Of training on the host, and on the others in the deep tier; slow drivers need half a second for each."""


@pytest.fixture(scope="module")
def data() -> Mnist:
    return load_mnist(download=False, progress=False)


def losses(device: Device, data: Mnist, steps: int) -> np.ndarray:
    """The losses of the first steps of training; read at the end, so that no step waits."""
    model, optimizer = LeNet5(device, f32, seed=0), SGD(momentum=0.9)
    found = []
    order = batches(len(data.train_images), 100, shuffle=True, seed=0, epoch=1)
    for _, chosen in zip(range(steps), order, strict=False):
        x = Tensor.from_numpy(data.train_images[chosen], device=device).scaled_cast(1 / 255, f32)
        t = Tensor.from_numpy(data.train_classes[chosen], device=device)
        model.init_parameter_grads()
        loss = model(x).cross_entropy_loss(t)
        loss.backward()
        model.update(0.01, optimizer)
        found.append(loss)
    return np.array([loss.item() for loss in found])


@pytest.fixture(scope="module")
def reference(data: Mnist) -> np.ndarray:
    found = losses(Device.host(), data, STEPS)
    assert found[-1] < found[0] - 0.1
    return found


@pytest.mark.parametrize("steps", [8, pytest.param(STEPS, marks=deep)])
def test_losses_agree(device: Device, data: Mnist, reference: np.ndarray, steps: int) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("a step of LeNet5 takes the interpreter minutes")
    found = losses(device, data, steps)
    assert len(found) == steps
    # A gradient sums up to 57,600 products of f32 (unit roundoff 2**-24 = 6e-8), in an order of each device's own: a
    # relative error of about sqrt(57600) * 6e-8 = 1.4e-5 where roundings are random. A step moves the loss, which stays
    # above 2, by up to 0.03, and so adds at most 1.4e-5 * 0.03 / 2 = 2e-7 to the difference: 50 steps, 1e-5.
    np.testing.assert_allclose(found, reference[:steps], rtol=1e-5)
