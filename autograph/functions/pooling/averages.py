"""Average pooling of signals, images and volumes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.functions.checks import require_dtype, require_ndim
from autograph.functions.interpolation.bands import Band, resample
from krnlpy import bf16, f16, f32, f64

from .windows import adaptive_windows, windows_of

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def avg_pool1(
    x: Tensor,
    filter: int,
    stride: int | None = None,
    *,
    padding: int = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window. Narrow types are accumulated in f32.

    Args:
        x: signals ``[n, c, w]``, floats.
        filter, stride, padding, ceil_mode: as :func:`max_pool1` takes them; padding is zeros.
        count_include_pad: whether the padding counts as elements, or sums are divided by the count of those in the
            signal.

    Returns:
        ``[n, c, (w + 2 * padding - filter) // stride + 1]``; rounded up with ``ceil_mode``.

    Raises:
        ShapeError: not signals, or the window is longer than the signal, or a number is too small.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, avg_pool1
    >>> avg_pool1(Tensor.from_numpy([[[1.0, 3.0, 5.0, 9.0]]]), 2).numpy().tolist()
    [[[2.0, 7.0]]]
    """
    return _pool("avg_pool1", "signals", x, "[n, c, w]", filter, stride, padding, ceil_mode, count_include_pad)


def avg_pool2(
    x: Tensor,
    filter: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    *,
    padding: int | tuple[int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window. Narrow types are accumulated in f32.

    Args:
        x: images ``[n, c, h, w]``, floats.
        filter, stride, padding, ceil_mode: as :func:`max_pool2` takes them; padding is zeros.
        count_include_pad: whether the padding counts as pixels, or sums are divided by the count of those in the image.

    Returns:
        ``[n, c, oh, ow]`` with ``oh = (h + 2 * padding - fh) // stride + 1``; rounded up with ``ceil_mode``.

    Raises:
        ShapeError: not images, or the window is larger than the image, or a number is too small.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, avg_pool2
    >>> avg_pool2(Tensor.from_numpy([[[[1.0, 3.0], [5.0, 7.0]]]]), 2).numpy().tolist()
    [[[[4.0]]]]
    """
    return _pool("avg_pool2", "images", x, "[n, c, h, w]", filter, stride, padding, ceil_mode, count_include_pad)


def avg_pool3(
    x: Tensor,
    filter: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    *,
    padding: int | tuple[int, int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window. Narrow types are accumulated in f32.

    Args:
        x: volumes ``[n, c, d, h, w]``, floats.
        filter, stride, padding, ceil_mode, count_include_pad: as :func:`avg_pool2` takes them, of three axes.

    Returns:
        ``[n, c, od, oh, ow]`` with ``od = (d + 2 * padding - fd) // stride + 1``; rounded up with ``ceil_mode``.

    Raises:
        ShapeError: not volumes, or the window is larger than the volume, or a number is too small.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, avg_pool3
    >>> avg_pool3(Tensor.ones((1, 2, 4, 4, 4)), (2, 4, 4)).numpy().tolist()
    [[[[[1.0]], [[1.0]]], [[[1.0]], [[1.0]]]]]
    """
    return _pool("avg_pool3", "volumes", x, "[n, c, d, h, w]", filter, stride, padding, ceil_mode, count_include_pad)


def adaptive_avg_pool1(x: Tensor, size: int) -> Tensor:
    """The mean of each of so many windows, which cover a signal as evenly as they can.

    Args:
        x: signals ``[n, c, w]``, floats; narrow types are accumulated in f32.
        size: how many windows; they lie as those of :func:`adaptive_max_pool1`.

    Returns:
        ``[n, c, size]``.

    Raises:
        ShapeError: not signals, or empty ones, or ``size`` is below 1.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, adaptive_avg_pool1
    >>> adaptive_avg_pool1(Tensor.from_numpy([[[1.0, 5.0, 3.0]]]), 2).numpy().tolist()
    [[[3.0, 4.0]]]
    """
    return _adapt("adaptive_avg_pool1", "signals", x, "[n, c, w]", size)


def adaptive_avg_pool2(x: Tensor, size: int | tuple[int, int]) -> Tensor:
    """The mean of each of so many windows, which cover an image as evenly as they can.

    Args:
        x: images ``[n, c, h, w]``, floats; narrow types are accumulated in f32.
        size: how many windows along both axes, or ``(vertical, horizontal)``; they lie as those of
            :func:`adaptive_max_pool1`. With 1 it is the mean of the image.

    Returns:
        ``[n, c, *size]``.

    Raises:
        ShapeError: not images, or empty ones, or ``size`` is below 1.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, adaptive_avg_pool2
    >>> adaptive_avg_pool2(Tensor.ones((2, 64, 7, 7)), 1).shape
    (2, 64, 1, 1)
    """
    return _adapt("adaptive_avg_pool2", "images", x, "[n, c, h, w]", size)


def adaptive_avg_pool3(x: Tensor, size: int | tuple[int, int, int]) -> Tensor:
    """The mean of each of so many windows, which cover a volume as evenly as they can.

    Args:
        x: volumes ``[n, c, d, h, w]``, floats; narrow types are accumulated in f32.
        size: how many windows along all axes, or along each; they lie as those of :func:`adaptive_max_pool1`.

    Returns:
        ``[n, c, *size]``.

    Raises:
        ShapeError: not volumes, or empty ones, or ``size`` is below 1.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, adaptive_avg_pool3
    >>> adaptive_avg_pool3(Tensor.ones((1, 2, 4, 5, 6)), (1, 2, 3)).shape
    (1, 2, 1, 2, 3)
    """
    return _adapt("adaptive_avg_pool3", "volumes", x, "[n, c, d, h, w]", size)


def _pool(
    operation: str,
    name: str,
    x: Tensor,
    axes: str,
    filter: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Tensor:
    require_ndim(operation, name, x, axes)
    require_dtype(operation, x, f16, bf16, f32, f64)
    windows = windows_of(operation, x.shape, filter, stride, padding, 1, ceil_mode)
    along = zip(windows.size, windows.count, windows.filter, windows.stride, windows.padding, strict=True)
    bands = [_averages(*axis, count_include_pad) for axis in along]
    return resample(x, _spatial(x, bands))


def _adapt(operation: str, name: str, x: Tensor, axes: str, size: Any) -> Tensor:
    require_ndim(operation, name, x, axes)
    require_dtype(operation, x, f16, bf16, f32, f64)
    windows = adaptive_windows(operation, x.shape, size)
    return resample(x, _spatial(x, [_shares(n, m) for n, m in zip(windows.size, windows.count, strict=True)]))


def _spatial(x: Tensor, bands: list[Band]) -> dict[int, Band]:
    """The bands of the axes that images have."""
    return dict(zip(range(2, x.ndim), bands[5 - x.ndim :], strict=True))


@lru_cache(maxsize=256)
def _averages(n: int, count: int, filter: int, stride: int, padding: int, count_include_pad: bool) -> Band:
    """The means of windows along an axis. Windows beyond the padding are cut off there."""
    first = np.arange(count) * stride - padding
    starts, stops = np.maximum(first, 0), np.minimum(first + filter, n)
    sizes = np.minimum(first + filter, n + padding) - first if count_include_pad else stops - starts
    return _means(n, starts, stops, sizes)


@lru_cache(maxsize=256)
def _shares(n: int, count: int) -> Band:
    """The means of adaptive windows along an axis."""
    i = np.arange(count)
    starts, stops = i * n // count, -(-(i + 1) * n // count)
    return _means(n, starts, stops, stops - starts)


def _means(n: int, starts: Any, stops: Any, sizes: Any) -> Band:
    counts = stops - starts
    weights = np.where(np.arange(counts.max()) < counts[:, None], 1 / sizes[:, None], 0)
    return Band(n, starts, counts, weights)
