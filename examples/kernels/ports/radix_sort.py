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

from krnlpy import Buffer, Device, Global, GlobalMut, i32, kernel, u32
from krnlpy.dsl import global_id, uvec2

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

GROUPS = 64  # parts of the pairs


@kernel
def fill_histogram(
    codes: Global[uvec2], n_groups: i32, shift: i32, offset: GlobalMut[u32], hist_group: GlobalMut[u32, 2]
) -> None:
    i_g = global_id()
    if i_g < n_groups:
        group_size = len(codes) // n_groups
        start = i_g * group_size
        end = len(codes) if i_g == n_groups - 1 else (i_g + 1) * group_size
        for i_a in range(start, end):
            code = (codes[i_a].x >> shift) & 0xFF
            offset[i_a] = hist_group[i_g, code]
            hist_group[i_g, code] = hist_group[i_g, code] + 1


@kernel
def prefix_sums_of_groups(hist_group: GlobalMut[u32, 2], prefix_sum_group: GlobalMut[u32, 2]) -> None:
    i_c = global_id()
    if i_c < 256:
        n_groups = hist_group.shape[0]
        prefix_sum_group[0, i_c] = 0
        for i_g in range(1, n_groups + 1):  # sequential prefix sum
            prefix_sum_group[i_g, i_c] = prefix_sum_group[i_g - 1, i_c] + hist_group[i_g - 1, i_c]
            hist_group[i_g - 1, i_c] = 0  # for the next round


@kernel(threads=1)
def prefix_sums_of_codes(prefix_sum_group: Global[u32, 2], prefix_sum: GlobalMut[u32]) -> None:
    n_groups = prefix_sum_group.shape[0] - 1
    prefix_sum[0] = 0
    for i_c in range(1, 256):  # sequential prefix sum
        prefix_sum[i_c] = prefix_sum[i_c - 1] + prefix_sum_group[n_groups, i_c - 1]


@kernel
def reorder(
    codes: Global[uvec2],
    n_groups: i32,
    shift: i32,
    offset: Global[u32],
    prefix_sum_group: Global[u32, 2],
    prefix_sum: Global[u32],
    sorted_codes: GlobalMut[uvec2],
) -> None:
    i_a = global_id()
    if i_a < len(codes):
        code = (codes[i_a].x >> shift) & 0xFF
        i_g = min(i_a // (len(codes) // n_groups), n_groups - 1)
        idx = prefix_sum[code] + prefix_sum_group[i_g, code] + offset[i_a]
        sorted_codes[idx] = codes[i_a]


def sort(codes: Buffer) -> Buffer:
    """The pairs of u32, in the order of the first of each; pairs that have it in common stay as they are."""
    count, device = len(codes), codes.device
    groups = min(count, GROUPS)
    offset, tmp_codes = Buffer.zeros(count, u32, device), Buffer.empty(codes.shape, u32, device)
    hist_group, prefix_sum_group = (
        Buffer.zeros((groups, 256), u32, device),
        Buffer.zeros((groups + 1, 256), u32, device),
    )
    prefix_sum = Buffer.zeros(256, u32, device)
    for shift in (0, 8, 16, 24):
        fill_histogram.with_global_threads(groups)(codes, groups, shift, offset, hist_group)
        prefix_sums_of_groups.with_global_threads(256)(hist_group, prefix_sum_group)
        prefix_sums_of_codes.with_groups(1)(prefix_sum_group, prefix_sum)
        reorder.with_global_threads(count)(codes, groups, shift, offset, prefix_sum_group, prefix_sum, tmp_codes)
        codes, tmp_codes = tmp_codes, codes
    return codes


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` pairs."""
    keys = np.random.default_rng(0).integers(0, 1 << 32, size, np.uint32)
    keys[::3] = keys[0]
    start = np.stack([keys, np.arange(size, dtype=np.uint32)], 1)
    found: list[Buffer] = []

    def check() -> None:
        np.testing.assert_array_equal(found[0].numpy(), start[np.argsort(keys, kind="stable")])

    yield Work("radix sort", lambda: found.append(sort(Buffer.from_numpy(start, device))), check, size / 1e6, "Mpairs")


if __name__ == "__main__":
    main(example, size=1_000_000)
