"""Which examples an epoch reads, in which order: functions of seed and epoch alone, so that resumed runs agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.errors import DatasetError

from .order import Order, random_words, require_whole

_WEIGHTED = 1  # so that the numbers are others than those of shuffling


class WeightedSampler:
    """Draws examples with probabilities in the ratios of their weights.

    Args:
        weights: one for each example, at least 0.
        count: examples an epoch; None is as many as there are weights.
        replacement: whether an example can be drawn several times in an epoch. If not, the method is that of P. S.
            Efraimidis, P. G. Spirakis, "Weighted random sampling with a reservoir", 2006.

    Raises:
        DatasetError: weights are no finite numbers of at least 0, none is above 0, or too few are for ``count``.

    >>> from autograph.data import WeightedSampler
    >>> sampler = WeightedSampler([0, 1, 3], count=8)
    >>> sampler(seed=0, epoch=0).tolist()
    [2, 2, 2, 2, 1, 2, 2, 1]
    """

    def __init__(self, weights: Any, count: int | None = None, *, replacement: bool = True) -> None:
        try:
            array = np.asarray(weights, np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.ndim != 1 or not np.isfinite(array).all() or (array < 0).any() or not array.any():
            raise DatasetError("expected weights in one axis, finite and at least 0, one of them above 0")
        self._weights = array
        self._count = len(array) if count is None else require_whole("count", count, 0)
        self._replacement = replacement
        if not replacement and self._count > np.count_nonzero(array):
            raise DatasetError(
                f"{self._count} examples without replacement: only {np.count_nonzero(array)} weights are above 0"
            )

    def __len__(self) -> int:
        return self._count

    def __call__(self, seed: int, epoch: int) -> Order:
        seed, epoch = require_whole("seed", seed, 0), require_whole("epoch", epoch, 0)
        if self._replacement:
            sums = np.cumsum(self._weights)
            places = np.searchsorted(sums, _fractions(self._count, seed, epoch) * sums[-1], side="right")
            last = np.flatnonzero(self._weights)[-1]  # beyond which the product may be rounded up
            drawn: Order = np.minimum(places.astype(np.int64), last)
            return drawn
        with np.errstate(divide="ignore"):
            keys = np.log1p(-_fractions(len(self._weights), seed, epoch)) / self._weights
        keys[self._weights == 0] = -np.inf
        order: Order = np.argsort(-keys, kind="stable")[: self._count]
        return order


class BalancedSampler(WeightedSampler):
    """Draws examples so that all classes are equally likely, however many examples each has.

    Args:
        classes: that of each example, whole numbers of at least 0.
        count: examples an epoch; None is as many as there are.

    Raises:
        DatasetError: the classes are not such numbers.

    >>> import numpy as np
    >>> from autograph.data import BalancedSampler
    >>> classes = np.array([0] * 90 + [1] * 10)
    >>> float(classes[BalancedSampler(classes, 1000)(seed=0, epoch=0)].mean())
    0.501
    """

    def __init__(self, classes: Any, count: int | None = None) -> None:
        array = np.asarray(classes)
        if array.ndim != 1 or array.dtype.kind not in "iu" or not array.size or array.min() < 0:
            raise DatasetError("expected classes in one axis, whole numbers of at least 0")
        super().__init__(1 / np.bincount(array)[array], count)


def _fractions(count: int, seed: int, epoch: int) -> npt.NDArray[np.float64]:
    """Numbers in [0, 1)."""
    return (random_words(count, seed, epoch, _WEIGHTED) >> np.uint64(11)).astype(np.float64) * 2.0**-53
