"""Discrete Fourier transforms of many rows, each by a group in its memory: Stockham's algorithm, radix 4 and 2.

A port of ``fft.h`` of Apple's MLX, which is for Metal (MIT License):
https://github.com/ml-explore/mlx/blob/main/mlx/backend/metal/kernels/fft.h
Of its radices 2 and 4 are here. The function of a radix is an argument, as it is there.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, Spec, f32, func, i32, kernel
from krnlpy.dsl import barrier, cos, group_array, group_id, local_array, sin, thread_id, threads, vec2

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main


@func
def complex_mul(a: vec2, b: vec2) -> vec2:
    return [a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x]


@func
def get_twiddle(k: i32, p: i32) -> vec2:
    theta = -2.0 * math.pi * k / p
    return [cos(theta), sin(theta)]


@func
def radix2(x: Any, y: Any) -> None:
    y[0] = x[0] + x[1]
    y[1] = x[0] - x[1]


@func
def radix4(x: Any, y: Any) -> None:
    z_0 = x[0] + x[2]
    z_1 = x[0] - x[2]
    z_2 = x[1] + x[3]
    z_3 = x[1] - x[3]
    z_3i = vec2(z_3.y, -z_3.x)

    y[0] = z_0 + z_2
    y[1] = z_1 + z_3i
    y[2] = z_0 - z_2
    y[3] = z_1 - z_3i


@func
def radix_butterfly(radix: i32, radix_func: Any, i: i32, p: i32, x: Any, indices: Any, y: Any) -> None:
    # i: the index in the overall DFT that we're processing.
    # p: the size of the DFTs we're merging at this step.
    k = i % p
    j = (i // p) * radix * p + k

    # Apply twiddles
    if p > 1:
        twiddle_1 = get_twiddle(k, radix * p)
        twiddle = twiddle_1
        x[1] = complex_mul(x[1], twiddle)

        for t in range(2, radix):
            twiddle = complex_mul(twiddle, twiddle_1)
            x[t] = complex_mul(x[t], twiddle)

    radix_func(x, y)

    for t in range(radix):
        indices[t] = j + t * p


@func
def radix_n_steps(
    radix: i32,
    radix_func: Any,
    i: i32,
    p: i32,
    m: i32,
    n: i32,
    elems_per_thread: i32,
    num_steps: i32,
    inputs: Any,
    indices: Any,
    values: Any,
    buf: Any,
) -> i32:
    """The steps of one radix; gives the size of the DFTs after them."""
    m_r = n // radix
    # When combining different sized radices, we have to do multiple butterflies in a single thread.
    max_radices_per_thread = (elems_per_thread + radix - 1) // radix

    for _ in range(num_steps):
        for t in range(max_radices_per_thread):
            index = i + t * m
            if index < m_r:
                for r in range(radix):
                    inputs[r] = buf[index + r * m_r]
                first, last = t * radix, (t + 1) * radix
                radix_butterfly(radix, radix_func, index, p, inputs, indices[first:last], values[first:last])

        # Wait until all threads have read their inputs into thread local mem
        barrier()

        for t in range(max_radices_per_thread):
            index = i + t * m
            if index < m_r:
                for r in range(radix):
                    r_index = t * radix + r
                    buf[indices[r_index]] = values[r_index]

        # Wait until all threads have written back to threadgroup mem
        barrier()
        p *= radix
    return p


@kernel
def fft(
    x: Global[vec2, 2],
    y: GlobalMut[vec2, 2],
    N: Spec[i32],
    RADIX_4_STEPS: Spec[i32],
    RADIX_2_STEPS: Spec[i32],
    ELEMS_PER_THREAD: Spec[i32] = 4,
) -> None:
    buf = group_array(vec2, N)
    row, i, m = group_id(), thread_id(), threads()
    for index in range(i, N, m):
        buf[index] = x[row, index]
    barrier()

    inputs, values = local_array(vec2, 4), local_array(vec2, ELEMS_PER_THREAD)
    indices = local_array(i32, ELEMS_PER_THREAD)
    p = 1
    p = radix_n_steps(2, radix2, i, p, m, N, ELEMS_PER_THREAD, RADIX_2_STEPS, inputs, indices, values, buf)
    p = radix_n_steps(4, radix4, i, p, m, N, ELEMS_PER_THREAD, RADIX_4_STEPS, inputs, indices, values, buf)

    for index in range(i, N, m):
        y[row, index] = buf[index]


def transform(x: Buffer, y: Buffer) -> None:
    """Transforms each row of complex numbers (rows, n, 2), n a power of 2 from 4 to 1,024."""
    rows, n, _ = x.shape
    fours, twos = divmod(n.bit_length() - 1, 2)
    run = fft.specialize(N=n, RADIX_4_STEPS=fours, RADIX_2_STEPS=twos)
    run.with_threads(n // 4).with_groups(rows)(x, y)


def example(device: Device, size: int) -> Iterator[Work]:
    """Rows of ``size`` numbers, a power of 2 from 4 to 1,024."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(max(1, 4096 // size), size, 2)).astype(np.float32)
    x, y = Buffer.from_numpy(start, device), Buffer.zeros(start.shape, f32, device)

    def check() -> None:
        found = y.numpy().astype(np.float64)
        expected = np.fft.fft(start[..., 0].astype(np.float64) + 1j * start[..., 1])
        # Each of the steps rounds a few times, and twiddles are powers, each rounded.
        error = np.abs(found[..., 0] + 1j * found[..., 1] - expected).max()
        assert error < 8 * math.log2(size) * 2**-24 * np.abs(expected).max()

    flops = 5 * math.log2(size) * start.size / 2
    yield Work("FFT", lambda: transform(x, y), check, flops / 1e9, "GFLOP")


if __name__ == "__main__":
    main(example, size=1024)
