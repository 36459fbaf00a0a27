"""Mixtures of two images each, and of their classes."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from autograph.errors import AutographError, DtypeError
from autograph.functions.checks import is_number
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.indexing.along_axes import take
from autograph.functions.indexing.one_hot import one_hot
from autograph.functions.shapes.views import copy
from autograph.random.discrete import permutation
from autograph.random.generator import Generator, require_generator
from autograph.tensor.tensor import Tensor
from krnlpy import i32

from .images import on_images
from .values import with_classes


@elementwise
def _mixed(x: Any, y: Any, share: Any) -> Any:
    return share * x + (1 - share) * y


class MixUp:
    """Mixes each image of a batch with another one of it, and their classes in the same shares.

    The method is that of H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018: one share for a batch,
    drawn from the beta distribution. Its classes become rows of probabilities, for
    :meth:`~autograph.Tensor.cross_entropy_loss` of probabilities.

    Args:
        classes: how many there are; where a batch already has probabilities, as many as these.
        alpha: of the distribution, above 0: the greater, the more equal are the shares.

    Raises:
        AutographError: ``alpha`` is not above 0; or, where it is called, the batch is no tuple of images and classes.
        DtypeError: where it is called: the images are not of floats.

    >>> import numpy as np
    >>> from autograph import Tensor, random
    >>> from autograph.data.transforms import MixUp
    >>> images, classes = Tensor.ones((4, 1, 2, 2)), Tensor.from_numpy(np.arange(4, dtype=np.uint8))
    >>> mixed, probabilities = MixUp(10)((images, classes), random.Generator(0))
    >>> probabilities.shape, probabilities.sum(axis=1).tolist()
    ((4, 10), [1.0, 1.0, 1.0, 1.0])
    """

    def __init__(self, classes: int, alpha: float = 0.2) -> None:
        if not is_number(alpha) or not 0 < alpha <= 1e6:
            raise AutographError(f"{type(self).__name__}(alpha={alpha!r}): expected a number above 0, to a million")
        self._classes, self._alpha = classes, alpha

    def __call__(self, batch: Any, generator: Generator) -> Any:
        name = type(self).__name__
        images, classes, *rest = with_classes(name, batch)
        of = require_generator(name, generator)
        share, random = _share(of, self._alpha)
        others = permutation(of, len(classes), dtype=i32, device=classes.device)
        mixed, share = self._mix(name, images, others, share, random)
        rows = one_hot(classes, self._classes) if classes.dtype.is_integer else classes
        return (mixed, _mixed(rows, take(rows, others, 0), share), *rest)

    def _mix(self, name: str, batch: Any, others: Tensor, share: float, random: Random) -> tuple[Any, float]:
        """The images mixed with others, and the share that is their own."""

        def mixed(images: Tensor) -> Tensor:
            if not images.dtype.is_float:
                raise DtypeError(f"{name} takes images of floats, not {images.dtype}: ScaleBytes before it makes them")
            result: Tensor = _mixed(images, take(images, others, 0), share)
            return result

        return on_images(name, batch, mixed), share


class CutMix(MixUp):
    """Replaces a rectangle of each image of a batch by that of another one of it; classes are mixed by its area.

    The method is that of S. Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
    Features", 2019: one rectangle for a batch, whose area is drawn from the beta distribution; what lies outside of the
    image is cut off. Its classes become rows of probabilities.

    Args:
        classes: how many there are.
        alpha: of the distribution, above 0; 1 makes all areas equally likely.

    Raises:
        AutographError: ``alpha`` is not above 0; or, where it is called, the batch is no tuple of images and classes.

    >>> import numpy as np
    >>> from autograph import Tensor, random
    >>> from autograph.data.transforms import CutMix
    >>> images, classes = Tensor.ones((4, 1, 8, 8)), Tensor.from_numpy(np.arange(4, dtype=np.uint8))
    >>> mixed, probabilities = CutMix(10)((images, classes), random.Generator(0))
    >>> mixed.shape, probabilities.shape
    ((4, 1, 8, 8), (4, 10))
    """

    def __init__(self, classes: int, alpha: float = 1.0) -> None:
        super().__init__(classes, alpha)

    def _mix(self, name: str, batch: Any, others: Tensor, share: float, random: Random) -> tuple[Any, float]:
        kept = share

        def mixed(images: Tensor) -> Tensor:
            nonlocal kept
            height, width = images.shape[2:]
            (top, bottom), (left, right) = (_within(n, math.sqrt(1 - share), random) for n in (height, width))
            result = copy(images)
            if bottom > top and right > left:
                part = slice(None), slice(None), slice(top, bottom), slice(left, right)
                result[part] = take(images[part], others, 0)
                kept = 1 - (bottom - top) * (right - left) / (height * width)
            else:
                kept = 1.0
            return result

        return on_images(name, batch, mixed), kept


def _within(length: int, share: float, random: Random) -> tuple[int, int]:
    """Where a share of a length begins and ends, about a random middle."""
    middle, part = int(random.random() * length), int(share * length)
    return max(middle - part // 2, 0), min(middle - part // 2 + part, length)


def _share(generator: Generator, alpha: float) -> tuple[float, Random]:
    """A number of the beta distribution, of two of the gamma distribution; and a source of more."""
    low, high = generator.key()
    random = Random(low | high << 32)  # whose random() Python keeps the same
    x, y = _log_gamma_variate(alpha, random), _log_gamma_variate(alpha, random)
    return 1 / (1 + math.exp(min(y - x, 700.0))), random


def _log_gamma_variate(shape: float, random: Random) -> float:
    """The logarithm of a number of the gamma distribution (G. Marsaglia, W. W. Tsang, "A Simple Method for Generating
    Gamma Variables", 2000, with section 6 for shapes below 1), which may be too small for a float."""
    boost = 0.0
    if shape < 1:
        boost = math.log(1 - random.random()) / shape
        shape += 1
    d = shape - 1 / 3
    while True:
        radius = math.sqrt(-2 * math.log(1 - random.random()))
        x = radius * math.cos(2 * math.pi * random.random())
        root = 1 + x / math.sqrt(9 * d)
        if root > 0 and math.log(1 - random.random()) < 0.5 * x * x + d - d * root**3 + 3 * d * math.log(root):
            return boost + math.log(d) + 3 * math.log(root)
