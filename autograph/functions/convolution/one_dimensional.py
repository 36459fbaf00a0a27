"""One-dimensional convolution (cross-correlation): that of images of height 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.errors import ShapeError
from autograph.functions.checks import require_ndim, single

from .two_dimensional import conv2, require_filters

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def conv1(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """Cross-correlation of signals with filters, accumulated in f32.

    Args:
        x: signals ``[n, ic, w]``, f16, bf16 or f32.
        weight: filters ``[oc, ic, fw]``.
        bias: ``[oc]``, added to each channel.
        stride, padding (zeros at both ends), dilation: in elements.

    Returns:
        ``[n, oc, ow]`` with ``ow = (w + 2 * padding - dilation * (fw - 1) - 1) // stride + 1``.

    Raises:
        ShapeError: ranks or channels do not fit, or the filter is longer than the padded signal.
        DtypeError: the dtypes differ, or are not floats of at most 32 bits.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor
    >>> x, difference = Tensor.from_numpy([[[1.0, 4.0, 9.0, 16.0]]]), Tensor.from_numpy([[[-1.0, 1.0]]])
    >>> x.cast("f32").conv1(difference.cast("f32")).numpy().tolist()
    [[[3.0, 5.0, 7.0]]]
    """
    require_ndim("conv1", "signals", x, "[n, ic, w]")
    require_ndim("conv1", "filters", weight, "[oc, ic, fw]")
    require_filters("conv1", x, weight, bias)
    s, p, d = single("stride", stride, 1), single("padding", padding, 0), single("dilation", dilation, 1)
    (n, ic, w), (oc, _, fw) = x.shape, weight.shape
    if fw < 1 or w + 2 * p < d * (fw - 1) + 1:
        raise ShapeError(
            f"conv1 of signals {x.shape} with filters {weight.shape}, padding {p} and dilation {d}: the filter does not"
            " fit into the signal"
        )
    images, filters = x.reshape((n, ic, 1, w)), weight.reshape((oc, ic, 1, fw))
    value = conv2(images, filters, bias, stride=(1, s), padding=(0, p), dilation=(1, d))
    return value.reshape((n, oc, value.shape[3]))
