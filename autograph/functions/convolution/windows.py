"""The windows of images as rows of a matrix, and back: convolution with them is a product of matrices.

They are for users' operations. autograph's own convolutions need neither: they never lay windows out in memory.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from autograph.autograd import differentiable
from autograph.errors import ShapeError
from autograph.functions.checks import pair, require_ndim
from autograph.functions.launch import grid_stride, split_plane, split_rows
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, accumulator
from autograph.tensor.base import Shape
from krnlpy import Buffer, Global, Out, ScalarType, i32, kernel
from krnlpy.dsl import global_id, global_threads

from .geometry import Window

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Pair = int | tuple[int, int]


@kernel(unchecked=True)
def _im2col(
    x: Global[T, Literal[4]],
    columns: Out[T, Literal[6]],
    sh: i32, sw: i32, ph: i32, pw: i32, dh: i32, dw: i32,
) -> None:  # fmt: skip
    """``columns[n, oy, ox, c, ky, kx]``: a thread has the pixels of a row of a window."""
    oh, ow, channels, fh, fw = columns.shape[1], columns.shape[2], columns.shape[3], columns.shape[4], columns.shape[5]
    for item in range(global_id(), columns.shape[0] * oh * ow * channels * fh, global_threads()):
        ky = item % fh
        c = item // fh % channels
        ox = item // (fh * channels) % ow
        oy = item // (fh * channels * ow) % oh
        n = item // (fh * channels * ow * oh)
        y = oy * sh + ky * dh - ph
        for kx in range(fw):
            column = ox * sw + kx * dw - pw
            if 0 <= y < x.shape[2] and 0 <= column < x.shape[3]:
                columns[n, oy, ox, c, ky, kx] = x[n, c, y, column]
            else:
                columns[n, oy, ox, c, ky, kx] = 0


@cache
def _col2im(wide: ScalarType) -> Any:
    """The kernel that accumulates in a type."""

    @kernel(unchecked=True)
    def col2im(
        columns: Global[T, Literal[6]],
        x: Out[T, Literal[4]],
        sh: i32, sw: i32, ph: i32, pw: i32, dh: i32, dw: i32,
    ) -> None:  # fmt: skip
        """A thread gathers a pixel from the windows that it lies in: none is added to by two threads."""
        channels, height, width = x.shape[1], x.shape[2], x.shape[3]
        for item in range(global_id(), x.size, global_threads()):
            column = item % width
            y = item // width % height
            c = item // (width * height) % channels
            n = item // (width * height * channels)
            total = wide(0)
            for ky in range(columns.shape[4]):
                top = y + ph - ky * dh
                oy = top // sh
                if top == oy * sh and 0 <= oy < columns.shape[1]:
                    for kx in range(columns.shape[5]):
                        left = column + pw - kx * dw
                        ox = left // sw
                        if left == ox * sw and 0 <= ox < columns.shape[2]:
                            total += columns[n, oy, ox, c, ky, kx]
            x[n, c, y, column] = T(total)

    return col2im


def im2col(x: Tensor, filter: Pair, *, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Tensor:
    """The windows of images, each as a row. Its gradient is :func:`col2im`.

    Args:
        x: images ``[n, c, h, w]`` of any dtype.
        filter: the window's size ``(fh, fw)``, or one number for both.
        stride, padding (zeros at each side), dilation: in pixels, ``(vertical, horizontal)`` or one number for both.

    Returns:
        ``[n * oh * ow, c * fh * fw]`` with ``oh = (h + 2 * padding - dilation * (fh - 1) - 1) // stride + 1``.

    Raises:
        ShapeError: not images, or the window does not fit into them.

    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy([[[[1, 2, 3], [4, 5, 6]]]])
    >>> im2col(x, 2).numpy().tolist()
    [[1, 2, 4, 5], [2, 3, 5, 6]]
    """
    require_ndim("im2col", "images", x, "[n, c, h, w]")
    window, size = _checked_window("im2col", x.shape, filter, stride, padding, dilation)
    (n, c), shape = x.shape[:2], x.shape
    columns = Buffer.empty((n, *size, c, *window.filter), x.dtype, x.device)
    if columns.size:
        for some, part in split_rows(x.buffer, columns):
            for _, taps in split_plane(x.device, (1, window.filter[1])):
                piece = part[..., taps]
                width = piece.shape[-1]
                grid_stride(_im2col, piece.size // width, width)(some, piece, *_offsets(window, 0, taps.start))
    value = x.result(columns.reshape((n * size[0] * size[1], c * window.filter[0] * window.filter[1])))
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return differentiable(value, [(x, lambda gradient: col2im(gradient, shape, filter, **options))], higher_order=True)


def col2im(
    columns: Tensor, shape: Shape, filter: Pair, *, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Tensor:
    """Images from windows: a pixel is the sum of its values in all windows. Its gradient is :func:`im2col`.

    Args:
        columns: ``[n * oh * ow, c * fh * fw]`` of any dtype, as :func:`im2col` gives it; narrow types are accumulated
            in 32 bits.
        shape: of the images, ``(n, c, h, w)``.
        filter, stride, padding, dilation: as :func:`im2col` takes them.

    Returns:
        ``[n, c, h, w]``.

    Raises:
        ShapeError: ``columns`` does not have the shape of such images' windows, or the window does not fit into them.

    >>> from autograph import Tensor
    >>> col2im(Tensor.ones((2, 4)), (1, 1, 2, 3), 2).numpy().tolist()
    [[[[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]]]
    """
    require_ndim("col2im", "windows", columns, "[n * oh * ow, c * fh * fw]")
    shape = tuple(shape)
    if len(shape) != 4 or min(shape) < 0:
        raise ShapeError(f"col2im to the shape {shape}: expected (n, c, h, w)")
    window, size = _checked_window("col2im", shape, filter, stride, padding, dilation)
    n, c = shape[:2]
    expected = n * size[0] * size[1], c * window.filter[0] * window.filter[1]
    if columns.shape != expected:
        raise ShapeError(f"col2im of {columns.shape}: images {shape} have windows of shape {expected}")
    x = Buffer.empty(shape, columns.dtype, columns.device)
    if x.size:
        whole = columns.buffer.contiguous().reshape((n, *size, c, *window.filter))
        for some, part in split_rows(whole, x):
            _add_windows(some, part, window)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return differentiable(
        columns.result(x), [(columns, lambda gradient: im2col(gradient, filter, **options))], higher_order=True
    )


def _checked_window(
    operation: str, shape: Shape, filter: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[Window, tuple[int, int]]:
    """The window, and how many of it lie on images of a shape along both axes."""
    window = Window(
        pair("filter", filter, 1), pair("stride", stride, 1), pair("padding", padding, 0), pair("dilation", dilation, 1)
    )
    size = window.output(*shape[2:])
    if min(size) < 1:
        raise ShapeError(f"{operation} of images {shape}: {window} does not fit into them")
    return window, size


def _add_windows(columns: Buffer, x: Buffer, window: Window) -> None:
    """Sets ``x`` to the sum of windows. Large windows are summed piece by piece."""
    wide, pieces = accumulator(x.dtype), split_plane(x.device, window.filter)
    if len(pieces) == 1:
        _gather(columns, x, window, 0, 0)
        return
    sums = Buffer.empty((len(pieces), *x.shape), wide, x.device)
    for i, (rows, taps) in enumerate(pieces):
        _gather(columns[..., rows, taps].cast(wide), sums[i], window, rows.start, taps.start)
    x.copy_from(sum_axes(sums, (0,), x.dtype))


def _gather(columns: Buffer, x: Buffer, window: Window, ky: int, kx: int) -> None:
    fh, fw = columns.shape[-2:]
    grid_stride(_col2im(accumulator(x.dtype)), x.size, fh * (1 + fw))(columns, x, *_offsets(window, ky, kx))


def _offsets(window: Window, ky: int, kx: int) -> tuple[int, ...]:
    """Stride, padding and dilation for the part of each window that begins at its pixel ``(ky, kx)``."""
    (ph, pw), (dh, dw) = window.padding, window.dilation
    return (*window.stride, ph - ky * dh, pw - kx * dw, dh, dw)
