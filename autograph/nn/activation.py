"""Activation layers."""

from __future__ import annotations

from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer


class Relu(Layer):
    """``x`` where it is above 0, else 0; of any shape. The gradient at 0 is 0."""

    def forward(self, x: Tensor) -> Tensor:
        """The rectified input."""
        require_tensor("Relu", x)
        return x.relu()
