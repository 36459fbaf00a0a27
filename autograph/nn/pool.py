"""Pooling layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from autograph.functions.pooling.averages import (
    adaptive_avg_pool1,
    adaptive_avg_pool2,
    adaptive_avg_pool3,
    avg_pool1,
    avg_pool2,
    avg_pool3,
)
from autograph.functions.pooling.max_pools import (
    adaptive_max_pool1,
    adaptive_max_pool2,
    adaptive_max_pool3,
    max_pool1,
    max_pool2,
    max_pool3,
)
from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer
from .settings import Sizes, settings, sizes


class _Pool(Layer):
    """What pooling layers have in common: an operation on signals, images or volumes."""

    _ndim: ClassVar[int]
    operation: ClassVar[Callable[..., Tensor]]

    def _options(self) -> dict[str, Any]:
        """The settings, as the operation takes them."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """What the function of the layer's name makes of ``x``.

        Raises:
            ShapeError: ``x`` has another rank, or is smaller than the window.
            DtypeError: ``x`` is not of floats, or not a tensor.

        >>> from autograph import AdaptiveAvgPool2, MaxPool2, Tensor
        >>> MaxPool2(2)(Tensor.ones((5, 6, 24, 24))).shape
        (5, 6, 12, 12)
        >>> AdaptiveAvgPool2(1)(Tensor.ones((5, 6, 24, 24))).shape
        (5, 6, 1, 1)
        """
        require_tensor(type(self).__name__, x)
        return type(self).operation(x, **self._options())

    def _all(self, number: int) -> Sizes:
        """A number as it is kept: one for each axis; of signals, the number."""
        return (number,) * self._ndim if self._ndim > 1 else number


class _MaxPool(_Pool):
    def __init__(
        self,
        filter: Sizes,
        stride: Sizes | None = None,
        *,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.filter = sizes("filter", filter, 1, self._ndim)
        self.stride = self.filter if stride is None else sizes("stride", stride, 1, self._ndim)
        self.padding, self.dilation = (
            sizes("padding", padding, 0, self._ndim),
            sizes("dilation", dilation, 1, self._ndim),
        )
        self.ceil_mode = ceil_mode

    def _options(self) -> dict[str, Any]:
        names = "filter", "stride", "padding", "dilation", "ceil_mode"
        return {name: getattr(self, name) for name in names}

    def describe(self) -> str:
        return settings(
            self.filter,
            stride=(self.stride, self.filter),
            padding=(self.padding, self._all(0)),
            dilation=(self.dilation, self._all(1)),
            ceil_mode=(self.ceil_mode, False),
        )


class _AvgPool(_Pool):
    def __init__(
        self,
        filter: Sizes,
        stride: Sizes | None = None,
        *,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.filter = sizes("filter", filter, 1, self._ndim)
        self.stride = self.filter if stride is None else sizes("stride", stride, 1, self._ndim)
        self.padding = sizes("padding", padding, 0, self._ndim)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def _options(self) -> dict[str, Any]:
        names = "filter", "stride", "padding", "ceil_mode", "count_include_pad"
        return {name: getattr(self, name) for name in names}

    def describe(self) -> str:
        return settings(
            self.filter,
            stride=(self.stride, self.filter),
            padding=(self.padding, self._all(0)),
            ceil_mode=(self.ceil_mode, False),
            count_include_pad=(self.count_include_pad, True),
        )


class _AdaptivePool(_Pool):
    def __init__(self, size: Sizes) -> None:
        self.size = sizes("size", size, 1, self._ndim)

    def _options(self) -> dict[str, Any]:
        return {"size": self.size}

    def describe(self) -> str:
        return settings(self.size)


class MaxPool1(_MaxPool):
    """The greatest value of each window of signals ``[n, c, w]``.

    Args:
        filter: length of the windows.
        stride: from window to window; None is the window's size.
        padding, dilation, ceil_mode: as :func:`autograph.max_pool1` takes them.

    Raises:
        ShapeError: one of them is no whole number that is large enough.

    >>> MaxPool1(3)(Tensor.ones((1, 2, 10))).shape
    (1, 2, 3)
    """

    _ndim, operation = 1, max_pool1


class MaxPool2(_MaxPool):
    """The greatest value of each window of images ``[n, c, h, w]``.

    Args:
        filter: height and width of the windows, or one number for both.
        stride: from window to window; None is the window's size.
        padding, dilation, ceil_mode: as :func:`autograph.max_pool2` takes them.

    Raises:
        ShapeError: one of them is no whole number that is large enough, nor one for each axis.

    >>> from autograph import MaxPool2
    >>> MaxPool2(2), MaxPool2((2, 3), stride=1)
    (MaxPool2((2, 2)), MaxPool2((2, 3), stride=(1, 1)))
    """

    _ndim, operation = 2, max_pool2


class MaxPool3(_MaxPool):
    """The greatest value of each window of volumes ``[n, c, d, h, w]``.

    Args:
        filter: depth, height and width of the windows, or one number for all.
        stride: from window to window; None is the window's size.
        padding, dilation, ceil_mode: as :func:`autograph.max_pool3` takes them.

    Raises:
        ShapeError: one of them is no whole number that is large enough, nor one for each axis.

    >>> from autograph import MaxPool3
    >>> MaxPool3(2, padding=(1, 0, 0))
    MaxPool3((2, 2, 2), padding=(1, 0, 0))
    """

    _ndim, operation = 3, max_pool3


class AvgPool1(_AvgPool):
    """The mean of each window of signals ``[n, c, w]``.

    Args:
        filter: length of the windows.
        stride: from window to window; None is the window's size.
        padding, ceil_mode, count_include_pad: as :func:`autograph.avg_pool1` takes them.

    Raises:
        ShapeError: one of them is no whole number that is large enough.

    >>> from autograph import AvgPool1, Tensor
    >>> AvgPool1(2)(Tensor.from_numpy([[[1.0, 3.0]]])).numpy().tolist()
    [[[2.0]]]
    """

    _ndim, operation = 1, avg_pool1


class AvgPool2(_AvgPool):
    """The mean of each window of images ``[n, c, h, w]``.

    Args:
        filter: height and width of the windows, or one number for both.
        stride: from window to window; None is the window's size.
        padding, ceil_mode, count_include_pad: as :func:`autograph.avg_pool2` takes them.

    Raises:
        ShapeError: one of them is no whole number that is large enough, nor one for each axis.

    >>> from autograph import AvgPool2
    >>> AvgPool2(3, stride=2, padding=1, count_include_pad=False)
    AvgPool2((3, 3), stride=(2, 2), padding=(1, 1), count_include_pad=False)
    """

    _ndim, operation = 2, avg_pool2


class AvgPool3(_AvgPool):
    """The mean of each window of volumes ``[n, c, d, h, w]``.

    Args:
        filter: depth, height and width of the windows, or one number for all.
        stride: from window to window; None is the window's size.
        padding, ceil_mode, count_include_pad: as :func:`autograph.avg_pool3` takes them.

    Raises:
        ShapeError: one of them is no whole number that is large enough, nor one for each axis.

    >>> from autograph import AvgPool3
    >>> AvgPool3((1, 2, 2))
    AvgPool3((1, 2, 2))
    """

    _ndim, operation = 3, avg_pool3


class AdaptiveAvgPool1(_AdaptivePool):
    """The mean of each of so many windows of signals ``[n, c, w]``, which cover them as evenly as they can.

    Args:
        size: how many windows.

    Raises:
        ShapeError: ``size`` is not a whole number of at least 1.

    >>> from autograph import AdaptiveAvgPool1, Tensor
    >>> AdaptiveAvgPool1(4)(Tensor.ones((1, 2, 9))).shape
    (1, 2, 4)
    """

    _ndim, operation = 1, adaptive_avg_pool1


class AdaptiveAvgPool2(_AdaptivePool):
    """The mean of each of so many windows of images ``[n, c, h, w]``, which cover them as evenly as they can.

    Args:
        size: how many windows along all axes, or along each.

    Raises:
        ShapeError: ``size`` is not a whole number of at least 1, nor one for each axis.

    >>> from autograph import AdaptiveAvgPool2, Tensor
    >>> AdaptiveAvgPool2(4)(Tensor.ones((1, 2, 9, 8))).shape
    (1, 2, 4, 4)
    """

    _ndim, operation = 2, adaptive_avg_pool2


class AdaptiveAvgPool3(_AdaptivePool):
    """The mean of each of so many windows of volumes, which cover them as evenly as they can.

    Args:
        size: how many windows along all axes, or along each.

    Raises:
        ShapeError: ``size`` is not a whole number of at least 1, nor one for each axis.

    >>> from autograph import AdaptiveAvgPool3, Tensor
    >>> AdaptiveAvgPool3(4)(Tensor.ones((1, 2, 9, 8, 7))).shape
    (1, 2, 4, 4, 4)
    """

    _ndim, operation = 3, adaptive_avg_pool3


class AdaptiveMaxPool1(_AdaptivePool):
    """The greatest value of each of so many windows of signals ``[n, c, w]``, which cover them as evenly as they can.

    Args:
        size: how many windows.

    Raises:
        ShapeError: ``size`` is not a whole number of at least 1.

    >>> from autograph import AdaptiveMaxPool1, Tensor
    >>> AdaptiveMaxPool1(4)(Tensor.ones((1, 2, 9))).shape
    (1, 2, 4)
    """

    _ndim, operation = 1, adaptive_max_pool1


class AdaptiveMaxPool2(_AdaptivePool):
    """The greatest value of each of so many windows of images ``[n, c, h, w]``, which cover them as evenly as they can.

    Args:
        size: how many windows along all axes, or along each.

    Raises:
        ShapeError: ``size`` is not a whole number of at least 1, nor one for each axis.

    >>> from autograph import AdaptiveMaxPool2, Tensor
    >>> AdaptiveMaxPool2(4)(Tensor.ones((1, 2, 9, 8))).shape
    (1, 2, 4, 4)
    """

    _ndim, operation = 2, adaptive_max_pool2


class AdaptiveMaxPool3(_AdaptivePool):
    """The greatest value of each of so many windows of volumes, which cover them as evenly as they can.

    Args:
        size: how many windows along all axes, or along each.

    Raises:
        ShapeError: ``size`` is not a whole number of at least 1, nor one for each axis.

    >>> from autograph import AdaptiveMaxPool3, Tensor
    >>> AdaptiveMaxPool3(4)(Tensor.ones((1, 2, 9, 8, 7))).shape
    (1, 2, 4, 4, 4)
    """

    _ndim, operation = 3, adaptive_max_pool3
