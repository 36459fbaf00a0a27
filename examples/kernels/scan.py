"""Prefix sums of any number of elements, inclusive and exclusive.

Each group scans a block and leaves the block's sum; the sums are scanned in the same way, and added to the blocks.
In a group each thread adds a few elements by itself, and the threads' sums are scanned by Blelloch's work-efficient
tree (G. Blelloch, "Prefix sums and their applications", 1990): up to the root, then down again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, Out, Spec, i32, kernel
from krnlpy.dsl import barrier, group_array, group_id, thread_id

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Array, Work, main

THREADS = 256
EACH = 8  # elements of a thread
BLOCK = THREADS * EACH


@kernel(threads=THREADS)
def scan_blocks(x: Global[i32], y: Out[i32], sums: Out[i32], INCLUSIVE: Spec[bool] = False) -> None:
    block = group_array(i32, BLOCK)
    tree = group_array(i32, THREADS)
    i, start = thread_id(), group_id() * BLOCK
    # Neighbours read and write neighbours in the buffers; what a thread adds lies together in group memory.
    for j in range(i, min(BLOCK, len(x) - start), THREADS):
        block[j] = x[start + j]
    barrier()
    total = 0
    for j in range(i * EACH, (i + 1) * EACH):
        total += block[j]
    tree[i] = total

    step = 1
    while step < THREADS:  # up: a node becomes the sum of its children
        barrier()
        right = (i + 1) * 2 * step - 1
        if right < THREADS:
            tree[right] += tree[right - step]
        step *= 2
    barrier()
    if i == 0:
        sums[group_id()] = tree[THREADS - 1]
        tree[THREADS - 1] = 0
    while step > 1:  # down: the left child gets what is before the node, the right one also what is in the left
        step //= 2
        barrier()
        right = (i + 1) * 2 * step - 1
        if right < THREADS:
            left = tree[right - step]
            tree[right - step] = tree[right]
            tree[right] += left
    barrier()

    before = tree[i]
    for j in range(i * EACH, (i + 1) * EACH):
        after = before + block[j]
        block[j] = after if INCLUSIVE else before
        before = after
    barrier()
    for j in range(i, min(BLOCK, len(x) - start), THREADS):
        y[start + j] = block[j]


@kernel(threads=THREADS)
def add_to_blocks(y: GlobalMut[i32], before: Global[i32]) -> None:
    """Adds ``before[b]`` to each element of block b."""
    start = group_id() * BLOCK
    offset = before[group_id()]
    for j in range(start + thread_id(), min(start + BLOCK, len(y)), THREADS):
        y[j] += offset


def scan(x: Buffer, y: Buffer, inclusive: bool) -> None:
    """Writes the prefix sums of x to y; integers wrap."""
    blocks = -(-x.size // BLOCK)
    sums = Buffer.empty(blocks, i32, x.device)
    scan_blocks.specialize(INCLUSIVE=inclusive).with_groups(blocks)(x, y, sums)
    if blocks > 1:
        before = Buffer.empty(blocks, i32, x.device)
        scan(sums, before, inclusive=False)
        add_to_blocks.with_groups(blocks)(y, before)


def scan_work(x: Array, inclusive: bool, device: Device) -> Work:
    """The prefix sums of an array."""
    x_buffer, y = Buffer.from_numpy(x, device), Buffer.empty(x.shape, i32, device)

    def check() -> None:
        expected = np.cumsum(x, dtype=np.int32)
        np.testing.assert_array_equal(y.numpy(), expected if inclusive else expected - x)

    name = "inclusive scan" if inclusive else "exclusive scan"
    return Work(name, lambda: scan(x_buffer, y, inclusive), check, 2 * x.nbytes / 1e9, "GB")


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` elements."""
    x = np.random.default_rng(0).integers(-100, 100, size, np.int32)
    yield scan_work(x, True, device)
    yield scan_work(x, False, device)


if __name__ == "__main__":
    main(example, size=1 << 24)
