"""Max pooling of signals, images and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.functions.checks import require_dtype, require_ndim
from krnlpy import bf16, f16, f32, f64

from .maxima import greatest
from .windows import adaptive_windows, windows_of

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def max_pool1(
    x: Tensor,
    filter: int,
    stride: int | None = None,
    *,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The greatest value of each window; of several, the first gets the gradient. NaN is greatest.

    Args:
        x: signals ``[n, c, w]``, floats.
        filter: the window's length.
        stride: from window to window; None is the window's length. Windows may overlap or leave elements out.
        padding: so many places at both ends count as less than everything; at most half the window.
        dilation: from one element of a window to the next.
        ceil_mode: whether a window that ends beyond the padding counts, if it begins before that.

    Returns:
        ``[n, c, (w + 2 * padding - dilation * (filter - 1) - 1) // stride + 1]``; rounded up with ``ceil_mode``.

    Raises:
        ShapeError: not signals, or the window is longer than the signal, or a number is too small.
        DtypeError: other dtypes.

    >>> from autograph import Tensor
    >>> Tensor.from_numpy([[[3.0, 1.0, 4.0, 1.0, 5.0]]]).max_pool1(2).numpy().tolist()
    [[[3.0, 4.0]]]
    """
    return _pool("max_pool1", "signals", x, "[n, c, w]", filter, stride, padding, dilation, ceil_mode)


def max_pool2(
    x: Tensor,
    filter: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    *,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The greatest value of each window; of several, the first in reading order gets the gradient. NaN is greatest.

    Args:
        x: images ``[n, c, h, w]``, floats.
        filter: the window's size, of both axes or ``(vertical, horizontal)``.
        stride: from window to window; None is the window's size. Windows may overlap or leave pixels out.
        padding: so many pixels at each side count as less than everything; at most half the window.
        dilation: from one pixel of a window to the next.
        ceil_mode: whether windows that end beyond the padding count, if they begin before that.

    Returns:
        ``[n, c, oh, ow]`` with ``oh = (h + 2 * padding - dilation * (fh - 1) - 1) // stride + 1``; rounded up with
        ``ceil_mode``.

    Raises:
        ShapeError: not images, or the window is larger than the image, or a number is too small.
        DtypeError: other dtypes.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> image = Tensor.from_numpy(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4))
    >>> image.max_pool2(2).numpy().tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """
    return _pool("max_pool2", "images", x, "[n, c, h, w]", filter, stride, padding, dilation, ceil_mode)


def max_pool3(
    x: Tensor,
    filter: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    *,
    padding: int | tuple[int, int, int] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The greatest value of each window; of several, the first in reading order gets the gradient. NaN is greatest.

    Args:
        x: volumes ``[n, c, d, h, w]``, floats.
        filter, stride, padding, dilation, ceil_mode: as :func:`max_pool2` takes them, of three axes.

    Returns:
        ``[n, c, od, oh, ow]`` with ``od = (d + 2 * padding - dilation * (fd - 1) - 1) // stride + 1``; rounded up with
        ``ceil_mode``.

    Raises:
        ShapeError: not volumes, or the window is larger than the volume, or a number is too small.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, max_pool3
    >>> max_pool3(Tensor.from_numpy([[[[[1.0, 2.0]], [[4.0, 3.0]]]]]), (2, 1, 1)).numpy().tolist()
    [[[[[4.0, 3.0]]]]]
    """
    return _pool("max_pool3", "volumes", x, "[n, c, d, h, w]", filter, stride, padding, dilation, ceil_mode)


def adaptive_max_pool1(x: Tensor, size: int) -> Tensor:
    """The greatest value of each of so many windows, which cover a signal as evenly as they can.

    Window ``i`` goes from ``floor(i * w / size)`` to ``ceil((i + 1) * w / size)``.

    Args:
        x: signals ``[n, c, w]``, floats.
        size: how many windows.

    Returns:
        ``[n, c, size]``.

    Raises:
        ShapeError: not signals, or empty ones, or ``size`` is below 1.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, adaptive_max_pool1
    >>> adaptive_max_pool1(Tensor.from_numpy([[[1.0, 5.0, 2.0, 3.0, 4.0]]]), 2).numpy().tolist()
    [[[5.0, 4.0]]]
    """
    return _adapt("adaptive_max_pool1", "signals", x, "[n, c, w]", size)


def adaptive_max_pool2(x: Tensor, size: int | tuple[int, int]) -> Tensor:
    """The greatest value of each of so many windows, which cover an image as evenly as they can.

    Args:
        x: images ``[n, c, h, w]``, floats.
        size: how many windows along both axes, or ``(vertical, horizontal)``; they lie as those of
            :func:`adaptive_max_pool1`.

    Returns:
        ``[n, c, *size]``.

    Raises:
        ShapeError: not images, or empty ones, or ``size`` is below 1.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, adaptive_max_pool2
    >>> adaptive_max_pool2(Tensor.from_numpy([[[[1.0, 5.0, 2.0], [3.0, 4.0, 0.0]]]]), 1).numpy().tolist()
    [[[[5.0]]]]
    """
    return _adapt("adaptive_max_pool2", "images", x, "[n, c, h, w]", size)


def adaptive_max_pool3(x: Tensor, size: int | tuple[int, int, int]) -> Tensor:
    """The greatest value of each of so many windows, which cover a volume as evenly as they can.

    Args:
        x: volumes ``[n, c, d, h, w]``, floats.
        size: how many windows along all axes, or along each; they lie as those of :func:`adaptive_max_pool1`.

    Returns:
        ``[n, c, *size]``.

    Raises:
        ShapeError: not volumes, or empty ones, or ``size`` is below 1.
        DtypeError: other dtypes.

    >>> from autograph import Tensor, adaptive_max_pool3
    >>> adaptive_max_pool3(Tensor.ones((1, 2, 4, 5, 6)), (1, 2, 3)).shape
    (1, 2, 1, 2, 3)
    """
    return _adapt("adaptive_max_pool3", "volumes", x, "[n, c, d, h, w]", size)


def _pool(
    operation: str,
    name: str,
    x: Tensor,
    axes: str,
    filter: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> Tensor:
    require_ndim(operation, name, x, axes)
    require_dtype(operation, x, f16, bf16, f32, f64)
    return greatest(x, windows_of(operation, x.shape, filter, stride, padding, dilation, ceil_mode))


def _adapt(operation: str, name: str, x: Tensor, axes: str, size: Any) -> Tensor:
    require_ndim(operation, name, x, axes)
    require_dtype(operation, x, f16, bf16, f32, f64)
    return greatest(x, adaptive_windows(operation, x.shape, size))
