"""Matrix product. A group computes a block of c; tiles of a and b pass through group memory, where each element is
read by many threads; each thread keeps a small block of c in registers, so that one load serves several products."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, Out, f32, kernel
from krnlpy.dsl import barrier, group_array, group_id, outer, thread_id, unroll, vec4

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Work, main

SIDE = 16  # threads of a group along each axis
EACH = 4  # rows and columns of c that a thread computes, SIDE apart: as many as a vec4 has elements
BLOCK = SIDE * EACH  # rows and columns of c that a group computes
DEPTH = SIDE  # of the tiles, along the inner axis


@kernel(threads=(SIDE, SIDE))
def matmul(a: Global[f32, 2], b: Global[f32, 2], c: Out[f32, 2]) -> None:
    a_tile = group_array(f32, (BLOCK, DEPTH))
    b_tile = group_array(f32, (DEPTH, BLOCK))
    total = outer(vec4(0.0), vec4(0.0))
    x, y = thread_id(0), thread_id(1)
    row, column = group_id(1) * BLOCK + y, group_id(0) * BLOCK + x
    for start in range(0, a.shape[1], DEPTH):
        for i in unroll(range(EACH)):
            # Zeros past the edges add nothing: no shape needs a special case.
            m, n, k = row + i * SIDE, column + i * SIDE, start + x
            a_tile[y + i * SIDE, x] = a[m, k] if m < a.shape[0] and k < a.shape[1] else 0.0
            k = start + y
            b_tile[y, x + i * SIDE] = b[k, n] if k < b.shape[0] and n < b.shape[1] else 0.0
        barrier()
        for k in range(DEPTH):
            left = vec4(a_tile[y, k], a_tile[y + SIDE, k], a_tile[y + 2 * SIDE, k], a_tile[y + 3 * SIDE, k])
            right = vec4(b_tile[k, x], b_tile[k, x + SIDE], b_tile[k, x + 2 * SIDE], b_tile[k, x + 3 * SIDE])
            total += outer(left, right)
        barrier()
    for i in unroll(range(EACH)):
        for j in unroll(range(EACH)):
            if row + i * SIDE < c.shape[0] and column + j * SIDE < c.shape[1]:
                c[row + i * SIDE, column + j * SIDE] = total[i, j]


def example(device: Device, size: int) -> Iterator[Work]:
    """A product of ``[m, k]`` and ``[k, n]``; m is ``size``, k and n a little more: not all are multiples of a tile."""
    m, k, n = size, size + 5, size + 3
    rng = np.random.default_rng(0)
    a, b = rng.random((m, k), np.float32), rng.random((k, n), np.float32)
    c = Buffer.empty((m, n), f32, device)
    operands = Buffer.from_numpy(a, device), Buffer.from_numpy(b, device)
    product = matmul.with_groups(-(-n // BLOCK), -(-m // BLOCK))

    def check() -> None:
        # k products of positive numbers and their sum in turn: at most k roundings of 2**-24 each.
        np.testing.assert_allclose(c.numpy(), a.astype(np.float64) @ b.astype(np.float64), rtol=(k + 1) * 2**-24)

    yield Work("matmul", lambda: product(*operands, c), check, 2 * m * k * n / 1e9, "GFLOP")


if __name__ == "__main__":
    main(example, size=512)
