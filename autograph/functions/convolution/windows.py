"""The windows of images as columns of a matrix, and back: convolution with them is a product of matrices."""

from __future__ import annotations

from functools import cache, lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from autograph.autograd import differentiable
from autograph.errors import ShapeError
from autograph.functions.checks import integers, per_axis, volume
from autograph.functions.launch import (
    grid_stride,
    max_passes,
    reshape_or_copy,
    split_index,
    split_rows,
    threads_per_row,
)
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, U, accumulator
from autograph.tensor.base import Shape, require_tensor
from krnlpy import Buffer, Global, Out, ScalarType, Spec, i32, kernel
from krnlpy.dsl import global_id, global_threads, local_array

from .geometry import Window, window_of

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Sizes = int | tuple[int, ...]

_PIXELS = 16  # of a row, which a thread of a CPU sums together


@kernel(unchecked=True)
def _unfold(
    x: Global[T, Literal[5]],
    columns: Out[U, Literal[8]],
    step_z: i32, step_y: i32,
    first_z: i32, first_y: i32, first_x: i32,
    tap_z: i32, tap_y: i32, tap_x: i32,
    rows: i32,
    STEP: Spec[i32], LANES: Spec[i32],
) -> None:  # fmt: skip
    """``columns[n, c, h, i, j, z, y, x]`` is the element of ``x[n, c]`` at the tap ``(h, i, j)`` of the window ``(z, y,
    x)``. A thread has every rows-th row, LANES threads share one."""
    channels, fd, fh, fw = columns.shape[1], columns.shape[2], columns.shape[3], columns.shape[4]
    depth, height, width = columns.shape[5], columns.shape[6], columns.shape[7]
    planes = columns.shape[0] * channels * fd * fh * fw * depth
    for item in range(global_id(), planes * rows * LANES, global_threads()):
        row = item // LANES
        lane = item % LANES
        plane, first_row = split_index(row, rows)
        tap, oz = split_index(plane, depth)
        line, j = split_index(tap, fw)
        slab, i = split_index(line, fh)
        channel, h = split_index(slab, fd)
        n, c = split_index(channel, channels)
        z = oz * step_z + first_z + h * tap_z
        left = first_x + j * tap_x
        # Before `start` and from `stop` on a row is zeros.
        start = min(max(0, (STEP - 1 - left) // STEP), width)
        stop = max(start, min(width, (x.shape[4] - left + STEP - 1) // STEP))
        for oy in range(first_row, height, rows):
            y = oy * step_y + first_y + i * tap_y
            inside = 0 <= z < x.shape[2] and 0 <= y < x.shape[3]
            for ox in range(lane, start if inside else width, LANES):
                columns[n, c, h, i, j, oz, oy, ox] = U(0)
            if inside:
                for ox in range(start + lane, stop, LANES):
                    columns[n, c, h, i, j, oz, oy, ox] = U(x[n, c, z, y, left + ox * STEP])
                for ox in range(stop + lane, width, LANES):
                    columns[n, c, h, i, j, oz, oy, ox] = U(0)


@cache
def _fold(wide: ScalarType) -> Any:
    """The kernel that accumulates in a type."""

    @kernel(unchecked=True)
    def fold(
        columns: Global[T, Literal[8]],
        x: Out[U, Literal[6]],
        step_z: i32, step_y: i32,
        first_z: i32, first_y: i32, first_x: i32,
        tap_z: i32, tap_y: i32, tap_x: i32,
        slices_x: i32,
        STEP: Spec[i32], PIXELS: Spec[i32],
    ) -> None:  # fmt: skip
        """``x[s, n, c, z, y, x]``: the sums over the s-th part of all taps. A thread gathers PIXELS pixels of a row
        from the windows that they lie in: none is added to by two threads."""
        total = local_array(wide, PIXELS)
        parts, count, channels, depth, height, width = x.shape
        fd, fh, fw = columns.shape[2], columns.shape[3], columns.shape[4]
        last = columns.shape[7] - 1
        chunks = (width + PIXELS - 1) // PIXELS
        taps = (fw + slices_x - 1) // slices_x
        for item in range(global_id(), parts * count * channels * depth * height * chunks, global_threads()):
            row, chunk = split_index(item, chunks)
            plane, y = split_index(row, height)
            channel, z = split_index(plane, depth)
            image, c = split_index(channel, channels)
            part, n = split_index(image, count)
            left = chunk * PIXELS
            for p in range(PIXELS):
                total[p] = wide(0)
            for tap in range(part // slices_x, fd * fh, parts // slices_x):
                h = tap // fh
                i = tap % fh
                top_z = z - first_z - h * tap_z
                top_y = y - first_y - i * tap_y
                oz = top_z // step_z
                oy = top_y // step_y
                inside_z = top_z == oz * step_z and 0 <= oz < columns.shape[5]
                if inside_z and top_y == oy * step_y and 0 <= oy < columns.shape[6]:
                    for j in range(part % slices_x * taps, min(part % slices_x * taps + taps, fw)):
                        pixels = columns[n, c, h, i, j, oz, oy]  # type: ignore[index]  # a row
                        for p in range(PIXELS):
                            to = left + p - first_x - j * tap_x
                            ox = to // STEP
                            if 0 <= ox <= last and ox * STEP == to:
                                total[p] += pixels[ox]
            for p in range(PIXELS):
                if left + p < width:
                    x[part, n, c, z, y, left + p] = U(total[p])

    return fold


def unfold(x: Tensor, filter: Sizes, *, stride: Sizes = 1, padding: Sizes | str = 0, dilation: Sizes = 1) -> Tensor:
    """The windows of signals, images or volumes, each as a column. Its gradient is :func:`fold`.

    Args:
        x: ``[n, c, w]``, ``[n, c, h, w]`` or ``[n, c, d, h, w]`` of any dtype.
        filter: the window's size, one number for all axes or one for each.
        stride, dilation: in pixels, likewise.
        padding: so many zeros at each side, likewise; "valid" is 0, "same" as many as give a window for each pixel.

    Returns:
        ``[n, c * fh * fw, oh * ow]`` with ``oh = (h + 2 * padding - dilation * (fh - 1) - 1) // stride + 1``; of other
        ranks likewise.

    Raises:
        ShapeError: neither signals, images nor volumes, or the window does not fit into them.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, unfold
    >>> unfold(Tensor.from_numpy([[[[1, 2, 3], [4, 5, 6]]]]), 2).numpy().tolist()
    [[[1, 2], [2, 3], [4, 5], [5, 6]]]
    """
    require_tensor("unfold", x)
    window, size = _window("unfold", x.shape, filter, stride, padding, dilation)
    n, c, *source = x.shape
    columns = Buffer.empty((n, c, *window.filter, *volume(size)), x.dtype, x.device)
    if columns.size:
        whole = reshape_or_copy(x.buffer, (n, c, *volume(tuple(source))))
        for some, part in split_rows(whole, columns):
            unfold_into(some, part, window)
    value = x.result(columns.reshape((n, c * prod(window.filter), prod(size))))
    shape = tuple(source)
    how: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    return differentiable(value, [(x, lambda gradient: fold(gradient, shape, filter, **how))], higher_order=True)


def fold(
    columns: Tensor,
    size: int | Shape,
    filter: Sizes,
    *,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
) -> Tensor:
    """Images from windows: a pixel is the sum of its values in all windows. Its gradient is :func:`unfold`.

    Args:
        columns: ``[n, c * fh * fw, oh * ow]`` of any dtype, as :func:`unfold` gives it; narrow types are accumulated in
            32 bits.
        size: of the images, ``(h, w)``; of signals ``w`` or ``(w,)``, of volumes ``(d, h, w)``.
        filter, stride, padding, dilation: as :func:`unfold` takes them.

    Returns:
        ``[n, c, *size]``.

    Raises:
        ShapeError: ``columns`` does not have the shape of such images' windows, or the window does not fit into them.
        DtypeError: ``columns`` is not a tensor.

    >>> from autograph import Tensor, fold
    >>> fold(Tensor.ones((1, 4, 2)), (2, 3), 2).numpy().tolist()
    [[[[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]]]
    """
    require_tensor("fold", columns)
    lengths = integers((size,))
    if not 1 <= len(lengths) <= 3 or min(lengths) < 0:
        raise ShapeError(f"fold to size={size!r}: expected one to three lengths")
    window, places = _window("fold", (1, 1, *lengths), filter, stride, padding, dilation)
    taps = prod(window.filter)
    if columns.ndim != 3 or columns.shape[1] % taps or columns.shape[2] != prod(places):
        raise ShapeError(
            f"fold of {columns.shape}: images of size {lengths} have windows of shape [n, c * {taps}, {prod(places)}]"
        )
    n, c = columns.shape[0], columns.shape[1] // taps
    x = Buffer.empty((n, c, *lengths), columns.dtype, columns.device)
    if x.size:
        whole = reshape_or_copy(columns.buffer, (n, c, *window.filter, *volume(places)))
        for some, part in split_rows(whole, x.reshape((n, c, *volume(lengths)))):
            fold_into(some, part, window)
    how: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    return differentiable(
        columns.result(x), [(columns, lambda gradient: unfold(gradient, filter, **how))], higher_order=True
    )


def unfold_into(x: Buffer, columns: Buffer, window: Window) -> None:
    """The windows ``columns[n, c, fd, fh, fw, d, h, w]`` of volumes ``x[n, c, ...]``."""
    (height, width), device = columns.shape[-2:], columns.device
    least, most = threads_per_row(device), max_passes(device)
    lanes = max(least, -(-width // most))
    passes = 2 + -(-width // lanes)
    # On a CPU a thread has a whole plane: to find its first row takes as long as to copy one.
    rows = max(1 if least == 1 else height, -(-height * passes // most))
    items = columns.size // (height * width) * rows * lanes
    grid_stride(_unfolding(window.stride[2], lanes), items, -(-height // rows) * passes)(
        x, columns, *_places(window), rows
    )


def fold_into(columns: Buffer, x: Buffer, window: Window) -> None:
    """The volumes of such windows. The sums over large windows are split into parts, which are added after."""
    n, c, d, h, w = x.shape
    wide, device = accumulator(x.dtype), x.device
    pixels = min(_PIXELS, w) if threads_per_row(device) == 1 else 1
    most = max(2 * pixels, max_passes(device))
    (fd, fh, fw) = window.filter
    slices_x = -(-fw // max(1, min(fw, most // pixels - 1)))
    row = 1 + -(-fw // slices_x) * pixels
    slices = -(-fd * fh // max(1, most // row))
    parts = slices * slices_x
    sums = x.reshape((1, *x.shape)) if parts == 1 else Buffer.empty((parts, *x.shape), wide, device)
    built = _folding(wide, window.stride[2], pixels)
    items = parts * n * c * d * h * -(-w // pixels)
    launch = grid_stride(built, items, -(-fd * fh // slices) * row)
    launch(columns, sums, *_places(window), slices_x)
    if parts > 1:
        x.copy_from(sum_axes(sums, (0,), x.dtype))


def _window(
    operation: str, shape: Shape, filter: Sizes, stride: Sizes, padding: Sizes | str, dilation: Sizes
) -> tuple[Window, Shape]:
    """The window, and how many of it lie on images of a shape along each axis."""
    if not 3 <= len(shape) <= 5:
        raise ShapeError(f"{operation} takes images of shape [n, c, h, w], signals or volumes, not {shape}")
    taps = per_axis("filter", filter, 1, len(shape) - 2)
    return window_of(operation, shape[2:], taps, stride, padding, dilation)


def _places(window: Window) -> tuple[int, ...]:
    """The steps along depth and height, the first place of the first tap, and from tap to tap."""
    (sz, sy, _), (pz, py, px) = window.stride, window.padding
    return (sz, sy, -pz, -py, -px, *window.dilation)


@lru_cache(maxsize=1024)
def _unfolding(step: int, lanes: int) -> Any:
    return _unfold.specialize(STEP=step, LANES=lanes)


@lru_cache(maxsize=1024)
def _folding(wide: ScalarType, step: int, pixels: int) -> Any:
    return _fold(wide).specialize(STEP=step, PIXELS=pixels)
