"""Convolution on the host: the sums of some pixels times some channels stay in registers, nothing is unfolded.

One kernel slides filters over volumes. It computes the convolution, and with other operands its gradients: that of the
volumes slides the turned filters over the gradient of the output, with zeros around and, for strides, between its
pixels; that of the filters slides that gradient itself over the volumes, whose channels and numbers change places.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Literal

from autograph.functions.checks import Triple
from autograph.functions.launch import grid_stride, reshape_or_copy, split_index
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, U, accumulator
from krnlpy import Buffer, Global, GlobalMut, Out, ScalarType, Spec, i32, i64, kernel
from krnlpy.dsl import fma, global_id, global_threads, local_array

from .geometry import Window

_ITEMS = 64
"""The filters' gradient is split until there are so many pieces of work: some for each core."""


@cache
def _slide(wide: ScalarType) -> Any:
    """The kernel that computes in a type."""

    @kernel(threads=1, unchecked=True)
    def slide(
        images: Global[T, Literal[6]],
        filters: Global[T, Literal[6]],
        out: GlobalMut[U, Literal[7]],
        front: i32, top: i32,
        step_z: i32, step_y: i32,
        tap_z: i32, tap_y: i32, tap_x: i32,
        STEP: Spec[i32], PIXELS: Spec[i32], LANES: Spec[i32], SWAPPED: Spec[bool], FLAT: Spec[bool],
    ) -> None:  # fmt: skip
        """``out[s, n, g, o, z, y, x]`` is the sum of ``images[n, g, c, z * step_z + h * tap_z - front, y * step_y + i *
        tap_y - top, x * STEP + j * tap_x] * filters[g, c, h, i, j, o]`` over every slices-th c and all h, i, j; above
        and below the images are zeros, over which nothing is computed. Vectors are channels; where each group has but
        one, pixels. What lies past the last channel is not stored. FLAT says that all has a depth of 1."""
        total = local_array(wide, (PIXELS, LANES))
        slices, count, groups, oc, od, oh, ow = out.shape
        blocks = (oc + LANES - 1) // LANES
        for item in range(global_id(), slices * count * groups * blocks * od * oh, global_threads()):
            plane_of, y = split_index(item, oh)
            block_of, z = split_index(plane_of, 1 if FLAT else od)
            group_of, block = split_index(block_of, blocks)
            image_of, g = split_index(group_of, groups)
            part, n = split_index(image_of, count)
            o = block * LANES
            for chunk in range(0, ow, PIXELS):
                first = min(chunk, ow - PIXELS)  # the last pixels of a row may be computed twice
                for p in range(PIXELS):
                    for k in range(LANES):
                        total[p, k] = 0.0
                for c in range(part, filters.shape[1], slices):
                    image = c if SWAPPED else n
                    channel = n if SWAPPED else c
                    for h in range(1 if FLAT else filters.shape[2]):
                        plane = 0 if FLAT else z * step_z + h * tap_z - front
                        if FLAT or 0 <= plane < images.shape[3]:
                            for i in range(filters.shape[3]):
                                row = y * step_y + i * tap_y - top
                                if 0 <= row < images.shape[4]:
                                    pixels = images[image, g, channel, plane, row]  # type: ignore[index]  # a row
                                    taps = filters[g, c, h, i]  # type: ignore[index]
                                    for j in range(filters.shape[4]):
                                        # In 64 bits: an i32 may wrap between two pixels, so each would need an address
                                        # of its own.
                                        column = i64(first * STEP + j * tap_x)
                                        for p in range(PIXELS):
                                            pixel = pixels[column + p * STEP]
                                            for k in range(LANES):
                                                total[p, k] = fma(pixel, taps[j, o + k], total[p, k])
                for k in range(LANES):
                    if o + k < oc:
                        for p in range(PIXELS):
                            out[part, n, g, o + k, z, y, first + p] = U(total[p, k])

    return slide


@kernel(unchecked=True)
def _channels_last(x: Global[T, Literal[6]], out: Out[U, Literal[6]], TURNED: Spec[bool]) -> None:
    """``out[g, n, z, y, x, c]`` of ``x[g, n, c, z, y, x]``, zero past the last channel; TURNED by half a turn along all
    axes of the volume."""
    planes, rows, columns = x.shape[3], x.shape[4], x.shape[5]
    for item in range(global_id(), out.shape[0] * out.shape[1] * planes * rows, global_threads()):
        plane_of, y = split_index(item, rows)
        filter, z = split_index(plane_of, planes)
        g, n = split_index(filter, out.shape[1])
        row = rows - 1 - y if TURNED else y
        plane = planes - 1 - z if TURNED else z
        for c in range(out.shape[5]):
            for column in range(columns):
                v = U(0)
                if c < x.shape[2]:
                    v = U(x[g, n, c, plane, row, columns - 1 - column if TURNED else column])
                out[g, n, z, y, column, c] = v


@kernel(unchecked=True)
def _spread(
    x: Global[T, Literal[4]],
    out: GlobalMut[U, Literal[4]],
    left: i32,
    step_z: i32,
    step_y: i32,
    STEP: Spec[i32],
) -> None:
    """``out[n, z * step_z, y * step_y, left + x * STEP] = x[n, z, y, x]`` where that lies inside, zeros elsewhere."""
    depth, height, width = out.shape[1], out.shape[2], out.shape[3]
    first = max(0, (STEP - 1 - left) // STEP)  # what negative padding cuts off at the left
    stop = min(x.shape[3], (width - left + STEP - 1) // STEP)
    for item in range(global_id(), out.shape[0] * depth, global_threads()):
        to_z = item % depth
        n = item // depth
        z = to_z // step_z
        for to in range(height):
            for column in range(width):
                out[n, to_z, to, column] = U(0)
        if z * step_z == to_z:
            for y in range(x.shape[2]):
                for column in range(first, stop):
                    out[n, to_z, y * step_y, left + column * STEP] = U(x[n, z, y, column])


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, g, o, ...]`` of volumes ``x[n, g, c, ...]`` and filters ``weight[g, o, c, ...]``."""
    front, top, left = window.padding
    width = (out.shape[5] - 1) * window.stride[2] + window.reach[2] + 1
    images = _padded(x, max(width, x.shape[5] + left), left)
    filters = _packed(weight.transpose(0, 2, 1, 3, 4, 5))
    _launch(images, filters, out.reshape((1, *out.shape)), (front, top), window.stride, window.dilation)


def input_gradient(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> None:
    """``dx[n, g, c, ...]`` of the gradient ``dy`` of the output."""
    front, top, left = (r - p for r, p in zip(window.reach, window.padding, strict=True))
    images = _padded(dy, dx.shape[5] + window.reach[2], left, window.stride)
    filters = _packed(weight, turned=True)
    _launch(images, filters, dx.reshape((1, *dx.shape)), (front, top), (1, 1, 1), window.dilation)


def weight_gradient(x: Buffer, dy: Buffer, out: Buffer, window: Window) -> None:
    """The gradient ``out[g, o, c, ...]`` of the filters; images are added in a fixed order."""
    g, oc, ic, *size = out.shape
    front, top, left = window.padding
    width = (dy.shape[5] - 1) * window.stride[2] + window.reach[2] + 1
    images = _padded(x, max(width, x.shape[5] + left), left)
    filters = _packed(dy.transpose(1, 0, 2, 3, 4, 5))
    lanes = filters.shape[5] // _lanes(oc)
    slices = max(1, min(dy.shape[0], _ITEMS // (ic * g * size[0] * size[1] * lanes)))
    sums = Buffer.empty((slices, ic, g, oc, *size), accumulator(x.dtype), x.device)
    _launch(images, filters, sums, (front, top), window.dilation, window.stride, swapped=True)
    out.copy_from(sum_axes(sums.transpose(0, 2, 3, 1, 4, 5, 6), (0,), out.dtype))


def _padded(x: Buffer, width: int, left: int, step: Triple = (1, 1, 1)) -> Buffer:
    """Volumes in the type that they are computed in, with zeros beside them up to a width, and between their pixels
    where the step is above 1."""
    wide = accumulator(x.dtype)
    depth, height = (x.shape[3] - 1) * step[0] + 1, (x.shape[4] - 1) * step[1] + 1
    if x.dtype is wide and x.shape[3:] == (depth, height, width) and left == 0:
        return x
    n, g, c = x.shape[:3]
    out = Buffer.empty((n * g * c, depth, height, width), wide, x.device)
    from_ = reshape_or_copy(x, (n * g * c, *x.shape[3:]))
    grid_stride(_spread.specialize(STEP=step[2]), n * g * c * depth)(from_, out, left, *step[:2])
    return out.reshape((n, g, c, depth, height, width))


def _packed(filters: Buffer, turned: bool = False) -> Buffer:
    """``[g, c, o, z, y, x]`` as ``[g, c, z, y, x, lanes]`` in the type that they are computed in."""
    g, c, o, d, h, w = filters.shape
    lanes = _lanes(o)
    out = Buffer.empty((g, c, d, h, w, -(-o // lanes) * lanes), accumulator(filters.dtype), filters.device)
    grid_stride(_channels_last.specialize(TURNED=turned), g * c * d * h)(filters, out)
    return out


def _launch(
    images: Buffer,
    filters: Buffer,
    out: Buffer,
    before: tuple[int, int],
    step: Triple,
    tap: Triple,
    swapped: bool = False,
) -> None:
    slices, count, groups, oc, od, oh, ow = out.shape
    lanes = _lanes(oc)
    is_flat = images.shape[3] == filters.shape[2] == od == 1 and before[0] == 0
    built = _specialized(images.dtype, step[2], _pixels(ow, lanes), lanes, swapped, is_flat)
    items = slices * count * groups * -(-oc // lanes) * od * oh
    grid_stride(built, items)(images, filters, out, *before, *step[:2], *tap)


def _lanes(channels: int) -> int:
    return 16 if channels > 8 else 8 if channels > 4 else 4 if channels > 1 else 1


def _pixels(width: int, lanes: int) -> int:
    """How many pixels of a row are computed at once: few enough for the registers, and few of them twice."""
    if lanes == 1:
        return min(width, min((8, 16, 32), key=lambda n: -(-width // n) * (n + 8)))
    choices = [n for n in ((4, 6, 5, 3) if lanes == 16 else (12, 8, 7, 6, 5, 4)) if n <= width]
    return min(choices, key=lambda n: -(-width // n) * n) if choices else width


@lru_cache(maxsize=1024)
def _specialized(wide: ScalarType, step: int, pixels: int, lanes: int, swapped: bool, is_flat: bool) -> Any:
    return _slide(wide).specialize(STEP=step, PIXELS=pixels, LANES=lanes, SWAPPED=swapped, FLAT=is_flat)
