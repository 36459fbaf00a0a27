"""Convolution on devices, without unfolding the volumes: each thread computes a few pixels of a few channels.

One kernel slides filters over volumes. It computes the convolution, and with other operands its gradients: that of the
volumes goes over the gradient of the output in steps of one over the stride; that of the filters slides the gradient of
the output over the volumes, whose channels and numbers change places.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Literal

from autograph.functions.checks import Triple
from autograph.functions.launch import MAX_PASSES, grid_stride
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, U, accumulator
from krnlpy import Buffer, Global, Out, ScalarType, Spec, i32, kernel
from krnlpy.dsl import fma, global_id, global_threads, local_array, where

from .geometry import Window

_SLICED_THREADS = 1 << 14  # the filters' gradient is split into sums of its own until there are so many threads

_MUCH = 1 << 22
"""So many products make up for the time that a kernel takes to compile which is made for them: a tile that fits, and a
filter's row written out. Where there are fewer, one kernel serves all."""

_TILE = 4  # its channels and pixels
_WRITTEN_OUT = 8  # so many taps of a filter's row


@cache
def _slide(wide: ScalarType) -> Any:
    """The kernel that accumulates in a type."""
    is_float = wide.is_float  # then a GPU has one instruction for a product and its sum

    @kernel(unchecked=True)
    def slide(
        x: Global[T, Literal[6]],
        weight: Global[T, Literal[6]],
        out: Out[U, Literal[7]],
        step_z: i32, step_y: i32, step_x: i32,
        first_z: i32, first_y: i32, first_x: i32,
        tap_z: i32, tap_y: i32, tap_x: i32,
        part_z: i32, part_y: i32,
        slices_y: i32, slices_x: i32,
        TILE: Spec[i32], PIXELS: Spec[i32], TAPS: Spec[i32], PART: Spec[i32],
    ) -> None:  # fmt: skip
        """``out[s, n, g, o, z, y, x]`` is the s-th part of the sum of ``x[n, g, c, p(z, i), p(y, j), p(x, k)] *
        weight[g, c, i, j, k, o]`` over all c, i, j, k, with ``p(x, k) = (x * step + first + k * tap) / PART``; where
        that is no whole number or outside of the volume, ``x`` is 0.

        A thread has TILE channels of PIXELS pixels of a row. These are ``steps`` apart, so that neighbouring threads
        have neighbouring pixels. What is past the last channel or pixel is computed as the last one, and not stored.
        TAPS is the length of a filter's row if it is to be written out, else 0."""
        total = local_array(wide, (TILE, PIXELS))
        pixel = local_array(wide, PIXELS)
        place = local_array(i32, PIXELS)
        channel = local_array(i32, TILE)
        parts, count, groups, channels, depth, height, width = out.shape
        last_x = x.shape[5] - 1
        blocks = (channels + TILE - 1) // TILE
        steps = (width + PIXELS - 1) // PIXELS
        length = (weight.shape[4] + slices_x - 1) // slices_x
        for item in range(global_id(), parts * count * groups * blocks * depth * height * steps, global_threads()):
            row = item // steps
            column = item % steps
            plane = row // height
            oy = row % height
            block_of = plane // depth
            oz = plane % depth
            group_of = block_of // blocks
            block = block_of % blocks
            image = group_of // groups
            g = group_of % groups
            part = image // count
            n = image % count
            o = block * TILE
            first = part % slices_x * length
            taps = min(length, weight.shape[4] - first)
            for t in range(TILE):
                channel[t] = min(o + t, channels - 1)
                for p in range(PIXELS):
                    total[t, p] = 0.0
            for p in range(PIXELS):
                place[p] = min(column + p * steps, width - 1) * step_x + first_x + first * tap_x
            for c in range(part // (slices_x * slices_y), weight.shape[1], parts // (slices_x * slices_y)):
                for i in range(weight.shape[2]):
                    iz = oz * step_z + first_z + i * tap_z
                    z = iz // part_z
                    if iz >= 0 and z < x.shape[3] and z * part_z == iz:
                        for j in range(part // slices_x % slices_y, weight.shape[3], slices_y):
                            iy = oy * step_y + first_y + j * tap_y
                            y = iy // part_y
                            if iy >= 0 and y < x.shape[4] and y * part_y == iy:
                                pixels = x[n, g, c, z, y]  # type: ignore[index]  # a row
                                filters = weight[g, c, i, j]  # type: ignore[index]
                                for k in range(TAPS if TAPS > 0 else taps):
                                    for p in range(PIXELS):
                                        ix = place[p] + k * tap_x
                                        at = ix // PART
                                        # Loaded without a branch: masks of threads cost more than a load too many.
                                        value = pixels[min(max(at, 0), last_x)]
                                        inside = ix >= 0 and at <= last_x and at * PART == ix
                                        pixel[p] = where(inside, value, 0.0)
                                    for t in range(TILE):
                                        tap = filters[first + k, channel[t]]
                                        for p in range(PIXELS):
                                            s = total[t, p]
                                            total[t, p] = fma(pixel[p], tap, s) if is_float else s + pixel[p] * tap
            for t in range(TILE):
                for p in range(PIXELS):
                    if o + t < channels and column + p * steps < width:
                        out[part, n, g, o + t, oz, oy, column + p * steps] = U(total[t, p])

    return slide


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, g, o, ...]`` of volumes ``x[n, g, c, ...]`` and filters ``weight[g, o, c, ...]``."""
    filters = weight.transpose(0, 2, 3, 4, 5, 1)
    _launch(x, filters, out, window.stride, _negative(window.padding), window.dilation, (1, 1, 1))


def input_gradient(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> None:
    """``dx[n, g, c, ...]`` of the gradient ``dy`` of the output."""
    filters = weight.transpose(0, 1, 3, 4, 5, 2)
    _launch(dy, filters, dx, (1, 1, 1), window.padding, _negative(window.dilation), window.stride)


def weight_gradient(x: Buffer, dy: Buffer, out: Buffer, window: Window) -> None:
    """The gradient ``out[g, o, c, ...]`` of the filters."""
    volumes, filters = x.transpose(2, 1, 0, 3, 4, 5), dy.transpose(1, 0, 3, 4, 5, 2)
    into = out.transpose(2, 0, 1, 3, 4, 5)
    _launch(volumes, filters, into, window.dilation, _negative(window.padding), window.stride, (1, 1, 1), sliced=True)


def _launch(
    x: Buffer,
    weight: Buffer,
    out: Buffer,
    step: Triple,
    first: Triple,
    tap: Triple,
    part: Triple,
    sliced: bool = False,
) -> None:
    """Launches the kernel on filters ``[g, c, z, y, x, o]``; long sums are split into parts, which are added after."""
    n, g, oc, od, oh, ow = out.shape
    channels, depth, height, width = weight.shape[1:5]
    much = out.size * channels * depth * height * width >= _MUCH
    tile, pixels = (_tile(oc), _tile(ow)) if much else (_TILE, _TILE)
    threads = n * g * -(-oc // tile) * od * oh * -(-ow // pixels)
    # The passes of a thread over a row of taps, a plane, and all: none is so long that a driver ends it.
    most = max(4, MAX_PASSES // depth - 1)
    slices_x = -(-width // min(width, most - 2))
    row = 1 + -(-width // slices_x)
    slices_y = -(-height // min(height, most // row))
    plane = depth * (1 + -(-height // slices_y) * row)
    slices = -(-channels // max(1, MAX_PASSES // plane))
    if sliced:
        wanted = _SLICED_THREADS // (threads * slices_x * slices_y)
        slices = max(slices, min(channels, wanted))
        slices_y = max(slices_y, min(height, wanted // slices))
    parts = slices * slices_y * slices_x
    wide = accumulator(out.dtype)
    # The parts are laid out as the kernel writes them, so that rows of pixels are written in turn.
    sums = out.reshape((1, *out.shape)) if parts == 1 else Buffer.empty((parts, *out.shape), wide, out.device)
    built = _specialized(wide, tile, pixels, width if much and width <= _WRITTEN_OUT else 0, part[2])
    passes = -(-channels // slices) * plane
    launch = grid_stride(built, parts * threads, passes)
    launch(x, weight, sums, *step, *first, *tap, *part[:2], slices_y, slices_x)
    if parts > 1:
        out.copy_from(sum_axes(sums, (0,), out.dtype))


def _tile(count: int) -> int:
    """How many channels, pixels or taps a thread computes: more need fewer loads, but waste more past the end."""
    return min((5, 4, 3, 2, 1), key=lambda tile: -(-count // tile) * (tile + 1))


def _negative(triple: Triple) -> Triple:
    z, y, x = triple
    return -z, -y, -x


@lru_cache(maxsize=1024)
def _specialized(wide: ScalarType, tile: int, pixels: int, taps: int, part: int) -> Any:
    return _slide(wide).specialize(TILE=tile, PIXELS=pixels, TAPS=taps, PART=part)
