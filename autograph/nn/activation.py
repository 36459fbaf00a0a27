"""Activation layers."""

from __future__ import annotations

from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer


class Relu(Layer):
    """``x`` where it is above 0, else 0; of any shape. The gradient at 0 is 0.

    >>> from autograph import Dense, Relu, Sequential
    >>> Sequential(Dense(4, 8), Relu(), Dense(8, 3))
    Sequential  56 parameters
      layers.0: Dense(4, 8)  32 parameters
      layers.1: Relu()
      layers.2: Dense(8, 3)  24 parameters
    """

    def forward(self, x: Tensor) -> Tensor:
        """The rectified input.

        Raises:
            DtypeError: ``x`` is not a tensor.

        >>> from autograph import Relu, Tensor
        >>> Relu()(Tensor.from_numpy([-2.0, 3.0])).numpy().tolist()
        [0.0, 3.0]
        """
        require_tensor("Relu", x)
        result: Tensor = x.relu()
        return result
