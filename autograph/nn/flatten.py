"""Layers that change the shape only, or nothing."""

from __future__ import annotations

from math import prod

from autograph.errors import ShapeError
from autograph.functions.checks import axis_within, integers
from autograph.tensor.base import Shape, require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer
from .settings import settings


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


class Unflatten(Layer):
    """One axis taken apart into several: what :class:`Flatten` puts together, say.

    Args:
        axis: counted from the end if negative.
        lengths: of the axes that take its place; one may be -1, for what is left.

    Raises:
        ShapeError: they are not whole numbers.

    >>> from autograph import Tensor, Unflatten
    >>> Unflatten(1, (4, -1, 6))(Tensor.ones((2, 144))).shape
    (2, 4, 6, 6)
    """

    def __init__(self, axis: int, lengths: Shape) -> None:
        self.axis, self.lengths = integers((axis,))[0], integers((lengths,))

    def forward(self, x: Tensor) -> Tensor:
        """The input with several axes for one.

        Raises:
            ShapeError: the axis has another number of elements. AxisError: there is no such axis.
            DtypeError: ``x`` is not a tensor.

        >>> from autograph import Tensor, Unflatten
        >>> Unflatten(-1, (2, 2))(Tensor.ones((3, 4))).shape
        (3, 2, 2)
        """
        require_tensor("Unflatten", x)
        axis = axis_within("Unflatten", self.axis, x.ndim)
        known = -prod(self.lengths) if -1 in self.lengths else 0
        count = x.shape[axis]
        fits = count % known == 0 if known > 0 else count == prod(self.lengths)
        if min(self.lengths, default=0) < -1 or self.lengths.count(-1) > 1 or not fits:
            raise ShapeError(f"Unflatten of {count} elements along axis {self.axis}: they are not {self.lengths}")
        lengths = tuple(count // known if n == -1 else n for n in self.lengths)
        return x.reshape((*x.shape[:axis], *lengths, *x.shape[axis + 1 :]))

    def describe(self) -> str:
        return settings(self.axis, self.lengths)


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
