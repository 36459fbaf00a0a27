"""Convolution on the host as products of matrices: of filters and unfolded volumes, where there are many channels.

A few volumes at a time are unfolded, so that their windows stay in the cache. Source: K. Chellapilla et al., "High
Performance Convolutional Neural Networks for Document Processing", 2006.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from autograph.functions.launch import reshape_or_copy
from autograph.functions.products.host import by_blas
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import Shape
from krnlpy import Buffer, host_call

from .geometry import Window
from .windows import fold_into, unfold_into

_ELEMENTS = 1 << 18  # of windows, which are unfolded at once

# From how many results of a group on products are quicker: unfolding takes the less beside them, the more there are.
_RESULTS, _TAPS, _OF_PIXELS = 96, 24, 16


def is_quicker(weight: Buffer, window: Window) -> bool:
    """Whether products are quicker with filters ``[g, o, c, ...]`` than sliding these over the volumes."""
    _, outputs, inputs, *size = weight.shape
    if _is_of_pixels(window):
        return min(outputs, inputs) >= _OF_PIXELS
    return outputs >= _RESULTS and inputs * prod(size) >= _TAPS


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, g, o, ...]`` of volumes ``x[n, g, c, ...]`` and filters ``weight[g, o, c, ...]``."""
    filters = _matrices(_wide(weight))
    columns = _columns(x, out, window)
    for some in _parts(x, columns):
        result = _pixels(out[some])
        windows = _unfolded(x[some], columns, out.shape[3:], window)
        if out.dtype is columns.dtype:
            by_blas(filters, windows, result)
        else:
            sums = Buffer.empty(result.shape, columns.dtype, out.device)
            by_blas(filters, windows, sums)
            result.copy_from(sums.cast(out.dtype))


def input_gradient(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> None:
    """``dx[n, g, c, ...]`` of the gradient ``dy`` of the output."""
    filters = _matrices(_wide(weight)).transpose(0, 2, 1)
    columns = _columns(dx, dy, window)
    for some in _parts(dx, columns):
        part = dx[some]
        n, g, c, *size = part.shape
        windows = columns[:n]
        by_blas(filters, _pixels(_wide(dy[some])), windows)
        into = reshape_or_copy(part, (n, g * c, *size))
        if _is_of_pixels(window):
            into.copy_from(windows.reshape(into.shape).cast(dx.dtype))
        else:
            fold_into(windows.reshape((n, g * c, *window.filter, *dy.shape[3:])), into, window)


def weight_gradient(x: Buffer, dy: Buffer, out: Buffer, window: Window) -> None:
    """The gradient ``out[g, o, c, ...]`` of the filters; images are added in a fixed order."""
    g, o, *taps = out.shape
    columns = _columns(x, dy, window)
    total = Buffer.zeros((g, o, prod(taps)), columns.dtype, x.device)
    for some in _parts(x, columns):
        windows = _unfolded(x[some], columns, dy.shape[3:], window)
        host_call(_add_products, _pixels(_wide(dy[some])), windows.transpose(0, 1, 3, 2), total)
    out.copy_from(total.reshape(out.shape).cast(out.dtype))


def _add_products(a: Any, b: Any, total: Any) -> None:
    for i in range(len(a)):
        total += np.matmul(a[i], b[i])


def _columns(x: Buffer, y: Buffer, window: Window) -> Buffer:
    """Room for the windows of some volumes, one for each pixel of ``y``: ``[volumes, g, c * taps, pixels]``."""
    n, g, c = x.shape[:3]
    each = c * prod(window.filter), prod(y.shape[3:])
    return Buffer.empty((min(n, max(1, _ELEMENTS // (g * prod(each)))), g, *each), accumulator(x.dtype), x.device)


def _parts(x: Buffer, columns: Buffer) -> Iterator[slice]:
    """Which volumes are unfolded at once."""
    for first in range(0, x.shape[0], columns.shape[0]):
        yield slice(first, first + columns.shape[0])


def _unfolded(x: Buffer, columns: Buffer, places: Shape, window: Window) -> Buffer:
    """The windows of volumes at places, in the room for them; where they are pixels, these themselves."""
    n, g, c, *size = x.shape
    into = columns[:n]
    if _is_of_pixels(window):
        return reshape_or_copy(_wide(x), into.shape)
    unfold_into(reshape_or_copy(x, (n, g * c, *size)), into.reshape((n, g * c, *window.filter, *places)), window)
    return into


def _is_of_pixels(window: Window) -> bool:
    """Whether each window is a pixel, and each pixel a window."""
    return window.filter == window.stride == (1, 1, 1) and not any(window.padding)


def _wide(buffer: Buffer) -> Buffer:
    wide = accumulator(buffer.dtype)
    return buffer if buffer.dtype is wide else buffer.cast(wide)


def _pixels(y: Buffer) -> Buffer:
    """Results as matrices ``[n, g, channels, pixels]``."""
    return reshape_or_copy(y, (*y.shape[:3], prod(y.shape[3:])))


def _matrices(weight: Buffer) -> Buffer:
    """Filters as matrices ``[g, outputs, inputs * taps]``."""
    return reshape_or_copy(weight, (*weight.shape[:2], prod(weight.shape[2:])))
