"""The greatest value of each window of signals, images and volumes: where it is, and its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from autograph.autograd import differentiable
from autograph.functions.checks import Triple
from autograph.functions.launch import (
    grid_stride,
    max_passes,
    reshape_or_copy,
    split_index,
    split_plane,
    split_rows,
    threads_per_row,
)
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, U, accumulator
from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, Out, ScalarType, Spec, func, i32, kernel
from krnlpy.dsl import global_id, global_threads, isnan

from .windows import Windows

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Piece = tuple[slice, slice, slice]


@func
def _is_greater(value: Any, best: Any) -> Any:
    """Whether a value that comes later in reading order takes the place of the greatest so far. NaN is greatest."""
    return value > best or (isnan(value) and not isnan(best))


@func
def _begin(window: Any, count: Any, size: Any, stride: Any, padding: Any, adaptive: Any) -> Any:
    """The first pixel of a window along an axis."""
    return window * size // count if adaptive else window * stride - padding


@func
def _end(window: Any, count: Any, size: Any, adaptive: Any) -> Any:
    """The pixel at which windows end along an axis."""
    return ((window + 1) * size + count - 1) // count if adaptive else size


@kernel(unchecked=True)
def _maxima(
    x: Global[T, Literal[4]],
    out: Out[T, Literal[4]],
    indices: Out[i32, Literal[4]],
    FD: Spec[i32], FH: Spec[i32], FW: Spec[i32],
    SD: Spec[i32], SH: Spec[i32], SW: Spec[i32],
    PD: Spec[i32], PH: Spec[i32], PW: Spec[i32],
    DD: Spec[i32], DH: Spec[i32], DW: Spec[i32],
    TD: Spec[i32], TH: Spec[i32], TW: Spec[i32],
    INSIDE: Spec[bool], ADAPTIVE: Spec[bool], LANES: Spec[i32],
) -> None:  # fmt: skip
    """``out[m, z, y, x]`` is the greatest of FD * FH * FW pixels of a window, from its tap T on; ``indices``
    its place in the volume, -1 if none of them is in it. INSIDE says that all are. LANES threads share a row."""
    depth, height, width = x.shape[1], x.shape[2], x.shape[3]
    for item in range(global_id(), out.shape[0] * out.shape[1] * out.shape[2] * LANES, global_threads()):
        row = item // LANES
        lane = item % LANES
        plane, oy = split_index(row, out.shape[2])
        m, oz = split_index(plane, out.shape[1])
        top_z = _begin(oz, out.shape[1], depth, SD, PD, ADAPTIVE) + TD * DD
        top_y = _begin(oy, out.shape[2], height, SH, PH, ADAPTIVE) + TH * DH
        end_z = _end(oz, out.shape[1], depth, ADAPTIVE)
        end_y = _end(oy, out.shape[2], height, ADAPTIVE)
        for ox in range(lane, out.shape[3], LANES):
            left = _begin(ox, out.shape[3], width, SW, PW, ADAPTIVE) + TW * DW
            end_x = _end(ox, out.shape[3], width, ADAPTIVE)
            index = (top_z * height + top_y) * width + left if INSIDE else -1
            best = x[m, top_z, top_y, left] if INSIDE else 0.0
            for kz in range(FD):
                z = top_z + kz * DD
                if INSIDE or 0 <= z < end_z:
                    for ky in range(FH):
                        y = top_y + ky * DH
                        if INSIDE or 0 <= y < end_y:
                            for kx in range(FW):
                                column = left + kx * DW
                                if INSIDE or 0 <= column < end_x:
                                    v = x[m, z, y, column]
                                    if (not INSIDE and index < 0) or _is_greater(v, best):
                                        best = v
                                        index = (z * height + y) * width + column
            out[m, oz, oy, ox] = best
            indices[m, oz, oy, ox] = index


@kernel
def _keep_maximum(value: Item[T], index: Item[i32], best: ItemMut[T], best_index: ItemMut[i32]) -> None:
    if index >= 0 and (best_index < 0 or _is_greater(value, best)):
        best = value
        best_index = index


@func
def _first_window(place: Any, count: Any, size: Any, stride: Any, padding: Any, reach: Any, adaptive: Any) -> Any:
    """The first window that a pixel may lie in."""
    if adaptive:
        return place * count // size
    return (place + padding - reach + stride) // stride


@func
def _last_window(place: Any, count: Any, size: Any, stride: Any, padding: Any, adaptive: Any) -> Any:
    """The last window that a pixel may lie in."""
    if adaptive:
        return ((place + 1) * count - 1) // size
    return (place + padding) // stride


@cache
def _gather(wide: ScalarType) -> Any:
    """The kernel that accumulates in a type."""

    @kernel(unchecked=True)
    def gather(
        dy: Global[T, Literal[4]],
        indices: Global[i32, Literal[4]],
        dx: Out[U, Literal[4]],
        first_z: i32, stop_z: i32, first_y: i32, stop_y: i32, first_x: i32, stop_x: i32,
        RD: Spec[i32], RH: Spec[i32], RW: Spec[i32],
        SD: Spec[i32], SH: Spec[i32], SW: Spec[i32],
        PD: Spec[i32], PH: Spec[i32], PW: Spec[i32],
        ADAPTIVE: Spec[bool], LANES: Spec[i32],
    ) -> None:  # fmt: skip
        """Each pixel gathers from those of the windows from ``first`` to ``stop`` that it lies in and is the maximum
        of. LANES threads share a row."""
        depth, height, width = dx.shape[1], dx.shape[2], dx.shape[3]
        for item in range(global_id(), dx.shape[0] * depth * height * LANES, global_threads()):
            row = item // LANES
            lane = item % LANES
            plane, y = split_index(row, height)
            m, z = split_index(plane, depth)
            begin_z = max(first_z, _first_window(z, dy.shape[1], depth, SD, PD, RD, ADAPTIVE))
            begin_y = max(first_y, _first_window(y, dy.shape[2], height, SH, PH, RH, ADAPTIVE))
            end_z = min(stop_z, _last_window(z, dy.shape[1], depth, SD, PD, ADAPTIVE) + 1)
            end_y = min(stop_y, _last_window(y, dy.shape[2], height, SH, PH, ADAPTIVE) + 1)
            for column in range(lane, width, LANES):
                index = (z * height + y) * width + column
                total = wide(0)
                begin_x = max(first_x, _first_window(column, dy.shape[3], width, SW, PW, RW, ADAPTIVE))
                end_x = min(stop_x, _last_window(column, dy.shape[3], width, SW, PW, ADAPTIVE) + 1)
                for oz in range(begin_z, end_z):
                    for oy in range(begin_y, end_y):
                        for ox in range(begin_x, end_x):
                            if indices[m, oz, oy, ox] == index:
                                total += dy[m, oz, oy, ox]
                dx[m, z, y, column] = U(total)

    return gather


@kernel(unchecked=True)
def _spread(
    dy: Global[T, Literal[3]],
    indices: Global[i32, Literal[3]],
    dx: GlobalMut[T, Literal[2]],
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


@kernel(unchecked=True)
def _take(x: Global[T, Literal[2]], indices: Global[i32, Literal[2]], out: Out[T, Literal[2]]) -> None:
    """``out[m, i] = x[m, indices[m, i]]``."""
    for item in range(global_id(), out.size, global_threads()):
        m, i = split_index(item, out.shape[1])
        out[m, i] = x[m, indices[m, i]]


def greatest(x: Tensor, windows: Windows) -> Tensor:
    """The greatest value of each window; of several, the first in reading order gets the gradient. NaN is greatest."""
    n, c, *size = x.shape
    shape = (n, c, *windows.count[-len(size) :])
    out, indices = Buffer.empty(shape, x.dtype, x.device), Buffer.empty(shape, i32, x.device)
    if out.size:
        for some, result, found in split_rows(x.buffer, out, indices):
            _search(_volumes(some), _volumes(result), _volumes(found), windows)
    source = x.shape
    return differentiable(x.result(out), [(x, lambda dy: _put(dy, indices, source, windows))], higher_order=True)


def _put(dy: Tensor, indices: Buffer, shape: tuple[int, ...], windows: Windows) -> Tensor:
    """Images of a shape with the sums of ``dy`` at places of their maxima, zeros elsewhere: the gradient."""
    dx = Buffer.empty(shape, dy.dtype, dy.device)
    if dx.size:
        for some, found, result in split_rows(dy.buffer, indices, dx):
            a, b, c = _volumes(some), _volumes(found), _volumes(result)
            fits = _row_passes(windows) <= max_passes(dx.device)
            if windows.size[0] == 1 and windows.are_inside and windows.are_disjoint and fits and _is_cpu(dx.device):
                _spread_rows(a, b, c, windows)
            else:
                _sum_windows(a, b, c, windows)
    return differentiable(dy.result(dx), [(dy, lambda x: _taken(x, indices, windows))], higher_order=True)


def _taken(x: Tensor, indices: Buffer, windows: Windows) -> Tensor:
    """The elements of images at the places of maxima: the gradient of that gradient."""
    out, shape = Buffer.empty(indices.shape, x.dtype, x.device), x.shape
    if out.size:
        for some, found, result in split_rows(x.buffer, indices, out):
            rows = result.shape[0] * result.shape[1]
            flat, to = (result.reshape((rows, -1)), reshape_or_copy(some, (rows, prod(windows.size))))
            grid_stride(_take, flat.size)(to, found.reshape(flat.shape), flat)
    return differentiable(x.result(out), [(x, lambda dy: _put(dy, indices, shape, windows))], higher_order=True)


def _volumes(images: Buffer) -> Buffer:
    """``[n, c, ...]`` as ``[n * c, z, y, x]``."""
    n, c, *size = images.shape
    return reshape_or_copy(images, (n * c, *(1,) * (3 - len(size)), *size))


def _search(x: Buffer, out: Buffer, indices: Buffer, windows: Windows) -> None:
    """The greatest of each window, and where it is. Large windows are searched piece by piece."""
    pieces = tuple(_pieces(x.device, windows.filter, windows.filter))
    for i, piece in enumerate(pieces):
        z, y, x_ = _lengths(piece)
        first = piece[0].start, piece[1].start, piece[2].start
        taps = (z, y, x_), windows.stride, windows.padding, windows.dilation, first
        built = _launched(_maxima, taps, windows, out, _passes(z, y, x_))
        if i == 0:
            built(x, out, indices)
            continue
        value, found = Buffer.empty(out.shape, out.dtype, out.device), Buffer.empty(out.shape, i32, out.device)
        built(x, value, found)
        _keep_maximum(value, found, out, indices)


def _sum_windows(dy: Buffer, indices: Buffer, dx: Buffer, windows: Windows) -> None:
    """The gradient of images. Where a pixel lies in many windows, they are summed piece by piece."""
    if windows.is_adaptive:
        many = [min(c, -(-c // n) + 1) for c, n in zip(windows.count, windows.size, strict=True)]
    else:
        many = [min(c, -(-r // s)) for c, r, s in zip(windows.count, windows.reach, windows.stride, strict=True)]
    pieces = tuple(_pieces(dx.device, windows.count, (many[0], many[1], many[2])))
    z, y, x = (min(m, n) for m, n in zip(many, _lengths(pieces[0]), strict=True))
    steps = windows.reach, windows.stride, windows.padding
    passes = _passes(z, y, x)
    wide = accumulator(dx.dtype)
    several = len(pieces) > 1
    sums = Buffer.empty((len(pieces), *dx.shape), wide, dx.device) if several else dx.reshape((1, *dx.shape))
    for i, piece in enumerate(pieces):
        part = sums[i]
        built = _launched(_gather(wide), steps, windows, part, passes)
        built(dy, indices, part, *(edge for axis in piece for edge in (axis.start, axis.stop)))
    if several:
        dx.copy_from(sum_axes(sums, (0,), dx.dtype))


def _row_passes(windows: Windows) -> int:
    """The loop passes of a thread of _spread: the last row of windows has all rows that are left."""
    (_, height, width), (_, down, across), stride = windows.size, windows.count, windows.stride[1]
    return max(stride, height - (down - 1) * stride) * width + across


def _spread_rows(dy: Buffer, indices: Buffer, dx: Buffer, windows: Windows) -> None:
    m, _, h, w = dx.shape
    flat = (m, *dy.shape[2:])
    kernel = _spread.specialize(WIDTH=w, SH=windows.stride[1])
    built = grid_stride(kernel, m * dy.shape[2], _row_passes(windows))
    built(dy.contiguous().reshape(flat), indices.reshape(flat), dx.reshape((m, h * w)))


def _is_cpu(device: Device) -> bool:
    return threads_per_row(device) == 1


def _pieces(device: Device, size: Triple, reached: Triple) -> Iterator[Piece]:
    """Splits windows, or their taps, into pieces so small that a thread can loop over each, in reading order."""
    planes = split_plane(device, size[1:], reached[1:])
    (rows, columns), most = planes[0], max_passes(device)
    plane = 1 + min(reached[1], rows.stop) * (1 + min(reached[2], columns.stop))
    if len(planes) == 1 and reached[0] * plane <= most:
        yield slice(0, size[0]), rows, columns
        return
    for z in range(size[0]):
        for y, x in planes:
            yield slice(z, z + 1), y, x


def _lengths(piece: Piece) -> Triple:
    z, y, x = (part.stop - part.start for part in piece)
    return z, y, x


def _passes(z: int, y: int, x: int) -> int:
    """Loop passes for a pixel and three loops within each other: a driver counts the way out of each, too."""
    return 2 + z * (2 + y * (2 + x))


def _launched(kernel: Any, steps: tuple[Triple, ...], windows: Windows, images: Buffer, passes: int) -> Any:
    """The kernel launched over images, where a thread makes ``passes`` loop passes for each pixel."""
    device = images.device
    least, most = threads_per_row(device), max_passes(device)
    inside = windows.are_inside if kernel is _maxima else None
    return grid_stride(*_specialized(kernel, steps, inside, windows.is_adaptive, images.shape, passes, least, most))


@lru_cache(maxsize=1024)
def _specialized(
    kernel: Any,
    steps: tuple[Triple, ...],
    inside: bool | None,
    adaptive: bool,
    shape: tuple[int, ...],
    passes: int,
    least: int,
    most: int,
) -> tuple[Any, int, int]:
    """The kernel with ``least`` or more threads for a row, the number of work items, and the loop passes of each."""
    width = shape[3]
    shared = max(least, -(-width * passes // most))
    kinds = zip("FSPDT" if inside is not None else "RSP", steps, strict=True)
    specs: dict[str, Any] = {kind + axis: n for kind, triple in kinds for axis, n in zip("DHW", triple, strict=True)}
    if inside is not None:
        specs["INSIDE"] = inside
    built = kernel.specialize(**specs, ADAPTIVE=adaptive, LANES=shared)
    return built, prod(shape[:3]) * shared, -(-width // shared) * passes
