"""Convolution on the host, and the choice of how: products, or vectors of pixels or channels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import gcd

from autograph.functions.type_variables import accumulator
from krnlpy import Buffer

from . import channels, pixels, pointwise, rows
from .geometry import Window
from .vectors import lanes_of, vectors_of

_FEW, _MANY = 4, 16  # channels of a group

_Phase = tuple[slice, slice, int, int]


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, g, o, ...]`` of volumes ``x[n, g, c, ...]`` and filters ``weight[g, o, c, ...]``."""
    if pointwise.is_quicker(x, weight, out, window):
        pointwise.forward(x, weight, out)
        return
    wide, device, columns = accumulator(x.dtype), x.device, out.shape[5]
    by_pixels = lanes_of(columns, wide, device) if out.shape[2] < _FEW else columns >= vectors_of(wide, device)[0]
    (pixels if by_pixels else channels).forward(x, weight, out, window)


def input_gradient(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> None:
    """``dx[n, g, c, ...]`` of the gradient ``dy`` of the output.

    Every stride-th pixel of ``dx`` is touched by the same taps of the filters: these pixels are a convolution of ``dy``
    with these taps, turned.
    """
    if pointwise.is_quicker(dx, weight, dy, window):
        pointwise.input_gradient(dy, weight, dx)
        return
    if rows.can_fold(dy, weight, dx, window):
        rows.fold(dy, weight, dx, window)
        return
    axes = zip(dx.shape[3:], window.filter, window.stride, window.padding, window.dilation, strict=True)
    for z, y, x in product(*(list(_phases(*axis)) for axis in axes)):
        part = dx[:, :, :, z[0], y[0], x[0]]
        taps = weight[:, :, :, z[1], y[1], x[1]].transpose(0, 2, 1, 3, 4, 5)
        if taps.size:
            size, ones = taps.shape[3:], (1, 1, 1)
            turned = Window((size[0], size[1], size[2]), ones, (z[2], y[2], x[2]), (z[3], y[3], x[3]))
            forward(dy, taps.contiguous(), part, turned)
        else:
            part.fill(0)


def weight_gradient(x: Buffer, dy: Buffer, out: Buffer, window: Window) -> None:
    """The gradient ``out[g, o, c, ...]`` of the filters; images are added in a fixed order."""
    (channels if dy.shape[2] >= _MANY else rows).weight_gradient(x, dy, out, window)


def _phases(size: int, filter: int, stride: int, padding: int, dilation: int) -> Iterator[_Phase]:
    """Along an axis: which pixels, and the taps that touch them, turned; padding and dilation of such a convolution."""
    apart = stride // gcd(stride, dilation)
    for first in range(min(stride, size)):
        taps = [j for j in range(filter) if (first + padding - j * dilation) % stride == 0]
        pixels = slice(first, None, stride)
        if taps:
            before = taps[0] - 1 if taps[0] else None
            yield (
                pixels,
                slice(taps[-1], before, -apart),
                (taps[-1] * dilation - first - padding) // stride,
                apart * dilation // stride,
            )
        else:
            yield pixels, slice(0, 0), 0, 1
