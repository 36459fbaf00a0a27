"""Layers one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from autograph.errors import AutographError, ShapeError

from .layer import Layer


class Sequential(Layer):
    """Hands its input through layers, one after the other; without layers, it is returned as it is.

    Args:
        layers: in order. None stands for no layer, so that one may be left out.

    Attributes:
        layers: the list of them, without what was None; names of parameters begin with ``layers.0``.

    Raises:
        AutographError: an argument is not a layer.

    >>> from autograph import Dense, Relu, Tensor
    >>> model = Sequential(Dense(4, 8, seed=0), Relu(), Dense(8, 3, seed=1))
    >>> model(Tensor.ones((2, 4))).shape, len(model)
    ((2, 3), 3)
    """

    def __init__(self, *layers: Layer | None) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer | None):
                raise AutographError(
                    f"Sequential: argument {i} is {layer!r}, a {type(layer).__name__}; expected layers or None, for"
                    " example Sequential(Dense(4, 8), Relu())"
                )
        self.layers = [layer for layer in layers if layer is not None]

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Layer:
        try:
            return self.layers[index]
        except (TypeError, IndexError) as error:
            raise ShapeError(f"{index!r} is not an index of a Sequential of {len(self.layers)} layers") from error

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)
