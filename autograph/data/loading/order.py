"""The order in which training reads a data set: a function of seed and epoch alone, so that resumed runs agree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from autograph.errors import DatasetError

Order = npt.NDArray[np.int64]
"""Indices of examples."""


def batches(n: int, batch_size: int, *, shuffle: bool = True, seed: int = 0, epoch: int = 0) -> Iterator[Order]:
    """Return the batches of one epoch as arrays of indices; the last one may be smaller.

    The order depends on ``n``, ``seed`` and ``epoch`` only: not on the batch size, nor on what was drawn before.

    Args:
        n: number of examples.
        batch_size: examples a batch, at least 1.
        shuffle: whether to draw the examples in random order, without replacement.
        seed: of the run, at least 0.
        epoch: number of the epoch, at least 0; each has an order of its own.

    Raises:
        DatasetError: an argument is out of range.

    >>> [batch.tolist() for batch in batches(5, 2, shuffle=False)]
    [[0, 1], [2, 3], [4]]
    """
    for name, value, least in (("n", n, 0), ("batch_size", batch_size, 1), ("seed", seed, 0), ("epoch", epoch, 0)):
        require_whole(name, value, least)
    order = shuffled(n, seed, epoch) if shuffle else np.arange(n)
    return (order[start : start + batch_size] for start in range(0, n, batch_size))


def shuffled(n: int, seed: int, epoch: int) -> Order:
    """The numbers below ``n`` in an order of the seed's and the epoch's own."""
    # Sorting the raw output of a specified generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
    # SC 2011) gives the same order with every NumPy, which its own permutation does not promise.
    return np.argsort(random_words(n, seed, epoch), kind="stable")


def random_words(n: int, *key: int) -> npt.NDArray[np.uint64]:
    """Random numbers of 64 bits that depend on the numbers of the key alone."""
    return np.random.Philox(np.random.SeedSequence(key)).random_raw(n)


def require_whole(name: str, value: object, least: int) -> int:
    """The value must be a whole number of at least so many.

    Raises:
        DatasetError: it is another.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:  # type: ignore[operator]
        raise DatasetError(f"{name} is {value!r}, expected {'' if whole else 'a whole number of '}at least {least}")
    return int(value)  # type: ignore[call-overload, no-any-return]
