"""Convolutional layers."""

from __future__ import annotations

from autograph.functions.checks import pair, single
from autograph.tensor.base import require_tensor
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from .initialize import Seed, generator, require_counts, uniform
from .layer import Layer, settings


class Conv1(Layer):
    """Cross-correlation of signals ``[n, inputs, w]`` with learned filters, giving ``[n, outputs, ow]``.

    Args:
        inputs: channels of the signals.
        outputs: channels of the result.
        filter: length of the filters.
        stride, padding (zeros at both ends), dilation: in elements.
        bias: whether a learned number is added to each channel.
        device: where the parameters are; None is the host.
        dtype: f16, bf16 or f32.
        seed: an int, a generator to draw from, or None.

    Attributes:
        weight: ``[outputs, inputs, filter]``, drawn from ``[-a, a)`` with ``a = sqrt(2 / (inputs * filter))``.
        bias: ``[outputs]``, drawn alike, or None.

    Raises:
        AutographError: a count of channels is below 1, or ``seed`` is not a seed.
        ShapeError: filter, stride or dilation is below 1, or padding below 0.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> Conv1(2, 4, 3, padding=1, seed=0)(Tensor.ones((5, 2, 10))).shape
    (5, 4, 10)
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        filter: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = False,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
    ) -> None:
        require_counts("Conv1", inputs=inputs, outputs=outputs)
        length = single("filter", filter, 1)
        self.stride = single("stride", stride, 1)
        self.padding = single("padding", padding, 0)
        self.dilation = single("dilation", dilation, 1)
        rng = generator(seed)
        fan_in = inputs * length
        self.weight = uniform((outputs, inputs, length), fan_in, rng, dtype, device)
        self.bias: Parameter | None = uniform((outputs,), fan_in, rng, dtype, device) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Signals ``[n, inputs, w]`` to ``[n, outputs, ow]``, as :meth:`autograph.Tensor.conv1`.

        Raises:
            ShapeError: ``x`` has other channels or another rank, or is shorter than the filter.
            DtypeError: ``x`` has another dtype than the weights, or is not a tensor.
            DeviceError: ``x`` lies on another device than the weights.

        >>> from autograph import Conv1, Tensor
        >>> Conv1(2, 4, 3, stride=2, seed=0)(Tensor.ones((5, 2, 11))).shape
        (5, 4, 5)
        """
        require_tensor("Conv1", x)
        return x.conv1(self.weight, self.bias, stride=self.stride, padding=self.padding, dilation=self.dilation)

    def describe(self) -> str:
        outputs, inputs, length = self.weight.shape
        return settings(
            inputs,
            outputs,
            length,
            stride=(self.stride, 1),
            padding=(self.padding, 0),
            dilation=(self.dilation, 1),
            bias=(self.bias is not None, False),
        )


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

    Raises:
        AutographError: a count of channels is below 1, or ``seed`` is not a seed.
        ShapeError: filter, stride or dilation is below 1, or padding below 0.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import Conv2
    >>> Conv2(1, 6, 5, padding=(2, 0), bias=True)
    Conv2(1, 6, (5, 5), padding=(2, 0), bias=True)  156 parameters
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
        """Images ``[n, inputs, h, w]`` to ``[n, outputs, oh, ow]``, as :meth:`autograph.Tensor.conv2`.

        Raises:
            ShapeError: ``x`` has other channels or another rank, or is smaller than the filter.
            DtypeError: ``x`` has another dtype than the weights, or is not a tensor.
            DeviceError: ``x`` lies on another device than the weights.

        >>> from autograph import Conv2, Tensor
        >>> Conv2(1, 6, 5, seed=0)(Tensor.ones((2, 1, 28, 28))).shape
        (2, 6, 24, 24)
        """
        require_tensor("Conv2", x)
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
