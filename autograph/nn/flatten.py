"""Layers that change the shape only, or nothing."""

from __future__ import annotations

from math import prod

from autograph.errors import ShapeError
from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer


class Flatten(Layer):
    """``[n, a, b, ...]`` to ``[n, a * b * ...]``: between convolutions and dense layers.

    >>> from autograph import Conv2, Dense, Flatten, Sequential, Tensor
    >>> model = Sequential(Conv2(1, 4, 3), Flatten(), Dense(4 * 6 * 6, 10))
    >>> model(Tensor.ones((2, 1, 8, 8))).shape
    (2, 10)
    """

    def forward(self, x: Tensor) -> Tensor:
        """The input with one axis for all features.

        Raises:
            ShapeError: ``x`` has no axes.
            DtypeError: ``x`` is not a tensor.

        >>> from autograph import Flatten, Tensor
        >>> Flatten()(Tensor.ones((2, 4, 6, 6))).shape
        (2, 144)
        """
        require_tensor("Flatten", x)
        if not x.ndim:
            raise ShapeError("Flatten takes a batch, of shape [n, ...], not a tensor without axes")
        return x.reshape(x.shape[0], prod(x.shape[1:]))


class Identity(Layer):
    """Hands its input through: a place where a layer may be put.

    >>> from autograph import Identity, Layer, Relu
    >>> class Block(Layer):
    ...     def __init__(self, activate):
    ...         self.activation = Relu() if activate else Identity()
    >>> Block(False)
    Block
      activation: Identity()
    """

    def forward(self, x: Tensor) -> Tensor:
        """The input itself, whatever it is.

        Raises:
            Nothing.

        >>> from autograph import Identity, Tensor
        >>> x = Tensor.ones(2)
        >>> Identity()(x) is x
        True
        """
        return x
