"""How weights start: functions that draw them, which layers take as ``initialize=``."""

from __future__ import annotations

from collections.abc import Callable
from math import prod, sqrt
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from autograph import random
from autograph.errors import AutographError
from autograph.functions.checks import is_number
from autograph.tensor.base import Shape

__all__ = [
    "Fans",
    "constant",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "orthogonal",
    "scaled_uniform",
    "truncated_normal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
]


class Fans(NamedTuple):
    """How much a weight connects: the numbers that each result is made of, and the results that each number goes into.

    They are those of one group of a convolution, and of the transposed one those of the convolution that it transposes.

    Attributes:
        inputs: what is called fan-in.
        outputs: what is called fan-out.

    >>> from autograph.nn.initializers import Fans
    >>> Fans(3 * 5 * 5, 8 * 5 * 5)
    Fans(inputs=75, outputs=200)
    """

    inputs: int
    outputs: int


Initializer: TypeAlias = Callable[[Shape, Fans, np.random.Generator], npt.ArrayLike]
"""From the shape of a weight, how much it connects, and the generator to draw from, to its first values. They are drawn
on the host and rounded to the layer's dtype, so that one seed gives one model on every device."""


def scaled_uniform() -> Initializer:
    """What layers begin with: evenly from ``[-a, a)`` with ``a = sqrt(2 / fan-in)``.

    >>> from autograph import Dense, initializers
    >>> layer = Dense(200, 200, seed=0, initialize=initializers.scaled_uniform())
    >>> f"{layer.weight.max():.4f}"
    '0.1000'
    """
    return lambda shape, fans, rng: _even(shape, sqrt(2 / fans.inputs), rng)


def xavier_uniform(gain: float = 1.0) -> Initializer:
    """Evenly from ``[-a, a)`` with ``a = gain * sqrt(6 / (fan-in + fan-out))``.

    Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Args:
        gain: the scale.

    Raises:
        AutographError: ``gain`` is not a number.

    >>> from autograph import Dense, initializers
    >>> layer = Dense(500, 100, seed=0, initialize=initializers.xavier_uniform())
    >>> f"{layer.weight.max():.4f}"
    '0.1000'
    """
    _require("xavier_uniform", gain=gain)
    return lambda shape, fans, rng: _even(shape, gain * sqrt(6 / sum(fans)), rng)


def xavier_normal(gain: float = 1.0) -> Initializer:
    """Normally with a standard deviation of ``gain * sqrt(2 / (fan-in + fan-out))``; see :func:`xavier_uniform`.

    Args:
        gain: the scale.

    Raises:
        AutographError: ``gain`` is not a number.

    >>> from autograph import Dense, initializers
    >>> layer = Dense(150, 50, seed=0, initialize=initializers.xavier_normal())
    >>> f"{layer.weight.numpy().std():.2f}"
    '0.10'
    """
    _require("xavier_normal", gain=gain)
    return lambda shape, fans, rng: _normal(shape, 0, gain * sqrt(2 / sum(fans)), rng)


def kaiming_uniform(slope: float = 0.0, fan: Literal["in", "out"] = "in") -> Initializer:
    """Evenly from ``[-a, a)`` with ``a = sqrt(6 / ((1 + slope**2) * fan))``: for layers before a (leaky) ReLU.

    Source: K. He et al., "Delving Deep into Rectifiers", 2015.

    Args:
        slope: of the activation below 0.
        fan: ``"in"`` keeps the scale of values on the way forward, ``"out"`` that of gradients on the way back.

    Raises:
        AutographError: ``slope`` is not a number, or ``fan`` something else.

    >>> from autograph import Conv2, initializers
    >>> layer = Conv2(24, 50, 5, seed=0, initialize=initializers.kaiming_uniform())
    >>> f"{layer.weight.max():.4f}"
    '0.1000'
    """
    _require("kaiming_uniform", slope=slope)
    width = _width("kaiming_uniform", fan)
    return lambda shape, fans, rng: _even(shape, sqrt(6 / ((1 + slope**2) * width(fans))), rng)


def kaiming_normal(slope: float = 0.0, fan: Literal["in", "out"] = "in") -> Initializer:
    """Normally with a standard deviation of ``sqrt(2 / ((1 + slope**2) * fan))``; see :func:`kaiming_uniform`.

    Args:
        slope: of the activation below 0.
        fan: ``"in"`` or ``"out"``.

    Raises:
        AutographError: ``slope`` is not a number, or ``fan`` something else.

    >>> from autograph import Conv2, initializers
    >>> layer = Conv2(50, 8, 5, seed=0, initialize=initializers.kaiming_normal(fan="out"))
    >>> f"{layer.weight.numpy().std():.2f}"
    '0.10'
    """
    _require("kaiming_normal", slope=slope)
    width = _width("kaiming_normal", fan)
    return lambda shape, fans, rng: _normal(shape, 0, sqrt(2 / ((1 + slope**2) * width(fans))), rng)


def orthogonal(gain: float = 1.0) -> Initializer:
    """A random matrix with orthogonal rows or columns, whichever are fewer, of length ``gain``; filters are rows.

    Source: A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", 2014; drawn evenly as F. Mezzadri, "How to generate random matrices from the classical
    compact groups", 2007, has it.

    Args:
        gain: the scale.

    Raises:
        AutographError: ``gain`` is not a number.

    >>> from autograph import Dense, initializers
    >>> w = Dense(4, 3, seed=0, initialize=initializers.orthogonal()).weight.numpy()
    >>> abs(w.T @ w).round(3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    _require("orthogonal", gain=gain)

    def initialize(shape: Shape, fans: Fans, rng: np.random.Generator) -> npt.ArrayLike:
        rows, columns = shape[0], prod(shape[1:])
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diagonal(r) < 0, -gain, gain)
        return (q if rows >= columns else q.T).reshape(shape)

    return initialize


def uniform(low: float = 0.0, high: float = 1.0) -> Initializer:
    """Evenly from ``[low, high)``.

    Args:
        low: the least number.
        high: above ``low``.

    Raises:
        AutographError: they are not such numbers.

    >>> from autograph import Dense, initializers
    >>> Dense(2, 4, initialize=initializers.uniform(3, 4)).weight.min().item() >= 3
    True
    """
    _require("uniform", low=low, high=high)
    if not low < high:
        raise AutographError(f"uniform({low}, {high}): expected the lower bound first")
    return lambda shape, fans, rng: low + (high - low) * rng.random(shape)


def normal(mean: float = 0.0, std: float = 1.0) -> Initializer:
    """Normally.

    Args:
        mean: of all numbers that may be drawn.
        std: their standard deviation.

    Raises:
        AutographError: they are not numbers.

    >>> from autograph import Embedding, initializers
    >>> layer = Embedding(100, 8, seed=0, initialize=initializers.normal(std=0.02))
    >>> f"{layer.weight.numpy().std():.2f}"
    '0.02'
    """
    _require("normal", mean=mean, std=std)
    return lambda shape, fans, rng: _normal(shape, mean, std, rng)


def truncated_normal(mean: float = 0.0, std: float = 1.0, *, low: float = -2.0, high: float = 2.0) -> Initializer:
    """Normally, but from ``low`` to ``high``; what lies outside is drawn again.

    Args:
        mean: of the distribution without bounds.
        std: its standard deviation, above 0.
        low: the least number.
        high: the greatest number.

    Raises:
        AutographError: they are not numbers. When weights are drawn: ``std`` is not above 0, or there is nothing
            between the bounds.

    >>> from autograph import Dense, initializers
    >>> abs(Dense(9, 9, seed=0, initialize=initializers.truncated_normal(std=3)).weight).max().item() <= 2
    True
    """
    _require("truncated_normal", mean=mean, std=std, low=low, high=high)

    def initialize(shape: Shape, fans: Fans, rng: np.random.Generator) -> npt.ArrayLike:
        generator = random.Generator(int(rng.integers(1 << 64, dtype=np.uint64)))
        return random.truncated_normal(generator, shape, mean=mean, std=std, low=low, high=high).numpy()

    return initialize


def constant(value: float) -> Initializer:
    """The same number everywhere.

    Args:
        value: the number.

    Raises:
        AutographError: it is none.

    >>> from autograph import Dense, initializers
    >>> Dense(2, 2, initialize=initializers.constant(0.5)).weight.numpy().tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    _require("constant", value=value)
    return lambda shape, fans, rng: np.full(shape, value)


def _even(shape: Shape, bound: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    # 2 * r - 1 is exact and below 1, hence the product below the bound.
    return (2 * rng.random(shape, dtype=np.float32) - 1) * np.float32(bound)


def _normal(shape: Shape, mean: float, std: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return np.float32(mean) + np.float32(std) * rng.standard_normal(shape, dtype=np.float32)


def _width(name: str, fan: Any) -> Callable[[Fans], int]:
    if fan not in ("in", "out"):
        raise AutographError(f"{name}(fan={fan!r}): expected 'in' or 'out'")
    return lambda fans: fans.inputs if fan == "in" else fans.outputs


def _require(name: str, **numbers: Any) -> None:
    for key, value in numbers.items():
        if not is_number(value):
            raise AutographError(f"{name}({key}={value!r}): expected a number")
