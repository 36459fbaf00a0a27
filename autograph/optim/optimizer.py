"""What an optimizer is."""

from __future__ import annotations

from typing import Protocol

from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor


class Optimizer(Protocol):
    """Changes parameters by their gradients. Any class that has these two methods is one.

    What it remembers of each parameter are tensors in ``parameter.state``, by name. They are saved with the model (so
    their shapes must broadcast to the parameter's), and are moved with it, but keep their dtype when the model is cast.
    A name that another optimizer uses for something else should be avoided, for those who change from one to the other.
    """

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """Changes a parameter in place; nothing is read back."""

    def settings(self) -> dict[str, float | int | str | bool]:
        """The settings, by name, as they are written in checkpoints."""
