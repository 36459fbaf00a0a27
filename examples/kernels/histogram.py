"""Histogram of bytes. Each thread counts in bins of its own, which no other thread touches; a second kernel adds them.

There are as many threads as pay: more of them have more bins to clear and to add.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, Out, i32, kernel, u8
from krnlpy.dsl import global_id, group_array, group_id, groups, thread_id

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Work, main
from examples.kernels._group import add_in_group

BINS = 256
THREADS = 64
GROUPS = 64  # that count


@kernel(threads=THREADS)
def count(x: Global[u8], counts: GlobalMut[i32, 2]) -> None:
    """``counts[t]`` is the histogram of what thread t reads."""
    t = global_id()
    for bin in range(BINS):
        counts[t, bin] = 0
    # A group's threads share a chunk, of which neighbours read neighbours.
    chunk = (len(x) + groups() - 1) // groups()
    start = group_id() * chunk
    for j in range(start + thread_id(), min(start + chunk, len(x)), THREADS):
        counts[t, x[j]] += 1


@kernel(threads=THREADS)
def add_counts(counts: Global[i32, 2], histogram: Out[i32]) -> None:
    """Group b adds bin b of all threads."""
    shared = group_array(i32, THREADS)
    i, bin = thread_id(), group_id()
    total = 0
    for t in range(i, counts.shape[0], THREADS):
        total += counts[t, bin]
    shared[i] = total
    add_in_group(shared)
    if i == 0:
        histogram[bin] = shared[0]


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` bytes, normally distributed: some bins are hit far more often than others."""
    x = np.random.default_rng(0).normal(128, 30, size).clip(0, 255).astype(np.uint8)
    x_buffer = Buffer.from_numpy(x, device)
    groups = min(GROUPS, -(-size // (THREADS * BINS)))
    counts = Buffer.empty((groups * THREADS, BINS), i32, device)
    histogram = Buffer.empty(BINS, i32, device)

    def launch() -> None:
        count.with_groups(groups)(x_buffer, counts)
        add_counts.with_groups(BINS)(counts, histogram)

    def check() -> None:
        np.testing.assert_array_equal(histogram.numpy(), np.bincount(x, minlength=BINS))

    yield Work("histogram", launch, check, x.nbytes / 1e9, "GB")


if __name__ == "__main__":
    main(example, size=1 << 24)
