"""Layers that leave out in training, at random, what they hand through otherwise."""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar

from autograph import random
from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.checks import is_number
from autograph.functions.elementwise.operation import elementwise
from autograph.random.masks import dropout
from autograph.tensor.base import Shape, require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer
from .seeds import Seed, draws
from .settings import settings


class _Dropout(Layer):
    """What these layers have in common: a probability, a generator, and that nothing happens in evaluation."""

    def __init__(self, p: float = 0.5, *, seed: Seed = None) -> None:
        if not (is_number(p) and not isinstance(p, bool) and 0 <= p <= 1):
            raise AutographError(f"{type(self).__name__}(p={p!r}): expected a probability from 0 to 1")
        self.p = float(p)
        self.generator = draws(seed)

    def forward(self, x: Tensor) -> Tensor:
        """In training ``x`` with some of it left out, otherwise ``x`` itself.

        Raises:
            ShapeError: ``x`` has another rank than the layer takes.
            DtypeError: ``x`` is not a tensor of floats.

        >>> from autograph import Dropout, Tensor
        >>> layer = Dropout(0.5, seed=0)
        >>> layer(Tensor.ones(8)).numpy().tolist()
        [2.0, 2.0, 2.0, 2.0, 2.0, 0.0, 2.0, 0.0]
        >>> layer.eval()(Tensor.ones(8)).numpy().tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
        """
        require_tensor(type(self).__name__, x)
        if not x.dtype.is_float:
            raise DtypeError(f"{type(self).__name__} of {x.dtype}: convert to a float type first, such as .cast(f32)")
        self._check(x)
        return self._dropped(x) if self.training and self.p else x

    def _check(self, x: Tensor) -> None:
        """Raises ShapeError if the input has another rank than the layer takes."""

    def _dropped(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def describe(self) -> str:
        return settings(self.p)


class Dropout(_Dropout):
    """In training, each element replaced by 0 with probability ``p``, the others divided by ``1 - p``.

    The layer draws from a generator of its own, on every device the same, whose state is saved in checkpoints. Two
    layers with one seed drop the same elements: within :func:`autograph.seeded` each has a seed of its own, and layers
    that are handed one generator draw from it in turn. A step of :func:`autograph.capture` draws anew each time; one of
    ``device.capture`` drops at each replay what was dropped when it was captured.

    Args:
        p: from 0 to 1.
        seed: an int, a generator, or None; see :func:`autograph.seeded`.

    Attributes:
        generator: the :class:`autograph.random.Generator` that is drawn from.

    Raises:
        AutographError: ``p`` is not from 0 to 1, or ``seed`` is not a seed.

    >>> from autograph import Dropout, Tensor
    >>> f"{Dropout(0.25, seed=1)(Tensor.ones((100, 100))).mean():.2f}"
    '0.99'
    """

    def _dropped(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.generator)


class _Parts(_Dropout):
    """Whole parts of the input are left out: there is one draw for each."""

    def _parts(self, x: Tensor) -> Shape:
        """A shape that broadcasts to that of the input, with an element for each part."""
        raise NotImplementedError

    def _dropped(self, x: Tensor) -> Tensor:
        return x * dropout(Tensor.ones(self._parts(x), x.dtype, x.device), self.p, self.generator)


class _Channels(_Parts):
    _ndim: ClassVar[int]

    def _check(self, x: Tensor) -> None:
        if x.ndim != self._ndim + 2:
            axes = ", ".join(("n", "c", "d", "h", "w")[:2] + ("d", "h", "w")[3 - self._ndim :])
            raise ShapeError(f"{type(self).__name__} takes x of shape [{axes}], not {x.shape}")

    def _parts(self, x: Tensor) -> Shape:
        return (*x.shape[:2], *(1,) * self._ndim)


class Dropout1(_Channels):
    """In training, whole channels of signals ``[n, c, w]`` replaced by 0 with probability ``p``; see :class:`Dropout`.

    Source: J. Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    Args:
        p, seed: as :class:`Dropout` takes them.

    Raises:
        AutographError: ``p`` is not from 0 to 1, or ``seed`` is not a seed.

    >>> from autograph import Dropout1, Tensor
    >>> Dropout1(0.5, seed=2)(Tensor.ones((1, 3, 2))).numpy().tolist()
    [[[2.0, 2.0], [2.0, 2.0], [0.0, 0.0]]]
    """

    _ndim = 1


class Dropout2(_Channels):
    """In training, whole channels of images ``[n, c, h, w]`` replaced by 0 with probability ``p``; see
    :class:`Dropout1`.

    Args:
        p, seed: as :class:`Dropout` takes them.

    Raises:
        AutographError: ``p`` is not from 0 to 1, or ``seed`` is not a seed.

    >>> from autograph import Dropout2
    >>> Dropout2(0.5)
    Dropout2(0.5)
    """

    _ndim = 2


class Dropout3(_Channels):
    """In training, whole channels of volumes ``[n, c, d, h, w]`` replaced by 0 with probability ``p``; see
    :class:`Dropout1`.

    Args:
        p, seed: as :class:`Dropout` takes them.

    Raises:
        AutographError: ``p`` is not from 0 to 1, or ``seed`` is not a seed.

    >>> from autograph import Dropout3
    >>> Dropout3(0.5)
    Dropout3(0.5)
    """

    _ndim = 3


class DropPath(_Parts):
    """In training, whole samples of ``[n, ...]`` replaced by 0 with probability ``p``, the others divided by ``1 - p``:
    stochastic depth, where the layer stands at the end of a residual branch.

    Source: G. Huang et al., "Deep Networks with Stochastic Depth", 2016.

    Args:
        p, seed: as :class:`Dropout` takes them.

    Raises:
        AutographError: ``p`` is not from 0 to 1, or ``seed`` is not a seed.

    >>> from autograph import Dense, DropPath, Residual, Sequential, Tensor
    >>> block = Residual(Dense(4, 4, seed=0), DropPath(0.5, seed=0))
    >>> block(Tensor.ones((2, 4))).shape
    (2, 4)
    """

    def _check(self, x: Tensor) -> None:
        if not x.ndim:
            raise ShapeError("DropPath takes a batch, of shape [n, ...], not a tensor without axes")

    def _parts(self, x: Tensor) -> Shape:
        return (x.shape[0], *(1,) * (x.ndim - 1))


_FLOOR = -1.7580993408473766
"""What selu comes to far below 0: ``-1.6732632423543772 * 1.0507009873554805``."""


@elementwise
def _alpha_dropped(x: Any, is_kept: Any, scale: Any, offset: Any) -> Any:
    return scale * (x if is_kept else _FLOOR) + offset


class AlphaDropout(_Dropout):
    """In training, each element replaced by what ``selu`` is far below 0 with probability ``p``, and all scaled and
    shifted so that a mean of 0 and a variance of 1 stay.

    Source: G. Klambauer et al., "Self-Normalizing Neural Networks", 2017.

    Args:
        p: from 0 to below 1.
        seed: as :class:`Dropout` takes it.

    Raises:
        AutographError: ``p`` is not from 0 to below 1, or ``seed`` is not a seed.

    >>> from autograph import AlphaDropout, Tensor
    >>> from autograph import random
    >>> x = random.normal(random.Generator(1), 10_000)
    >>> f"{AlphaDropout(0.5, seed=0)(x).numpy().std():.1f}"
    '1.0'
    """

    def __init__(self, p: float = 0.5, *, seed: Seed = None) -> None:
        super().__init__(p, seed=seed)
        if self.p == 1:
            raise AutographError("AlphaDropout(p=1): expected a probability from 0 to below 1")

    def _dropped(self, x: Tensor) -> Tensor:
        is_kept = random.bernoulli(self.generator, 1 - self.p, x.shape, device=x.device)
        scale = 1 / sqrt((1 - self.p) * (1 + self.p * _FLOOR**2))
        result: Tensor = _alpha_dropped(x, is_kept, scale, -scale * self.p * _FLOOR)
        return result
