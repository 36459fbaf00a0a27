"""A residual network (He et al., 2016) with batch normalisation, for small pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import SGD, BatchNorm2, Conv2, Dense, Layer, Tensor, relu
from krnlpy import Device

from .case import Arrays, Case

SIDE, CLASSES, BATCH = 12, 4, 8


class Block(Layer):
    def __init__(self, inputs: int, outputs: int, stride: int, seed: int, device: Device) -> None:
        self.conv1 = Conv2(inputs, outputs, 3, stride=stride, padding=1, seed=seed, device=device)
        self.norm1 = BatchNorm2(outputs, device=device)
        self.conv2 = Conv2(outputs, outputs, 3, padding=1, seed=seed + 1, device=device)
        self.norm2 = BatchNorm2(outputs, device=device)
        self.shortcut = Conv2(inputs, outputs, 1, stride=stride, seed=seed + 2, device=device) if stride > 1 else None

    def forward(self, x: Tensor) -> Any:
        y = self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))
        return relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(Layer):
    def __init__(self, device: Device) -> None:
        self.stem = Conv2(3, 8, 3, padding=1, seed=0, device=device)
        self.norm = BatchNorm2(8, device=device)
        self.blocks = [Block(8, 8, 1, 10, device), Block(8, 16, 2, 20, device)]
        self.head = Dense(16, CLASSES, bias=True, seed=30, device=device)

    def forward(self, x: Tensor) -> Any:
        x = relu(self.norm(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(axis=(2, 3)))


def loss(model: Layer, images: Tensor, classes: Tensor) -> Any:
    return model(images).cross_entropy_loss(classes)


def peer(torch: Any, p: dict[str, Any], images: Any, classes: Any) -> Any:
    functional = torch.nn.functional

    def norm(x: Any, name: str) -> Any:
        return functional.batch_norm(x, None, None, p[f"{name}.weight"], p[f"{name}.bias"], training=True)

    x = functional.relu(norm(functional.conv2d(images, p["stem.weight"], padding=1), "norm"))
    for i, stride in enumerate((1, 2)):
        name = f"blocks.{i}"
        y = functional.conv2d(x, p[f"{name}.conv1.weight"], stride=stride, padding=1)
        y = functional.conv2d(functional.relu(norm(y, f"{name}.norm1")), p[f"{name}.conv2.weight"], padding=1)
        y = norm(y, f"{name}.norm2")
        x = functional.relu(y + (x if stride == 1 else functional.conv2d(x, p[f"{name}.shortcut.weight"], stride=2)))
    logits = x.mean(dim=(2, 3)) @ p["head.weight"] + p["head.bias"]
    return functional.cross_entropy(logits, classes)


def batch(step: int) -> Arrays:
    """Noise with a bright corner, which is the class."""
    rng = np.random.default_rng(step)
    classes = rng.integers(0, CLASSES, BATCH)
    images = rng.normal(0, 1, (BATCH, 3, SIDE, SIDE)).astype(np.float32)
    half = SIDE // 2
    for image, i in zip(images, classes, strict=True):
        image[:, i // 2 * half :, i % 2 * half :][:, :half, :half] += 1
    return images, classes.astype(np.int64)


CASE = Case(
    ResNet,
    loss,
    peer,
    batch,
    lambda: SGD(0.9, weight_decay=1e-4),
    lambda torch, p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-4),
    0.05,
)
