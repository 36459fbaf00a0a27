"""Transposed convolution of signals, images and volumes: the gradient of convolution as an operation of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.errors import ShapeError
from autograph.functions.checks import per_axis, require_alike, require_dtype, require_ndim, single, volume
from krnlpy import bf16, f16, f32, f64

from .convolutions import require_bias, with_bias
from .correlation import correlate_back
from .geometry import Window

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Sizes = int | tuple[int, ...]


def conv_transpose1(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """Transposed convolution of signals: each element adds the filter, times itself, to the result.

    Args:
        x: signals ``[n, ic, w]``, floats.
        weight: filters ``[ic, oc / groups, fw]``.
        bias, stride, padding, output_padding, dilation, groups: as :func:`conv_transpose2` takes them, of one axis.

    Returns:
        ``[n, oc, ow]`` with ``ow = (w - 1) * stride - 2 * padding + dilation * (fw - 1) + 1 + output_padding``.

    Raises:
        ShapeError: ranks or channels do not fit, or nothing is left between the paddings.
        DtypeError: the dtypes differ, or are not floats.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, conv_transpose1
    >>> conv_transpose1(Tensor.from_numpy([[[1.0, 10.0]]]), Tensor.from_numpy([[[1.0, 2.0]]])).numpy().tolist()
    [[[1.0, 12.0, 20.0]]]
    """
    require_ndim("conv_transpose1", "signals", x, "[n, ic, w]")
    require_ndim("conv_transpose1", "filters", weight, "[ic, oc / groups, fw]")
    return _convolve("conv_transpose1", x, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose2(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    output_padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> Tensor:
    """Transposed convolution of images: each pixel adds the filters, times itself, to the result.

    It is the gradient of :func:`conv2` with the same filters and numbers, and gives the size of what such a convolution
    makes images of the size of ``x`` of.

    Args:
        x: images ``[n, ic, h, w]``, floats.
        weight: filters ``[ic, oc / groups, fh, fw]``.
        bias: ``[oc]``, added to each channel.
        stride: from where a pixel's filter lies to where its neighbour's does.
        padding: so many pixels are cut off at each side.
        output_padding: so many rows and columns are added at the end: the stride of a convolution leaves out up to
            ``stride - 1`` of them, and each count gives the same ``h``.
        dilation: from tap to tap.
        groups: of channels, which are convolved by themselves.

    Returns:
        ``[n, oc, oh, ow]`` with ``oh = (h - 1) * stride - 2 * padding + dilation * (fh - 1) + 1 + output_padding``.

    Raises:
        ShapeError: ranks or channels do not fit, or nothing is left between the paddings, or ``output_padding`` is not
            below the stride or the dilation.
        DtypeError: the dtypes differ, or are not floats.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, conv_transpose2
    >>> x = Tensor.from_numpy([[[[1.0, 2.0]]]])
    >>> conv_transpose2(x, Tensor.ones((1, 1, 1, 2), "f64"), stride=2).numpy().tolist()
    [[[[1.0, 1.0, 2.0, 2.0]]]]
    """
    require_ndim("conv_transpose2", "images", x, "[n, ic, h, w]")
    require_ndim("conv_transpose2", "filters", weight, "[ic, oc / groups, fh, fw]")
    return _convolve("conv_transpose2", x, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose3(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int, int] = 1,
    padding: int | tuple[int, int, int] = 0,
    output_padding: int | tuple[int, int, int] = 0,
    dilation: int | tuple[int, int, int] = 1,
    groups: int = 1,
) -> Tensor:
    """Transposed convolution of volumes: each element adds the filters, times itself, to the result.

    Args:
        x: volumes ``[n, ic, d, h, w]``, floats.
        weight: filters ``[ic, oc / groups, fd, fh, fw]``.
        bias, stride, padding, output_padding, dilation, groups: as :func:`conv_transpose2` takes them, of three axes.

    Returns:
        ``[n, oc, od, oh, ow]`` with ``od = (d - 1) * stride - 2 * padding + dilation * (fd - 1) + 1 + output_padding``.

    Raises:
        ShapeError: ranks or channels do not fit, or nothing is left between the paddings.
        DtypeError: the dtypes differ, or are not floats.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, conv_transpose3
    >>> conv_transpose3(Tensor.ones((1, 1, 1, 1, 2)), Tensor.ones((1, 1, 1, 1, 2))).numpy().tolist()
    [[[[[1.0, 2.0, 1.0]]]]]
    """
    require_ndim("conv_transpose3", "volumes", x, "[n, ic, d, h, w]")
    require_ndim("conv_transpose3", "filters", weight, "[ic, oc / groups, fd, fh, fw]")
    return _convolve("conv_transpose3", x, weight, bias, stride, padding, output_padding, dilation, groups)


def _convolve(
    operation: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    require_dtype(operation, x, f16, bf16, f32, f64)
    require_alike(operation, x, weight)
    groups, ndim = single("groups", groups, 1), x.ndim - 2
    if x.shape[1] != weight.shape[0] or weight.shape[0] % groups:
        raise ShapeError(
            f"{operation} of images {x.shape} with filters {weight.shape} in {groups} groups: the images have"
            f" {x.shape[1]} channels, the filters take {weight.shape[0]}"
        )
    require_bias(operation, x, bias, weight.shape[1] * groups)
    filter = weight.shape[2:]
    strides, dilations = per_axis("stride", stride, 1, ndim), per_axis("dilation", dilation, 1, ndim)
    paddings, more = per_axis("padding", padding, 0, ndim), per_axis("output_padding", output_padding, 0, ndim)
    if any(m >= max(s, d) for m, s, d in zip(more, strides, dilations, strict=True)):
        raise ShapeError(
            f"{operation} with output_padding={output_padding!r}, stride={stride!r} and dilation={dilation!r}: expected"
            " an output_padding below the stride or the dilation"
        )
    size = tuple(
        (n - 1) * s - 2 * p + d * (f - 1) + 1 + m
        for n, f, s, p, d, m in zip(x.shape[2:], filter, strides, paddings, dilations, more, strict=True)
    )
    if min(*filter, *x.shape[2:], *size) < 1:
        raise ShapeError(
            f"{operation} of images {x.shape} with filters {weight.shape}, stride {strides} and padding {paddings}"
            f" gives images of size {size}: expected at least one pixel"
        )
    window = Window(volume(filter), volume(strides), volume(paddings, 0), volume(dilations))
    return with_bias(correlate_back(x, weight, window, groups, size), bias)
