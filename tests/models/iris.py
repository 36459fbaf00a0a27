"""A perceptron that tells irises, trained by Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import Adam, Dense, Layer, Tensor, tanh
from autograph.data import load_iris
from krnlpy import Device

from .case import Arrays, Case


class Perceptron(Layer):
    def __init__(self, device: Device) -> None:
        self.hidden = Dense(4, 16, bias=True, seed=0, device=device)
        self.out = Dense(16, 3, bias=True, seed=1, device=device)

    def forward(self, x: Tensor) -> Any:
        return self.out(tanh(self.hidden(x)))


def loss(model: Layer, features: Tensor, classes: Tensor) -> Any:
    return model(features).cross_entropy_loss(classes)


def peer(torch: Any, p: dict[str, Any], features: Any, classes: Any) -> Any:
    hidden = torch.tanh(features @ p["hidden.weight"] + p["hidden.bias"])
    return torch.nn.functional.cross_entropy(hidden @ p["out.weight"] + p["out.bias"], classes)


def batch(step: int) -> Arrays:
    iris = load_iris()
    features = (iris.features - iris.features.mean(axis=0)) / iris.features.std(axis=0)
    return features.astype(np.float32), iris.classes.astype(np.int64)


CASE = Case(Perceptron, loss, peer, batch, Adam, lambda torch, p: torch.optim.Adam(p, lr=0.02), 0.02)
