"""Convolution on the host as a product of filters with pixels that are never unfolded: a table tells where each tap
finds its pixel, so that all taps of all channels are one loop whose sums stay in registers.

Vectors are neighbouring pixels. Filters are packed, so that what a pixel is multiplied with lies side by side. Source:
M. Dukhan, "The Indirect Convolution Algorithm", 2019, whose table has an address for each pixel of the result, too.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple

from autograph.functions.launch import grid_stride, split_index
from autograph.functions.type_variables import T, U
from krnlpy import Buffer, Device, Global, GlobalMut, ScalarType, Spec, i32, i64, kernel
from krnlpy.dsl import fma, global_id, global_threads, local_array

from .geometry import Window
from .padded import padded
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
        that is ``places[k]`` behind the first one under the filter. The last channels, rows and pixels may be computed
        twice, but no thread stores what another does."""
        total = local_array(wide, (CHANNELS, ROWS, PIXELS))
        count, groups, oc, od, oh, ow = out.shape
        blocks = taps.shape[1]
        bands = (oh + ROWS - 1) // ROWS
        for item in range(global_id(), count * groups * blocks * od * bands, global_threads()):
            plane_of, band = split_index(item, bands)
            block_of, z = split_index(plane_of, od)
            group_of, block = split_index(block_of, blocks)
            n, g = split_index(group_of, groups)
            o = min(block * CHANNELS, oc - CHANNELS)
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
                        if o + t >= block * CHANNELS and y + r >= band * ROWS:
                            to = out[n, g, o + t, z, y + r]  # type: ignore[index]  # a row
                            for k in range(PIXELS):
                                to[first + k] = U(total[t, r, k])

    return slide


@kernel(unchecked=True)
def _pack(
    filters: Global[T, Literal[6]],
    taps: GlobalMut[U, Literal[4]],
    places: GlobalMut[i64],
    volume: i64, plane: i64, row: i64, pixel: i64, pitch: i64, step: i64,
    CHANNELS: Spec[i32],
) -> None:  # fmt: skip
    """``taps[g, block, k, t]`` is the tap k of the filter of channel ``block * CHANNELS + t``, but for the last block,
    which has the last channels. ``places[k]`` is how far its pixel is behind the first under the filter."""
    groups, blocks, oc, ic = taps.shape[0], taps.shape[1], filters.shape[1], filters.shape[2]
    depth, height, width = filters.shape[3], filters.shape[4], filters.shape[5]
    for item in range(global_id(), groups * blocks * ic, global_threads()):
        block_of, c = split_index(item, ic)
        g, block = split_index(block_of, blocks)
        o = min(block * CHANNELS, oc - CHANNELS)
        k = c * depth * height * width
        for h in range(depth):
            for i in range(height):
                for j in range(width):
                    for t in range(CHANNELS):
                        taps[g, block, k, t] = U(filters[g, o + t, c, h, i, j])
                    if block_of == 0:
                        column = i64(j) * pixel
                        places[k] = c * volume + h * plane + i * row + column // step + column % step * pitch
                    k += 1


def can_slide(out: Buffer, window: Window, wide: ScalarType) -> bool:
    """Whether rows, or planes whose rows are one behind the other, are as long as a vector."""
    return lanes_of(_length(out.shape[4], out.shape[5], window), wide, out.device) > 0


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, g, o, ...]`` of volumes ``x[n, g, c, ...]`` and filters ``weight[g, o, c, ...]``."""
    count, groups, oc, od, oh, ow = out.shape
    images, pitch = _images(x, window, (od, oh, ow))
    wide, device = images.dtype, out.device
    channels, depth, height, width = images.shape[2:]
    if is_flat := _is_flat(oh, ow, width, window, wide, device):
        length = (oh - 1) * width + ow
        result, rows = Buffer.empty((count, groups, oc, od, 1, oh * width), out.dtype, device), 1
        to = result[..., :length]
    else:
        to, rows = out, oh
    tile = tile_of(oc, rows, to.shape[5], wide, device)
    blocks = -(-oc // tile.channels)
    taps = Buffer.empty((groups, blocks, weight[0, 0].size, tile.channels), wide, device)
    places = Buffer.empty(taps.shape[2], i64, device)
    plane, (dz, dy, dx), (sz, sy, sx) = height * width, window.dilation, window.stride
    pack = grid_stride(_pack.specialize(CHANNELS=tile.channels), groups * blocks * channels)
    pack(weight, taps, places, depth * plane, dz * plane, dy * width, dx, pitch, sx)
    launch = grid_stride(_specialized(wide, tile), count * groups * blocks * od * -(-rows // tile.rows))
    volume = channels * depth * plane
    launch(images.reshape(-1), taps, places, to, groups * volume, volume, sz * plane, sy * width)
    if is_flat:
        out.copy_from(result.reshape((count, groups, oc, od, oh, width))[..., :ow])


@lru_cache(maxsize=1024)
def tile_of(channels: int, rows: int, columns: int, wide: ScalarType, device: Device) -> Tile:
    """The tile that takes the least time for results of a size.

    Each of its vectors is a sum. Of fewer than ten, one waits for the other: a multiplication with an addition takes
    four or five cycles, and two begin in each. Vectors of pixels, and what they are multiplied with, are loaded too.
    """

    def cost(tile: Tile) -> float:
        loads = tile.channels + tile.rows * tile.pixels // lanes
        sums = tile.channels * tile.rows * tile.pixels // lanes
        count = -(-channels // tile.channels) * -(-rows // tile.rows) * -(-columns // tile.pixels)
        return count * (max(sums, 10) + loads)

    lanes = lanes_of(columns, wide, device)
    most = sums_of(lanes, wide, device, 16)
    shapes = [(1, 1), (2, 1), (1, 2)]
    return min(
        (
            Tile(c, r, v * lanes)
            for r, v in shapes
            if r <= rows and v * lanes <= columns and r * v <= most
            for c in range(1, min(channels, most // (r * v)) + 1)
        ),
        key=cost,
    )


def _images(x: Buffer, window: Window, size: tuple[int, ...]) -> tuple[Buffer, int]:
    """Volumes as the kernel reads them for results of a size, with zeros around them; and, where the horizontal stride
    is above 1, how far the pixels after each stride-th are from these."""
    planes, rows, columns = size
    (front, top, left), (sz, sy, sx), reach = window.padding, window.stride, window.reach
    width = columns + reach[2] // sx
    height, depth = (rows - 1) * sy + reach[1] + 1, (planes - 1) * sz + reach[0] + 1
    return padded(x, (front, top, left), (depth, height, width), sx).contiguous(), width


def _length(rows: int, columns: int, window: Window) -> int:
    """How long a row is, or a plane where its rows can be one."""
    if window.stride[1] == window.stride[2] == 1:
        return (rows - 1) * (columns + window.reach[2]) + columns
    return columns


def _is_flat(rows: int, columns: int, width: int, window: Window, wide: ScalarType, device: Device) -> bool:
    """Whether the rows of a plane are computed as one, with what lies between them, which is not stored: where rows are
    shorter than vectors."""
    if window.stride[1] != 1 or window.stride[2] != 1 or rows == 1:
        return False
    by_row, by_plane = (lanes_of(n, wide, device) for n in (columns, (rows - 1) * width + columns))
    if not by_row:
        return True
    planes = -(-((rows - 1) * width + columns) // by_plane) * (by_plane + 8)
    return planes * 5 < rows * -(-columns // by_row) * (by_row + 8) * 4  # what is copied takes time, too


@lru_cache(maxsize=1024)
def _specialized(wide: ScalarType, tile: Tile) -> Any:
    return _slide(wide).specialize(CHANNELS=tile.channels, ROWS=tile.rows, PIXELS=tile.pixels)
