"""Pooling layers."""

from __future__ import annotations

from autograph.functions.checks import per_axis, single
from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer, settings


class MaxPool1(Layer):
    """The greatest value of each window of signals ``[n, c, w]``.

    Args:
        filter: length of the windows.
        stride: from window to window; None is the window's length.

    Raises:
        ShapeError: ``filter`` or ``stride`` is not a whole number of at least 1.

    >>> MaxPool1(3)(Tensor.ones((1, 2, 10))).shape
    (1, 2, 3)
    """

    def __init__(self, filter: int, stride: int | None = None) -> None:
        self.filter = single("filter", filter, 1)
        self.stride = self.filter if stride is None else single("stride", stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, c, w]`` to ``[n, c, (w - filter) // stride + 1]``.

        Raises:
            ShapeError: ``x`` is not signals, or shorter than the window.
            DtypeError: ``x`` is not f16, bf16 or f32, or not a tensor.

        >>> from autograph import MaxPool1, Tensor
        >>> x = Tensor.from_numpy([[[3.0, 1.0, 4.0, 1.0, 5.0]]]).cast("f32")
        >>> MaxPool1(3, stride=1)(x).numpy().tolist()
        [[[4.0, 4.0, 5.0]]]
        """
        require_tensor("MaxPool1", x)
        return x.max_pool1(self.filter, self.stride)

    def describe(self) -> str:
        return settings(self.filter, stride=(self.stride, self.filter))


class MaxPool2(Layer):
    """The greatest value of each window of images ``[n, c, h, w]``.

    Args:
        filter: height and width of the windows, or one number for both.
        stride: from window to window; None is the window's size.

    Raises:
        ShapeError: ``filter`` or ``stride`` is not a whole number of at least 1, nor a pair of them.

    >>> from autograph import MaxPool2
    >>> MaxPool2(2), MaxPool2((2, 3), stride=1)
    (MaxPool2((2, 2)), MaxPool2((2, 3), stride=(1, 1)))
    """

    def __init__(self, filter: int | tuple[int, int], stride: int | tuple[int, int] | None = None) -> None:
        self.filter = per_axis("filter", filter, 1, 2)
        self.stride = self.filter if stride is None else per_axis("stride", stride, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, c, h, w]`` to ``[n, c, (h - fh) // sh + 1, (w - fw) // sw + 1]``.

        Raises:
            ShapeError: ``x`` is not images, or smaller than the window.
            DtypeError: ``x`` is not f16, bf16 or f32, or not a tensor.

        >>> from autograph import MaxPool2, Tensor
        >>> MaxPool2(2)(Tensor.ones((5, 6, 24, 24))).shape
        (5, 6, 12, 12)
        """
        require_tensor("MaxPool2", x)
        return x.max_pool2(self.filter, self.stride)  # type: ignore[arg-type]

    def describe(self) -> str:
        return settings(self.filter, stride=(self.stride, self.filter))
