"""2-d convolution of an image with a filter of any odd size. A group reads its tile of the image once, with a halo as
wide as the filter reaches; its threads then read each pixel many times from group memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, Out, Spec, f32, i32, kernel
from krnlpy.dsl import barrier, global_id, group_array, group_id, thread_id, threads

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Array, Work, main

TILE = 16


@kernel(threads=(TILE, TILE))
def convolution(image: Global[f32, 2], weights: Global[f32, 2], out: Out[f32, 2], RADIUS: Spec[i32]) -> None:
    """As mathematicians define it: the filter is turned by half a circle. Beyond its borders the image is 0."""
    tile = group_array(f32, (TILE + 2 * RADIUS, TILE + 2 * RADIUS))
    x, y = thread_id(0), thread_id(1)
    top, left = group_id(1) * TILE - RADIUS, group_id(0) * TILE - RADIUS
    for i in range(y, TILE + 2 * RADIUS, threads(1)):
        for j in range(x, TILE + 2 * RADIUS, threads(0)):
            if 0 <= top + i < image.shape[0] and 0 <= left + j < image.shape[1]:
                tile[i, j] = image[top + i, left + j]  # a group array starts at zero
    barrier()
    total = 0.0
    for i in range(2 * RADIUS + 1):
        for j in range(2 * RADIUS + 1):
            total += weights[2 * RADIUS - i, 2 * RADIUS - j] * tile[y + i, x + j]
    row, column = global_id(1), global_id(0)
    if row < out.shape[0] and column < out.shape[1]:
        out[row, column] = total


def convolved(image: Array, weights: Array) -> Array:
    """The same in NumPy, in f64."""
    radius, (rows, columns) = len(weights) // 2, image.shape
    padded = np.pad(image.astype(np.float64), radius)
    out = np.zeros(image.shape)
    for (i, j), weight in np.ndenumerate(weights[::-1, ::-1]):
        out += weight * padded[i : i + rows, j : j + columns]
    return out


def convolution_work(image: Array, weights: Array, device: Device) -> Work:
    """The convolution of an image with a square filter of odd size."""
    side, (rows, columns) = len(weights), image.shape
    buffers = [Buffer.from_numpy(a, device) for a in (image, weights)]
    out = Buffer.empty(image.shape, f32, device)
    launcher = convolution.specialize(RADIUS=side // 2).with_global_threads(columns, rows)

    def check() -> None:
        # Positive products and their sum: a rounding of 2**-24 for each.
        np.testing.assert_allclose(out.numpy(), convolved(image, weights), rtol=(side**2 + 1) * 2**-24)

    flops = 2 * side**2 * image.size
    return Work(f"convolution {side}x{side}", lambda: launcher(*buffers, out), check, flops / 1e9, "GFLOP")


def example(device: Device, size: int) -> Iterator[Work]:
    """An image of ``size`` by ``size + 1`` pixels; filters of 3 by 3 and 7 by 7."""
    rng = np.random.default_rng(0)
    image = rng.random((size, size + 1), np.float32)
    for side in (3, 7):
        yield convolution_work(image, rng.random((side, side), np.float32), device)


if __name__ == "__main__":
    main(example, size=2048)
