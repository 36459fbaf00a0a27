"""How windows lie on images that are pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autograph.errors import ShapeError
from autograph.functions.checks import Triple, per_axis, volume


@dataclass(frozen=True)
class Windows:
    """The windows of volumes; signals and images are volumes with axes of length 1 in front.

    Attributes:
        size: of the volume.
        count: how many windows there are along each axis.
        filter: the size of a window; where they differ, of the largest.
        stride, padding, dilation: of both ends alike; of windows that are all alike.
        is_adaptive: window ``i`` of n goes from ``floor(i * size / n)`` to ``ceil((i + 1) * size / n)``.
    """

    size: Triple
    count: Triple
    filter: Triple
    stride: Triple = (1, 1, 1)
    padding: Triple = (0, 0, 0)
    dilation: Triple = (1, 1, 1)
    is_adaptive: bool = False

    @property
    def reach(self) -> Triple:
        """How many pixels a window spans."""
        (fz, fy, fx), (dz, dy, dx) = self.filter, self.dilation
        return (fz - 1) * dz + 1, (fy - 1) * dy + 1, (fx - 1) * dx + 1

    @property
    def are_inside(self) -> bool:
        """Whether all windows are whole, and inside of the volume."""
        last = zip(self.count, self.stride, self.reach, self.size, strict=True)
        return not self.is_adaptive and not any(self.padding) and all((c - 1) * s + r <= n for c, s, r, n in last)

    @property
    def are_disjoint(self) -> bool:
        """Whether no pixel lies in two windows."""
        return not self.is_adaptive and all(s >= r for s, r in zip(self.stride, self.reach, strict=True))


def windows_of(
    operation: str, shape: tuple[int, ...], filter: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Windows:
    """The windows of images of a shape ``[n, c, ...]``.

    Raises:
        ShapeError: the arguments are not numbers such as they should be, or the window does not fit into the images, or
            padding is more than half a window.
    """
    ndim, size = len(shape) - 2, shape[2:]
    filters = per_axis("filter", filter, 1, ndim)
    strides = filters if stride is None else per_axis("stride", stride, 1, ndim)
    paddings, dilations = per_axis("padding", padding, 0, ndim), per_axis("dilation", dilation, 1, ndim)
    if any(2 * p > f for p, f in zip(paddings, filters, strict=True)):
        raise ShapeError(f"{operation} with filter {filters} and padding {paddings}: expected at most half the filter")
    count = []
    for n, f, s, p, d in zip(size, filters, strides, paddings, dilations, strict=True):
        left = n + 2 * p - d * (f - 1) - 1
        if left < 0:
            raise ShapeError(
                f"{operation} of images {shape}: the window {filters} with padding {paddings} and dilation {dilations}"
                " does not fit into them"
            )
        whole = left // s + 1
        # One that is cut off counts if it begins before the end of the image.
        count.append(whole + 1 if ceil_mode and left % s and whole * s < n + p else whole)
    return Windows(
        volume(size), volume(tuple(count)), volume(filters), volume(strides), volume(paddings, 0), volume(dilations)
    )


def adaptive_windows(operation: str, shape: tuple[int, ...], size: Any) -> Windows:
    """As many windows of images of a shape ``[n, c, ...]`` as ``size`` says.

    Raises:
        ShapeError: ``size`` is not a number of at least 1, or one for each axis, or the images are empty.
    """
    source = volume(shape[2:])
    count = volume(per_axis("size", size, 1, len(shape) - 2))
    if min(source) < 1:
        raise ShapeError(f"{operation} of images {shape}: expected at least one pixel")
    z, y, x = (max(-(-(i + 1) * n // c) - i * n // c for i in range(c)) for n, c in zip(source, count, strict=True))
    return Windows(source, count, (z, y, x), is_adaptive=True)
