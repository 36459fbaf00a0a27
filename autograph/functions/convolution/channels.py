"""Convolution on the host with vectors of channels: of the result, and of the gradient of filters.

What is packed lies side by side for all channels of a vector; each pixel that it is multiplied with is loaded by
itself. So rows may be short, and pixels apart.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Literal

from autograph.functions.launch import grid_stride, reshape_or_copy, split_index
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, U
from krnlpy import Buffer, Device, Global, GlobalMut, ScalarType, Spec, i32, i64, kernel
from krnlpy.dsl import fma, global_id, global_threads, local_array

from .geometry import Window
from .padded import surrounded
from .taps import packed, places_of
from .vectors import sums_of, vectors_of

_ITEMS = 64
"""The filters' gradient is split until there are so many pieces of work: some for each core."""


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
        STEP: Spec[i32], PIXELS: Spec[i32], LANES: Spec[i32],
    ) -> None:  # fmt: skip
        """``out[n, g, block * LANES + k, z, y, x]`` is the sum over all taps of ``taps[g, block, tap, k]`` and the
        pixel that is ``places[tap]`` behind the first one under the filter."""
        total = local_array(wide, (PIXELS, LANES))
        count, groups, oc, od, oh, ow = out.shape
        blocks = taps.shape[1]
        for item in range(global_id(), count * groups * blocks * od * oh, global_threads()):
            plane_of, y = split_index(item, oh)
            block_of, z = split_index(plane_of, od)
            group_of, block = split_index(block_of, blocks)
            n, g = split_index(group_of, groups)
            start = n * image_step + g * group_step + z * plane_step + y * row_step
            for chunk in range(0, ow, PIXELS):
                first = min(chunk, ow - PIXELS)  # the last pixels of a row may be computed twice
                for p in range(PIXELS):
                    for k in range(LANES):
                        total[p, k] = 0.0
                corner = start + first * STEP
                for tap in range(i64(len(places))):
                    place = corner + places[tap]
                    for p in range(PIXELS):
                        pixel = images[place + p * STEP]
                        for k in range(LANES):
                            total[p, k] = fma(pixel, taps[g, block, tap, k], total[p, k])
                for k in range(LANES):
                    if block * LANES + k < oc:
                        to = out[n, g, block * LANES + k, z, y]  # type: ignore[index]  # a row
                        for p in range(PIXELS):
                            to[first + p] = U(total[p, k])

    return slide


@cache
def _correlate(wide: ScalarType) -> Any:
    """The kernel that computes in a type."""

    @kernel(threads=1, unchecked=True)
    def correlate(
        images: Global[T],
        gradient: Global[T, Literal[4]],
        places: Global[i64],
        out: GlobalMut[T, Literal[5]],
        depth: i32, height: i32,
        image_step: i64, group_step: i64, plane_step: i64, row_step: i64,
        STEP: Spec[i32], TAPS: Spec[i32], LANES: Spec[i32],
    ) -> None:  # fmt: skip
        """``out[s, g, block, tap, k]`` is the sum over every slices-th image n and all its places (z, y, x) of
        ``gradient[n * groups + g, block, (z * height + y) * width + x, k]`` and the pixel that is ``places[tap]``
        behind the first one under the filter there. The last taps may be computed twice."""
        total = local_array(wide, (TAPS, LANES))
        slices, groups, blocks, taps = out.shape[0], out.shape[1], out.shape[2], out.shape[3]
        tap_blocks = (taps + TAPS - 1) // TAPS
        width = gradient.shape[2] // (depth * height)
        for item in range(global_id(), slices * groups * blocks * tap_blocks, global_threads()):
            block_of, tap_block = split_index(item, tap_blocks)
            group_of, block = split_index(block_of, blocks)
            part, g = split_index(group_of, groups)
            first = min(tap_block * TAPS, taps - TAPS)
            for t in range(TAPS):
                for k in range(LANES):
                    total[t, k] = 0.0
            for n in range(part, gradient.shape[0] // groups, slices):
                for z in range(depth):
                    for y in range(height):
                        start = n * image_step + g * group_step + z * plane_step + y * row_step
                        row = i64(z * height + y) * width
                        for x in range(i64(width)):
                            for t in range(TAPS):
                                pixel = images[start + x * STEP + places[first + t]]
                                for k in range(LANES):
                                    total[t, k] = fma(gradient[n * groups + g, block, row + x, k], pixel, total[t, k])
            for t in range(TAPS):
                if first + t >= tap_block * TAPS:
                    for k in range(LANES):
                        out[part, g, block, first + t, k] = total[t, k]

    return correlate


@kernel(unchecked=True)
def _channels_last(x: Global[T, Literal[3]], out: GlobalMut[U, Literal[4]], LANES: Spec[i32]) -> None:
    """``out[n, block, p, k] = x[n, block * LANES + k, p]``, zero past the last channel."""
    blocks, pixels = out.shape[1], out.shape[2]
    for item in range(global_id(), out.shape[0] * blocks, global_threads()):
        n, block = split_index(item, blocks)
        for first in range(0, pixels, 16):
            for k in range(LANES):
                c = block * LANES + k
                for p in range(first, min(first + 16, pixels)):
                    v = U(0)
                    if c < x.shape[1]:
                        v = U(x[n, c, p])
                    out[n, block, p, k] = v


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, g, o, ...]`` of volumes ``x[n, g, c, ...]`` and filters ``weight[g, o, c, ...]``."""
    count, groups, oc, od, oh, ow = out.shape
    images = surrounded(x, window, (od, oh, ow))
    lanes = lanes_for(oc, images.dtype, out.device)
    taps = packed(weight, lanes, images)
    most = sums_of(lanes, images.dtype, out.device, 24)
    pixels = _at_once(ow, most, _vectors(lanes, images))
    built = _specialized(_slide, images.dtype, (window.stride[2], pixels, lanes))
    launch = grid_stride(built, count * groups * taps.shape[1] * od * oh)
    launch(images.reshape(-1), taps, places_of(images, window), out, *_steps(images, window))


def weight_gradient(x: Buffer, dy: Buffer, out: Buffer, window: Window) -> None:
    """The gradient ``out[g, o, c, ...]`` of the filters; images are added in a fixed order."""
    count, groups, oc, od, oh, ow = dy.shape
    images = surrounded(x, window, (od, oh, ow))
    wide, device, pixels = images.dtype, out.device, od * oh * ow
    lanes = lanes_for(oc, wide, device)
    blocks = -(-oc // lanes)
    gradient = Buffer.empty((count * groups, blocks, pixels, lanes), wide, device)
    transpose = grid_stride(_channels_last.specialize(LANES=lanes), count * groups * blocks)
    transpose(reshape_or_copy(dy, (count * groups, oc, pixels)), gradient)
    places = places_of(images, window)
    taps = _at_once(len(places), sums_of(lanes, wide, device, 24), _vectors(lanes, images))
    items = groups * blocks * -(-len(places) // taps)
    slices = max(1, min(count, _ITEMS // items))
    parts = Buffer.empty((slices, groups, blocks, len(places), lanes), wide, device)
    launch = grid_stride(_specialized(_correlate, wide, (window.stride[2], taps, lanes)), slices * items)
    launch(images.reshape(-1), gradient, places, parts, od, oh, *_steps(images, window))
    total = sum_axes(parts, (0,), wide) if slices > 1 else parts
    sums = total.reshape((groups, blocks, len(places), lanes)).transpose(0, 1, 3, 2)
    matrix = reshape_or_copy(sums, (groups, blocks * lanes, len(places)))[:, :oc]
    out.copy_from(reshape_or_copy(matrix, out.shape).cast(out.dtype))


def lanes_for(channels: int, wide: ScalarType, device: Device) -> int:
    """How many channels are computed at once: up to two vectors, for each pixel that is loaded."""
    longest = vectors_of(wide, device)[0]
    choices = [n for n in (2 * longest, longest, longest // 2) if n <= 16]
    return min(choices, key=lambda n: -(-channels // n) * (n + longest // 2))


def _steps(images: Buffer, window: Window) -> tuple[int, int, int, int]:
    """From an image, a group, a place of the filter along depth and along height to the next."""
    groups, channels, depth, height, width = images.shape[1:]
    volume = channels * depth * height * width
    return groups * volume, volume, window.stride[0] * height * width, window.stride[1] * width


def _vectors(lanes: int, images: Buffer) -> int:
    return -(-lanes // vectors_of(images.dtype, images.device)[0])


def _at_once(count: int, most: int, vectors: int) -> int:
    """How many pixels or taps are computed at once: few of them twice, and at least ten sums, else one waits for the
    other."""
    return min(range(1, min(count, most) + 1), key=lambda n: -(-count // n) * (max(n * vectors, 10) + n))


@lru_cache(maxsize=1024)
def _specialized(kernel: Any, wide: ScalarType, constants: tuple[int, int, int]) -> Any:
    step, pixels, lanes = constants
    if kernel is _slide:
        return _slide(wide).specialize(STEP=step, PIXELS=pixels, LANES=lanes)
    return _correlate(wide).specialize(STEP=step, TAPS=pixels, LANES=lanes)
