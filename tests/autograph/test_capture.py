"""Training steps as graphs: the same losses, bit for bit, as step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import SGD, Conv2, Dense, Flatten, Layer, MaxPool2, Relu, Tensor
from examples.lenet5 import LeNet5
from krnlpy import Device

Batches = list[tuple[Tensor, Tensor]]


class Small(Layer):
    """What the interpreter computes in less than a second."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.conv = Conv2(1, 2, (3, 3), device=device, seed=rng)
        self.relu = Relu()
        self.pool = MaxPool2((2, 2))
        self.flatten = Flatten()
        self.dense = Dense(2 * 2 * 2, 3, bias=True, device=device, seed=rng)


def step(model: Layer, optimizer: SGD, x: Tensor, classes: Tensor, learning_rate: Any) -> Tensor:
    model.init_parameter_grads()
    loss: Tensor = model(x).cross_entropy_loss(classes)
    loss.backward()
    model.update(learning_rate, optimizer)
    return loss


def data(device: Device, side: int, classes: int, count: int) -> Batches:
    rng = np.random.default_rng(1)
    return [
        (
            Tensor.from_numpy(rng.random((3, 1, side, side), np.float32), device),
            Tensor.from_numpy(rng.integers(0, classes, 3).astype(np.uint8), device),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("model", [Small, LeNet5])
def test_a_training_step(device: Device, model: type[Any]) -> None:
    """The first step makes the optimizer's state, and is not captured; batches and learning rate change."""
    if model is LeNet5 and device.info.kind == "interpreter":
        pytest.skip("takes the interpreter minutes")
    batches = data(device, 28, 10, 4) if model is LeNet5 else data(device, 6, 3, 3)
    rates = [0.1 / (1 + i) for i in range(len(batches))]
    eager, optimizer = model(device), SGD(momentum=0.9)
    expected = [step(eager, optimizer, *batch, rate).item() for batch, rate in zip(batches, rates, strict=True)]

    trained, optimizer = model(device), SGD(momentum=0.9)
    losses = [step(trained, optimizer, *batches[0], rates[0]).item()]
    with device.capture() as graph:
        x = Tensor(graph.parameter("x", batches[0][0].buffer))
        classes = Tensor(graph.parameter("classes", batches[0][1].buffer))
        loss = step(trained, optimizer, x, classes, graph.parameter("rate", 0.0))
    for (images, labels), rate in list(zip(batches, rates, strict=True))[1:]:
        graph.replay(x=images.buffer, classes=labels.buffer, rate=rate)
        losses.append(loss.item())
    assert losses == expected
    assert len(set(losses)) == len(losses)
    for a, b in zip(eager.parameters(), trained.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
