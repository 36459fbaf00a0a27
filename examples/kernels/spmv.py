"""Sparse matrix times vector. In CSR form the entries of row r are those from starts[r] up to starts[r + 1].

A thread a row is best where rows are short and alike; a group a row, whose threads read neighbouring values and add
up their shares, where they are long.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, Kernel, Out, f32, i32, kernel
from krnlpy.dsl import global_id, group_array, group_id, subgroup_elect, subgroup_id, thread_id

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Array, Work, main
from examples.kernels._group import add_in_group

THREADS = 32


@kernel
def thread_a_row(starts: Global[i32], columns: Global[i32], values: Global[f32], x: Global[f32], y: Out[f32]) -> None:
    row = global_id()
    if row < len(y):
        total = 0.0
        for j in range(starts[row], starts[row + 1]):
            total += values[j] * x[columns[j]]
        y[row] = total


@kernel(threads=THREADS)
def group_a_row(starts: Global[i32], columns: Global[i32], values: Global[f32], x: Global[f32], y: Out[f32]) -> None:
    shared = group_array(f32, THREADS)
    row = group_id()
    total = 0.0
    for j in range(starts[row] + thread_id(), starts[row + 1], THREADS):
        total += values[j] * x[columns[j]]
    total = add_in_group(total, shared)
    if subgroup_id() == 0 and subgroup_elect():
        y[row] = total


def random_csr(rows: int, columns: int, mean: int) -> tuple[Array, Array, Array]:
    """A matrix of positive values whose rows have 0 to 2 * mean of them, anywhere."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 2 * mean + 1, rows)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return starts, rng.integers(0, columns, starts[-1], np.int32), rng.random(starts[-1], np.float32)


def spmv_work(launcher: Kernel, rows: int, columns: int, mean: int, device: Device) -> Work:
    """A random matrix with rows of ``mean`` values times a random vector."""
    starts, places, values = random_csr(rows, columns, mean)
    x = np.random.default_rng(1).random(columns, np.float32)
    buffers = [Buffer.from_numpy(a, device) for a in (starts, places, values, x)]
    y = Buffer.empty(rows, f32, device)

    def check() -> None:
        terms = values.astype(np.float64) * x[places]
        expected = np.bincount(np.repeat(np.arange(rows), np.diff(starts)), terms, rows)
        # Positive products and their sum: a rounding of 2**-24 for each, at most 2 * mean.
        np.testing.assert_allclose(y.numpy(), expected, rtol=(2 * mean + 1) * 2**-24)

    # The bytes of the matrix: a column and a value for each entry.
    return Work(f"{launcher.name} spmv", lambda: launcher(*buffers, y), check, 8 * len(values) / 1e9, "GB")


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` rows of about 16 values for a thread each; as many values in rows of about 512 for a group each."""
    yield spmv_work(thread_a_row.with_global_threads(size), size, size, 16, device)
    rows = -(-size // 32)
    yield spmv_work(group_a_row.with_groups(rows), rows, size, 512, device)


if __name__ == "__main__":
    main(example, size=1 << 18)
