"""Correlation of volumes with filters, and its gradients: three functions, of which each is the others' gradient.

So gradients can be derived as often as wanted. Here, too, is the choice of how each is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable, saved
from autograph.functions.checks import volume
from autograph.functions.launch import reshape_or_copy, split_rows
from autograph.functions.reducers.sums import sum_buffers
from krnlpy import Buffer, Device

from . import direct, host
from .geometry import Window

if TYPE_CHECKING:
    from autograph.tensor.base import Shape, Tensor


def correlate(x: Tensor, weight: Tensor, window: Window, groups: int, size: Shape) -> Tensor:
    """``[n, oc, *size]`` of images ``x[n, ic, ...]`` and filters ``weight[oc, ic / groups, ...]``."""
    out = Buffer.empty((x.shape[0], weight.shape[0], *size), x.dtype, x.device)
    if out.size and x.size:
        filters = _filters(weight.buffer, groups)
        for some, result in split_rows(_volumes(x.buffer, groups), _volumes(out, groups)):
            _algorithm(x.device).forward(some, filters, result, window)
    else:
        out.fill(0)
    a, b, source = saved(x), saved(weight), x.shape[2:]

    def gradient_of_x(gradient: Tensor) -> Tensor:
        return correlate_back(gradient, b, window, groups, source)

    def gradient_of_weight(gradient: Tensor) -> Tensor:
        return correlate_both(a, gradient, window, groups, b.shape)

    return differentiable(x.result(out), [(x, gradient_of_x), (weight, gradient_of_weight)], higher_order=True)


def correlate_back(y: Tensor, weight: Tensor, window: Window, groups: int, size: Shape) -> Tensor:
    """The gradient ``[n, ic, *size]`` of images, of that of the result: the transposed convolution."""
    out = Buffer.empty((y.shape[0], weight.shape[1] * groups, *size), y.dtype, y.device)
    if out.size and y.size:
        filters = _filters(weight.buffer, groups)
        for some, result in split_rows(_volumes(y.buffer, groups), _volumes(out, groups)):
            _algorithm(y.device).input_gradient(some, filters, result, window)
    else:
        out.fill(0)
    a, b, source = saved(y), saved(weight), y.shape[2:]

    def gradient_of_y(gradient: Tensor) -> Tensor:
        return correlate(gradient, b, window, groups, source)

    def gradient_of_weight(gradient: Tensor) -> Tensor:
        return correlate_both(gradient, a, window, groups, b.shape)

    return differentiable(y.result(out), [(y, gradient_of_y), (weight, gradient_of_weight)], higher_order=True)


def correlate_both(x: Tensor, y: Tensor, window: Window, groups: int, shape: Shape) -> Tensor:
    """The gradient, of a shape, of filters: of images and of the gradient of the result."""
    out = Buffer.empty(shape, x.dtype, x.device)
    if out.size and x.size and y.size:
        pieces = list(split_rows(_volumes(x.buffer, groups), _volumes(y.buffer, groups)))
        parts = [out, *(Buffer.empty(shape, x.dtype, x.device) for _ in pieces[1:])]
        for (some, dy), part in zip(pieces, parts, strict=True):
            _algorithm(x.device).weight_gradient(some, dy, _filters(part, groups), window)
        if len(parts) > 1:
            out = sum_buffers(parts)
    else:
        out.fill(0)
    a, b = saved(x), saved(y)

    def gradient_of_x(gradient: Tensor) -> Tensor:
        return correlate_back(b, gradient, window, groups, a.shape[2:])

    def gradient_of_y(gradient: Tensor) -> Tensor:
        return correlate(a, gradient, window, groups, b.shape[2:])

    return differentiable(x.result(out), [(x, gradient_of_x), (y, gradient_of_y)], higher_order=True)


def _algorithm(device: Device) -> Any:
    """Devices compute a few pixels a thread, the host with vectors."""
    return host if device.is_host else direct


def _volumes(buffer: Buffer, groups: int) -> Buffer:
    """``[n, c, ...]`` as ``[n, g, c / g, z, y, x]``."""
    n, c, *size = buffer.shape
    return reshape_or_copy(buffer, (n, groups, c // groups, *volume(tuple(size))))


def _filters(buffer: Buffer, groups: int) -> Buffer:
    """``[oc, c, ...]`` as ``[g, oc / g, c, z, y, x]``."""
    oc, c, *size = buffer.shape
    return reshape_or_copy(buffer, (groups, oc // groups, c, *volume(tuple(size))))
