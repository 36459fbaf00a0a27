"""Volumes with zeros around them, in the type that they are computed in, for kernels that check no borders."""

from __future__ import annotations

from math import prod
from typing import Literal

from autograph.functions.checks import Triple
from autograph.functions.launch import grid_stride, reshape_or_copy, split_index
from autograph.functions.type_variables import T, U, accumulator
from krnlpy import Buffer, Global, GlobalMut, Spec, i32, i64, kernel
from krnlpy.dsl import global_id, global_threads

from .geometry import Window


@kernel(unchecked=True)
def _pad(
    x: Global[T, Literal[4]],
    out: GlobalMut[U, Literal[5]],
    front: i32,
    top: i32,
    left: i32,
    STEP: Spec[i32],
) -> None:
    """``out[n, z, y, p, q] = x[n, z - front, y - top, q * STEP + p - left]`` where that lies inside, else 0."""
    depth, height, width = out.shape[1], out.shape[2], out.shape[4]
    for item in range(global_id(), out.shape[0] * depth * height, global_threads()):
        plane_of, y = split_index(item, height)
        n, z = split_index(plane_of, depth)
        row, plane = y - top, z - front
        inside = 0 <= row < x.shape[2] and 0 <= plane < x.shape[1]
        for p in range(STEP):
            first = left - p  # the column q * STEP + p - left is 0 or more from here on, below the width up to there
            start = min(max(0, (first + STEP - 1) // STEP), width) if inside else width
            stop = max(start, min(width, (x.shape[3] + first + STEP - 1) // STEP))
            to = out[n, z, y, p]  # type: ignore[index]  # a row
            for q in range(start):
                to[q] = U(0)
            if inside:
                pixels = x[n, plane, row]
                for q in range(start, stop):
                    to[q] = U(pixels[i64(q) * STEP - first])
            for q in range(stop, width):
                to[q] = U(0)


def padded(x: Buffer, before: Triple, size: Triple, step: int = 1) -> Buffer:
    """Volumes ``[n, g, c, z, y, x]`` of at least a size, with so many zeros in front, above and to the left, or so
    much cut off, in rows of ``step`` times the width: first each step-th pixel, then each after it. Themselves if they
    are as large, at least."""
    wide = accumulator(x.dtype)
    fits = all(has >= wanted for has, wanted in zip(x.shape[3:], size, strict=True))
    if x.dtype is wide and fits and not any(before) and step == 1:
        return x
    volumes, (depth, height, width) = prod(x.shape[:3]), size
    out = Buffer.empty((volumes, *size[:2], step, width), wide, x.device)
    launch = grid_stride(_pad.specialize(STEP=step), volumes * depth * height)
    launch(reshape_or_copy(x, (volumes, *x.shape[3:])), out, *before)
    return out.reshape((*x.shape[:3], depth, height, step * width))


def surrounded(x: Buffer, window: Window, size: Triple, step: int = 1) -> Buffer:
    """Volumes as kernels read them that check no borders, for results of a size, contiguous: with zeros around them.
    Where ``step`` is the horizontal stride, as :func:`padded` has it."""
    depth, height, width = (
        (n - 1) * stride + reach + 1 for n, stride, reach in zip(size, window.stride, window.reach, strict=True)
    )
    if step > 1:
        width = size[2] + window.reach[2] // step
    return padded(x, window.padding, (depth, height, width), step).contiguous()


def widened(x: Buffer) -> Buffer:
    """Elements in the type that they are computed in."""
    wide = accumulator(x.dtype)
    return x if x.dtype is wide else x.cast(wide)
