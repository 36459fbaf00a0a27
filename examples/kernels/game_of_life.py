"""Conway's Game of Life on a torus of bytes: what leaves at one border comes back at the opposite one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, Out, kernel, u8
from krnlpy.dsl import global_id

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Array, Work, main

GENERATIONS = 10


@kernel(threads=(32, 8))
def generation(now: Global[u8, 2], then: Out[u8, 2]) -> None:
    row, column = global_id(1), global_id(0)
    rows, columns = now.shape[0], now.shape[1]
    if row < rows and column < columns:
        # (row - 1) % rows says the same, but a division takes longer than all the rest.
        above, below = row - 1 if row > 0 else rows - 1, row + 1 if row < rows - 1 else 0
        left, right = column - 1 if column > 0 else columns - 1, column + 1 if column < columns - 1 else 0
        neighbours = now[above, left] + now[above, column] + now[above, right]
        neighbours += now[row, left] + now[row, right]
        neighbours += now[below, left] + now[below, column] + now[below, right]
        alive = neighbours == 3 or (neighbours == 2 and now[row, column] == 1)
        then[row, column] = u8(alive)


def generation_of(now: Array) -> Array:
    """The same in NumPy."""
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    neighbours = np.sum([np.roll(now, step, (0, 1)) for step in steps], 0)
    return np.where((neighbours == 3) | ((neighbours == 2) & (now == 1)), np.uint8(1), np.uint8(0))


def example(device: Device, size: int) -> Iterator[Work]:
    """A board of ``size`` by ``size + 1`` cells, a third of them alive."""
    board = (np.random.default_rng(0).random((size, size + 1)) < 1 / 3).astype(np.uint8)
    boards = [Buffer.from_numpy(board.copy(), device), Buffer.empty(board.shape, u8, device)]
    next_generation = generation.with_global_threads(size + 1, size)

    def launch() -> None:
        for _ in range(GENERATIONS):
            next_generation(*boards)
            boards.reverse()

    def check() -> None:
        expected = board
        for _ in range(GENERATIONS):
            expected = generation_of(expected)
        np.testing.assert_array_equal(boards[0].numpy(), expected)

    yield Work("game of life", launch, check, GENERATIONS * board.size / 1e9, "Gcell")


if __name__ == "__main__":
    main(example, size=2048)
