"""Fully connected layers."""

from __future__ import annotations

from autograph.tensor.base import require_tensor
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from .initialize import initial, initial_bias, require_counts
from .initializers import Fans, Initializer
from .layer import Layer
from .seeds import Seed, generator
from .settings import settings


class Dense(Layer):
    """``x @ weight + bias`` of ``[..., inputs]``, giving ``[..., outputs]``.

    Args:
        inputs: features of an input.
        outputs: features of the result.
        bias: whether a learned number is added to each feature.
        device: where the parameters are; None is the host.
        dtype: a float type.
        seed: an int, a generator to draw from, or None; see :func:`autograph.seeded`.
        initialize: how the weight starts, such as ``initializers.xavier_uniform()``; the bias is 0 then.

    Attributes:
        weight: ``[inputs, outputs]``, drawn from ``[-a, a)`` with ``a = sqrt(2 / inputs)``.
        bias: ``[outputs]``, drawn alike, or None.

    Raises:
        AutographError: a count is below 1, or ``seed`` is not a seed, or ``initialize`` no function.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import Dense
    >>> layer = Dense(4, 3, bias=True, seed=0)
    >>> layer.weight.shape, layer.bias.shape
    ((4, 3), (3,))
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool = False,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
        initialize: Initializer | None = None,
    ) -> None:
        require_counts("Dense", inputs=inputs, outputs=outputs)
        rng = generator(seed)
        self.weight = initial((inputs, outputs), Fans(inputs, outputs), initialize, rng, dtype, device)
        self.bias: Parameter | None = initial_bias(outputs, inputs, initialize, rng, dtype, device) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """``[..., inputs]`` to ``[..., outputs]``. The dtypes of ``x`` and the weights are promoted.

        Raises:
            ShapeError: ``x`` has another number of features.
            DtypeError: ``x`` is not a tensor.
            DeviceError: ``x`` lies on another device than the weights.

        >>> from autograph import Dense, Tensor
        >>> Dense(4, 3, seed=0)(Tensor.ones((5, 4))).shape, Dense(4, 3, seed=0)(Tensor.ones((2, 5, 4))).shape
        ((5, 3), (2, 5, 3))
        """
        require_tensor("Dense", x)
        y = x @ self.weight
        return y if self.bias is None else y + self.bias

    def describe(self) -> str:
        return settings(*self.weight.shape, bias=(self.bias is not None, False))
