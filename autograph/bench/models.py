"""The networks that are measured: LeNet5, ResNet-20, and a transformer that reads characters."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from autograph.functions.elementwise.activations import relu
from autograph.nn import (
    BatchNorm2,
    Conv2,
    Dense,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    LearnedPositions,
    MaxPool2,
    Relu,
    Residual,
    Sequential,
    TransformerBlock,
    initializers,
)
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike


def lenet5(device: Device, dtype: DTypeLike) -> Layer:
    """Images ``[batch, 1, 28, 28]`` to logits ``[batch, 10]``: 46,920 parameters."""
    rng = np.random.default_rng(0)
    return Sequential(
        Conv2(1, 6, 5, device=device, dtype=dtype, seed=rng),
        Relu(),
        MaxPool2(2),
        Conv2(6, 16, 5, device=device, dtype=dtype, seed=rng),
        Relu(),
        MaxPool2(2),
        Flatten(),
        Dense(256, 128, device=device, dtype=dtype, seed=rng),
        Relu(),
        Dense(128, 84, device=device, dtype=dtype, seed=rng),
        Relu(),
        Dense(84, 10, bias=True, device=device, dtype=dtype, seed=rng),
    )


class ResNet20(Layer):
    """Images ``[batch, 3, 32, 32]`` to logits ``[batch, 10]``: 0.27 million parameters.

    Source: K. He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2; where sides are halved, the
    shortcut is a convolution.
    """

    def __init__(self, device: Device, dtype: DTypeLike) -> None:
        rng = np.random.default_rng(0)

        def conv(ic: int, oc: int, size: int, stride: int = 1) -> Conv2:
            made: Conv2 = Conv2(ic, oc, size, stride=stride, padding=size // 2, device=device, dtype=dtype, seed=rng)
            return made

        def norm(channels: int) -> BatchNorm2:
            return BatchNorm2(channels, device=device, dtype=dtype)

        def block(ic: int, oc: int, stride: int) -> Layer:
            shortcut = None if stride == 1 else Sequential(conv(ic, oc, 1, stride), norm(oc))
            layers = conv(ic, oc, 3, stride), norm(oc), Relu(), conv(oc, oc, 3), norm(oc)
            return Residual(*layers, shortcut=shortcut)

        self.stem, self.norm = conv(3, 16, 3), norm(16)
        self.blocks = [block(16, 16, 1) for _ in range(3)]
        for ic, oc in pairwise((16, 32, 64)):
            self.blocks += [block(ic, oc, 2), block(oc, oc, 1), block(oc, oc, 1)]
        self.head = Dense(64, 10, bias=True, device=device, dtype=dtype, seed=rng)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = relu(self.norm(self.stem(x)))
        for block in self.blocks:
            x = relu(block(x))
        logits: Tensor = self.head(x.mean(axis=(2, 3)))
        return logits


CHARACTERS = 96


class Transformer(Layer):
    """Characters ``[batch, length]`` to logits of the following ones, ``[batch, length, 96]``; norms stand first.

    Source: A. Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.
    """

    def __init__(self, layers: int, width: int, length: int, device: Device, dtype: DTypeLike) -> None:
        rng, table = np.random.default_rng(0), initializers.normal(std=0.02)
        self.tokens = Embedding(CHARACTERS, width, initialize=table, seed=rng, device=device, dtype=dtype)
        self.places = LearnedPositions(length, width, initialize=table, seed=rng, device=device, dtype=dtype)
        self.blocks = [
            TransformerBlock(width, width // 64, causal=True, seed=rng, device=device, dtype=dtype)
            for _ in range(layers)
        ]
        self.norm = LayerNorm(width, device=device, dtype=dtype)
        self.head = Dense(width, CHARACTERS, seed=rng, device=device, dtype=dtype)

    def forward(self, text: Tensor) -> Tensor:
        """Logits."""
        x = self.places(self.tokens(text))
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x))
        return logits
