"""The best alignment of two sequences: a table filled a diagonal of blocks at a time, a block diagonal by diagonal.

A port of ``needle_cuda_shared_1`` of Rodinia, which is CUDA C (licence of the University of Virginia, after BSD's):
https://github.com/yuhc/gpu-rodinia/blob/master/cuda/nw/needle_kernel.cu
The algorithm is that of S. Needleman and C. Wunsch, 1970.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, func, i32, kernel, u8
from krnlpy.dsl import barrier, group_array, group_id, thread_id

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main

BLOCK_SIZE = 16
LETTERS = 24
SCORES = np.random.default_rng(1).integers(-4, 5, (LETTERS, LETTERS)).astype(np.int32)
"""How well two letters go together, as BLOSUM62 says it of amino acids."""


@func
def maximum(a: i32, b: i32, c: i32) -> i32:
    return max(a, b, c)


@kernel(threads=BLOCK_SIZE)
def needle(
    first: Global[u8], second: Global[u8], matrix: GlobalMut[i32, 2], penalty: i32, block_x: i32, block_y: i32
) -> None:
    """Fills blocks of one diagonal: from (block_x, block_y) on, to the right and up."""
    temp = group_array(i32, (BLOCK_SIZE + 1, BLOCK_SIZE + 1))
    ref = group_array(i32, (BLOCK_SIZE, BLOCK_SIZE))
    tx = thread_id()
    x = BLOCK_SIZE * (block_x + group_id())
    y = BLOCK_SIZE * (block_y - group_id())

    if tx == 0:
        temp[0][0] = matrix[y][x]
    for ty in range(BLOCK_SIZE):
        ref[ty][tx] = SCORES[first[y + ty]][second[x + tx]]
    temp[tx + 1][0] = matrix[y + tx + 1][x]
    temp[0][tx + 1] = matrix[y][x + tx + 1]
    barrier()

    for m in range(BLOCK_SIZE):
        if tx <= m:
            t_index_x = tx + 1
            t_index_y = m - tx + 1
            temp[t_index_y][t_index_x] = maximum(
                temp[t_index_y - 1][t_index_x - 1] + ref[t_index_y - 1][t_index_x - 1],
                temp[t_index_y][t_index_x - 1] - penalty,
                temp[t_index_y - 1][t_index_x] - penalty,
            )
        barrier()

    for m in range(BLOCK_SIZE - 2, -1, -1):
        if tx <= m:
            t_index_x = tx + BLOCK_SIZE - m
            t_index_y = BLOCK_SIZE - tx
            temp[t_index_y][t_index_x] = maximum(
                temp[t_index_y - 1][t_index_x - 1] + ref[t_index_y - 1][t_index_x - 1],
                temp[t_index_y][t_index_x - 1] - penalty,
                temp[t_index_y - 1][t_index_x] - penalty,
            )
        barrier()

    for ty in range(BLOCK_SIZE):
        matrix[y + ty + 1][x + tx + 1] = temp[ty + 1][tx + 1]


def align(first: Buffer, second: Buffer, matrix: Buffer, penalty: int) -> None:
    """Fills the table of two sequences, whose lengths are one multiple of the block's."""
    blocks = len(first) // BLOCK_SIZE
    for i in range(1, blocks + 1):  # the upper left half
        needle.with_groups(i)(first, second, matrix, penalty, 0, i - 1)
    for i in range(blocks - 1, 0, -1):  # the lower right one
        needle.with_groups(i)(first, second, matrix, penalty, blocks - i, blocks - 1)


def table(first: Array, second: Array, penalty: int) -> Array:
    """The table, by its definition."""
    found = np.zeros((len(first) + 1, len(second) + 1), np.int32)
    found[0], found[:, 0] = -penalty * np.arange(len(second) + 1), -penalty * np.arange(len(first) + 1)
    for i, row in enumerate(SCORES[first][:, second], 1):
        for j, score in enumerate(row, 1):
            found[i, j] = max(found[i - 1, j - 1] + score, found[i, j - 1] - penalty, found[i - 1, j] - penalty)
    return found


def example(device: Device, size: int) -> Iterator[Work]:
    """Two sequences of ``size`` letters, a multiple of 16."""
    first, second = np.random.default_rng(0).integers(0, LETTERS, (2, size), np.uint8)
    penalty = 2
    start = np.zeros((size + 1, size + 1), np.int32)
    start[0], start[:, 0] = -penalty * np.arange(size + 1), -penalty * np.arange(size + 1)
    matrix = Buffer.from_numpy(start, device)
    a, b = (Buffer.from_numpy(values, device) for values in (first, second))

    def check() -> None:
        some = min(size, 256)
        found = matrix.numpy()[: some + 1, : some + 1]
        np.testing.assert_array_equal(found, table(first[:some], second[:some], penalty))

    yield Work("Needleman-Wunsch", lambda: align(a, b, matrix, penalty), check, size**2 / 1e6, "Mcells")


if __name__ == "__main__":
    main(example, size=2048)
