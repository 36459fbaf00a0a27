"""Gradients of convolution on the host with vectors of neighbouring pixels: sums stay in registers.

Two kernels have tiles of sums: of the volumes' gradient, whose rows are complete before they are shifted to where they
belong; and of the filters' gradient, each vector of which is summed at the end.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Literal

from autograph.functions.launch import grid_stride, split_index
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, accumulator
from krnlpy import Buffer, Global, GlobalMut, ScalarType, Spec, i32, i64, kernel
from krnlpy.dsl import fma, global_id, global_threads, local_array

from .geometry import Window
from .padded import padded, widened
from .vectors import lanes_of, sums_of, vectors_of

_ITEMS = 64
"""The filters' gradient is split until there are so many pieces of work: some for each core."""


@cache
def _fold(wide: ScalarType) -> Any:
    """The kernel that computes in a type."""

    @kernel(threads=1, unchecked=True)
    def fold(
        dy: Global[T, Literal[6]],
        filters: Global[T, Literal[6]],
        dx: GlobalMut[T, Literal[6]],
        tap_z: i32, tap_y: i32, tap_x: i32,
        CHANNELS: Spec[i32], TAPS: Spec[i32], LANES: Spec[i32],
    ) -> None:  # fmt: skip
        """``dx[n, g, c, z, y, x + j * tap_x]`` gets the sums of ``dy[n, g, o, z - h * tap_z, y - i * tap_y, x] *
        filters[g, o, c, h, i, j]`` over all o, h, i. Filters have rows of TAPS taps. The last channels may be computed
        twice, but are stored once."""
        total = local_array(wide, (CHANNELS, TAPS, LANES))
        count, groups, ic, depth, height, width = dx.shape
        od, oh, ow = dy.shape[3], dy.shape[4], dy.shape[5]
        blocks = (ic + CHANNELS - 1) // CHANNELS
        for item in range(global_id(), count * groups * blocks * depth * height, global_threads()):
            plane_of, y = split_index(item, height)
            block_of, z = split_index(plane_of, depth)
            group_of, block = split_index(block_of, blocks)
            n, g = split_index(group_of, groups)
            c = min(block * CHANNELS, ic - CHANNELS)
            for t in range(CHANNELS):
                if c + t >= block * CHANNELS:
                    for column in range(width):
                        dx[n, g, c + t, z, y, column] = 0.0
            for first in range(0, ow, LANES):
                for t in range(CHANNELS):
                    for j in range(TAPS):
                        for k in range(LANES):
                            total[t, j, k] = 0.0
                for h in range(filters.shape[3]):
                    plane = z - h * tap_z
                    if 0 <= plane < od:
                        for i in range(filters.shape[4]):
                            row = y - i * tap_y
                            if 0 <= row < oh:
                                for o in range(i64(dy.shape[2])):
                                    pixels = dy[n, g, o, plane, row]  # type: ignore[index]  # a row
                                    for t in range(CHANNELS):
                                        for j in range(TAPS):
                                            tap = filters[g, o, c + t, h, i, j]
                                            for k in range(LANES):
                                                total[t, j, k] = fma(pixels[first + k], tap, total[t, j, k])
                for j in range(TAPS):
                    left = i64(first + j * tap_x)
                    for t in range(CHANNELS):
                        if c + t >= block * CHANNELS:
                            to = dx[n, g, c + t, z, y]  # type: ignore[index]
                            for k in range(LANES):
                                to[left + k] += total[t, j, k]

    return fold


@cache
def _correlate(wide: ScalarType) -> Any:
    """The kernel that computes in a type."""

    @kernel(threads=1, unchecked=True)
    def correlate(
        images: Global[T, Literal[6]],
        dy: Global[T, Literal[6]],
        out: GlobalMut[T, Literal[7]],
        front: i32,
        step_z: i32, step_y: i32,
        tap_z: i32, tap_y: i32, tap_x: i32,
        pitch: i32,
        STEP: Spec[i32], OUTPUTS: Spec[i32], INPUTS: Spec[i32], TAPS: Spec[i32], LANES: Spec[i32],
    ) -> None:  # fmt: skip
        """``out[s, g, o, c, h, i, j]`` is the sum of ``images[n, g, c, z * step_z + h * tap_z - front, y * step_y + i *
        tap_y, x + column(j)] * dy[n, g, o, z, y, x]`` over every slices-th n and all z, y, x. Rows of ``dy`` are whole
        vectors. The last channels and taps may be computed twice, but are stored once."""
        total = local_array(wide, (OUTPUTS, INPUTS * TAPS, LANES))
        slices, groups, oc, ic, fd, fh, fw = out.shape
        output_blocks = (oc + OUTPUTS - 1) // OUTPUTS
        input_blocks = (ic + INPUTS - 1) // INPUTS
        tap_blocks = (fw + TAPS - 1) // TAPS
        blocks = output_blocks * input_blocks * tap_blocks
        for item in range(global_id(), slices * groups * blocks * fd * fh, global_threads()):
            slab, i = split_index(item, fh)
            block_of, h = split_index(slab, fd)
            inputs_of, tap_block = split_index(block_of, tap_blocks)
            outputs_of, input_block = split_index(inputs_of, input_blocks)
            group_of, output_block = split_index(outputs_of, output_blocks)
            part, g = split_index(group_of, groups)
            o = min(output_block * OUTPUTS, oc - OUTPUTS)
            c = min(input_block * INPUTS, ic - INPUTS)
            j = min(tap_block * TAPS, fw - TAPS)
            for p in range(OUTPUTS):
                for t in range(INPUTS * TAPS):
                    for k in range(LANES):
                        total[p, t, k] = 0.0
            for n in range(part, images.shape[0], slices):
                for z in range(dy.shape[3]):
                    plane = z * step_z + h * tap_z - front
                    if 0 <= plane < images.shape[3]:
                        # In 64 bits: an i32 may wrap between two pixels, so each would need an address of its own.
                        for y in range(i64(dy.shape[4])):
                            row = y * step_y + i * tap_y
                            for first in range(i64(0), i64(dy.shape[5]), i64(LANES)):
                                for p in range(OUTPUTS):
                                    gradients = dy[n, g, o + p, z, y]  # type: ignore[index]  # a row
                                    for t in range(INPUTS * TAPS):
                                        pixels = images[n, g, c + t // TAPS, plane, row]  # type: ignore[index]
                                        left = (j + t % TAPS) * tap_x
                                        column = first + left // STEP + left % STEP * pitch
                                        for k in range(LANES):
                                            total[p, t, k] = fma(
                                                gradients[first + k], pixels[column + k], total[p, t, k]
                                            )
            for p in range(OUTPUTS):
                for t in range(INPUTS * TAPS):
                    value = wide(0)
                    for k in range(LANES):
                        value += total[p, t, k]
                    input = c + t // TAPS
                    tap = j + t % TAPS
                    if o + p >= output_block * OUTPUTS and input >= input_block * INPUTS and tap >= tap_block * TAPS:
                        out[part, g, o + p, input, h, i, tap] = value

    return correlate


def can_fold(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> bool:
    """Whether :func:`fold` computes the volumes' gradient, and computes less than a convolution with zeros around."""
    lanes = lanes_of(dy.shape[5], accumulator(dy.dtype), dy.device)
    return (
        window.stride == (1, 1, 1)
        and not any(window.padding)
        and weight.shape[5] <= 8
        and bool(lanes)
        and dy.shape[5] % lanes == 0
        and 4 * dx[0, 0, 0].size >= 5 * dy[0, 0, 0].size
    )


def fold(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> None:
    """``dx[n, g, c, ...]`` of the gradient ``dy`` of the output, without padding and strides."""
    gradient, filters = widened(dy), widened(weight)
    wide, (count, groups, ic, *size) = gradient.dtype, dx.shape
    to = dx if dx.dtype is wide else Buffer.empty(dx.shape, wide, dx.device)
    lanes, taps = lanes_of(dy.shape[5], wide, dy.device), weight.shape[5]
    channels = _even(ic, sums_of(lanes, wide, dy.device, 20) // taps)
    built = _specialized(_fold, wide, (channels, taps, lanes))
    launch = grid_stride(built, count * groups * -(-ic // channels) * size[0] * size[1])
    launch(gradient, filters, to, *window.dilation)
    if to is not dx:
        dx.copy_from(to.cast(dx.dtype))


def weight_gradient(x: Buffer, dy: Buffer, out: Buffer, window: Window) -> None:
    """The gradient ``out[g, o, c, ...]`` of the filters; images are added in a fixed order."""
    g, oc, ic, fd, fh, fw = out.shape
    wide, device = accumulator(x.dtype), x.device
    lengths = vectors_of(wide, device)
    whole = [n for n in lengths[:-1] if dy.shape[5] % n == 0]
    lanes = whole[0] if whole else lanes_of(dy.shape[5], wide, device) or lengths[-1]
    ow = -(-dy.shape[5] // lanes) * lanes
    gradient = padded(dy, (0, 0, 0), (dy.shape[3], dy.shape[4], ow))
    images, pitch = _images(x, window, dy.shape[4], ow)
    sums = sums_of(lanes, wide, device, 30)
    taps = _even(fw, 8)
    inputs = _even(ic, max(1, 6 // taps))
    outputs = _even(oc, sums // (inputs * taps))
    items = g * -(-oc // outputs) * -(-ic // inputs) * -(-fw // taps) * fd * fh
    slices = max(1, min(dy.shape[0], _ITEMS // items))
    parts = Buffer.empty((slices, g, oc, ic, fd, fh, fw), wide, device)
    built = _specialized(_correlate, wide, (window.stride[2], outputs, inputs, taps, lanes))
    launch = grid_stride(built, slices * items)
    launch(images, gradient, parts, window.padding[0], *window.stride[:2], *window.dilation, pitch)
    out.copy_from(sum_axes(parts, (0,), out.dtype))


def _even(count: int, most: int) -> int:
    """The size of blocks of at most so many: few blocks, and little computed twice."""
    return min(range(1, max(1, min(most, count)) + 1), key=lambda n: -(-count // n) * (n + 1))


def _images(x: Buffer, window: Window, rows: int, columns: int) -> tuple[Buffer, int]:
    """Volumes as the kernels read them, for so many rows and columns of the result: with zeros above and beside them;
    and, where the horizontal stride is above 1, how far the pixels after each stride-th are from these."""
    _, top, left = window.padding
    _, reach_y, reach_x = window.reach
    width = columns + reach_x // window.stride[2]
    height = (rows - 1) * window.stride[1] + reach_y + 1
    return padded(x, (0, top, left), (x.shape[3], height, width), window.stride[2]), width


@lru_cache(maxsize=1024)
def _specialized(kernel: Any, wide: ScalarType, constants: tuple[int, ...]) -> Any:
    names = {
        _fold: ("CHANNELS", "TAPS", "LANES"),
        _correlate: ("STEP", "OUTPUTS", "INPUTS", "TAPS", "LANES"),
    }[kernel]
    return kernel(wide).specialize(**dict(zip(names, constants, strict=True)))
