"""Convolutional layers."""

from __future__ import annotations

from krnlpy import Device, DTypeLike, f32

from ..ops.checks import pair
from ..parameter import Parameter
from ..tensor import Tensor
from .initialize import Seed, generator, require_counts, uniform
from .layer import Layer, settings


class Conv2(Layer):
    """Cross-correlation of images ``[n, inputs, h, w]`` with learned filters, giving ``[n, outputs, oh, ow]``.

    Args:
        inputs: channels of the images.
        outputs: channels of the result.
        filter: height and width of the filters, or one number for both.
        stride, padding (zeros), dilation: in pixels, of both axes or ``(vertical, horizontal)``.
        bias: whether a learned number is added to each channel.
        device: where the parameters are; None is the host.
        dtype: f16, bf16 or f32.
        seed: an int, a generator to draw from, or None.

    Attributes:
        weight: ``[outputs, inputs, fh, fw]``, drawn from ``[-a, a)`` with ``a = sqrt(2 / (inputs * fh * fw))``.
        bias: ``[outputs]``, drawn alike, or None.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        filter: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        bias: bool = False,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
    ) -> None:
        require_counts("Conv2", inputs=inputs, outputs=outputs)
        fh, fw = pair("filter", filter, 1)
        self.stride = pair("stride", stride, 1)
        self.padding = pair("padding", padding, 0)
        self.dilation = pair("dilation", dilation, 1)
        rng = generator(seed)
        fan_in = inputs * fh * fw
        self.weight = uniform((outputs, inputs, fh, fw), fan_in, rng, dtype, device)
        self.bias: Parameter | None = uniform((outputs,), fan_in, rng, dtype, device) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Images ``[n, inputs, h, w]`` to ``[n, outputs, oh, ow]``."""
        return x.conv2(self.weight, self.bias, stride=self.stride, padding=self.padding, dilation=self.dilation)

    def describe(self) -> str:
        outputs, inputs, fh, fw = self.weight.shape
        return settings(
            inputs,
            outputs,
            (fh, fw),
            stride=(self.stride, (1, 1)),
            padding=(self.padding, (0, 0)),
            dilation=(self.dilation, (1, 1)),
            bias=(self.bias is not None, False),
        )
