"""Layers made of other layers: one after the other, around them, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, overload

from autograph.errors import AutographError, ShapeError
from autograph.functions.shapes.joining import concat
from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer


class _Several(Layer):
    """What has a list of layers."""

    def __init__(self, *layers: Layer | None) -> None:
        name = type(self).__name__
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer | None):
                raise AutographError(
                    f"{name}: argument {i} is {layer!r}, a {type(layer).__name__}; expected layers or None, for"
                    f" example {name}(Dense(4, 8), Relu())"
                )
        self.layers = [layer for layer in layers if layer is not None]

    def __len__(self) -> int:
        return len(self.layers)

    @overload
    def __getitem__(self, index: int) -> Layer: ...

    @overload
    def __getitem__(self, index: slice) -> Sequential: ...

    def __getitem__(self, index: int | slice) -> Layer:
        try:
            return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]
        except (TypeError, IndexError) as error:
            name = type(self).__name__
            raise ShapeError(f"{index!r} is not an index of a {name} of {len(self.layers)} layers") from error

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)


class Sequential(_Several):
    """Hands its input through layers, one after the other; without layers, it is returned as it is.

    Args:
        layers: in order. None stands for no layer, so that one may be left out.

    Attributes:
        layers: the list of them, without what was None; names of parameters begin with ``layers.0``.

    Raises:
        AutographError: an argument is not a layer.

    >>> from autograph import Dense, Relu, Tensor
    >>> model = Sequential(Dense(4, 8, seed=0), Relu(), Dense(8, 3, seed=1))
    >>> model(Tensor.ones((2, 4))).shape, len(model), model[:-1](Tensor.ones((2, 4))).shape
    ((2, 3), 3, (2, 8))
    """


class Residual(_Several):
    """``x`` plus what layers make of it, one after the other.

    Source: K. He et al., "Deep Residual Learning for Image Recognition", 2015.

    Args:
        layers: in order, None for none; what they give has the shape of ``x``, or of what the shortcut gives.
        shortcut: what the input goes through instead, such as a convolution of one pixel to other channels; or None.

    Attributes:
        layers: the list of them, without what was None.
        shortcut: as given.

    Raises:
        AutographError: an argument is not a layer.

    >>> from autograph import Dense, Relu, Residual, Tensor
    >>> block = Residual(Dense(4, 8, seed=0), Relu(), Dense(8, 4, seed=1))
    >>> block(Tensor.ones((2, 4))).shape
    (2, 4)
    """

    def __init__(self, *layers: Layer | None, shortcut: Layer | None = None) -> None:
        super().__init__(*layers)
        if not isinstance(shortcut, Layer | None):
            raise AutographError(f"Residual(shortcut={shortcut!r}): expected a layer or None")
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """The sum of ``x`` and the layers' result.

        Raises:
            ShapeError: the two have shapes that do not broadcast.
            DtypeError, DeviceError: as the layers raise them.

        >>> from autograph import Identity, Residual, Tensor
        >>> Residual(Identity())(Tensor.ones(2)).numpy().tolist()
        [2.0, 2.0]
        """
        require_tensor("Residual", x)
        y: Any = x
        for layer in self.layers:
            y = layer(y)
        result: Tensor = y + (x if self.shortcut is None else self.shortcut(x))
        return result


class Parallel(_Several):
    """Hands its input to each of some layers, and joins what they give along an axis.

    Args:
        layers: in order; None stands for no layer.
        axis: along which results are joined, the channels; None gives a tuple of them.

    Attributes:
        layers: the list of them, without what was None.
        axis: as given.

    Raises:
        AutographError: an argument is not a layer.

    >>> from autograph import Conv2, MaxPool2, Parallel, Tensor
    >>> block = Parallel(Conv2(4, 6, 3, padding=1), Conv2(4, 2, 1), MaxPool2(3, 1, padding=1))
    >>> block(Tensor.ones((2, 4, 8, 8))).shape
    (2, 12, 8, 8)
    """

    def __init__(self, *layers: Layer | None, axis: int | None = 1) -> None:
        super().__init__(*layers)
        self.axis = axis

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the layers give for the same arguments, joined.

        Raises:
            ShapeError: results do not fit, or there are none.
            AxisError: they have no such axis.
            DtypeError, DeviceError: as the layers raise them.

        >>> from autograph import Identity, Parallel, Relu, Tensor
        >>> Parallel(Identity(), Relu(), axis=0)(Tensor.from_numpy([-1.0, 2.0])).numpy().tolist()
        [-1.0, 2.0, 0.0, 2.0]
        """
        results = tuple(layer(*args, **kwargs) for layer in self.layers)
        return results if self.axis is None else concat(results, axis=self.axis)
