"""Convolution without unfolding the images: each thread computes a few pixels of a few channels."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from autograph.functions.launch import MAX_PASSES, grid_stride, split_plane
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import F
from krnlpy import Buffer, Device, Global, Out, Spec, f32, func, i32, kernel
from krnlpy.dsl import global_id, global_threads, local_array

from .geometry import Window

_SLICED_THREADS = 1 << 14  # the weight gradient's sum over images and rows is split until there are so many


# The tiling of all three kernels. A tile is a part of ``out[image, channel, row, column]``: as many neighbouring
# channels as ``total``, a thread's sums, has rows, and as many pixels of a row as it has columns. These pixels are
# ``_steps`` apart, so that neighbouring threads have neighbouring pixels. A tile that reaches past the last channel or
# pixel computes the last one again, and does not store it.


@func
def _blocks(out: Any, total: Any) -> Any:
    return (out.shape[1] + total.shape[0] - 1) // total.shape[0]


@func
def _steps(out: Any, total: Any) -> Any:
    return (out.shape[3] + total.shape[1] - 1) // total.shape[1]


@func
def _tiles(out: Any, total: Any) -> Any:
    return out.shape[0] * _blocks(out, total) * out.shape[2] * _steps(out, total)


@func
def _begin(out: Any, total: Any, tile: Any) -> Any:
    """Sets the sums to 0; returns the tile's image, and its first channel, row and column."""
    for t in range(total.shape[0]):
        for p in range(total.shape[1]):
            total[t, p] = 0.0
    blocks, rows, steps = _blocks(out, total), out.shape[2], _steps(out, total)
    channel = tile // (steps * rows) % blocks * total.shape[0]
    return tile // (steps * rows * blocks), channel, tile // steps % rows, tile % steps


@func
def _add(total: Any, t: Any, pixel: Any, factor: Any) -> None:
    """Adds the pixels, times a factor, to the sums of channel ``t``."""
    for p in range(total.shape[1]):
        total[t, p] += pixel[p] * factor


@func
def _store(out: Any, total: Any, n: Any, channel: Any, row: Any, column: Any) -> None:
    steps = _steps(out, total)
    for t in range(total.shape[0]):
        for p in range(total.shape[1]):
            if channel + t < out.shape[1] and column + p * steps < out.shape[3]:
                out[n, channel + t, row, column + p * steps] = total[t, p]


@kernel(unchecked=True)
def _forward(
    x: Global[F, Literal[4]],
    weight: Global[F, Literal[4]],
    out: Out[F, Literal[4]],
    TILE: Spec[i32],
    PIXELS: Spec[i32],
    FH: Spec[i32],
    FW: Spec[i32],
    SH: Spec[i32],
    SW: Spec[i32],
    PH: Spec[i32],
    PW: Spec[i32],
    DH: Spec[i32],
    DW: Spec[i32],
) -> None:
    """A thread has PIXELS pixels of a row of TILE output channels."""
    total = local_array(f32, (TILE, PIXELS))
    pixel = local_array(f32, PIXELS)
    last_channel, last_column, steps = out.shape[1] - 1, out.shape[3] - 1, _steps(out, total)
    for tile in range(global_id(), _tiles(out, total), global_threads()):
        n, o, oy, first = _begin(out, total, tile)
        for c in range(x.shape[1]):
            for ky in range(FH):
                iy = oy * SH - PH + ky * DH
                if PH < 1 or 0 <= iy < x.shape[2]:
                    for kx in range(FW):
                        for p in range(PIXELS):
                            ix = min(first + p * steps, last_column) * SW - PW + kx * DW
                            pixel[p] = x[n, c, iy, ix] if PW < 1 or 0 <= ix < x.shape[3] else 0.0
                        for t in range(TILE):
                            _add(total, t, pixel, weight[min(o + t, last_channel), c, ky, kx])
        _store(out, total, n, o, oy, first)


@kernel(unchecked=True)
def _input_gradient(
    dy: Global[F, Literal[4]],
    weight: Global[F, Literal[4]],
    dx: Out[F, Literal[4]],
    TILE: Spec[i32],
    PIXELS: Spec[i32],
    FH: Spec[i32],
    FW: Spec[i32],
    SH: Spec[i32],
    SW: Spec[i32],
    PH: Spec[i32],
    PW: Spec[i32],
    DH: Spec[i32],
    DW: Spec[i32],
) -> None:
    """As the forward pass: a thread gathers, for input pixels of TILE input channels, from the output pixels that used
    them."""
    total = local_array(f32, (TILE, PIXELS))
    pixel = local_array(f32, PIXELS)
    last_channel, last_column, steps = dx.shape[1] - 1, dx.shape[3] - 1, _steps(dx, total)
    for tile in range(global_id(), _tiles(dx, total), global_threads()):
        n, c, iy, first = _begin(dx, total, tile)
        for o in range(dy.shape[1]):
            for ky in range(FH):
                y = iy + PH - ky * DH
                oy = y // SH
                if y >= 0 and oy < dy.shape[2] and oy * SH == y:
                    for kx in range(FW):
                        for p in range(PIXELS):
                            z = min(first + p * steps, last_column) + PW - kx * DW
                            ox = z // SW
                            inside = z >= 0 and ox < dy.shape[3] and ox * SW == z
                            pixel[p] = dy[n, o, oy, ox] if inside else 0.0
                        for t in range(TILE):
                            _add(total, t, pixel, weight[o, min(c + t, last_channel), ky, kx])
        _store(dx, total, n, c, iy, first)


@kernel(unchecked=True)
def _weight_gradient(
    x: Global[F, Literal[4]],
    dy: Global[F, Literal[4]],
    out: Out[f32, Literal[4]],
    TILE: Spec[i32],
    TAPS: Spec[i32],
    FH: Spec[i32],
    FW: Spec[i32],
    SH: Spec[i32],
    SW: Spec[i32],
    PH: Spec[i32],
    PW: Spec[i32],
    DH: Spec[i32],
    DW: Spec[i32],
    PIECES: Spec[i32],
) -> None:
    """``out[slice, oc, ic * FH + ky, kx]``: a thread has TAPS taps of a filter's row, of TILE output channels. A slice
    sums every (slices / PIECES)-th row of all images, and of these rows one of PIECES pieces."""
    total = local_array(f32, (TILE, TAPS))
    pixel = local_array(f32, TAPS)
    slices, steps = out.shape[0], _steps(out, total)
    oh, width = dy.shape[2], (dy.shape[3] + PIECES - 1) // PIECES
    for tile in range(global_id(), _tiles(out, total), global_threads()):
        part, o, channel_row, kx = _begin(out, total, tile)
        c, ky = channel_row // FH, channel_row % FH
        first = part % PIECES * width
        last = min(first + width, dy.shape[3])
        for row in range(part // PIECES, dy.shape[0] * oh, slices // PIECES):
            n = row // oh
            oy = row % oh
            iy = oy * SH - PH + ky * DH
            if PH < 1 or 0 <= iy < x.shape[2]:
                for ox in range(first, last):
                    for k in range(TAPS):
                        ix = ox * SW - PW + min(kx + k * steps, FW - 1) * DW
                        pixel[k] = x[n, c, iy, ix] if PW < 1 or 0 <= ix < x.shape[3] else 0.0
                    for t in range(TILE):
                        _add(total, t, pixel, dy[n, min(o + t, out.shape[1] - 1), oy, ox])
        _store(out, total, part, o, channel_row, kx)


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, oc, oh, ow]`` of images ``x`` and filters ``weight``."""
    pieces = _pieces(out.device, weight.shape[1], window)
    if len(pieces) > 1:
        sums = Buffer.empty((len(pieces), *out.shape), f32, out.device)
        for i, (channels, rows, taps) in enumerate(pieces):
            images = _padded(x[:, channels], window.padding)
            some = images[..., rows.start * window.dilation[0] :, taps.start * window.dilation[1] :]
            filters = weight[:, channels, rows, taps].cast(f32)
            forward(some, filters, sums[i], replace(window, filter=_size(filters), padding=(0, 0)))
        out.copy_from(sum_axes(sums, (0,), out.dtype))
        return
    n, oc, oh, ow = out.shape
    tile, pixels = _tile(oc), _tile(ow)
    built = _specialized(_forward, window, TILE=tile, PIXELS=pixels)
    passes = weight.shape[1] * _passes(*window.filter)
    grid_stride(built, n * -(-oc // tile) * oh * -(-ow // pixels), passes)(x, weight, out)


def input_gradient(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> None:
    """``dx[n, ic, h, w]`` of the gradient ``dy`` of the output."""
    pieces = _pieces(dx.device, weight.shape[0], window)
    if len(pieces) > 1:
        (ph, pw), (dh, dw) = window.padding, window.dilation
        sums = Buffer.empty((len(pieces), *dx.shape), f32, dx.device)
        for i, (channels, rows, taps) in enumerate(pieces):
            padding = ph - rows.start * dh, pw - taps.start * dw
            filters = weight[channels, :, rows, taps].cast(f32)
            some = dy[:, channels].cast(f32)
            input_gradient(some, filters, sums[i], replace(window, filter=_size(filters), padding=padding))
        dx.copy_from(sum_axes(sums, (0,), dx.dtype))
        return
    n, ic, h, w = dx.shape
    tile, pixels = _tile(ic), _tile(w)
    built = _specialized(_input_gradient, window, TILE=tile, PIXELS=pixels)
    passes = weight.shape[0] * _passes(*window.filter)
    grid_stride(built, n * -(-ic // tile) * h * -(-w // pixels), passes)(dy, weight, dx)


def weight_gradient(x: Buffer, dy: Buffer, shape: tuple[int, ...], window: Window) -> Buffer:
    """The gradient of filters of a shape; a sum in two passes, in a fixed order."""
    oc, ic, fh, fw = shape
    tile, taps = _tile(oc), _tile(fw)
    threads = -(-oc // tile) * ic * fh * -(-fw // taps)
    rows, width = dy.shape[0] * dy.shape[2], dy.shape[3]
    pieces = -(-width // MAX_PASSES)
    least = -(-rows * (width + 1) // (pieces * MAX_PASSES))
    slices = min(rows, max(least, _SLICED_THREADS // threads, 1))
    out = Buffer.empty((slices * pieces, oc, ic * fh, fw), f32, x.device)
    built = _specialized(_weight_gradient, window, TILE=tile, TAPS=taps, PIECES=pieces)
    passes = -(-rows // slices) * (1 + -(-width // pieces))
    grid_stride(built, slices * pieces * threads, passes)(x, dy, out)
    return sum_axes(out, (0,), x.dtype).reshape(shape)


def _passes(rows: int, taps: int) -> int:
    """The loop passes of a thread over one channel."""
    return 1 + rows * (1 + taps)


def _pieces(device: Device, count: int, window: Window) -> tuple[tuple[slice, slice, slice], ...]:
    """Channels, filter rows and taps, split into pieces so small that a thread can sum over each."""
    windows = split_plane(device, window.filter)
    rows, taps = (part.stop for part in windows[0])
    channels = max(1, MAX_PASSES // _passes(rows, taps))
    if channels >= count:
        return tuple((slice(None), *piece) for piece in windows)
    firsts = range(0, count, channels)
    return tuple((slice(first, first + channels), *piece) for first in firsts for piece in windows)


def _size(filters: Buffer) -> tuple[int, int]:
    return filters.shape[2], filters.shape[3]


def _padded(x: Buffer, padding: tuple[int, int]) -> Buffer:
    """Images in f32 with zeros around them."""
    (n, c, h, w), (ph, pw) = x.shape, padding
    out = Buffer.zeros((n, c, h + 2 * ph, w + 2 * pw), f32, x.device)
    out[:, :, ph : ph + h, pw : pw + w].copy_from(x.cast(f32))
    return out


def _tile(count: int) -> int:
    """How many channels, pixels or taps a thread computes: more need fewer loads, but waste more past the end."""
    return min((5, 4, 3, 2, 1), key=lambda tile: -(-count // tile) * (tile + 1))


@lru_cache(maxsize=1024)
def _specialized(kernel: Any, window: Window, **tiles: int) -> Any:
    (fh, fw), (sh, sw), (ph, pw), (dh, dw) = window.filter, window.stride, window.padding, window.dilation
    return kernel.specialize(FH=fh, FW=fw, SH=sh, SW=sw, PH=ph, PW=pw, DH=dh, DW=dw, **tiles)
