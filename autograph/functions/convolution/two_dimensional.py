"""Two-dimensional convolution (cross-correlation), its gradients, and the choice of how each is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.autograd import differentiable
from autograph.errors import ShapeError
from autograph.functions.checks import pair, require_alike, require_dtype, require_ndim
from autograph.functions.elementwise.arithmetic import add
from autograph.functions.launch import split_rows
from autograph.functions.reducers.sums import sum_buffers
from krnlpy import Buffer, bf16, f16, f32

from . import direct as conv2_direct
from . import host as conv2_host
from .geometry import Window

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def conv2(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
) -> Tensor:
    """Cross-correlation of images with filters, accumulated in f32.

    Args:
        x: images ``[n, ic, h, w]``, f16, bf16 or f32.
        weight: filters ``[oc, ic, fh, fw]``.
        bias: ``[oc]``, added to each channel.
        stride, padding (zeros), dilation: in pixels, of both axes or ``(vertical, horizontal)``.

    Returns:
        ``[n, oc, oh, ow]`` with ``oh = (h + 2 * padding - dilation * (fh - 1) - 1) // stride + 1``.

    Raises:
        ShapeError: ranks or channels do not fit, or the filter is larger than the padded image.
        DtypeError: the dtypes differ, or are not floats of at most 32 bits.
        DeviceError: the tensors lie on different devices.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> image = Tensor.from_numpy(np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3))
    >>> image.conv2(Tensor.ones((1, 1, 2, 2))).numpy().tolist()  # the sum of each window
    [[[[8.0, 12.0], [20.0, 24.0]]]]
    """
    require_ndim("conv2", "images", x, "[n, ic, h, w]")
    require_ndim("conv2", "filters", weight, "[oc, ic, fh, fw]")
    require_filters("conv2", x, weight, bias)
    window = Window(
        (weight.shape[2], weight.shape[3]),
        pair("stride", stride, 1),
        pair("padding", padding, 0),
        pair("dilation", dilation, 1),
    )
    oh, ow = window.output(x.shape[2], x.shape[3])
    if min(*window.filter, oh, ow) < 1:
        raise ShapeError(
            f"conv2 of images {x.shape} with filters {weight.shape}, padding {window.padding} and dilation"
            f" {window.dilation}: the filter does not fit into the image"
        )
    value = _conv2(x, weight, window, (oh, ow))
    return value if bias is None else add(value, bias.reshape((weight.shape[0], 1, 1)))


def require_filters(operation: str, x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Images ``[n, ic, ...]``, filters ``[oc, ic, ...]`` and a bias ``[oc]`` must fit each other."""
    require_dtype(operation, x, f16, bf16, f32)
    require_alike(operation, x, weight)
    if x.shape[1] != weight.shape[1]:
        raise ShapeError(
            f"{operation} of images {x.shape} with filters {weight.shape}: the images have {x.shape[1]} channels, the"
            f" filters take {weight.shape[1]}"
        )
    if bias is not None:
        require_alike(operation, x, bias)
        if bias.shape != weight.shape[:1]:
            raise ShapeError(
                f"{operation} with filters {weight.shape} takes a bias of shape {weight.shape[:1]}, not {bias.shape}"
            )


def _conv2(x: Tensor, weight: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    # Both compute directly, without unfolded images: the host with vectors of channels, devices a few pixels a thread.
    algorithm = conv2_host if x.device.is_host else conv2_direct
    out = Buffer.empty((x.shape[0], weight.shape[0], *size), x.dtype, x.device)
    if out.size:
        for some, result in split_rows(x.buffer, out):
            algorithm.forward(some, weight.buffer, result, window)
    images, filters = x.detach(), weight.detach()

    def gradient_of_x(gradient: Tensor) -> Tensor:
        dx = Buffer.zeros(images.shape, images.dtype, images.device)
        if dx.size and gradient.size:
            for dy, result in split_rows(gradient.buffer, dx):
                algorithm.input_gradient(dy, filters.buffer, result, window)
        return gradient.result(dx)

    def gradient_of_weight(gradient: Tensor) -> Tensor:
        if not gradient.size:
            return filters.result(Buffer.zeros(filters.shape, filters.dtype, filters.device))
        shape, pieces = filters.shape, list(split_rows(images.buffer, gradient.buffer))
        sums = [algorithm.weight_gradient(some, dy, shape, window) for some, dy in pieces]
        return filters.result(sums[0] if len(sums) == 1 else sum_buffers(sums))

    return differentiable(x.result(out), [(x, gradient_of_x), (weight, gradient_of_weight)])
