"""autograph's part of the benchmark ``memory``: ``python -m benches.memory_autograph MODEL FILE WAY``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from autograph import (
    Adam,
    Dense,
    Embedding,
    LayerNorm,
    LearnedPositions,
    Sequential,
    Tensor,
    TransformerBlock,
    capture,
)
from autograph.nn import Layer, seeded
from benches.memory_work import Step, Training
from benches.peer_process import serve
from examples.lenet5 import LeNet5
from krnlpy import Device

RATE = 1e-3
BLOCKS, WIDTH, HEADS, LENGTH, CHARACTERS = 6, 384, 6, 64, 96


@dataclass(frozen=True)
class Model:
    """What is trained.

    Attributes:
        make: the model, on a device.
        batch: arrays ``x`` and ``target``.
        about: its sizes.
    """

    make: Callable[[Device], Layer]
    batch: Callable[[], dict[str, Any]]
    about: Mapping[str, Any]


def _transformer(device: Device) -> Layer:
    with seeded(0):
        model = Sequential(
            Embedding(CHARACTERS, WIDTH),
            LearnedPositions(LENGTH, WIDTH),
            *(TransformerBlock(WIDTH, HEADS, causal=True) for _ in range(BLOCKS)),
            LayerNorm(WIDTH),
            Dense(WIDTH, CHARACTERS),
        )
    model.to_device(device)
    return model


def _images() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"x": rng.random((100, 1, 28, 28), np.float32), "target": rng.integers(0, 10, 100).astype(np.int32)}


def _texts() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, CHARACTERS, (8, LENGTH)).astype(np.int32) for name in ("x", "target")}


MODELS = {
    "LeNet5": Model(LeNet5, _images, {"batch": 100}),
    "transformer": Model(_transformer, _texts, {"blocks": BLOCKS, "width": WIDTH, "batch": f"8 x {LENGTH}"}),
}


def open_step(name: str, weights: dict[str, Any], batch: dict[str, Any], way: str) -> Step:
    """A step of training on the host."""
    device = Device.host()
    model, optimizer = MODELS[name].make(device), Adam()
    for key, parameter in model.named_parameters():
        parameter.buffer.copy_from(Tensor.from_numpy(weights[key], device).buffer)
    x, target = (Tensor.from_numpy(batch[part], device) for part in ("x", "target"))

    def step(x: Tensor, target: Tensor, rate: float) -> Tensor:
        model.init_parameter_grads()
        logits = model(x)
        loss: Tensor = logits.reshape(-1, logits.shape[-1]).cross_entropy_loss(target.flatten())
        loss.backward()
        model.update(rate, optimizer)
        return loss

    function = capture(step) if way == "captured" else step
    return lambda: float(function(x, target, RATE).item())


def _buffers() -> tuple[int, int]:
    stats = Device.host().memory_stats()
    return stats.in_use, stats.peak


if __name__ == "__main__":
    trim = Device.host().backend.trim
    serve(lambda: Training(sys.argv[2], partial(open_step, sys.argv[1]), sys.argv[3], _buffers, trim))
