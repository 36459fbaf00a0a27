"""Convolution without unfolding the images: each thread computes a few pixels of a few channels."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from autograph.functions.launch import LONGEST, cut, over
from autograph.functions.reductions import reduce_axes
from autograph.functions.type_variables import F
from krnlpy import Buffer, Device, Global, Out, Spec, f32, i32, kernel
from krnlpy.dsl import global_id, global_threads, local_array

from .geometry import Window

_SLICED_THREADS = 1 << 14  # the weight gradient's sum over images and rows is split until there are so many


@kernel(unchecked=True)
def _forward(
    x: Global[F, Literal[4]],
    weight: Global[F, Literal[4]],
    out: Out[F, Literal[4]],
    TILE: Spec[i32],  # noqa: N803
    PIXELS: Spec[i32],  # noqa: N803
    FH: Spec[i32],  # noqa: N803
    FW: Spec[i32],  # noqa: N803
    SH: Spec[i32],  # noqa: N803
    SW: Spec[i32],  # noqa: N803
    PH: Spec[i32],  # noqa: N803
    PW: Spec[i32],  # noqa: N803
    DH: Spec[i32],  # noqa: N803
    DW: Spec[i32],  # noqa: N803
) -> None:
    """A thread has PIXELS pixels of a row of TILE output channels; neighbouring threads have neighbouring pixels.
    What lies past the last pixel or channel computes the last one again, and is not stored."""
    total = local_array(f32, (TILE, PIXELS))
    pixel = local_array(f32, PIXELS)
    oc, oh, ow = out.shape[1], out.shape[2], out.shape[3]
    blocks = (oc + TILE - 1) // TILE
    columns = (ow + PIXELS - 1) // PIXELS
    for item in range(global_id(), out.shape[0] * blocks * oh * columns, global_threads()):
        first = item % columns
        oy = item // columns % oh
        o = item // (columns * oh) % blocks * TILE
        n = item // (columns * oh * blocks)
        for t in range(TILE):
            for p in range(PIXELS):
                total[t, p] = 0.0
        for c in range(x.shape[1]):
            for ky in range(FH):
                iy = oy * SH - PH + ky * DH
                if PH < 1 or 0 <= iy < x.shape[2]:
                    for kx in range(FW):
                        for p in range(PIXELS):
                            ix = min(first + p * columns, ow - 1) * SW - PW + kx * DW
                            pixel[p] = x[n, c, iy, ix] if PW < 1 or 0 <= ix < x.shape[3] else 0.0
                        for t in range(TILE):
                            w = weight[min(o + t, oc - 1), c, ky, kx]
                            for p in range(PIXELS):
                                total[t, p] += pixel[p] * w
        for t in range(TILE):
            for p in range(PIXELS):
                if o + t < oc and first + p * columns < ow:
                    out[n, o + t, oy, first + p * columns] = total[t, p]


@kernel(unchecked=True)
def _input_gradient(
    dy: Global[F, Literal[4]],
    weight: Global[F, Literal[4]],
    dx: Out[F, Literal[4]],
    TILE: Spec[i32],  # noqa: N803
    PIXELS: Spec[i32],  # noqa: N803
    FH: Spec[i32],  # noqa: N803
    FW: Spec[i32],  # noqa: N803
    SH: Spec[i32],  # noqa: N803
    SW: Spec[i32],  # noqa: N803
    PH: Spec[i32],  # noqa: N803
    PW: Spec[i32],  # noqa: N803
    DH: Spec[i32],  # noqa: N803
    DW: Spec[i32],  # noqa: N803
) -> None:
    """As the forward pass: a thread gathers, for input pixels of TILE input channels, from the output pixels that used
    them."""
    total = local_array(f32, (TILE, PIXELS))
    pixel = local_array(f32, PIXELS)
    ic, h, w = dx.shape[1], dx.shape[2], dx.shape[3]
    blocks = (ic + TILE - 1) // TILE
    columns = (w + PIXELS - 1) // PIXELS
    for item in range(global_id(), dx.shape[0] * blocks * h * columns, global_threads()):
        first = item % columns
        iy = item // columns % h
        c = item // (columns * h) % blocks * TILE
        n = item // (columns * h * blocks)
        for t in range(TILE):
            for p in range(PIXELS):
                total[t, p] = 0.0
        for o in range(dy.shape[1]):
            for ky in range(FH):
                y = iy + PH - ky * DH
                oy = y // SH
                if y >= 0 and oy < dy.shape[2] and oy * SH == y:
                    for kx in range(FW):
                        for p in range(PIXELS):
                            z = min(first + p * columns, w - 1) + PW - kx * DW
                            ox = z // SW
                            inside = z >= 0 and ox < dy.shape[3] and ox * SW == z
                            pixel[p] = dy[n, o, oy, ox] if inside else 0.0
                        for t in range(TILE):
                            v = weight[o, min(c + t, ic - 1), ky, kx]
                            for p in range(PIXELS):
                                total[t, p] += pixel[p] * v
        for t in range(TILE):
            for p in range(PIXELS):
                if c + t < ic and first + p * columns < w:
                    dx[n, c + t, iy, first + p * columns] = total[t, p]


@kernel(unchecked=True)
def _weight_gradient(
    x: Global[F, Literal[4]],
    dy: Global[F, Literal[4]],
    out: Out[f32, Literal[5]],
    TILE: Spec[i32],  # noqa: N803
    TAPS: Spec[i32],  # noqa: N803
    FH: Spec[i32],  # noqa: N803
    FW: Spec[i32],  # noqa: N803
    SH: Spec[i32],  # noqa: N803
    SW: Spec[i32],  # noqa: N803
    PH: Spec[i32],  # noqa: N803
    PW: Spec[i32],  # noqa: N803
    DH: Spec[i32],  # noqa: N803
    DW: Spec[i32],  # noqa: N803
    PIECES: Spec[i32],  # noqa: N803
) -> None:
    """A thread has TAPS taps of a filter's row, of TILE output channels, summed over one of PIECES pieces of every
    so many-th row of all images: ``out[slice, oc, ic, ky, kx]``."""
    total = local_array(f32, (TILE, TAPS))
    pixel = local_array(f32, TAPS)
    slices, oc, ic = out.shape[0], out.shape[1], out.shape[2]
    oh = dy.shape[2]
    blocks = (oc + TILE - 1) // TILE
    parts = (FW + TAPS - 1) // TAPS
    for item in range(global_id(), slices * blocks * ic * FH * parts, global_threads()):
        kx = item % parts * TAPS
        ky = item // parts % FH
        c = item // (parts * FH) % ic
        o = item // (parts * FH * ic) % blocks * TILE
        part = item // (parts * FH * ic * blocks)
        for t in range(TILE):
            for k in range(TAPS):
                total[t, k] = 0.0
        first = part % PIECES * ((dy.shape[3] + PIECES - 1) // PIECES)
        last = min(first + (dy.shape[3] + PIECES - 1) // PIECES, dy.shape[3])
        for row in range(part // PIECES, dy.shape[0] * oh, slices // PIECES):
            n = row // oh
            oy = row % oh
            iy = oy * SH - PH + ky * DH
            if PH < 1 or 0 <= iy < x.shape[2]:
                for ox in range(first, last):
                    for k in range(TAPS):
                        ix = ox * SW - PW + min(kx + k, FW - 1) * DW
                        pixel[k] = x[n, c, iy, ix] if PW < 1 or 0 <= ix < x.shape[3] else 0.0
                    for t in range(TILE):
                        g = dy[n, min(o + t, oc - 1), oy, ox]
                        for k in range(TAPS):
                            total[t, k] += pixel[k] * g
        for t in range(TILE):
            for k in range(TAPS):
                if o + t < oc and kx + k < FW:
                    out[part, o + t, c, ky, kx + k] = total[t, k]


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
        out.copy_from(reduce_axes(sums, (0,), out.dtype))
        return
    n, oc, oh, ow = out.shape
    tile, pixels = _tile(oc), _tile(ow)
    built = _built(_forward, window, TILE=tile, PIXELS=pixels)
    passes = weight.shape[1] * _passes(*window.filter)
    over(built, n * -(-oc // tile) * oh * -(-ow // pixels), passes)(x, weight, out)


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
        dx.copy_from(reduce_axes(sums, (0,), dx.dtype))
        return
    n, ic, h, w = dx.shape
    tile, pixels = _tile(ic), _tile(w)
    built = _built(_input_gradient, window, TILE=tile, PIXELS=pixels)
    passes = weight.shape[0] * _passes(*window.filter)
    over(built, n * -(-ic // tile) * h * -(-w // pixels), passes)(dy, weight, dx)


def weight_gradient(x: Buffer, dy: Buffer, shape: tuple[int, ...], window: Window) -> Buffer:
    """The gradient of filters of a shape; a sum in two passes, in a fixed order."""
    oc, ic, fh, fw = shape
    tile, taps = _tile(oc), _tile(fw)
    threads = -(-oc // tile) * ic * fh * -(-fw // taps)
    rows, width = dy.shape[0] * dy.shape[2], dy.shape[3]
    pieces = -(-width // LONGEST)
    least = -(-rows * (width + 1) // (pieces * LONGEST))
    slices = min(rows, max(least, _SLICED_THREADS // threads, 1))
    out = Buffer.empty((slices * pieces, *shape), f32, x.device)
    built = _built(_weight_gradient, window, TILE=tile, TAPS=taps, PIECES=pieces)
    passes = -(-rows // slices) * (1 + -(-width // pieces))
    over(built, slices * pieces * threads, passes)(x, dy, out)
    return reduce_axes(out, (0,), x.dtype)


def _passes(rows: int, taps: int) -> int:
    """Of a thread's loops over a channel."""
    return 1 + rows * (1 + taps)


def _pieces(device: Device, count: int, window: Window) -> tuple[tuple[slice, slice, slice], ...]:
    """The channels and the rows and taps of filters over which a thread sums, one after the other."""
    windows = cut(device, window.filter)
    rows, taps = (part.stop for part in windows[0])
    channels = max(1, LONGEST // _passes(rows, taps))
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
    """How many channels, pixels or taps a thread has: the more, the fewer loads; but few computed in vain."""
    return min((5, 4, 3, 2, 1), key=lambda tile: -(-count // tile) * (tile + 1))


@lru_cache(maxsize=1024)
def _built(kernel: Any, window: Window, **tiles: int) -> Any:
    (fh, fw), (sh, sw), (ph, pw), (dh, dw) = window.filter, window.stride, window.padding, window.dilation
    return kernel.specialize(FH=fh, FW=fw, SH=sh, SW=sw, PH=ph, PW=pw, DH=dh, DW=dw, **tiles)
