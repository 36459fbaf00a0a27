"""Pooling layers."""

from __future__ import annotations

from ..ops.checks import pair
from ..tensor import Tensor
from .layer import Layer, settings


class MaxPool2(Layer):
    """The greatest value of each window of images ``[n, c, h, w]``.

    Args:
        filter: height and width of the windows, or one number for both.
        stride: from window to window; None is the window's size.
    """

    def __init__(self, filter: int | tuple[int, int], stride: int | tuple[int, int] | None = None) -> None:
        self.filter = pair("filter", filter, 1)
        self.stride = self.filter if stride is None else pair("stride", stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, c, h, w]`` to ``[n, c, (h - fh) // sh + 1, (w - fw) // sw + 1]``."""
        return x.max_pool2(self.filter, self.stride)

    def describe(self) -> str:
        return settings(self.filter, stride=(self.stride, self.filter))
