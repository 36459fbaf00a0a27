"""Sorts pairs of a key and a number by the key, eight bits at a time.

A port of the sort in ``LBVH`` of Genesis, which is for Quadrants, a successor of Taichi (Apache License 2.0):
https://github.com/Genesis-Embodied-AI/Genesis/blob/main/genesis/engine/bvh.py
Each of its parallel loops is a kernel. A thread has a part of the pairs, so that pairs with one key keep their order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, GlobalMut, func, i32, kernel, u32
from krnlpy.dsl import global_id, uvec2, where

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

GROUPS = 64  # parts of the pairs


class RadixSort:
    """Sorts pairs of u32, (count, 2), by the first of each; pairs that have it in common stay as they are."""

    codes: GlobalMut[uvec2]
    tmp_codes: GlobalMut[uvec2]

    def __init__(self, codes: Buffer) -> None:
        self.n_codes, device = len(codes), codes.device
        self.n_groups = min(self.n_codes, GROUPS)
        self.group_size = self.n_codes // self.n_groups
        self.codes = codes
        self.tmp_codes = Buffer.empty(codes.shape, u32, device)
        self.offset = Buffer.zeros(self.n_codes, u32, device)
        self.hist_group = Buffer.zeros((self.n_groups, 256), u32, device)
        self.prefix_sum_group = Buffer.zeros((self.n_groups + 1, 256), u32, device)
        self.prefix_sum = Buffer.zeros(256, u32, device)

    def sort(self) -> Buffer:
        for i in range(4):
            self.hist_group.fill(0)
            self.fill_histogram.with_global_threads(self.n_groups)(i)
            self.sum_groups.with_global_threads(256)()
            self.sum_codes.with_groups(1)()
            self.reorder.with_global_threads(self.n_codes)(i)
            self.codes, self.tmp_codes = self.tmp_codes, self.codes
        return self.codes

    @func
    def digit(self, i_a: i32, i: i32) -> u32:
        return (self.codes[i_a].x >> (i * 8)) & 0xFF

    @kernel
    def fill_histogram(self, i: i32) -> None:
        i_g = global_id()
        if i_g < self.n_groups:
            start = i_g * self.group_size
            end = where(i_g == self.n_groups - 1, self.n_codes, (i_g + 1) * self.group_size)
            for i_a in range(start, end):
                code = self.digit(i_a, i)
                self.offset[i_a] = self.hist_group[i_g, code]
                self.hist_group[i_g, code] = self.hist_group[i_g, code] + 1

    @kernel
    def sum_groups(self) -> None:
        i_c = global_id()
        if i_c < 256:
            self.prefix_sum_group[0, i_c] = 0
            for i_g in range(1, self.n_groups + 1):  # sequential prefix sum
                self.prefix_sum_group[i_g, i_c] = self.prefix_sum_group[i_g - 1, i_c] + self.hist_group[i_g - 1, i_c]

    @kernel(threads=1)
    def sum_codes(self) -> None:
        self.prefix_sum[0] = 0
        for i_c in range(1, 256):  # sequential prefix sum
            self.prefix_sum[i_c] = self.prefix_sum[i_c - 1] + self.prefix_sum_group[self.n_groups, i_c - 1]

    @kernel
    def reorder(self, i: i32) -> None:
        i_a = global_id()
        if i_a < self.n_codes:
            code = self.digit(i_a, i)
            i_g = min(i_a // self.group_size, self.n_groups - 1)
            # Use the group prefix sum to find the correct index
            idx = self.prefix_sum[code] + self.prefix_sum_group[i_g, code] + self.offset[i_a]
            self.tmp_codes[idx] = self.codes[i_a]


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` pairs."""
    keys = np.random.default_rng(0).integers(0, 1 << 32, size, np.uint32)
    keys[::3] = keys[0]
    start = np.stack([keys, np.arange(size, dtype=np.uint32)], 1)
    found: list[Buffer] = []

    def launch() -> None:
        found.append(RadixSort(Buffer.from_numpy(start, device)).sort())

    def check() -> None:
        np.testing.assert_array_equal(found[0].numpy(), start[np.argsort(keys, kind="stable")])

    yield Work(
        "radix sort",
        lambda: found.append(RadixSort(Buffer.from_numpy(start, device)).sort()),
        check,
        size / 1e6,
        "Mpairs",
    )


if __name__ == "__main__":
    main(example, size=1_000_000)
