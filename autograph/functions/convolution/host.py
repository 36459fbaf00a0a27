"""Convolution on the host: the sums of some pixels times some channels stay in registers, nothing is unfolded.

One kernel slides filters over images. It computes the convolution, and with other operands its gradients: that of the
images slides the turned filters over the gradient of the output, with zeros around and, for strides, between its
pixels; that of the filters slides that gradient itself over the images, whose channels and numbers change places.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from autograph.functions.launch import grid_stride
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import F
from krnlpy import Buffer, Global, GlobalMut, Out, Spec, f32, i32, i64, kernel
from krnlpy.dsl import fma, global_id, global_threads, local_array

from .geometry import Window

_ITEMS = 64
"""The filters' gradient is split until there are so many pieces of work: some for each core."""


@kernel(threads=1, unchecked=True)
def _slide(
    images: Global[f32, Literal[4]],
    filters: Global[f32, Literal[4]],
    out: GlobalMut[F, Literal[5]],
    top: i32,
    step_y: i32,
    tap_y: i32,
    tap_x: i32,
    STEP: Spec[i32],
    PIXELS: Spec[i32],
    LANES: Spec[i32],
    SWAPPED: Spec[bool],
) -> None:
    """``out[s, n, o, y, x]`` is the sum of ``images[n, c, y * step_y + i * tap_y - top, x * STEP + j * tap_x] *
    filters[c, i, j, o]`` over every slices-th c and all i, j; above and below the images are zeros, over which nothing
    is computed. Vectors are channels; what lies past the last one is not stored."""
    total = local_array(f32, (PIXELS, LANES))
    slices, count, oc, oh, ow = out.shape
    blocks = (oc + LANES - 1) // LANES
    for item in range(global_id(), slices * count * blocks * oh, global_threads()):
        y = item % oh
        o = item // oh % blocks * LANES
        n = item // (oh * blocks) % count
        part = item // (oh * blocks * count)
        for chunk in range(0, ow, PIXELS):
            first = min(chunk, ow - PIXELS)  # the last pixels of a row may be computed twice
            for p in range(PIXELS):
                for k in range(LANES):
                    total[p, k] = 0.0
            for c in range(part, filters.shape[0], slices):
                image = c if SWAPPED else n
                channel = n if SWAPPED else c
                for i in range(filters.shape[1]):
                    row = y * step_y + i * tap_y - top
                    if 0 <= row < images.shape[2]:
                        for j in range(filters.shape[2]):
                            # In 64 bits: an i32 may wrap between two pixels, so each would need an address of its own.
                            column = i64(first * STEP + j * tap_x)
                            for p in range(PIXELS):
                                pixel = images[image, channel, row, column + p * STEP]
                                for k in range(LANES):
                                    total[p, k] = fma(pixel, filters[c, i, j, o + k], total[p, k])
            for k in range(LANES):
                if o + k < oc:
                    for p in range(PIXELS):
                        out[part, n, o + k, y, first + p] = total[p, k]


@kernel(unchecked=True)
def _channels_last(x: Global[F, Literal[4]], out: Out[f32, Literal[4]], TURNED: Spec[bool]) -> None:
    """``out[n, y, x, c]``, zero past the last channel; TURNED by half a turn in the plane."""
    rows, columns = x.shape[2], x.shape[3]
    for item in range(global_id(), out.shape[0] * rows, global_threads()):
        n = item // rows
        y = item % rows
        row = rows - 1 - y if TURNED else y
        for c in range(out.shape[3]):
            for column in range(columns):
                v = 0.0
                if c < x.shape[1]:
                    v = f32(x[n, c, row, columns - 1 - column if TURNED else column])
                out[n, y, column, c] = v


@kernel(unchecked=True)
def _spread(
    x: Global[F, Literal[4]],
    out: GlobalMut[f32, Literal[4]],
    left: i32,
    step_y: i32,
    STEP: Spec[i32],
) -> None:
    """``out[n, c, y * step_y, left + x * STEP] = x[n, c, y, x]`` where that lies inside, zeros elsewhere."""
    channels, height, width = out.shape[1], out.shape[2], out.shape[3]
    first = max(0, (STEP - 1 - left) // STEP)  # what negative padding cuts off at the left
    stop = min(x.shape[3], (width - left + STEP - 1) // STEP)
    for item in range(global_id(), out.shape[0] * channels, global_threads()):
        c = item % channels
        n = item // channels
        for to in range(height):
            for column in range(width):
                out[n, c, to, column] = 0.0
        for y in range(x.shape[2]):
            for column in range(first, stop):
                out[n, c, y * step_y, left + column * STEP] = f32(x[n, c, y, column])


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, oc, oh, ow]`` of images ``x`` and filters ``weight``."""
    images = _padded(x, x.shape[3] + 2 * window.padding[1], window.padding[1])
    filters = _packed(weight.transpose(1, 0, 2, 3))
    _launch_slide(images, filters, out.reshape((1, *out.shape)), window.padding[0], window.stride, window.dilation)


def input_gradient(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> None:
    """``dx[n, ic, h, w]`` of the gradient ``dy`` of the output."""
    reach = [(f - 1) * d for f, d in zip(window.filter, window.dilation, strict=True)]
    top, left = (r - p for r, p in zip(reach, window.padding, strict=True))
    images = _padded(dy, dx.shape[3] + reach[1], left, window.stride)
    _launch_slide(images, _packed(weight, turned=True), dx.reshape((1, *dx.shape)), top, (1, 1), window.dilation)


def weight_gradient(x: Buffer, dy: Buffer, shape: tuple[int, ...], window: Window) -> Buffer:
    """The gradient of filters of a shape; images are added in a fixed order."""
    oc, ic, fh, fw = shape
    images = _padded(x, x.shape[3] + 2 * window.padding[1], window.padding[1])
    filters = _packed(dy)
    slices = max(1, min(dy.shape[0], _ITEMS // (ic * fh * (filters.shape[3] // _lanes(oc)))))
    out = Buffer.empty((slices, ic, oc, fh, fw), f32, x.device)
    _launch_slide(images, filters, out, window.padding[0], window.dilation, window.stride, swapped=True)
    return sum_axes(out.transpose(0, 2, 1, 3, 4), (0,), x.dtype)


def _padded(x: Buffer, width: int, left: int, step: tuple[int, int] = (1, 1)) -> Buffer:
    """Images in f32, with zeros around them up to a width, and between their pixels where the step is above 1."""
    height = (x.shape[2] - 1) * step[0] + 1
    if x.dtype is f32 and x.shape[2:] == (height, width) and left == 0:
        return x
    out = Buffer.empty((*x.shape[:2], height, width), f32, x.device)
    grid_stride(_spread.specialize(STEP=step[1]), x.shape[0] * x.shape[1])(x, out, left, step[0])
    return out


def _packed(filters: Buffer, turned: bool = False) -> Buffer:
    """``[c, o, h, w]`` as f32 ``[c, h, w, lanes]``."""
    c, o, h, w = filters.shape
    lanes = _lanes(o)
    out = Buffer.empty((c, h, w, -(-o // lanes) * lanes), f32, filters.device)
    grid_stride(_channels_last.specialize(TURNED=turned), c * h)(filters, out)
    return out


def _launch_slide(
    images: Buffer,
    filters: Buffer,
    out: Buffer,
    top: int,
    step: tuple[int, int],
    tap: tuple[int, int],
    swapped: bool = False,
) -> None:
    slices, count, oc, oh, ow = out.shape
    lanes = _lanes(oc)
    built = _specialized(step[1], _pixels(ow, lanes), lanes, swapped)
    grid_stride(built, slices * count * -(-oc // lanes) * oh)(images, filters, out, top, step[0], *tap)


def _lanes(channels: int) -> int:
    return 16 if channels > 8 else 8 if channels > 4 else 4


def _pixels(width: int, lanes: int) -> int:
    """How many pixels of a row are computed at once: few enough for the registers, and few of them twice."""
    choices = [n for n in ((4, 6, 5, 3) if lanes == 16 else (12, 8, 7, 6, 5, 4)) if n <= width]
    return min(choices, key=lambda n: -(-width // n) * n) if choices else width


@lru_cache(maxsize=1024)
def _specialized(step: int, pixels: int, lanes: int, swapped: bool) -> Any:
    return _slide.specialize(STEP=step, PIXELS=pixels, LANES=lanes, SWAPPED=swapped)
