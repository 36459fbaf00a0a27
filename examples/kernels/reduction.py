"""Sum of any number of elements, in rounds: each group adds a chunk to one number, until there is one number left.

In a group each thread adds some elements, each subgroup the sums of its threads without memory, and the first subgroup
those of all subgroups. The order of the additions depends on nothing but the sizes, so that the same device always
gives the same bits.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, Out, f32, kernel
from krnlpy.dsl import group_array, group_id, subgroup_elect, subgroup_id, thread_id

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Work, main
from examples.kernels._group import add_in_group

THREADS = 256
CHUNK = 64 * THREADS  # elements that a group adds


@kernel(threads=THREADS)
def sum_by_group(x: Global[f32], sums: Out[f32]) -> None:
    """``sums[g]`` is the sum of chunk g."""
    shared = group_array(f32, THREADS)
    start = group_id() * CHUNK
    total = 0.0
    # Neighbours read neighbours. A CPU runs a group's threads in turn: they share a chunk that fits its cache.
    for i in range(start + thread_id(), min(start + CHUNK, len(x)), THREADS):
        total += x[i]
    total = add_in_group(total, shared)
    if subgroup_id() == 0 and subgroup_elect():
        sums[group_id()] = total


def total(x: Buffer) -> Buffer:
    """The sum, as a buffer of one element: nothing waits for the device."""
    groups = -(-x.size // CHUNK)
    sums = Buffer.empty(groups, f32, x.device)
    sum_by_group.with_groups(groups)(x, sums)
    return sums if groups == 1 else total(sums)


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` elements."""
    x = np.random.default_rng(0).random(size, np.float32)
    x_buffer = Buffer.from_numpy(x, device)

    def check() -> None:
        # In a round an element passes through at most 64 additions of its thread, and then, in a subgroup and among
        # subgroups, fewer than THREADS / 4 + 4 (subgroups of 4 whose sums are added in turn), each rounded by 2**-24;
        # there is a round for each factor of CHUNK.
        rounds = math.ceil(math.log(max(size, 2), CHUNK))
        tolerance = rounds * (64 + THREADS // 4 + 4) * 2**-24
        np.testing.assert_allclose(total(x_buffer).numpy(), x.sum(dtype=np.float64), rtol=tolerance)

    yield Work("sum", lambda: total(x_buffer), check, x.nbytes / 1e9, "GB")


if __name__ == "__main__":
    main(example, size=1 << 24)
