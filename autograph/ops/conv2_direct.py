"""Convolution without unfolding the images: each thread computes one pixel of several channels."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

from krnlpy import Buffer, f32, i32, kernel
from krnlpy.dsl import global_id, global_threads, local_array
from krnlpy.dsl.types import Global, Out, Spec

from .kinds import F
from .launch import over
from .sum import reduce_axes

if TYPE_CHECKING:
    from .conv2 import Window

_SLICED_THREADS = 1 << 14  # the weight gradient's sum over images and rows is split until there are so many


@kernel(unchecked=True)
def _forward(
    x: Global[F, 4],
    weight: Global[F, 4],
    out: Out[F, 4],
    TILE: Spec[i32],  # noqa: N803
    FH: Spec[i32],  # noqa: N803
    FW: Spec[i32],  # noqa: N803
    SH: Spec[i32],  # noqa: N803
    SW: Spec[i32],  # noqa: N803
    PH: Spec[i32],  # noqa: N803
    PW: Spec[i32],  # noqa: N803
    DH: Spec[i32],  # noqa: N803
    DW: Spec[i32],  # noqa: N803
) -> None:
    """A thread has one pixel of TILE output channels. Channels past the last compute the last one again, unstored."""
    total = local_array(f32, TILE)
    oc, oh, ow = out.shape[1], out.shape[2], out.shape[3]
    blocks = (oc + TILE - 1) // TILE
    for item in range(global_id(), out.shape[0] * blocks * oh * ow, global_threads()):
        ox = item % ow
        oy = item // ow % oh
        o = item // (ow * oh) % blocks * TILE
        n = item // (ow * oh * blocks)
        for t in range(TILE):
            total[t] = 0.0
        for c in range(x.shape[1]):
            for ky in range(FH):
                iy = oy * SH - PH + ky * DH
                if PH < 1 or 0 <= iy < x.shape[2]:
                    for kx in range(FW):
                        ix = ox * SW - PW + kx * DW
                        if PW < 1 or 0 <= ix < x.shape[3]:
                            v = x[n, c, iy, ix]
                            for t in range(TILE):
                                total[t] += v * weight[min(o + t, oc - 1), c, ky, kx]
        for t in range(TILE):
            if o + t < oc:
                out[n, o + t, oy, ox] = total[t]


@kernel(unchecked=True)
def _input_gradient(
    dy: Global[F, 4],
    weight: Global[F, 4],
    dx: Out[F, 4],
    TILE: Spec[i32],  # noqa: N803
    FH: Spec[i32],  # noqa: N803
    FW: Spec[i32],  # noqa: N803
    SH: Spec[i32],  # noqa: N803
    SW: Spec[i32],  # noqa: N803
    PH: Spec[i32],  # noqa: N803
    PW: Spec[i32],  # noqa: N803
    DH: Spec[i32],  # noqa: N803
    DW: Spec[i32],  # noqa: N803
) -> None:
    """A thread gathers, for one input pixel of TILE input channels, from the output pixels that used it."""
    total = local_array(f32, TILE)
    ic, h, w = dx.shape[1], dx.shape[2], dx.shape[3]
    blocks = (ic + TILE - 1) // TILE
    for item in range(global_id(), dx.shape[0] * blocks * h * w, global_threads()):
        ix = item % w
        iy = item // w % h
        c = item // (w * h) % blocks * TILE
        n = item // (w * h * blocks)
        for t in range(TILE):
            total[t] = 0.0
        for o in range(dy.shape[1]):
            for ky in range(FH):
                y = iy + PH - ky * DH
                oy = y // SH
                if y >= 0 and oy < dy.shape[2] and oy * SH == y:
                    for kx in range(FW):
                        z = ix + PW - kx * DW
                        ox = z // SW
                        if z >= 0 and ox < dy.shape[3] and ox * SW == z:
                            v = dy[n, o, oy, ox]
                            for t in range(TILE):
                                total[t] += v * weight[o, min(c + t, ic - 1), ky, kx]
        for t in range(TILE):
            if c + t < ic:
                dx[n, c + t, iy, ix] = total[t]


@kernel(unchecked=True)
def _weight_gradient(
    x: Global[F, 4],
    dy: Global[F, 4],
    out: Out[f32, 5],
    TILE: Spec[i32],  # noqa: N803
    FH: Spec[i32],  # noqa: N803
    FW: Spec[i32],  # noqa: N803
    SH: Spec[i32],  # noqa: N803
    SW: Spec[i32],  # noqa: N803
    PH: Spec[i32],  # noqa: N803
    PW: Spec[i32],  # noqa: N803
    DH: Spec[i32],  # noqa: N803
    DW: Spec[i32],  # noqa: N803
) -> None:
    """A thread has one tap of TILE output channels, summed over every slices-th row of all images:
    ``out[slice, oc, ic, ky, kx]``."""
    total = local_array(f32, TILE)
    slices, oc, ic = out.shape[0], out.shape[1], out.shape[2]
    oh = dy.shape[2]
    blocks = (oc + TILE - 1) // TILE
    for item in range(global_id(), slices * blocks * ic * FH * FW, global_threads()):
        kx = item % FW
        ky = item // FW % FH
        c = item // (FW * FH) % ic
        o = item // (FW * FH * ic) % blocks * TILE
        part = item // (FW * FH * ic * blocks)
        for t in range(TILE):
            total[t] = 0.0
        for row in range(part, dy.shape[0] * oh, slices):
            n = row // oh
            oy = row % oh
            iy = oy * SH - PH + ky * DH
            if PH < 1 or 0 <= iy < x.shape[2]:
                for ox in range(dy.shape[3]):
                    ix = ox * SW - PW + kx * DW
                    if PW < 1 or 0 <= ix < x.shape[3]:
                        v = x[n, c, iy, ix]
                        for t in range(TILE):
                            total[t] += v * dy[n, min(o + t, oc - 1), oy, ox]
        for t in range(TILE):
            if o + t < oc:
                out[part, o + t, c, ky, kx] = total[t]


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, oc, oh, ow]`` of images ``x`` and filters ``weight``."""
    n, oc, oh, ow = out.shape
    tile = _tile(oc)
    over(_built(_forward, tile, window), n * -(-oc // tile) * oh * ow)(x, weight, out)


def input_gradient(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> None:
    """``dx[n, ic, h, w]`` of the gradient ``dy`` of the output."""
    n, ic, h, w = dx.shape
    tile = _tile(ic)
    over(_built(_input_gradient, tile, window), n * -(-ic // tile) * h * w)(dy, weight, dx)


def weight_gradient(x: Buffer, dy: Buffer, shape: tuple[int, ...], window: Window) -> Buffer:
    """The gradient of filters of a shape; a sum in two passes, in a fixed order."""
    tile = _tile(shape[0])
    threads = -(-shape[0] // tile) * prod(shape[1:])
    slices = max(1, min(dy.shape[0] * dy.shape[2], _SLICED_THREADS // threads))
    out = Buffer.empty((slices, *shape), f32, x.device)
    over(_built(_weight_gradient, tile, window), slices * threads)(x, dy, out)
    return reduce_axes(out, (0,), x.dtype)


def _tile(channels: int) -> int:
    """How many channels a thread computes: as many as share a load well, with the fewest computed in vain."""
    return min((4, 3, 2, 1), key=lambda tile: -(-channels // tile) * (tile + 1))


@lru_cache(maxsize=1024)
def _built(kernel: Any, tile: int, window: Window) -> Any:
    (fh, fw), (sh, sw), (ph, pw), (dh, dw) = window.filter, window.stride, window.padding, window.dilation
    return kernel.specialize(TILE=tile, FH=fh, FW=fw, SH=sh, SW=sw, PH=ph, PW=pw, DH=dh, DW=dw)
