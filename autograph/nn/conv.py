"""Convolutional layers."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, ClassVar

from autograph.errors import ShapeError
from autograph.functions.checks import per_axis, single
from autograph.functions.convolution.convolutions import PaddingMode, conv1, conv2, conv3
from autograph.functions.convolution.transposed import conv_transpose1, conv_transpose2, conv_transpose3
from autograph.tensor.base import require_tensor
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from .initialize import initial, initial_bias, require_counts
from .initializers import Fans, Initializer
from .layer import Layer
from .seeds import Seed, generator
from .settings import Sizes, settings, sizes


class _Filters(Layer):
    """What convolutional layers have in common: filters along so many axes, how they lie, and a bias."""

    _ndim: ClassVar[int]
    operation: ClassVar[Callable[..., Tensor]]
    _is_transposed: ClassVar[bool] = False

    def __init__(
        self,
        inputs: int,
        outputs: int,
        filter: Sizes,
        *,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = False,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
        initialize: Initializer | None = None,
    ) -> None:
        layer = type(self).__name__
        require_counts(layer, inputs=inputs, outputs=outputs)
        self.groups = single("groups", groups, 1)
        if inputs % self.groups or outputs % self.groups:
            raise ShapeError(f"{layer} of {inputs} to {outputs} channels: not in {groups} equal groups")
        lengths = per_axis("filter", filter, 1, self._ndim)
        self.stride = sizes("stride", stride, 1, self._ndim)
        self.padding = padding if padding in ("same", "valid") else sizes("padding", padding, 0, self._ndim)
        self.dilation = sizes("dilation", dilation, 1, self._ndim)
        rng = generator(seed)
        channels = (inputs, outputs // self.groups) if self._is_transposed else (outputs, inputs // self.groups)
        fans = Fans(inputs // self.groups * prod(lengths), outputs // self.groups * prod(lengths))
        self.weight = initial((*channels, *lengths), fans, initialize, rng, dtype, device)
        self.bias: Parameter | None = (
            initial_bias(outputs, fans.inputs, initialize, rng, dtype, device) if bias else None
        )

    def _options(self) -> dict[str, Any]:
        """How the filters lie, as the operation takes it."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of ``x`` with the filters, by the function of the layer's name.

        Raises:
            ShapeError: ``x`` has other channels or another rank, or is smaller than the filter.
            DtypeError: ``x`` has another dtype than the weights, or is not a tensor.
            DeviceError: ``x`` lies on another device than the weights.

        >>> from autograph import Conv2, ConvTranspose1, Tensor
        >>> Conv2(1, 6, 5, seed=0)(Tensor.ones((2, 1, 28, 28))).shape
        (2, 6, 24, 24)
        >>> ConvTranspose1(2, 4, 3, stride=2, seed=0)(Tensor.ones((5, 2, 5))).shape
        (5, 4, 11)
        """
        require_tensor(type(self).__name__, x)
        return type(self).operation(x, self.weight, self.bias, **self._options())

    def describe(self) -> str:
        first, second, *lengths = self.weight.shape
        inputs, outputs = (first, second * self.groups) if self._is_transposed else (second * self.groups, first)
        defaults = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}
        several = {name: (n,) * self._ndim if self._ndim > 1 else n for name, n in defaults.items()}
        others: dict[str, Any] = {"groups": 1, "padding_mode": "zeros"}
        options = {name: (value, {**several, **others}[name]) for name, value in self._options().items()}
        filter = tuple(lengths) if self._ndim > 1 else lengths[0]
        return settings(inputs, outputs, filter, **options, bias=(self.bias is not None, False))


class _PaddedFilters(_Filters):
    """What convolutions have beside that: what stands around images."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        filter: Sizes,
        *,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        padding_mode: PaddingMode = "zeros",
        bias: bool = False,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
        initialize: Initializer | None = None,
    ) -> None:
        self.padding_mode = padding_mode
        super().__init__(
            inputs,
            outputs,
            filter,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            device=device,
            dtype=dtype,
            seed=seed,
            initialize=initialize,
        )

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), "padding_mode": self.padding_mode}


class Conv1(_PaddedFilters):
    """Cross-correlation of signals ``[n, inputs, w]`` with learned filters, giving ``[n, outputs, ow]``.

    Args:
        inputs: channels of the signals.
        outputs: channels of the result.
        filter: length of the filters.
        stride, padding (zeros at both ends, or "same" or "valid"), dilation: in elements.
        groups: of channels, which are convolved by themselves.
        padding_mode: what the padding is: "zeros", "reflect", "edge" or "wrap", as :func:`autograph.pad` has it.
        bias: whether a learned number is added to each channel.
        device: where the parameters are; None is the host.
        dtype: f16, bf16, f32 or f64.
        seed: an int, a generator to draw from, or None; see :func:`autograph.seeded`.
        initialize: how the weight starts, such as ``initializers.kaiming_normal()``; the bias is 0 then.

    Attributes:
        weight: ``[outputs, inputs / groups, filter]``, drawn from ``[-a, a)`` with ``a = sqrt(2 / fan_in)``, where
            ``fan_in = inputs / groups * filter``.
        bias: ``[outputs]``, drawn alike, or None.

    Raises:
        AutographError: a count of channels is below 1, or ``seed`` is not a seed.
        ShapeError: filter, stride or dilation is below 1, or padding below 0, or channels do not make such groups.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> Conv1(2, 4, 3, padding=1, seed=0)(Tensor.ones((5, 2, 10))).shape
    (5, 4, 10)
    """

    _ndim, operation = 1, conv1


class Conv2(_PaddedFilters):
    """Cross-correlation of images ``[n, inputs, h, w]`` with learned filters, giving ``[n, outputs, oh, ow]``.

    Args:
        inputs: channels of the images.
        outputs: channels of the result.
        filter: height and width of the filters, or one number for both.
        stride, padding (zeros, or "same" or "valid"), dilation: in pixels, of both axes or ``(vertical, horizontal)``.
        groups: of channels, which are convolved by themselves; with ``inputs`` groups the convolution is depthwise.
        padding_mode: what the padding is: "zeros", "reflect", "edge" or "wrap", as :func:`autograph.pad` has it.
        bias: whether a learned number is added to each channel.
        device: where the parameters are; None is the host.
        dtype: f16, bf16, f32 or f64.
        seed: an int, a generator to draw from, or None; see :func:`autograph.seeded`.
        initialize: how the weight starts, such as ``initializers.kaiming_normal()``; the bias is 0 then.

    Attributes:
        weight: ``[outputs, inputs / groups, fh, fw]``, drawn from ``[-a, a)`` with ``a = sqrt(2 / fan_in)``, where
            ``fan_in = inputs / groups * fh * fw``.
        bias: ``[outputs]``, drawn alike, or None.

    Raises:
        AutographError: a count of channels is below 1, or ``seed`` is not a seed.
        ShapeError: filter, stride or dilation is below 1, or padding below 0, or channels do not make such groups.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import Conv2
    >>> Conv2(1, 6, 5, padding=(2, 0), bias=True)
    Conv2(1, 6, (5, 5), padding=(2, 0), bias=True)  156 parameters
    """

    _ndim, operation = 2, conv2


class Conv3(_PaddedFilters):
    """Cross-correlation of volumes ``[n, inputs, d, h, w]`` with learned filters, giving ``[n, outputs, od, oh, ow]``.

    Args:
        inputs, outputs, bias, device, dtype, seed, initialize: as :class:`Conv2` takes them.
        filter: depth, height and width of the filters, or one number for all.
        stride, padding, dilation, groups, padding_mode: as :class:`Conv2` takes them, of three axes.

    Attributes:
        weight: ``[outputs, inputs / groups, fd, fh, fw]``, drawn from ``[-a, a)`` with ``a = sqrt(2 / fan_in)``, where
            ``fan_in = inputs / groups * fd * fh * fw``.
        bias: ``[outputs]``, drawn alike, or None.

    Raises:
        AutographError: a count of channels is below 1, or ``seed`` is not a seed.
        ShapeError: filter, stride or dilation is below 1, or padding below 0, or channels do not make such groups.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import Conv3
    >>> Conv3(2, 4, 3, padding="same", groups=2)
    Conv3(2, 4, (3, 3, 3), padding='same', groups=2)  108 parameters
    """

    _ndim, operation = 3, conv3


class _TransposedFilters(_Filters):
    """What transposed convolutions have beside that: elements at the end of the result."""

    _is_transposed = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        filter: Sizes,
        *,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = False,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
        initialize: Initializer | None = None,
    ) -> None:
        self.output_padding = sizes("output_padding", output_padding, 0, self._ndim)
        padding = sizes("padding", padding, 0, self._ndim)
        super().__init__(
            inputs,
            outputs,
            filter,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            device=device,
            dtype=dtype,
            seed=seed,
            initialize=initialize,
        )

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), "output_padding": self.output_padding}


class ConvTranspose1(_TransposedFilters):
    """Transposed convolution of signals ``[n, inputs, w]`` with learned filters, giving ``[n, outputs, ow]``.

    Args:
        inputs, outputs, bias, device, dtype, seed, initialize: as :class:`Conv1` takes them.
        filter: length of the filters.
        stride, padding, output_padding, dilation, groups: as :func:`autograph.conv_transpose1` takes them.

    Attributes:
        weight: ``[inputs, outputs / groups, filter]``, drawn as that of :class:`Conv1`.
        bias: ``[outputs]``, drawn alike, or None.

    Raises:
        AutographError: a count of channels is below 1, or ``seed`` is not a seed.
        ShapeError: a number is too small, or channels do not make such groups.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import ConvTranspose1
    >>> ConvTranspose1(4, 2, 3, stride=2, output_padding=1)
    ConvTranspose1(4, 2, 3, stride=2, output_padding=1)  24 parameters
    """

    _ndim, operation = 1, conv_transpose1


class ConvTranspose2(_TransposedFilters):
    """Transposed convolution of images ``[n, inputs, h, w]`` with learned filters, giving ``[n, outputs, oh, ow]``.

    Args:
        inputs, outputs, bias, device, dtype, seed, initialize: as :class:`Conv2` takes them.
        filter: height and width of the filters, or one number for both.
        stride, padding, output_padding, dilation, groups: as :func:`autograph.conv_transpose2` takes them.

    Attributes:
        weight: ``[inputs, outputs / groups, fh, fw]``, drawn as that of :class:`Conv2`.
        bias: ``[outputs]``, drawn alike, or None.

    Raises:
        AutographError: a count of channels is below 1, or ``seed`` is not a seed.
        ShapeError: a number is too small, or channels do not make such groups.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import ConvTranspose2, Tensor
    >>> ConvTranspose2(4, 2, 2, stride=2, seed=0)(Tensor.ones((1, 4, 7, 7))).shape  # twice the size
    (1, 2, 14, 14)
    """

    _ndim, operation = 2, conv_transpose2


class ConvTranspose3(_TransposedFilters):
    """Transposed convolution of volumes ``[n, inputs, d, h, w]`` with learned filters, giving ``[n, outputs, ...]``.

    Args:
        inputs, outputs, bias, device, dtype, seed, initialize: as :class:`Conv2` takes them.
        filter: depth, height and width of the filters, or one number for all.
        stride, padding, output_padding, dilation, groups: as :func:`autograph.conv_transpose3` takes them.

    Attributes:
        weight: ``[inputs, outputs / groups, fd, fh, fw]``, drawn as that of :class:`Conv3`.
        bias: ``[outputs]``, drawn alike, or None.

    Raises:
        AutographError: a count of channels is below 1, or ``seed`` is not a seed.
        ShapeError: a number is too small, or channels do not make such groups.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import ConvTranspose3
    >>> ConvTranspose3(4, 2, (1, 2, 2), stride=(1, 2, 2))
    ConvTranspose3(4, 2, (1, 2, 2), stride=(1, 2, 2))  32 parameters
    """

    _ndim, operation = 3, conv_transpose3
