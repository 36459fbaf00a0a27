"""Convolution on the host: images are unfolded, a few at a time, into matrices that BLAS multiplies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from krnlpy import Buffer, DTypeLike, Global, GlobalMut, Out, Spec, f32, host_call, i32, kernel
from krnlpy.dsl import global_id, global_threads

from .kinds import F
from .launch import over
from .matmul import Array, multiply

if TYPE_CHECKING:
    from .conv2 import Window

_BLOCK = 1 << 20  # elements that are unfolded at once: as many as the caches hold


@kernel(unchecked=True)
def _unfold(
    x: Global[F, Literal[4]],
    columns: GlobalMut[f32, Literal[4]],
    OW: Spec[i32],  # noqa: N803
    FH: Spec[i32],  # noqa: N803
    FW: Spec[i32],  # noqa: N803
    SH: Spec[i32],  # noqa: N803
    SW: Spec[i32],  # noqa: N803
    PH: Spec[i32],  # noqa: N803
    PW: Spec[i32],  # noqa: N803
    DH: Spec[i32],  # noqa: N803
    DW: Spec[i32],  # noqa: N803
) -> None:
    """``columns[n, (c, ky, kx), oy, ox]`` is the pixel under that tap; a thread has a row of them."""
    taps, oh = columns.shape[1], columns.shape[2]
    for item in range(global_id(), columns.shape[0] * taps * oh, global_threads()):
        oy = item % oh
        tap = item // oh % taps
        n = item // (oh * taps)
        c = tap // (FH * FW)
        iy = oy * SH - PH + tap // FW % FH * DH
        left = tap % FW * DW - PW
        if PH < 1 or 0 <= iy < x.shape[2]:
            for ox in range(OW):
                ix = ox * SW + left
                v = 0.0
                if PW < 1 or 0 <= ix < x.shape[3]:
                    v = x[n, c, iy, ix]
                columns[n, tap, oy, ox] = v
        else:
            for ox in range(OW):
                columns[n, tap, oy, ox] = 0.0


@kernel(unchecked=True)
def _fold(
    columns: Global[f32, Literal[4]],
    dx: Out[F, Literal[4]],
    FH: Spec[i32],  # noqa: N803
    FW: Spec[i32],  # noqa: N803
    SH: Spec[i32],  # noqa: N803
    SW: Spec[i32],  # noqa: N803
    PH: Spec[i32],  # noqa: N803
    PW: Spec[i32],  # noqa: N803
    DH: Spec[i32],  # noqa: N803
    DW: Spec[i32],  # noqa: N803
) -> None:
    """The way back: each pixel is the sum over the taps under which it lay."""
    for item in range(global_id(), dx.size, global_threads()):
        ix = item % dx.shape[3]
        iy = item // dx.shape[3] % dx.shape[2]
        c = item // (dx.shape[3] * dx.shape[2]) % dx.shape[1]
        n = item // (dx.shape[3] * dx.shape[2] * dx.shape[1])
        total = 0.0
        for ky in range(FH):
            y = iy + PH - ky * DH
            oy = y // SH
            if y >= 0 and oy < columns.shape[2] and oy * SH == y:
                for kx in range(FW):
                    z = ix + PW - kx * DW
                    ox = z // SW
                    if z >= 0 and ox < columns.shape[3] and ox * SW == z:
                        total += columns[n, (c * FH + ky) * FW + kx, oy, ox]
        dx[n, c, iy, ix] = total


def forward(x: Buffer, weight: Buffer, out: Buffer, window: Window) -> None:
    """``out[n, oc, oh, ow]`` of images ``x`` and filters ``weight``."""
    filters = _matrix(weight)
    for block, columns in _unfolded(x, out.shape, window):
        part = out[block]
        values = part if part.dtype is f32 else Buffer.empty(part.shape, f32, part.device)
        host_call(multiply, filters, _flat(columns), _flat(values))
        if values is not part:
            part.copy_from(values.cast(part.dtype))


def input_gradient(dy: Buffer, weight: Buffer, dx: Buffer, window: Window) -> None:
    """``dx[n, ic, h, w]`` of the gradient ``dy`` of the output."""
    filters = _matrix(weight).transpose()
    for block in _blocks(dy.shape, filters.shape[0]):
        part = _cast(dy[block], f32)
        columns = Buffer.empty((part.shape[0], filters.shape[0], *dy.shape[2:]), f32, dy.device)
        host_call(multiply, filters, _flat(part), _flat(columns))
        out = dx[block]
        over(_built(_fold, window), out.size)(columns, out)


def weight_gradient(x: Buffer, dy: Buffer, shape: tuple[int, ...], window: Window) -> Buffer:
    """The gradient of filters of a shape; images are added in order."""
    total = Buffer.zeros((shape[0], prod(shape[1:])), f32, x.device)
    for block, columns in _unfolded(x, dy.shape, window):
        host_call(_add_products, _flat(_cast(dy[block], f32)), _flat(columns), total)
    return _cast(total.reshape(shape), x.dtype)


def _add_products(dy: Array, columns: Array, total: Array) -> None:
    total += np.matmul(dy, columns.swapaxes(1, 2)).sum(axis=0)


def _unfolded(x: Buffer, output: tuple[int, ...], window: Window) -> Iterator[tuple[slice, Buffer]]:
    """Blocks of images as ``[n, taps, oh, ow]``; the next block takes the place of the last."""
    taps = x.shape[1] * window.filter[0] * window.filter[1]
    columns: Buffer | None = None
    for block in _blocks(output, taps):
        part = x[block]
        if columns is None or columns.shape[0] != part.shape[0]:
            columns = Buffer.empty((part.shape[0], taps, *output[2:]), f32, x.device)
        unfold = _built(_unfold, window, output[3])
        over(unfold, columns.shape[0] * taps * output[2])(part, columns)
        yield block, columns


def _blocks(output: tuple[int, ...], taps: int) -> Iterator[slice]:
    count = max(1, _BLOCK // (taps * output[2] * output[3]))
    return (slice(first, min(first + count, output[0])) for first in range(0, output[0], count))


def _matrix(weight: Buffer) -> Buffer:
    return _cast(weight, f32).reshape((weight.shape[0], -1))


def _cast(buffer: Buffer, dtype: DTypeLike) -> Buffer:
    return buffer.contiguous() if buffer.dtype is dtype else buffer.cast(dtype)


def _flat(images: Buffer) -> Buffer:
    return images.reshape((*images.shape[:2], -1))


@lru_cache(maxsize=1024)
def _built(kernel: Any, window: Window, ow: int | None = None) -> Any:
    (fh, fw), (sh, sw), (ph, pw), (dh, dw) = window.filter, window.stride, window.padding, window.dilation
    specs = {"FH": fh, "FW": fw, "SH": sh, "SW": sw, "PH": ph, "PW": pw, "DH": dh, "DW": dw}
    return kernel.specialize(**specs) if ow is None else kernel.specialize(OW=ow, **specs)
