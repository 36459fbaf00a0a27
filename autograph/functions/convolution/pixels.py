"""Convolution on the host with vectors of neighbouring pixels: the sums of some channels and rows stay in registers.

Where rows are strided, the pixels that are multiplied with one tap are moved side by side before.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple

from autograph.functions.launch import grid_stride, split_index
from autograph.functions.type_variables import T, U
from krnlpy import Buffer, Device, Global, GlobalMut, ScalarType, Spec, i32, i64, kernel
from krnlpy.dsl import fma, global_id, global_threads, local_array

from .geometry import Window
from .padded import surrounded
from .taps import packed, places_of
from .vectors import lanes_of, sums_of


class Tile(NamedTuple):
    """How many channels, rows and pixels of a row are computed at once."""

    channels: int
    rows: int
    pixels: int


@cache
def _slide(wide: ScalarType) -> Any:
    """The kernel that computes in a type."""

    @kernel(threads=1, unchecked=True)
    def slide(
        images: Global[T],
        taps: Global[T, Literal[4]],
        places: Global[i64],
        out: GlobalMut[U, Literal[6]],
        image_step: i64, group_step: i64, plane_step: i64, row_step: i64,
        CHANNELS: Spec[i32], ROWS: Spec[i32], PIXELS: Spec[i32],
    ) -> None:  # fmt: skip
        """``out[n, g, block * CHANNELS + t, z, y, x]`` is the sum over all k of ``taps[g, block, k, t]`` and the pixel
        that is ``places[k]`` behind the first one under the filter. The last rows and pixels may be computed twice, but
        no thread stores what another does."""
        total = local_array(wide, (CHANNELS, ROWS, PIXELS))
        count, groups, oc, od, oh, ow = out.shape
        blocks = taps.shape[1]
        bands = (oh + ROWS - 1) // ROWS
        for item in range(global_id(), count * groups * blocks * od * bands, global_threads()):
            plane_of, band = split_index(item, bands)
            block_of, z = split_index(plane_of, od)
            group_of, block = split_index(block_of, blocks)
            n, g = split_index(group_of, groups)
            o = block * CHANNELS
            y = min(band * ROWS, oh - ROWS)
            start = n * image_step + g * group_step + z * plane_step + y * row_step
            for chunk in range(0, ow, PIXELS):
                first = min(chunk, ow - PIXELS)
                for t in range(CHANNELS):
                    for r in range(ROWS):
                        for k in range(PIXELS):
                            total[t, r, k] = 0.0
                corner = start + first
                for place in range(i64(len(places))):
                    pixel = corner + places[place]
                    for t in range(CHANNELS):
                        tap = taps[g, block, place, t]
                        for r in range(ROWS):
                            for k in range(PIXELS):
                                total[t, r, k] = fma(images[pixel + r * row_step + k], tap, total[t, r, k])
                for t in range(CHANNELS):
                    for r in range(ROWS):
                        if o + t < oc and y + r >= band * ROWS:
                            to = out[n, g, o + t, z, y + r]  # type: ignore[index]  # a row
                            for k in range(PIXELS):
                                to[first + k] = U(total[t, r, k])

    return slide


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, g, o, ...]`` of volumes ``x[n, g, c, ...]`` and filters ``weight[g, o, c, ...]``."""
    count, groups, oc, od, oh, ow = out.shape
    step = window.stride[2]
    images = surrounded(x, window, (od, oh, ow), step)
    channels, depth, height, width = images.shape[2:]
    tile = tile_of(oc, oh, ow, images.dtype, out.device)
    taps, places = packed(weight, tile.channels, images), places_of(images, window, width // step if step > 1 else 0)
    plane = height * width
    volume = channels * depth * plane
    steps = groups * volume, volume, window.stride[0] * plane, window.stride[1] * width
    launch = grid_stride(_specialized(images.dtype, tile), count * groups * taps.shape[1] * od * -(-oh // tile.rows))
    launch(images.reshape(-1), taps, places, out, *steps)


@lru_cache(maxsize=1024)
def tile_of(channels: int, rows: int, columns: int, wide: ScalarType, device: Device) -> Tile:
    """The tile that takes the least time for results of a size.

    Each of its vectors is a sum. Of fewer than ten, one waits for the other: a multiplication with an addition takes
    four or five cycles, and two begin in each. Vectors of pixels, and what they are multiplied with, are loaded too
    and need registers: of two vectors beside twelve sums, one more would not fit.
    """

    def cost(tile: Tile) -> float:
        loads = tile.channels + tile.rows * tile.pixels // lanes
        sums = tile.channels * tile.rows * tile.pixels // lanes
        count = -(-channels // tile.channels) * -(-rows // tile.rows) * -(-columns // tile.pixels)
        return count * (max(sums, 10) + loads)

    lanes = lanes_of(columns, wide, device)
    most = sums_of(lanes, wide, device, 16)
    shapes = [(1, 1), (2, 1), (1, 2), (4, 1), (2, 2), (1, 4)]  # rows, vectors of a row
    return min(
        (
            Tile(c, r, v * lanes)
            for r, v in shapes
            if r <= rows and v * lanes <= columns and 2 * r * v <= most + 2
            for c in range(1, min(channels, (most + 2) // (r * v) - 1) + 1)
        ),
        key=cost,
    )


@lru_cache(maxsize=1024)
def _specialized(wide: ScalarType, tile: Tile) -> Any:
    return _slide(wide).specialize(CHANNELS=tile.channels, ROWS=tile.rows, PIXELS=tile.pixels)
