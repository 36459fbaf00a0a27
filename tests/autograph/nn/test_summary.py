"""Summaries: what they show, and that they leave a model as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import BatchNorm1, Dense, Dropout, Embedding, Layer, Relu, Sequential, Tensor
from autograph.errors import ShapeError
from krnlpy import Device
from tests.autograph.lenet5 import LeNet5

pytestmark = pytest.mark.one_vulkan_device


class Twice(Layer):
    """Gives several tensors, calls a layer twice, another never, and one with a forward of its own."""

    def __init__(self, device: Device) -> None:
        self.words = Embedding(5, 4, device=device)
        self.dense = Dense(4, 4, device=device)
        self.unused = Relu()
        self.inner: Any = {"a": [Sequential(Dense(4, 2, device=device).freeze(), Dropout(0.5))]}
        self.inner["a"][0][1].forward = lambda x: x * 2

    def forward(self, indices: Tensor) -> Any:
        x = self.dense(self.dense(self.words(indices)))
        return {"x": x, "y": [self.inner["a"][0](x), None]}


def test_summary(device: Device) -> None:
    model = Twice(device)
    model.init_parameter_grads()
    before = {name: dict(vars(layer)) for name, layer in model.named_layers()}
    summary = model.summary(Tensor.from_numpy(np.zeros((2, 3), np.int32), device))
    assert str(summary).splitlines() == [
        "layer                                 parameters                output  output bytes",
        "Twice                                         44  (2, 3, 4), (2, 3, 2)           144",
        "  words: Embedding(5, 4)                      20             (2, 3, 4)            96",
        "  dense: Dense(4, 4)                          16         (2, 3, 4) x 2           192",
        "  unused: Relu()",
        "  inner.a.0: Sequential                        8             (2, 3, 2)            48",
        "    inner.a.0.layers.0: Dense(4, 2)            8             (2, 3, 2)            48",
        "    inner.a.0.layers.1: Dropout(0.5)                         (2, 3, 2)            48",
        "parameters: 44, 36 trained, 176 bytes; results: 384 bytes",
    ]
    assert {name: dict(vars(layer)) for name, layer in model.named_layers()} == before
    assert model.training and model.words.weight.tracked
    assert str(Twice(device).summary()).splitlines()[2].split() == ["words:", "Embedding(5,", "4)", "20"]


def test_a_summary_that_fails_leaves_the_model_as_it_was() -> None:
    model = Sequential(Dense(3, 2), BatchNorm1(2))
    with pytest.raises(ShapeError):
        model.summary((2, 4))
    assert model.training and all("forward" not in vars(layer) for _, layer in model.named_layers())
    assert model.summary((2, 3)).buffer_bytes == 16
    assert [buffer.numpy().tolist() for buffer in model.buffers()] == [[0, 0], [1, 1]]


def test_lenet5() -> None:
    summary = LeNet5().summary((1, 1, 28, 28))
    assert summary.parameters == 46_920 and [row.shapes[0] for row in summary.rows[1:4]] == [
        (1, 6, 24, 24),
        (1, 6, 24, 24),
        (1, 6, 12, 12),
    ]
