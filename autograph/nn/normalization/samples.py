"""Normalisation within each sample: of layers, groups of channels, and channels."""

from __future__ import annotations

from typing import ClassVar

from autograph.errors import ShapeError
from autograph.functions.checks import integers
from autograph.functions.normalization import (
    batch_norm_inference,
    batch_norm_training,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
)
from autograph.nn.initialize import require_counts
from autograph.nn.layer import Layer
from autograph.nn.settings import settings
from autograph.tensor.base import Shape, require_tensor
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from .affine import offset, scale
from .running import RunningStatistics, follow, require_statistics_on


class LayerNorm(Layer):
    """Normalizes each sample over its last axes; see :func:`autograph.layer_norm`.

    Args:
        shape: the length of the last axis, or the lengths of the last axes.
        epsilon: added to the variance.
        affine: whether a learned weight and bias follow.
        bias: False leaves the bias out.
        device: where the parameters are; None is the host.
        dtype: a float type.

    Attributes:
        weight, bias: of the shape, or None.

    Raises:
        ShapeError: ``shape`` is no whole number above 0, nor several. DtypeError: ``dtype`` is no float type.

    >>> from autograph import LayerNorm, Tensor
    >>> LayerNorm(2)(Tensor.from_numpy([[0.0, 2.0], [5.0, 1.0]]).cast("f32")).numpy().round(3).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """

    def __init__(
        self,
        shape: int | Shape,
        *,
        epsilon: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        device: Device | None = None,
        dtype: DTypeLike = f32,
    ) -> None:
        self.shape, self.epsilon = _lengths("LayerNorm", shape), epsilon
        self.weight = scale(self.shape, affine, device, dtype)
        self.bias = offset(self.shape, affine and bias, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with a mean of 0 and a variance of 1 over the last axes, times the weight, plus the bias.

        Raises:
            ShapeError: the last axes have other lengths.
            DtypeError: ``x`` has another dtype than the weights, or is not a tensor of floats.
            DeviceError: ``x`` lies on another device than the weights.

        >>> from autograph import LayerNorm, Tensor
        >>> LayerNorm((3, 4))(Tensor.ones((5, 2, 3, 4))).shape
        (5, 2, 3, 4)
        """
        axes = _last("LayerNorm", x, self.shape)
        return layer_norm(x, self.weight, self.bias, axis=axes, epsilon=self.epsilon)

    def describe(self) -> str:
        return settings(
            self.shape if len(self.shape) > 1 else self.shape[0],
            epsilon=(self.epsilon, 1e-5),
            affine=(self.weight is not None, True),
            bias=(self.bias is not None or self.weight is None, True),
        )


class RMSNorm(Layer):
    """Divides each sample by its root mean square over the last axes; see :func:`autograph.rms_norm`.

    Args:
        shape: the length of the last axis, or the lengths of the last axes.
        epsilon: added to the mean square.
        affine: whether a learned weight follows.
        device: where the parameter is; None is the host.
        dtype: a float type.

    Attributes:
        weight: of the shape, or None.

    Raises:
        ShapeError: ``shape`` is no whole number above 0, nor several. DtypeError: ``dtype`` is no float type.

    >>> from autograph import RMSNorm, Tensor
    >>> RMSNorm(2)(Tensor.from_numpy([3.0, -3.0]).cast("f32")).numpy().round(3).tolist()
    [1.0, -1.0]
    """

    def __init__(
        self,
        shape: int | Shape,
        *,
        epsilon: float = 1e-5,
        affine: bool = True,
        device: Device | None = None,
        dtype: DTypeLike = f32,
    ) -> None:
        self.shape, self.epsilon = _lengths("RMSNorm", shape), epsilon
        self.weight = scale(self.shape, affine, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with a mean square of 1 over the last axes, times the weight.

        Raises:
            ShapeError: the last axes have other lengths.
            DtypeError: ``x`` has another dtype than the weight, or is not a tensor of floats.
            DeviceError: ``x`` lies on another device than the weight.

        >>> from autograph import RMSNorm, Tensor
        >>> RMSNorm(4)(Tensor.ones((5, 4))).shape
        (5, 4)
        """
        axes = _last("RMSNorm", x, self.shape)
        return rms_norm(x, self.weight, axis=axes, epsilon=self.epsilon)

    def describe(self) -> str:
        return settings(
            self.shape if len(self.shape) > 1 else self.shape[0],
            epsilon=(self.epsilon, 1e-5),
            affine=(self.weight is not None, True),
        )


class GroupNorm(Layer):
    """Normalizes each group of neighbouring channels of each sample ``[n, c, ...]``; see :func:`autograph.group_norm`.

    Args:
        groups: into which the channels are divided evenly.
        channels: of the input.
        epsilon: added to the variance.
        affine: whether a learned weight and bias for each channel follow.
        device: where the parameters are; None is the host.
        dtype: a float type.

    Attributes:
        weight, bias: ``[channels]``, or None.

    Raises:
        AutographError: a count is below 1.
        ShapeError: ``groups`` does not divide the channels.
        DtypeError: ``dtype`` is no float type.

    >>> from autograph import GroupNorm, Tensor
    >>> GroupNorm(2, 4)(Tensor.ones((5, 4, 7))).shape
    (5, 4, 7)
    """

    def __init__(
        self,
        groups: int,
        channels: int,
        *,
        epsilon: float = 1e-5,
        affine: bool = True,
        device: Device | None = None,
        dtype: DTypeLike = f32,
    ) -> None:
        require_counts("GroupNorm", groups=groups, channels=channels)
        if channels % groups:
            raise ShapeError(f"GroupNorm of {channels} channels: not in {groups} equal groups")
        self.groups, self.channels, self.epsilon = groups, channels, epsilon
        self.weight = scale(channels, affine, device, dtype)
        self.bias = offset(channels, affine, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with a mean of 0 and a variance of 1 in each group, times the weight, plus the bias.

        Raises:
            ShapeError: ``x`` has other channels.
            DtypeError: ``x`` has another dtype than the weights, or is not a tensor of floats.
            DeviceError: ``x`` lies on another device than the weights.

        >>> from autograph import GroupNorm, Tensor
        >>> x = Tensor.from_numpy([[[1.0, 3.0], [5.0, 9.0]]]).cast("f32")
        >>> GroupNorm(2, 2)(x).numpy().round(3).tolist()
        [[[-1.0, 1.0], [-1.0, 1.0]]]
        """
        _require_channels("GroupNorm", x, self.channels)
        return group_norm(x, self.groups, self.weight, self.bias, epsilon=self.epsilon)

    def describe(self) -> str:
        return settings(
            self.groups, self.channels, epsilon=(self.epsilon, 1e-5), affine=(self.weight is not None, True)
        )


class _InstanceNorm(RunningStatistics):
    _ndim: ClassVar[int]

    def __init__(
        self,
        channels: int,
        *,
        epsilon: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_statistics: bool = False,
        device: Device | None = None,
        dtype: DTypeLike = f32,
    ) -> None:
        super().__init__(channels, epsilon, momentum, affine, track_statistics, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Each channel of each sample less its mean, divided by its deviation, times the weight, plus the bias.

        Raises:
            ShapeError: ``x`` has other channels or another rank, or one element a channel only.
            DtypeError: ``x`` has another dtype than the weights, or is not a tensor of floats.
            DeviceError: ``x`` lies on another device than the layer.

        >>> from autograph import InstanceNorm1, Tensor
        >>> InstanceNorm1(2)(Tensor.from_numpy([[[1.0, 3.0], [5.0, 9.0]]])).numpy().round(3).tolist()
        [[[-1.0, 1.0], [-1.0, 1.0]]]
        """
        name = type(self).__name__
        _require_channels(name, x, self.channels)
        if x.ndim != self._ndim + 2:
            raise ShapeError(f"{name} takes x of {self._ndim + 2} axes, not of shape {x.shape}")
        require_statistics_on(self, x)
        mean, var = self.running_mean, self.running_var
        if mean is not None and var is not None and not self.training:
            return batch_norm_inference(x, mean, var, self.weight, self.bias, epsilon=self.epsilon)
        count = x.size // max(1, x.shape[0] * self.channels)
        if count == 1:
            raise ShapeError(f"{name} of shape {x.shape}: one element a channel has no variance")
        if mean is None or not x.size:
            return instance_norm(x, self.weight, self.bias, epsilon=self.epsilon)
        return self._tracked(x, count)

    def _tracked(self, x: Tensor, count: int) -> Tensor:
        """Each channel of each sample is one of a batch of one; the running statistics follow their mean."""
        n, c, *lengths = x.shape
        beside = [None if p is None else p.broadcast_to((n, c)).reshape((n * c,)) for p in (self.weight, self.bias)]
        y, mean, var = batch_norm_training(x.reshape((1, n * c, *lengths)), *beside, epsilon=self.epsilon)
        follow(self, mean.reshape((n, c)).mean(0), var.reshape((n, c)).mean(0), count)
        return y.reshape(x.shape)

    def describe(self) -> str:
        return settings(
            self.channels,
            epsilon=(self.epsilon, 1e-5),
            momentum=(self.momentum, 0.1),
            affine=(self.weight is not None, False),
            track_statistics=(self.running_mean is not None, False),
        )


class InstanceNorm1(_InstanceNorm):
    """Normalizes each channel of each signal ``[n, c, w]``; see :func:`autograph.instance_norm`.

    Args:
        channels: of the input.
        epsilon: added to the variance.
        momentum: the share of the new batch in the running statistics; None is the mean over all batches.
        affine: whether a learned weight and bias follow.
        track_statistics: whether evaluation takes running statistics, which training follows.
        device: where parameters and statistics are; None is the host.
        dtype: a float type.

    Attributes:
        weight, bias: ``[channels]``, or None.
        running_mean, running_var: buffers of ``[channels]``, or None.

    Raises:
        AutographError: ``channels`` is below 1, or ``momentum`` not from 0 to 1.
        DtypeError: ``dtype`` is no float type.

    >>> from autograph import InstanceNorm1
    >>> InstanceNorm1(3, affine=True)
    InstanceNorm1(3, affine=True)  6 parameters
    """

    _ndim = 1


class InstanceNorm2(_InstanceNorm):
    """Normalizes each channel of each image ``[n, c, h, w]``; see :class:`InstanceNorm1`, whose arguments it takes.

    >>> from autograph import InstanceNorm2, Tensor
    >>> InstanceNorm2(3)(Tensor.ones((2, 3, 5, 5))).shape
    (2, 3, 5, 5)
    """

    _ndim = 2


class InstanceNorm3(_InstanceNorm):
    """Normalizes each channel of each volume ``[n, c, d, h, w]``; see :class:`InstanceNorm1`, whose arguments it takes.

    >>> from autograph import InstanceNorm3
    >>> InstanceNorm3(8)
    InstanceNorm3(8)
    """

    _ndim = 3


def _lengths(layer: str, shape: int | Shape) -> Shape:
    lengths = integers((shape,))
    if not lengths or min(lengths) < 1:
        raise ShapeError(f"{layer}(shape={shape!r}): expected a whole number of at least 1, or several")
    return lengths


def _last(layer: str, x: Tensor, shape: Shape) -> Shape:
    """The last axes, which must have such lengths."""
    require_tensor(layer, x)
    if x.shape[-len(shape) :] != shape:
        expected = ", ".join(map(str, shape))
        raise ShapeError(f"{layer} takes x of shape [..., {expected}], not {x.shape}")
    return tuple(range(-len(shape), 0))


def _require_channels(layer: str, x: Tensor, channels: int) -> None:
    require_tensor(layer, x)
    if x.ndim < 2 or x.shape[1] != channels:
        raise ShapeError(f"{layer} takes x of shape [n, {channels}, ...], not {x.shape}")
