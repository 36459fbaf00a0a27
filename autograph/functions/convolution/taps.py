"""Filters packed for one loop over all taps, and the table that tells where each finds its pixel.

Source: M. Dukhan, "The Indirect Convolution Algorithm", 2019, whose table has an address for each pixel of the result,
too.
"""

from __future__ import annotations

from typing import Literal

from autograph.functions.launch import grid_stride, split_index
from autograph.functions.type_variables import T, U
from krnlpy import Buffer, Global, GlobalMut, Spec, i32, i64, kernel
from krnlpy.dsl import global_id, global_threads

from .geometry import Window


@kernel(unchecked=True)
def _pack(filters: Global[T, Literal[6]], taps: GlobalMut[U, Literal[4]], CHANNELS: Spec[i32]) -> None:
    """``taps[g, block, k, t]`` is the tap k of the filter of channel ``block * CHANNELS + t``, 0 past the last."""
    groups, blocks, oc, ic = taps.shape[0], taps.shape[1], filters.shape[1], filters.shape[2]
    depth, height, width = filters.shape[3], filters.shape[4], filters.shape[5]
    for item in range(global_id(), groups * blocks * ic, global_threads()):
        block_of, c = split_index(item, ic)
        g, block = split_index(block_of, blocks)
        for t in range(CHANNELS):
            k = c * depth * height * width
            o = block * CHANNELS + t
            for h in range(depth):
                for i in range(height):
                    for j in range(width):
                        v = U(0)
                        if o < oc:
                            v = U(filters[g, o, c, h, i, j])
                        taps[g, block, k, t] = v
                        k += 1


@kernel(unchecked=True)
def _find(
    places: GlobalMut[i64, Literal[4]],
    volume: i64, plane: i64, row: i64, pixel: i64, pitch: i64,
    STEP: Spec[i32],
) -> None:  # fmt: skip
    """``places[c, h, i, j]`` is how far the pixel of a tap is behind the first one under the filter."""
    depth, height, width = places.shape[1], places.shape[2], places.shape[3]
    for item in range(global_id(), places.shape[0] * depth, global_threads()):
        c, h = split_index(item, depth)
        for i in range(height):
            for j in range(width):
                column = i64(j) * pixel
                places[c, h, i, j] = c * volume + h * plane + i * row + column // STEP + column % STEP * pitch


def packed(weight: Buffer, channels: int, like: Buffer) -> Buffer:
    """Filters ``[g, o, c, ...]`` as ``[g, o / channels, taps, channels]`` of the type of ``like``, 0 past the last."""
    g, o = weight.shape[:2]
    blocks = -(-o // channels)
    taps = Buffer.empty((g, blocks, weight[0, 0].size, channels), like.dtype, like.device)
    grid_stride(_pack.specialize(CHANNELS=channels), g * blocks * weight.shape[2])(weight, taps)
    return taps


def places_of(images: Buffer, window: Window, pitch: int = 0) -> Buffer:
    """Where the taps of a filter are in ``images[n, g, c, z, y, x]``, one behind the other.

    Args:
        images: contiguous.
        pitch: of rows that have first each stride-th pixel, then each after it; 0 for rows as they are.
    """
    channels, depth, height, width = images.shape[2:]
    plane, (dz, dy, dx), step = height * width, window.dilation, window.stride[2] if pitch else 1
    places = Buffer.empty((channels, *window.filter), i64, images.device)
    find = grid_stride(_find.specialize(STEP=step), channels * window.filter[0])
    find(places, depth * plane, dz * plane, dy * width, dx, pitch)
    return places.reshape(-1)
