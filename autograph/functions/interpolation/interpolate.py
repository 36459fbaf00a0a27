"""Signals, images and volumes at another size."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import floor
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.checks import is_number, per_axis, require_ndim, single
from autograph.functions.shapes.views import reshape, transpose
from autograph.tensor.base import require_tensor

from .bands import Band, resample

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Mode = Literal["nearest", "linear"]


def interpolate(
    x: Tensor,
    size: int | tuple[int, ...] | None = None,
    *,
    scale: float | tuple[float, ...] | None = None,
    mode: Mode = "nearest",
    align_corners: bool = False,
) -> Tensor:
    """Signals, images or volumes at another size.

    Pixels are areas: of n pixels that become m, the centre of pixel ``i`` lies at ``(i + 1/2) * n / m - 1/2`` of the
    old ones, where a ``scale`` is given at ``(i + 1/2) / scale - 1/2``.

    Args:
        x: ``[n, c, w]``, ``[n, c, h, w]`` or ``[n, c, d, h, w]``; of floats, with "nearest" of any dtype.
        size: of the result, one number for all axes or one for each.
        scale: instead of ``size``: how many times as large, rounded down.
        mode: "nearest": the old pixel in which the new one begins, ``floor(i * n / m)``. "linear": the weighted mean of
            the two nearest ones along each axis, which of images is called bilinear.
        align_corners: with "linear": pixels are points, and the outermost ones of both sizes are the same.

    Returns:
        ``[n, c, *size]``.

    Raises:
        ShapeError: neither signals, images nor volumes, or empty ones, or not one of ``size`` and ``scale`` is given,
            or a length would be below 1.
        DtypeError: ``x`` is not a tensor, or not of floats with "linear".
        AutographError: there is no such mode, or ``align_corners`` is not for it.

    >>> from autograph import Tensor, interpolate
    >>> x = Tensor.from_numpy([[[1.0, 3.0]]])
    >>> interpolate(x, 4).numpy().tolist(), interpolate(x, 4, mode="linear").numpy().tolist()
    ([[[1.0, 1.0, 3.0, 3.0]]], [[[1.0, 1.5, 2.5, 3.0]]])
    """
    require_tensor("interpolate", x)
    if not 3 <= x.ndim <= 5 or 0 in x.shape[2:]:
        raise ShapeError(f"interpolate takes images of shape [n, c, h, w], signals or volumes, not {x.shape}")
    if mode not in ("nearest", "linear"):
        raise AutographError(f"interpolate(mode={mode!r}): expected 'nearest' or 'linear'")
    if align_corners and mode == "nearest":
        raise AutographError("interpolate(align_corners=True, mode='nearest'): only 'linear' aligns corners")
    if mode == "linear" and not x.dtype.is_float:
        raise DtypeError(f"interpolate(mode='linear') takes floats, not {x.dtype}")
    sizes, steps = _target(x.shape, size, scale)
    bands = {
        axis: _nearest(n, m, step) if mode == "nearest" else _linear(n, m, step, align_corners)
        for axis, (n, m, step) in enumerate(zip(x.shape[2:], sizes, steps, strict=True), start=2)
        if n != m or step != 1
    }
    return resample(x, bands)


def _target(shape: tuple[int, ...], size: Any, scale: Any) -> tuple[tuple[int, ...], tuple[Fraction, ...]]:
    """The lengths of the result, and how many old pixels a new one is wide along each axis."""
    source = shape[2:]
    if (size is None) == (scale is None):
        raise ShapeError(f"interpolate of {shape}: expected either size or scale, not {size!r} and {scale!r}")
    if scale is None:
        sizes = per_axis("size", size, 1, len(source))
        return sizes, tuple(Fraction(n, m) for n, m in zip(source, sizes, strict=True))
    scales = tuple(scale) if isinstance(scale, tuple | list) else (scale,) * len(source)
    if len(scales) != len(source) or not all(is_number(s) and s > 0 for s in scales):
        raise ShapeError(f"interpolate of {shape} with scale={scale!r}: expected numbers above 0, one or for each axis")
    sizes = tuple(floor(n * Fraction(float(s))) for n, s in zip(source, scales, strict=True))
    if min(sizes) < 1:
        raise ShapeError(f"interpolate of {shape} with scale={scale!r} gives the size {sizes}: expected at least 1")
    return sizes, tuple(1 / Fraction(float(s)) for s in scales)


@lru_cache(maxsize=256)
def _nearest(n: int, m: int, step: Fraction) -> Band:
    starts = np.array([min(floor(i * step), n - 1) for i in range(m)])
    return Band(n, starts, np.ones(m, np.int64), np.ones((m, 1)))


@lru_cache(maxsize=256)
def _linear(n: int, m: int, step: Fraction, align_corners: bool) -> Band:
    i = np.arange(m, dtype=np.float64)
    if align_corners:
        places = i * ((n - 1) / (m - 1)) if m > 1 else 0 * i
    else:
        places = np.clip((i + 0.5) * float(step) - 0.5, 0, n - 1)
    starts = np.minimum(places.astype(np.int64), max(0, n - 2))
    share = places - starts
    return Band(n, starts, np.full(m, min(2, n)), np.stack([1 - share, share], 1)[:, : min(2, n)])


def pixel_shuffle(x: Tensor, factor: int) -> Tensor:
    """Images that are larger by a factor, whose new pixels are the channels of the old ones.

    Args:
        x: images ``[n, c * factor**2, h, w]`` of any dtype.
        factor: at least 1.

    Returns:
        ``[n, c, h * factor, w * factor]``; the pixel at ``(factor * y + i, factor * x + j)`` of channel ``k`` is that
        at ``(y, x)`` of channel ``(k * factor + i) * factor + j``.

    Raises:
        ShapeError: not images, or their channels are no multiple of ``factor**2``, or ``factor`` is below 1.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, pixel_shuffle
    >>> pixel_shuffle(Tensor.from_numpy([[[[1]], [[2]], [[3]], [[4]]]]), 2).numpy().tolist()
    [[[[1, 2], [3, 4]]]]
    """
    require_ndim("pixel_shuffle", "images", x, "[n, c * factor**2, h, w]")
    r = single("factor", factor, 1)
    n, c, h, w = x.shape
    if c % (r * r):
        raise ShapeError(f"pixel_shuffle of {x.shape} by {r}: expected a multiple of {r * r} channels")
    parts = transpose(reshape(x, (n, c // (r * r), r, r, h, w)), (0, 1, 4, 2, 5, 3))
    return reshape(parts, (n, c // (r * r), h * r, w * r))


def pixel_unshuffle(x: Tensor, factor: int) -> Tensor:
    """Images that are smaller by a factor, with more channels: what :func:`pixel_shuffle` makes of them is ``x``.

    Args:
        x: images ``[n, c, h * factor, w * factor]`` of any dtype.
        factor: at least 1.

    Returns:
        ``[n, c * factor**2, h, w]``.

    Raises:
        ShapeError: not images, or their height or width is no multiple of ``factor``, or ``factor`` is below 1.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, pixel_unshuffle
    >>> pixel_unshuffle(Tensor.from_numpy([[[[1, 2], [3, 4]]]]), 2).numpy().tolist()
    [[[[1]], [[2]], [[3]], [[4]]]]
    """
    require_ndim("pixel_unshuffle", "images", x, "[n, c, h * factor, w * factor]")
    r = single("factor", factor, 1)
    n, c, h, w = x.shape
    if h % r or w % r:
        raise ShapeError(f"pixel_unshuffle of {x.shape} by {r}: expected multiples of {r} rows and columns")
    parts = transpose(reshape(x, (n, c, h // r, r, w // r, r)), (0, 1, 3, 5, 2, 4))
    return reshape(parts, (n, c * r * r, h // r, w // r))
