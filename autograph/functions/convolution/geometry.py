"""How filters lie on images. Signals and images are volumes: axes of length 1 stand in front of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autograph.errors import ShapeError
from autograph.functions.checks import Triple, per_axis, volume


@dataclass(frozen=True)
class Window:
    """How filters lie on volumes, along depth, height and width.

    Attributes:
        filter: the filter's size.
        stride: from one place of the filter to the next.
        padding: zeros in front of the volume. How many are behind it follows from the result's size.
        dilation: from one tap of the filter to the next.
    """

    filter: Triple
    stride: Triple
    padding: Triple
    dilation: Triple

    @property
    def reach(self) -> Triple:
        """How far the last tap is from the first."""
        (fz, fy, fx), (dz, dy, dx) = self.filter, self.dilation
        return (fz - 1) * dz, (fy - 1) * dy, (fx - 1) * dx


def window_of(
    operation: str, size: tuple[int, ...], filter: tuple[int, ...], stride: Any, padding: Any, dilation: Any
) -> tuple[Window, tuple[int, ...]]:
    """The window of a filter on images of a size, and how often it lies on them along each axis.

    Args:
        operation: whose arguments these are, for errors.
        size, filter: along as many axes as the images have.
        stride, dilation: a whole number of at least 1, or one for each axis.
        padding: a whole number of at least 0, or one for each axis; "valid" is 0, "same" as much as gives the result
            the size of the images, of an odd sum one more behind them.

    Raises:
        ShapeError: they are no such numbers, or the filter does not fit into the images, or ``padding`` is "same" where
            a stride is not 1.
    """
    ndim = len(size)
    strides, dilations = per_axis("stride", stride, 1, ndim), per_axis("dilation", dilation, 1, ndim)
    reach = tuple((f - 1) * d for f, d in zip(filter, dilations, strict=True))
    if padding == "same":
        if max(strides) > 1:
            raise ShapeError(f"{operation} with padding='same' and stride={stride!r}: expected a stride of 1")
        before, both = tuple(r // 2 for r in reach), reach
    else:
        before = (0,) * ndim if padding == "valid" else per_axis("padding", padding, 0, ndim)
        both = tuple(2 * p for p in before)
    result = tuple((n + b - r - 1) // s + 1 for n, b, r, s in zip(size, both, reach, strides, strict=True))
    if min(*filter, *result) < 1:
        given = f"size {size}: the window of size {filter} with padding {padding!r} and dilation {dilation!r}"
        raise ShapeError(f"{operation} of {given} does not fit into them")
    return Window(volume(filter), volume(strides), volume(before, 0), volume(dilations)), result
