"""Convolution on the host where each window is a pixel, as products of matrices: of filters and images."""

from __future__ import annotations

from math import prod

from autograph.functions.launch import reshape_or_copy
from autograph.functions.products.host import by_blas
from krnlpy import Buffer

from .geometry import Window
from .padded import widened

_CHANNELS = 16


def is_quicker(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> bool:
    """Whether products are quicker with filters ``[g, o, c, ...]`` than sliding these over the volumes: where each
    pixel of the result is made of the one at its place, of many channels."""
    is_of_pixels = window.filter == window.stride == (1, 1, 1) and not any(window.padding)
    return is_of_pixels and x.shape[3:] == out.shape[3:] and min(weight.shape[1:3]) >= _CHANNELS


def forward(x: Buffer, weight: Buffer, out: Buffer) -> None:
    """``out[n, g, o, ...]`` of volumes ``x[n, g, c, ...]`` and filters ``weight[g, o, c, ...]``."""
    _multiply(_matrices(weight), x, out)


def input_gradient(dy: Buffer, weight: Buffer, dx: Buffer) -> None:
    """``dx[n, g, c, ...]`` of the gradient ``dy`` of the output."""
    _multiply(_matrices(weight).transpose(0, 2, 1), dy, dx)


def _multiply(filters: Buffer, x: Buffer, out: Buffer) -> None:
    wide = widened(x)
    images = reshape_or_copy(wide, (*x.shape[:3], prod(x.shape[3:])))
    shape = *out.shape[:3], images.shape[3]
    if out.dtype is wide.dtype and out.is_contiguous():
        by_blas(filters, images, out.reshape(shape))
    else:  # some of the pixels of a gradient, say
        sums = Buffer.empty(shape, wide.dtype, out.device)
        by_blas(filters, images, sums)
        out.copy_from(sums.reshape(out.shape).cast(out.dtype))


def _matrices(weight: Buffer) -> Buffer:
    """Filters as matrices ``[g, outputs, inputs]``."""
    return reshape_or_copy(widened(weight), weight.shape[:3])
