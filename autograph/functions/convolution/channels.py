"""Convolution on the host with vectors of channels, for rows that are shorter than a vector: filters are packed."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Literal

from autograph.functions.checks import Triple
from autograph.functions.launch import grid_stride, split_index
from autograph.functions.type_variables import T, U, accumulator
from krnlpy import Buffer, Global, GlobalMut, Out, ScalarType, Spec, i32, i64, kernel
from krnlpy.dsl import fma, global_id, global_threads, local_array

from .geometry import Window
from .padded import padded


@cache
def _slide(wide: ScalarType) -> Any:
    """The kernel that computes in a type."""

    @kernel(threads=1, unchecked=True)
    def slide(
        images: Global[T, Literal[6]],
        filters: Global[T, Literal[6]],
        out: GlobalMut[U, Literal[6]],
        front: i32, top: i32,
        step_z: i32, step_y: i32,
        tap_z: i32, tap_y: i32, tap_x: i32,
        STEP: Spec[i32], PIXELS: Spec[i32], LANES: Spec[i32], FLAT: Spec[bool],
    ) -> None:  # fmt: skip
        """``out[n, g, o, z, y, x]`` is the sum of ``images[n, g, c, z * step_z + h * tap_z - front, y * step_y + i *
        tap_y - top, x * STEP + j * tap_x] * filters[g, c, h, i, j, o]`` over all c, h, i, j; above and
        below the images are zeros, over which nothing is computed. Vectors are channels; where each group has but one,
        pixels. What lies past the last channel is not stored. FLAT says that all has a depth of 1."""
        total = local_array(wide, (PIXELS, LANES))
        count, groups, oc, od, oh, ow = out.shape
        blocks = (oc + LANES - 1) // LANES
        for item in range(global_id(), count * groups * blocks * od * oh, global_threads()):
            plane_of, y = split_index(item, oh)
            block_of, z = split_index(plane_of, 1 if FLAT else od)
            group_of, block = split_index(block_of, blocks)
            n, g = split_index(group_of, groups)
            o = block * LANES
            for chunk in range(0, ow, PIXELS):
                first = min(chunk, ow - PIXELS)  # the last pixels of a row may be computed twice
                for p in range(PIXELS):
                    for k in range(LANES):
                        total[p, k] = 0.0
                for c in range(filters.shape[1]):
                    for h in range(1 if FLAT else filters.shape[2]):
                        plane = 0 if FLAT else z * step_z + h * tap_z - front
                        if FLAT or 0 <= plane < images.shape[3]:
                            for i in range(filters.shape[3]):
                                row = y * step_y + i * tap_y - top
                                if 0 <= row < images.shape[4]:
                                    pixels = images[n, g, c, plane, row]  # type: ignore[index]  # a row
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
                            out[n, g, o + k, z, y, first + p] = U(total[p, k])

    return slide


@kernel(unchecked=True)
def _channels_last(x: Global[T, Literal[6]], out: Out[U, Literal[6]]) -> None:
    """``out[g, n, z, y, x, c]`` of ``x[g, n, c, z, y, x]``, zero past the last channel."""
    planes, rows, columns = x.shape[3], x.shape[4], x.shape[5]
    for item in range(global_id(), out.shape[0] * out.shape[1] * planes * rows, global_threads()):
        plane_of, y = split_index(item, rows)
        filter, z = split_index(plane_of, planes)
        g, n = split_index(filter, out.shape[1])
        for c in range(out.shape[5]):
            for column in range(columns):
                v = U(0)
                if c < x.shape[2]:
                    v = U(x[g, n, c, z, y, column])
                out[g, n, z, y, column, c] = v


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, g, o, ...]`` of volumes ``x[n, g, c, ...]`` and filters ``weight[g, o, c, ...]``."""
    front, top, left = window.padding
    width = (out.shape[5] - 1) * window.stride[2] + window.reach[2] + 1
    images = padded(x, (0, 0, left), (x.shape[3], x.shape[4], max(width, x.shape[5] + left)))
    filters = _packed(weight.transpose(0, 2, 1, 3, 4, 5))
    _launch(images, filters, out, (front, top), window.stride, window.dilation)


def _packed(filters: Buffer) -> Buffer:
    """``[g, c, o, z, y, x]`` as ``[g, c, z, y, x, lanes]`` in the type that they are computed in."""
    g, c, o, d, h, w = filters.shape
    lanes = _lanes(o)
    out = Buffer.empty((g, c, d, h, w, -(-o // lanes) * lanes), accumulator(filters.dtype), filters.device)
    grid_stride(_channels_last, g * c * d * h)(filters, out)
    return out


def _launch(
    images: Buffer,
    filters: Buffer,
    out: Buffer,
    before: tuple[int, int],
    step: Triple,
    tap: Triple,
) -> None:
    count, groups, oc, od, oh, ow = out.shape
    lanes = _lanes(oc)
    is_flat = images.shape[3] == filters.shape[2] == od == 1 and before[0] == 0
    built = _specialized(images.dtype, step[2], _pixels(ow, lanes), lanes, is_flat)
    items = count * groups * -(-oc // lanes) * od * oh
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
def _specialized(wide: ScalarType, step: int, pixels: int, lanes: int, is_flat: bool) -> Any:
    return _slide(wide).specialize(STEP=step, PIXELS=pixels, LANES=lanes, FLAT=is_flat)
