"""The order in which training reads a data set: a function of seed and epoch alone, so that resumed runs agree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from autograph.errors import DatasetError


def batches(
    n: int, batch_size: int, *, shuffle: bool = True, seed: int = 0, epoch: int = 0
) -> Iterator[npt.NDArray[np.int64]]:
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
        whole = isinstance(value, int | np.integer)
        if not whole or value < least:
            raise DatasetError(f"{name} is {value!r}, expected {'' if whole else 'a whole number of '}at least {least}")
    if not shuffle:
        order = np.arange(n)
    else:
        # Sorting the raw output of a specified generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
        # SC 2011) gives the same order with every NumPy, which its own permutation does not promise.
        philox = np.random.Philox(np.random.SeedSequence([seed, epoch]))
        order = np.argsort(philox.random_raw(n), kind="stable")
    return (order[start : start + batch_size] for start in range(0, n, batch_size))
