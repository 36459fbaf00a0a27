"""The order of batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph.data import batches
from autograph.errors import DatasetError
from tests.support.typed import untyped


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("n", "batch_size"), [(0, 3), (1, 3), (9, 3), (10, 3), (10, 1), (10, 100)])
def test_every_example_once(n: int, batch_size: int, shuffle: bool) -> None:
    drawn = list(batches(n, batch_size, shuffle=shuffle, seed=1))
    assert [len(batch) for batch in drawn] == [min(batch_size, n - start) for start in range(0, n, batch_size)]
    assert sorted(i for batch in drawn for i in batch) == list(range(n))


def order(seed: int, epoch: int, batch_size: int = 10) -> Any:
    return np.concatenate(list(batches(1000, batch_size, seed=seed, epoch=epoch))).tolist()


def test_order_is_a_function_of_seed_and_epoch() -> None:
    orders = {(seed, epoch): order(seed, epoch) for seed in range(3) for epoch in range(3)}
    assert len({tuple(o) for o in orders.values()}) == 9
    assert all(order(*key) == o for key, o in orders.items())
    assert order(1, 2, batch_size=7) == orders[1, 2]


def test_order_never_changes() -> None:
    # A checkpoint made with one version goes on with another: these were computed when this was written.
    assert np.concatenate(list(batches(10, 4, seed=0, epoch=0))).tolist() == [0, 8, 9, 3, 7, 5, 1, 2, 6, 4]
    assert np.concatenate(list(batches(10, 4, seed=7, epoch=3))).tolist() == [7, 1, 9, 6, 0, 4, 2, 8, 3, 5]


def test_order_is_uniform() -> None:
    # The mean place of an example over 400 epochs of 50 has a standard deviation of 14.43 / 20 = 0.72 places; the
    # farthest of 50 lies beyond 4.5 of them once in 3,000 choices of seed.
    places = np.stack([np.argsort(np.concatenate(list(batches(50, 50, seed=5, epoch=e)))) for e in range(400)])
    assert np.abs(places.mean(axis=0) - 24.5).max() < 4.5 * 0.72


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, "n is -1"),
        ({"batch_size": 0}, "batch_size is 0, expected at least 1"),
        ({"seed": -1}, "seed is -1"),
        ({"epoch": -2}, "epoch is -2"),
    ],
)
def test_out_of_range(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        batches(**untyped({"n": 10, "batch_size": 2, **arguments}))
