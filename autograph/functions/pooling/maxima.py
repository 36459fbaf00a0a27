"""The greatest value of each window of signals and images, and its gradient."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from autograph.autograd import differentiable
from autograph.errors import ShapeError
from autograph.functions.checks import per_axis, require_dtype, require_ndim, single
from autograph.functions.launch import grid_stride, max_passes, split_plane, split_rows, threads_per_row
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import F
from krnlpy import Buffer, Global, GlobalMut, Item, ItemMut, Out, Spec, bf16, f16, f32, func, i32, kernel
from krnlpy.dsl import global_id, global_threads, isnan

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Windows = tuple[int, int, int, int]
"""A window's height and width, and the steps from one to the next."""


@func
def _rows(images: Any) -> Any:
    return images.shape[0] * images.shape[1] * images.shape[2]


@func
def _row_of(images: Any, row: Any) -> Any:
    """The image, channel and y of a row, counted over all images and channels."""
    channels, height = images.shape[1], images.shape[2]
    return row // (height * channels), row // height % channels, row % height


@func
def _is_greater(value: Any, best: Any) -> Any:
    """Whether a value that comes later in reading order takes the place of the greatest so far. NaN is greatest."""
    return value > best or (isnan(value) and not isnan(best))


@kernel(unchecked=True)
def _max_pool2(
    x: Global[F, Literal[4]],
    out: Out[F, Literal[4]],
    indices: Out[i32, Literal[4]],
    FH: Spec[i32],
    FW: Spec[i32],
    SH: Spec[i32],
    SW: Spec[i32],
    LANES: Spec[i32],
) -> None:
    """``indices`` gets ``row * width + column`` of the maximum in its image. LANES threads share a row."""
    for item in range(global_id(), _rows(out) * LANES, global_threads()):
        n, c, oy = _row_of(out, item // LANES)
        for ox in range(item % LANES, out.shape[3], LANES):
            best = x[n, c, oy * SH, ox * SW]
            index = oy * SH * x.shape[3] + ox * SW
            for ky in range(FH):
                for kx in range(FW):
                    v = x[n, c, oy * SH + ky, ox * SW + kx]
                    if _is_greater(v, best):
                        best = v
                        index = (oy * SH + ky) * x.shape[3] + ox * SW + kx
            out[n, c, oy, ox] = best
            indices[n, c, oy, ox] = index


@kernel(unchecked=True)
def _gradient(
    dy: Global[F, Literal[4]],
    indices: Global[i32, Literal[4]],
    dx: Out[F, Literal[4]],
    FH: Spec[i32],
    FW: Spec[i32],
    SH: Spec[i32],
    SW: Spec[i32],
    LANES: Spec[i32],
) -> None:
    """Each pixel gathers from the windows that it lies in and is the maximum of. LANES threads share a row."""
    for item in range(global_id(), _rows(dx) * LANES, global_threads()):
        n, c, iy = _row_of(dx, item // LANES)
        for ix in range(item % LANES, dx.shape[3], LANES):
            index = iy * dx.shape[3] + ix
            total = 0.0
            for oy in range(max(0, (iy - FH + SH) // SH), min(iy // SH + 1, dy.shape[2])):
                for ox in range(max(0, (ix - FW + SW) // SW), min(ix // SW + 1, dy.shape[3])):
                    if indices[n, c, oy, ox] == index:
                        total += dy[n, c, oy, ox]
            dx[n, c, iy, ix] = total


@kernel(unchecked=True)
def _gradient_of_disjoint(
    dy: Global[F, Literal[3]],
    indices: Global[i32, Literal[3]],
    dx: GlobalMut[F, Literal[2]],
    WIDTH: Spec[i32],
    SH: Spec[i32],
) -> None:
    """``dx[image, y * WIDTH + x]`` where windows share no pixel: a thread has the image rows of a row of windows."""
    for item in range(global_id(), dy.shape[0] * dy.shape[1], global_threads()):
        oy = item % dy.shape[1]
        image = item // dy.shape[1]
        stop = dx.shape[1] if oy == dy.shape[1] - 1 else (oy + 1) * SH * WIDTH
        for index in range(oy * SH * WIDTH, stop):
            dx[image, index] = 0.0
        for ox in range(dy.shape[2]):
            dx[image, indices[image, oy, ox]] = dy[image, oy, ox]


@kernel
def _shift_indices(index: Item[i32], moved: ItemMut[i32], width: i32, to_width: i32, first: i32) -> None:
    """Turns indices in images of one width into those in images of another; index 0 becomes ``first``."""
    moved = first + index // width * to_width + index % width


@kernel
def _keep_maximum(value: Item[F], index: Item[i32], best: ItemMut[F], best_index: ItemMut[i32]) -> None:
    if _is_greater(value, best):
        best = value
        best_index = index


def max_pool2(x: Tensor, filter: int | tuple[int, int], stride: int | tuple[int, int] | None = None) -> Tensor:
    """The greatest value of each window; of several, the first in reading order gets the gradient. NaN is greatest.

    Args:
        x: images ``[n, c, h, w]``, f16, bf16 or f32.
        filter: the window's size, of both axes or ``(vertical, horizontal)``.
        stride: from window to window; None is the window's size. Windows may overlap or leave pixels out.

    Returns:
        ``[n, c, (h - fh) // sh + 1, (w - fw) // sw + 1]``: windows lie wholly inside the image.

    Raises:
        ShapeError: not images, or the window is larger than the image, or a size or stride is below 1.
        DtypeError: other dtypes.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> image = Tensor.from_numpy(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4))
    >>> image.max_pool2(2).numpy().tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """
    require_ndim("max_pool2", "images", x, "[n, c, h, w]")
    require_dtype("max_pool2", x, f16, bf16, f32)
    fh, fw = per_axis("filter", filter, 1, 2)
    sh, sw = (fh, fw) if stride is None else per_axis("stride", stride, 1, 2)
    n, c, h, w = x.shape
    if fh > h or fw > w:
        raise ShapeError(f"max_pool2 of images {x.shape}: the window {(fh, fw)} does not fit into them")
    out = Buffer.empty((n, c, (h - fh) // sh + 1, (w - fw) // sw + 1), x.dtype, x.device)
    indices = Buffer.empty(out.shape, i32, x.device)
    if out.size:
        for some, result, found in split_rows(x.buffer, out, indices):
            _maxima(some, result, found, (fh, fw, sh, sw))
    shape, dtype, device = x.shape, x.dtype, x.device

    def gradient_of_x(gradient: Tensor) -> Tensor:
        dx = Buffer.empty(shape, dtype, device)
        if dx.size:
            for dy, found, result in split_rows(gradient.buffer, indices, dx):
                are_disjoint = sh >= fh and sw >= fw
                fits = _row_passes(dy, result, sh) <= max_passes(device)
                if are_disjoint and fits and threads_per_row(device) == 1:
                    _spread(dy, found, result, sh)
                else:
                    _gather(dy, found, result, (fh, fw, sh, sw))
        return gradient.result(dx)

    return differentiable(x.result(out), [(x, gradient_of_x)])


def max_pool1(x: Tensor, filter: int, stride: int | None = None) -> Tensor:
    """The greatest value of each window; of several, the first gets the gradient. NaN is greatest.

    Args:
        x: signals ``[n, c, w]``, f16, bf16 or f32.
        filter: the window's length.
        stride: from window to window; None is the window's length. Windows may overlap or leave elements out.

    Returns:
        ``[n, c, (w - filter) // stride + 1]``: windows lie wholly inside the signal.

    Raises:
        ShapeError: not signals, or the window is longer than the signal, or a length or stride is below 1.
        DtypeError: other dtypes.

    >>> from autograph import Tensor
    >>> Tensor.from_numpy([[[3.0, 1.0, 4.0, 1.0, 5.0]]]).cast("f32").max_pool1(2).numpy().tolist()
    [[[3.0, 4.0]]]
    """
    require_ndim("max_pool1", "signals", x, "[n, c, w]")
    require_dtype("max_pool1", x, f16, bf16, f32)
    length = single("filter", filter, 1)
    step = length if stride is None else single("stride", stride, 1)
    n, c, w = x.shape
    if length > w:
        raise ShapeError(f"max_pool1 of signals {x.shape}: the window {length} does not fit into them")
    value = max_pool2(x.reshape((n, c, 1, w)), (1, length), (1, step))
    return value.reshape((n, c, value.shape[3]))


def _maxima(x: Buffer, out: Buffer, indices: Buffer, window: Windows) -> None:
    """The greatest of each window, and where it is. Large windows are searched piece by piece."""
    fh, fw, sh, sw = window
    for rows, columns in split_plane(x.device, (fh, fw)):
        ky, kx = rows.stop - rows.start, columns.stop - columns.start
        built = _for_images(_max_pool2, (ky, kx, sh, sw), out, 1 + ky * (1 + kx))
        if rows.start == columns.start == 0:
            built(x, out, indices)
            continue
        some = x[:, :, rows.start :, columns.start :]
        value = Buffer.empty(out.shape, out.dtype, out.device)
        found, moved = (Buffer.empty(out.shape, i32, out.device) for _ in range(2))
        built(some, value, found)
        _shift_indices(found, moved, some.shape[3], x.shape[3], rows.start * x.shape[3] + columns.start)
        _keep_maximum(value, moved, out, indices)


def _gather(dy: Buffer, indices: Buffer, dx: Buffer, window: Windows) -> None:
    """The gradient of images. Where a pixel lies in many windows, they are summed piece by piece."""
    fh, fw, sh, sw = window
    down, across = min(-(-fh // sh), dy.shape[2]), min(-(-fw // sw), dy.shape[3])
    pieces = split_plane(dx.device, (dy.shape[2], dy.shape[3]), (down, across))
    passes = 1 + min(down, pieces[0][0].stop) * (1 + min(across, pieces[0][1].stop))
    if len(pieces) == 1:
        _for_images(_gradient, window, dx, passes)(dy, indices, dx)
        return
    sums = Buffer.zeros((len(pieces), *dx.shape), f32, dx.device)
    for i, (rows, columns) in enumerate(pieces):
        some, found = dy[:, :, rows, columns].cast(f32), indices[:, :, rows, columns]
        # No pixel above or left of these windows has a gradient of them.
        top, left = rows.start * sh, columns.start * sw
        part, moved = sums[i, :, :, top:, left:], Buffer.empty(found.shape, i32, dx.device)
        _shift_indices(found, moved, dx.shape[3], part.shape[3], -top * part.shape[3] - left)
        _for_images(_gradient, window, part, passes)(some, moved, part)
    dx.copy_from(sum_axes(sums, (0,), dx.dtype))


def _row_passes(windows: Buffer, images: Buffer, stride: int) -> int:
    """The loop passes of a thread of _gradient_of_disjoint: the last row of windows has all rows that are left."""
    rows = max(stride, images.shape[2] - (windows.shape[2] - 1) * stride)
    return rows * images.shape[3] + windows.shape[3]


def _spread(dy: Buffer, indices: Buffer, dx: Buffer, stride: int) -> None:
    n, c, h, w = dx.shape
    flat = (n * c, *dy.shape[2:])
    built = grid_stride(
        _gradient_of_disjoint.specialize(WIDTH=w, SH=stride), n * c * dy.shape[2], _row_passes(dy, dx, stride)
    )
    built(dy.contiguous().reshape(flat), indices.reshape(flat), dx.reshape((n * c, h * w)))


def _for_images(kernel: Any, window: Windows, images: Buffer, passes: int) -> Any:
    """The kernel launched over images, where a thread makes ``passes`` loop passes for each pixel."""
    device = images.device
    return grid_stride(*_specialized(kernel, window, images.shape, passes, threads_per_row(device), max_passes(device)))


@lru_cache(maxsize=1024)
def _specialized(
    kernel: Any, window: Windows, shape: tuple[int, ...], passes: int, least: int, most: int
) -> tuple[Any, int, int]:
    """The kernel with ``least`` or more threads for a row, the number of work items, and the loop passes of each."""
    fh, fw, sh, sw = window
    width = shape[3]
    shared = max(least, -(-width * passes // most))
    built = kernel.specialize(FH=fh, FW=fw, SH=sh, SW=sw, LANES=shared)
    return built, prod(shape[:3]) * shared, -(-width // shared) * passes
