"""Histogram of bytes: a group counts its part of them in bins of its own, then adds these to the bins of all.

Threads that meet in a bin wait for each other, and far more meet in one of all bins than in one of a group's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, kernel, u8, u32
from krnlpy.dsl import atomic_add, barrier, group_array, group_id, groups, thread_id

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Work, main

BINS = 256  # and threads of a group: one adds each
GROUPS = 64
LEAST = 16 * BINS  # bytes that a group takes: fewer would not pay for adding its bins


@kernel(threads=BINS)
def count(x: Global[u8], histogram: GlobalMut[u32]) -> None:
    """Adds the histogram of x."""
    own = group_array(u32, BINS)
    # A group's threads share a chunk, of which neighbours read neighbours.
    chunk = (len(x) + groups() - 1) // groups()
    start = group_id() * chunk
    for i in range(start + thread_id(), min(start + chunk, len(x)), BINS):
        atomic_add(own[x[i]], 1)
    barrier()
    atomic_add(histogram[thread_id()], own[thread_id()])


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` bytes, normally distributed: some bins are hit far more often than others."""
    x = np.random.default_rng(0).normal(128, 30, size).clip(0, 255).astype(np.uint8)
    x_buffer = Buffer.from_numpy(x, device)
    histogram = Buffer.empty(BINS, u32, device)
    launcher = count.with_groups(min(GROUPS, -(-size // LEAST)))

    def launch() -> None:
        histogram.fill(0)
        launcher(x_buffer, histogram)

    def check() -> None:
        np.testing.assert_array_equal(histogram.numpy(), np.bincount(x, minlength=BINS))

    yield Work("histogram", launch, check, x.nbytes / 1e9, "GB")


if __name__ == "__main__":
    main(example, size=1 << 24)
