"""LeNet5, the network of the MNIST example and of the benchmark: 46,920 parameters."""

from __future__ import annotations

import numpy as np

from autograph import Conv2, Dense, Flatten, Layer, MaxPool2, Relu
from krnlpy import Device, DTypeLike, f32


class LeNet5(Layer):
    """Images ``[batch, 1, 28, 28]`` to logits ``[batch, 10]``. The layers run in the order in which they stand."""

    def __init__(self, device: Device | None = None, dtype: DTypeLike = f32, seed: int = 0) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)  # handed on from layer to layer, so that one seed gives one model
        self.conv1 = Conv2(1, 6, (5, 5), device=device, dtype=dtype, seed=rng)
        self.relu1 = Relu()
        self.pool1 = MaxPool2((2, 2))
        self.conv2 = Conv2(6, 16, (5, 5), device=device, dtype=dtype, seed=rng)
        self.relu2 = Relu()
        self.pool2 = MaxPool2((2, 2))
        self.flatten = Flatten()
        self.dense1 = Dense(16 * 4 * 4, 128, device=device, dtype=dtype, seed=rng)
        self.relu3 = Relu()
        self.dense2 = Dense(128, 84, device=device, dtype=dtype, seed=rng)
        self.relu4 = Relu()
        self.dense3 = Dense(84, 10, bias=True, device=device, dtype=dtype, seed=rng)
