"""Volumes with zeros around them, in the type that they are computed in, for kernels that check no borders."""

from __future__ import annotations

from typing import Literal

from autograph.functions.launch import grid_stride, reshape_or_copy, split_index
from autograph.functions.type_variables import T, U, accumulator
from krnlpy import Buffer, Global, GlobalMut, Spec, i32, i64, kernel
from krnlpy.dsl import global_id, global_threads


@kernel(unchecked=True)
def _pad(
    x: Global[T, Literal[3]],
    out: GlobalMut[U, Literal[4]],
    top: i32,
    left: i32,
    STEP: Spec[i32],
) -> None:
    """``out[n, y, p, q] = x[n, y - top, q * STEP + p - left]`` where that lies inside, zeros elsewhere."""
    height, width = out.shape[1], out.shape[3]
    for item in range(global_id(), out.shape[0] * height, global_threads()):
        n, y = split_index(item, height)
        row = y - top
        inside = 0 <= row < x.shape[1]
        for p in range(STEP):
            first = left - p  # the column q * STEP + p - left is 0 or more from here on, below the width up to there
            start = min(max(0, (first + STEP - 1) // STEP), width) if inside else width
            stop = max(start, min(width, (x.shape[2] + first + STEP - 1) // STEP))
            to = out[n, y, p]  # a row
            for q in range(start):
                to[q] = U(0)
            if inside:
                pixels = x[n, row]
                for q in range(start, stop):
                    to[q] = U(pixels[i64(q) * STEP - first])
            for q in range(stop, width):
                to[q] = U(0)


def padded(x: Buffer, top: int, left: int, height: int, width: int, step: int = 1) -> Buffer:
    """Volumes ``[n, g, c, z, y, x]`` with so many zeros above and to the left, or so much cut off, in rows of ``step``
    times a width: first each step-th pixel, then each after it. Themselves if they are as large, at least."""
    wide = accumulator(x.dtype)
    fits = x.shape[4] >= height and x.shape[5] >= width
    if x.dtype is wide and fits and top == left == 0 and step == 1:
        return x
    n, g, c, d = x.shape[:4]
    planes = n * g * c * d
    out = Buffer.empty((planes, height, step, width), wide, x.device)
    grid_stride(_pad.specialize(STEP=step), planes * height)(reshape_or_copy(x, (planes, *x.shape[4:])), out, top, left)
    return out.reshape((n, g, c, d, height, step * width))


def widened(x: Buffer) -> Buffer:
    """Elements in the type that they are computed in."""
    wide = accumulator(x.dtype)
    return x if x.dtype is wide else x.cast(wide)
