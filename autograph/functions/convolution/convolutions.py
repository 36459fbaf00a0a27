"""Convolution (cross-correlation) of signals, images and volumes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from autograph.errors import AutographError, ShapeError
from autograph.functions.checks import require_alike, require_dtype, require_ndim, single
from autograph.functions.elementwise.arithmetic import add
from autograph.functions.shapes.padding import pad
from krnlpy import bf16, f16, f32, f64

from .correlation import correlate
from .geometry import Window, window_of

if TYPE_CHECKING:
    from autograph.tensor.base import Shape, Tensor

Sizes = int | tuple[int, ...]
PaddingMode = Literal["zeros", "reflect", "edge", "wrap"]


def conv1(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> Tensor:
    """Cross-correlation of signals with filters. Narrow types are accumulated in f32.

    Args:
        x: signals ``[n, ic, w]``, floats.
        weight: filters ``[oc, ic / groups, fw]``.
        bias: ``[oc]``, added to each channel.
        stride, dilation: in elements.
        padding: so many zeros at both ends; "valid" is 0, "same" as many as give ``ow = w``.
        groups: of channels, which are convolved by themselves.
        padding_mode: what stands at the ends instead of zeros: "reflect", "edge" or "wrap", as :func:`pad` makes it.

    Returns:
        ``[n, oc, ow]`` with ``ow = (w + 2 * padding - dilation * (fw - 1) - 1) // stride + 1``.

    Raises:
        AutographError: there is no such ``padding_mode``.
        ShapeError: ranks or channels do not fit, or the filter is longer than the padded signal.
        DtypeError: the dtypes differ, or are not floats.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor
    >>> x, difference = Tensor.from_numpy([[[1.0, 4.0, 9.0, 16.0]]]), Tensor.from_numpy([[[-1.0, 1.0]]])
    >>> x.conv1(difference).numpy().tolist()
    [[[3.0, 5.0, 7.0]]]
    """
    require_ndim("conv1", "signals", x, "[n, ic, w]")
    require_ndim("conv1", "filters", weight, "[oc, ic / groups, fw]")
    return _convolve("conv1", x, weight, bias, stride, padding, dilation, groups, padding_mode)


def conv2(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] | str = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> Tensor:
    """Cross-correlation of images with filters. Narrow types are accumulated in f32.

    Args:
        x: images ``[n, ic, h, w]``, floats.
        weight: filters ``[oc, ic / groups, fh, fw]``.
        bias: ``[oc]``, added to each channel.
        stride, dilation: in pixels, of both axes or ``(vertical, horizontal)``.
        padding: so many zeros at each side, likewise; "valid" is 0, "same" as many as give the size of ``x``.
        groups: of channels, which are convolved by themselves; with ``ic`` groups it is a depthwise convolution.
        padding_mode: what stands at the sides instead of zeros: "reflect", "edge" or "wrap", as :func:`pad` makes it.

    Returns:
        ``[n, oc, oh, ow]`` with ``oh = (h + 2 * padding - dilation * (fh - 1) - 1) // stride + 1``.

    Raises:
        AutographError: there is no such ``padding_mode``.
        ShapeError: ranks or channels do not fit, or the filter is larger than the padded image.
        DtypeError: the dtypes differ, or are not floats.
        DeviceError: the tensors lie on different devices.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> image = Tensor.from_numpy(np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3))
    >>> image.conv2(Tensor.ones((1, 1, 2, 2))).numpy().tolist()  # the sum of each window
    [[[[8.0, 12.0], [20.0, 24.0]]]]
    """
    require_ndim("conv2", "images", x, "[n, ic, h, w]")
    require_ndim("conv2", "filters", weight, "[oc, ic / groups, fh, fw]")
    return _convolve("conv2", x, weight, bias, stride, padding, dilation, groups, padding_mode)


def conv3(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int, int] = 1,
    padding: int | tuple[int, int, int] | str = 0,
    dilation: int | tuple[int, int, int] = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> Tensor:
    """Cross-correlation of volumes with filters. Narrow types are accumulated in f32.

    Args:
        x: volumes ``[n, ic, d, h, w]``, floats.
        weight: filters ``[oc, ic / groups, fd, fh, fw]``.
        bias, stride, padding, dilation, groups, padding_mode: as :func:`conv2` takes them, of three axes.

    Returns:
        ``[n, oc, od, oh, ow]`` with ``od = (d + 2 * padding - dilation * (fd - 1) - 1) // stride + 1``.

    Raises:
        AutographError: there is no such ``padding_mode``.
        ShapeError: ranks or channels do not fit, or the filter is larger than the padded volume.
        DtypeError: the dtypes differ, or are not floats.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, conv3
    >>> conv3(Tensor.ones((1, 1, 2, 2, 2)), Tensor.ones((1, 1, 2, 2, 1))).numpy().tolist()
    [[[[[4.0, 4.0]]]]]
    """
    require_ndim("conv3", "volumes", x, "[n, ic, d, h, w]")
    require_ndim("conv3", "filters", weight, "[oc, ic / groups, fd, fh, fw]")
    return _convolve("conv3", x, weight, bias, stride, padding, dilation, groups, padding_mode)


def _convolve(
    operation: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
    padding_mode: PaddingMode,
) -> Tensor:
    require_dtype(operation, x, f16, bf16, f32, f64)
    require_alike(operation, x, weight)
    groups = single("groups", groups, 1)
    if x.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
        raise ShapeError(
            f"{operation} of images {x.shape} with filters {weight.shape} in {groups} groups: the images have"
            f" {x.shape[1]} channels, the filters take {weight.shape[1]} a group and give {weight.shape[0]} in all"
        )
    if padding_mode not in ("zeros", "reflect", "edge", "wrap"):
        expected = "expected 'zeros', 'reflect', 'edge' or 'wrap'"
        raise AutographError(f"{operation}(padding_mode={padding_mode!r}): {expected}")
    require_bias(operation, x, bias, weight.shape[0])
    window, size = window_of(operation, x.shape[2:], weight.shape[2:], stride, padding, dilation)
    if padding_mode != "zeros":
        x = pad(x, [(0, 0), (0, 0), *_sides(window, x.shape[2:], size)], padding_mode)
        window = replace(window, padding=(0, 0, 0))
    return with_bias(correlate(x, weight, window, groups, size), bias)


def _sides(window: Window, source: Shape, size: Shape) -> list[tuple[int, int]]:
    """How much padding there is before and after each axis."""
    ndim = len(size)
    along = zip(source, size, window.stride[-ndim:], window.padding[-ndim:], window.reach[-ndim:], strict=True)
    return [(before, max(0, (m - 1) * step + reach + 1 - before - n)) for n, m, step, before, reach in along]


def require_bias(operation: str, x: Tensor, bias: Tensor | None, channels: int) -> None:
    """A bias must have the dtype and device of the images, and a number for each channel."""
    if bias is not None:
        require_alike(operation, x, bias)
        if bias.shape != (channels,):
            raise ShapeError(
                f"{operation} to {channels} channels takes a bias of shape ({channels},), not {bias.shape}"
            )


def with_bias(value: Tensor, bias: Tensor | None) -> Tensor:
    """A number added to each channel."""
    return value if bias is None else add(value, bias.reshape((-1,) + (1,) * (value.ndim - 2)))
