"""What an optimizer is."""

from __future__ import annotations

from typing import Protocol

from ..parameter import Parameter
from ..tensor import Tensor


class Optimizer(Protocol):
    """Changes parameters by their gradients; what it remembers of each is in ``parameter.state``, and is saved."""

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """Changes a parameter in place; nothing is read back."""

    def settings(self) -> dict[str, float | int | str | bool]:
        """The settings, by name, as they are written in checkpoints."""
