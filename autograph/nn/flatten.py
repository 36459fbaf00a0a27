"""Layers that change the shape only, or nothing."""

from __future__ import annotations

from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer


class Flatten(Layer):
    """``[n, a, b, ...]`` to ``[n, a * b * ...]``."""

    def forward(self, x: Tensor) -> Tensor:
        """The flattened input."""
        require_tensor("Flatten", x)
        return x.flatten()


class Identity(Layer):
    """Hands its input through."""

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        return x
