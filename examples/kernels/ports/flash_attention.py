"""Attention without a matrix of scores: a group goes over tiles of keys and values and corrects what it has so far.

A port of the forward kernel of Peter Kim's flash-attention-minimal, which is CUDA C++ (Apache License 2.0):
https://github.com/tspeterkim/flash-attention-minimal/blob/main/flash.cu
The algorithm is that of T. Dao et al., "FlashAttention", 2022.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, Spec, f32, i32, kernel
from krnlpy.dsl import barrier, exp, group_array, group_id, thread_id

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

BR = BC = 16  # rows of a tile of queries, and of one of keys
D = 16  # numbers of a query


@kernel(threads=BC)
def forward(
    Q: Global[f32, 4],
    K: Global[f32, 4],
    V: Global[f32, 4],
    softmax_scale: f32,
    l: GlobalMut[f32, 3],
    m: GlobalMut[f32, 3],
    O: GlobalMut[f32, 4],
    d: Spec[i32] = D,
) -> None:
    tx = thread_id()
    bx, by = group_id(0), group_id(1)  # batch and head index
    N = Q.shape[2]
    Tc, Tr = N // BC, N // BR

    # the part of this batch and head
    q, k, v, o = Q[bx][by], K[bx][by], V[bx][by], O[bx][by]
    row_l_of, row_m_of = l[bx][by], m[bx][by]

    # tiles of the group
    Qi, Kj, Vj = group_array(f32, (BR, d)), group_array(f32, (BC, d)), group_array(f32, (BC, d))
    S = group_array(f32, (BR, BC))

    for j in range(Tc):
        # Load Kj, Vj
        for x in range(d):
            Kj[tx][x] = k[BC * j + tx][x]
            Vj[tx][x] = v[BC * j + tx][x]
        barrier()  # such that the inner loop can use the correct Kj, Vj

        for i in range(Tr):
            # Load Qi, l and m
            for x in range(d):
                Qi[tx][x] = q[BR * i + tx][x]
            row_m_prev = row_m_of[BR * i + tx]
            row_l_prev = row_l_of[BR * i + tx]

            # S = QK^T, row_m = rowmax(S)
            row_m = -math.inf
            for y in range(BC):
                sum = 0.0
                for x in range(d):
                    sum += Qi[tx][x] * Kj[y][x]
                sum *= softmax_scale
                S[tx][y] = sum

                if sum > row_m:
                    row_m = sum

            # P = exp(S - row_m), row_l = rowsum(P)
            row_l = 0.0
            for y in range(BC):
                S[tx][y] = exp(S[tx][y] - row_m)
                row_l += S[tx][y]

            # Compute new m and l
            row_m_new = max(row_m_prev, row_m)
            row_l_new = (exp(row_m_prev - row_m_new) * row_l_prev) + (exp(row_m - row_m_new) * row_l)

            # Write O, l, m
            row = o[BR * i + tx]
            for x in range(d):
                pv = 0.0  # Pij * Vj
                for y in range(BC):
                    pv += S[tx][y] * Vj[y][x]
                row[x] = (1 / row_l_new) * (
                    (row_l_prev * exp(row_m_prev - row_m_new) * row[x]) + (exp(row_m - row_m_new) * pv)
                )
            row_m_of[BR * i + tx] = row_m_new
            row_l_of[BR * i + tx] = row_l_new
        barrier()  # otherwise, thread can use the wrong Kj, Vj in inner loop


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` queries, a multiple of 16, in 2 batches of 2 heads."""
    batches, heads = 2, 2
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, batches, heads, size, D)).astype(np.float32)
    buffers = [Buffer.from_numpy(values, device) for values in (q, k, v)]
    result = Buffer.zeros(q.shape, f32, device)
    l, m = (Buffer.zeros((batches, heads, size), f32, device) for _ in range(2))
    scale = 1 / math.sqrt(D)

    def launch() -> None:
        result.fill(0.0)
        l.fill(0.0)
        m.fill(-math.inf)
        forward.with_groups(batches, heads)(*buffers, scale, l, m, result)

    def check() -> None:
        scores = scale * q.astype(np.float64) @ k.swapaxes(2, 3)
        weights = np.exp(scores - scores.max(3, keepdims=True))
        expected = weights / weights.sum(3, keepdims=True) @ v
        # A row is corrected once a tile, each time by a dozen roundings; scores and sums add D and BC of them.
        np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=(size // BC * 12 + D + BC) * 2**-24 * 4)

    yield Work("attention", launch, check, 4 * batches * heads * size**2 * D / 1e9, "GFLOP")


if __name__ == "__main__":
    main(example, size=512)
