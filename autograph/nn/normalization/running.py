"""Statistics of what a layer has seen in training, followed from batch to batch."""

from __future__ import annotations

from typing import Any

from autograph.errors import AutographError, DeviceError
from autograph.functions.checks import is_number
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.type_variables import T, U, number_for
from autograph.nn.initialize import require_counts
from autograph.nn.layer import Layer
from autograph.tensor.layer_tensor import LayerBuffer
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, Item, ItemMut, i32, kernel

from .affine import offset, scale


@kernel
def _follow(mean: ItemMut[T], var: ItemMut[T], of_mean: Item[U], of_var: Item[U], momentum: U, correction: U) -> None:
    m, v = U(mean), U(var)
    mean = T(m + momentum * (of_mean - m))
    var = T(v + momentum * (of_var * correction - v))


@elementwise
def _followed(value: Any, of_value: Any, count: Any) -> Any:
    return value + (of_value - value) / count


class RunningStatistics(Layer):
    """Base of layers with a weight and a bias for each channel, that keep a mean and a variance for each.

    Attributes:
        weight, bias: ``[channels]``, or None.
        running_mean, running_var: ``[channels]``, or None where they are not tracked.
        batches: how many batches were seen, where each counts alike; else None.
    """

    def __init__(
        self,
        channels: int,
        epsilon: float,
        momentum: float | None,
        affine: bool,
        is_tracked: bool,
        device: Device | None,
        dtype: DTypeLike,
    ) -> None:
        require_counts(type(self).__name__, channels=channels)
        if momentum is not None and not (is_number(momentum) and 0 <= momentum <= 1):
            raise AutographError(
                f"{type(self).__name__}(momentum={momentum!r}): expected a number from 0 to 1, or None"
            )
        self.channels, self.epsilon, self.momentum = channels, epsilon, momentum
        self.weight = scale(channels, affine, device, dtype)
        self.bias = offset(channels, affine, device, dtype)
        self.running_mean = LayerBuffer(Tensor.zeros(channels, dtype, device)) if is_tracked else None
        self.running_var = LayerBuffer(Tensor.ones(channels, dtype, device)) if is_tracked else None
        counts = is_tracked and momentum is None
        self.batches = LayerBuffer(Tensor.zeros((), i32, device)) if counts else None


def require_statistics_on(layer: RunningStatistics, x: Tensor) -> None:
    """Running statistics must lie on the device of the input.

    Raises:
        DeviceError: they do not.
    """
    if layer.running_mean is not None and layer.running_mean.device != x.device:
        raise DeviceError(
            f"{type(layer).__name__} on {layer.running_mean.device.name} of a tensor on {x.device.name}; move one"
            " with to_device(device)"
        )


def follow(layer: RunningStatistics, mean: Tensor, var: Tensor, count: int) -> None:
    """Moves the running statistics towards those of a batch.

    Args:
        layer: of the statistics, if there are any.
        mean: ``[channels]``, in the type of computation.
        var: likewise, without correction.
        count: of how many elements they are: the variance that is followed is the unbiased one.
    """
    if layer.running_mean is None or layer.running_var is None:
        return
    correction = count / (count - 1)
    if layer.batches is not None:
        layer.batches.assign(layer.batches + 1)
        layer.running_mean.assign(_followed(layer.running_mean, mean, layer.batches))
        layer.running_var.assign(_followed(layer.running_var, var * correction, layer.batches))
        return
    numbers = [number_for(mean.dtype, number) for number in (layer.momentum, correction)]
    _follow(layer.running_mean.writable(), layer.running_var.writable(), mean.buffer, var.buffer, *numbers)
