"""Sorts any number of elements by a bitonic network (K. Batcher, "Sorting networks and their applications", 1968).

In this form of the network every comparison puts the smaller element first. A length that is no power of two is then
one whose last elements are infinite: they never move, so comparisons with them are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from krnlpy import Buffer, Device, GlobalMut, Spec, f32, func, i32, kernel, u32
from krnlpy.dsl import barrier, global_id, group_array, group_id, thread_id

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Array, Work, main

T = TypeVar("T", f32, i32, u32)
THREADS = 256
BLOCK = 2 * THREADS  # elements that a group sorts in its memory


@func
def lower(pair: i32, size: i32) -> i32:
    """The index of the first element of a comparison, where blocks of ``size``, a power of 2, compare their halves."""
    return 2 * pair - (pair & (size // 2 - 1))


@func
def upper(pair: i32, size: i32, mirrored: bool) -> i32:
    """That of the second: the one as far from the block's end as the first from its start, or half a block on."""
    offset = pair & (size // 2 - 1)
    return 2 * pair - offset + (size - 1 - 2 * offset if mirrored else size // 2)


@kernel(threads=THREADS)
def in_blocks(x: GlobalMut[T], SORT: Spec[bool] = True) -> None:
    """Sorts each block, or only does the steps of a merge that stay within blocks."""
    block = group_array(T, BLOCK)
    i, start = thread_id(), group_id() * BLOCK
    count = min(BLOCK, len(x) - start)
    for j in range(i, count, THREADS):
        block[j] = x[start + j]
    size = 2 if SORT else BLOCK
    while size <= BLOCK:
        step = size
        while step > 1:
            barrier()
            j, k = lower(i, step), upper(i, step, SORT and step == size)
            if k < count:
                a, b = block[j], block[k]
                if b < a:
                    block[j], block[k] = b, a
            step //= 2
        size *= 2
    barrier()
    for j in range(i, count, THREADS):
        x[start + j] = block[j]


@kernel
def across_blocks(x: GlobalMut[T], size: i32, mirrored: bool) -> None:
    """One step of a merge of blocks of ``size``."""
    j, k = lower(global_id(), size), upper(global_id(), size, mirrored)
    if k < len(x):
        a, b = x[j], x[k]
        if b < a:
            x[j], x[k] = b, a


def sort(x: Buffer) -> None:
    """Sorts in place, ascending; without NaN."""
    groups, size = -(-x.size // BLOCK), BLOCK
    in_blocks.with_groups(groups)(x)
    while size < x.size:
        size *= 2
        step = size
        while step > BLOCK:
            pairs = -(-x.size // step) * (step // 2)
            across_blocks.with_global_threads(pairs)(x, step, step == size)
            step //= 2
        in_blocks.specialize(SORT=False).with_groups(groups)(x)


def sort_work(x: Array, device: Device) -> Work:
    """The sort of a copy of an array, again and again."""
    unsorted, y = Buffer.from_numpy(x, device), Buffer.from_numpy(x.copy(), device)

    def launch() -> None:
        y.copy_from(unsorted)
        sort(y)

    def check() -> None:
        np.testing.assert_array_equal(y.numpy(), np.sort(x))

    return Work(f"bitonic sort of {y.dtype}", launch, check, len(x) / 1e6, "Melement")


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` elements, of two types."""
    rng = np.random.default_rng(0)
    yield sort_work(rng.normal(size=size).astype(np.float32), device)
    yield sort_work(rng.integers(-(1 << 31), 1 << 31, size, np.int32), device)


if __name__ == "__main__":
    main(example, size=1 << 20)
