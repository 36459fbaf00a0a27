"""Data sets in parts."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from autograph.errors import DatasetError

from .datasets import Columns, Subset, examples_of
from .order import Order, require_whole, shuffled


def random_split(dataset: Any, lengths: Sequence[float], *, seed: int = 0) -> list[Subset]:
    """Split a data set at random into parts that share no example.

    Args:
        dataset: arrays or a sequence, as :class:`DataLoader` takes them.
        lengths: of the parts: whole numbers that add up to the data set's length, or shares that add up to 1, of which
            the last part takes what rounding down has left.
        seed: of the choice, at least 0.

    Raises:
        DatasetError: the lengths don't add up, or the data set's examples have no numbers.

    >>> from autograph.data import random_split
    >>> train, test = random_split(list("abcdefghij"), [0.8, 0.2])
    >>> len(train), len(test), sorted({*train} | {*test})
    (8, 2, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'])
    """
    n = len(examples_of(dataset))
    if not isinstance(lengths, list | tuple) or not all(isinstance(length, Real) for length in lengths):
        raise DatasetError(f"parts of {lengths!r}: expected a list of lengths, or of shares")
    whole = [_count(length) for length in lengths]
    if None in whole:
        shares = [float(length) for length in lengths]
        counts = [int(n * share) for share in shares]
        counts[-1] = n - sum(counts[:-1]) if abs(sum(shares) - 1) < 1e-9 else -1
    else:
        counts = [count or 0 for count in whole]
    if sum(counts) != n or min(counts, default=0) < 0:
        raise DatasetError(f"parts of {list(lengths)}: expected lengths that add up to {n}, or shares that add up to 1")
    order = shuffled(n, require_whole("seed", seed, 0), 0)
    ends = np.cumsum(counts)
    return [Subset(dataset, order[end - count : end]) for count, end in zip(counts, ends.tolist(), strict=True)]


def train_test_split(*arrays: Any, test_size: float = 0.25, seed: int = 0, stratify: Any | None = None) -> list[Any]:
    """Split arrays at random into a part to train on and a part to test with.

    Args:
        *arrays: NumPy arrays or tensors of equal length.
        test_size: a number of examples, or a share, which is rounded to the nearest number.
        seed: of the choice, at least 0.
        stratify: the class of each example: of each class, the test part has its share, rounded down or up.

    Returns:
        The two parts of the first array, then those of the second, and so on.

    Raises:
        DatasetError: the arrays differ in length, or the test part would have none or all of the examples.

    >>> import numpy as np
    >>> from autograph.data import train_test_split
    >>> x, y = np.arange(10), np.arange(10) % 2
    >>> x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.4, stratify=y)
    >>> len(x_train), sorted(y_test.tolist()), bool((x_test % 2 == y_test).all())
    (6, [0, 0, 1, 1], True)
    """
    if not arrays or not all(hasattr(array, "ndim") for array in arrays):
        raise DatasetError("expected NumPy arrays or tensors; random_split splits other data sets")
    columns = Columns(arrays)
    n = len(columns)
    given = _count(test_size)
    is_share = given is None and isinstance(test_size, Real) and 0 < test_size < 1
    count = round(n * test_size) if is_share else given
    if count is None or not 0 < count < n:
        raise DatasetError(f"test_size={test_size!r} of {n} examples: expected a number below that, or a share")
    order = shuffled(n, require_whole("seed", seed, 0), 0)
    test = np.zeros(n, bool)
    test[_chosen(order, count, stratify)] = True
    parts = columns.read(order[~test[order]]), columns.read(order[test[order]])
    return [part for pair in zip(*parts, strict=True) for part in pair]


def _chosen(order: Order, count: int, stratify: Any) -> Order:
    if stratify is None:
        return order[:count]
    classes = np.asarray(stratify)
    if classes.shape != order.shape:
        raise DatasetError(f"stratify has shape {classes.shape}, expected {order.shape}")
    # Within each class, examples have equally spaced places from 0 to 1: the first places have of each class its share.
    by_class = order[np.argsort(classes[order], kind="stable")]
    _, starts, counts = np.unique(classes[by_class], return_index=True, return_counts=True)
    places = (np.arange(len(order)) - np.repeat(starts, counts) + 0.5) / np.repeat(counts, counts)
    return by_class[np.argsort(places, kind="stable")[:count]]


def _count(value: Any) -> int | None:
    """A number of examples; None for a share."""
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None
