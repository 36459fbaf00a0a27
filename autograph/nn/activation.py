"""Activation layers: functions of one tensor, with their settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from autograph.errors import AutographError, ShapeError
from autograph.functions.elementwise import activations
from autograph.functions.elementwise.trigonometry import tanh
from autograph.functions.reductions import softmax
from autograph.tensor.base import require_tensor
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from .initialize import require_counts
from .layer import Layer
from .settings import settings


class _Activation(Layer):
    """A function of a tensor as a layer, which takes what the function takes behind the tensor.

    Attributes:
        settings: what was given, by name.
    """

    operation: ClassVar[Callable[..., Tensor]]
    _signature: ClassVar[inspect.Signature]

    def __init_subclass__(cls) -> None:
        function = inspect.signature(getattr(cls.operation, "function", cls.operation))
        cls._signature = function.replace(parameters=[*function.parameters.values()][1:])
        setattr(cls, "__signature__", cls._signature)  # noqa: B010  # what help() shows

    def __init__(self, *values: Any, **named: Any) -> None:
        try:
            bound = self._signature.bind(*values, **named)
        except TypeError as error:
            raise AutographError(f"{type(self).__name__}{self._signature}: {error}") from None
        self.settings: dict[str, Any] = bound.arguments

    def forward(self, x: Tensor) -> Tensor:
        """The function of each element, or along the axis.

        Raises:
            DtypeError: ``x`` is not a tensor, or of a dtype that the function does not take.
            AutographError: a setting is none that the function takes.

        >>> from autograph import Relu, Tensor
        >>> Relu()(Tensor.from_numpy([-2.0, 3.0])).numpy().tolist()
        [0.0, 3.0]
        """
        require_tensor(type(self).__name__, x)
        return type(self).operation(x, **self.settings)

    def describe(self) -> str:
        defaults = self._signature.parameters
        return settings(**{name: (value, defaults[name].default) for name, value in self.settings.items()})


class Relu(_Activation):
    """``x`` where it is above 0, else 0; of any shape. The gradient at 0 is 0.

    >>> from autograph import Dense, Relu, Sequential
    >>> Sequential(Dense(4, 8), Relu(), Dense(8, 3))
    Sequential  56 parameters
      layers.0: Dense(4, 8)  32 parameters
      layers.1: Relu()
      layers.2: Dense(8, 3)  24 parameters
    """

    operation = activations.relu


class LeakyRelu(_Activation):
    """``x`` where it is above 0, else ``slope * x``.

    Args:
        slope: a number.

    >>> from autograph import LeakyRelu, Tensor
    >>> LeakyRelu(slope=0.25)(Tensor.from_numpy([-2.0, 2.0])).numpy().tolist()
    [-0.5, 2.0]
    """

    operation = activations.leaky_relu


class Relu6(_Activation):
    """``x`` cut to 0 to 6.

    >>> from autograph import Relu6, Tensor
    >>> Relu6()(Tensor.from_numpy([-2.0, 8.0])).numpy().tolist()
    [0.0, 6.0]
    """

    operation = activations.relu6


class Elu(_Activation):
    """``x`` where it is above 0, else ``alpha * (exp(x) - 1)``.

    Args:
        alpha: a number.

    >>> from autograph import Elu, Tensor
    >>> Elu()(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.6321, 2.0]
    """

    operation = activations.elu


class Celu(_Activation):
    """``x`` where it is above 0, else ``alpha * (exp(x / alpha) - 1)``.

    Args:
        alpha: a number.

    >>> from autograph import Celu, Tensor
    >>> Celu(alpha=0.5)(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.4323, 2.0]
    """

    operation = activations.celu


class Selu(_Activation):
    """The self-normalising unit; see :func:`autograph.selu` and :class:`AlphaDropout`.

    >>> from autograph import Selu, Tensor
    >>> Selu()(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-1.1113, 2.1014]
    """

    operation = activations.selu


class Gelu(_Activation):
    """``x`` times the share of a normal distribution below it.

    Args:
        approximate: ``"tanh"`` computes it by a hyperbolic tangent, as some trained networks expect it.

    >>> from autograph import Gelu, Tensor
    >>> Gelu()(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.1587, 1.9545]
    """

    operation = activations.gelu


class Silu(_Activation):
    """``x sigmoid(x)``, also called Swish.

    >>> from autograph import Silu, Tensor
    >>> Silu()(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.2689, 1.7616]
    """

    operation = activations.silu


class Mish(_Activation):
    """``x tanh(softplus(x))``.

    >>> from autograph import Mish, Tensor
    >>> Mish()(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.3034, 1.944]
    """

    operation = activations.mish


class Sigmoid(_Activation):
    """``1 / (1 + exp(-x))``.

    >>> from autograph import Sigmoid, Tensor
    >>> Sigmoid()(Tensor.from_numpy([-1.0, 0.0])).numpy().round(4).tolist()
    [0.2689, 0.5]
    """

    operation = activations.sigmoid


class LogSigmoid(_Activation):
    """``log(sigmoid(x))``, without overflow.

    >>> from autograph import LogSigmoid, Tensor
    >>> LogSigmoid()(Tensor.from_numpy([-1000.0, 0.0])).numpy().round(4).tolist()
    [-1000.0, -0.6931]
    """

    operation = activations.log_sigmoid


class HardSigmoid(_Activation):
    """``x / 6 + 1 / 2`` cut to 0 to 1.

    >>> from autograph import HardSigmoid, Tensor
    >>> HardSigmoid()(Tensor.from_numpy([-4.0, 1.5])).numpy().tolist()
    [0.0, 0.75]
    """

    operation = activations.hard_sigmoid


class HardSwish(_Activation):
    """``x hard_sigmoid(x)``.

    >>> from autograph import HardSwish, Tensor
    >>> HardSwish()(Tensor.from_numpy([-4.0, 3.0])).numpy().round(4).tolist()
    [-0.0, 3.0]
    """

    operation = activations.hard_swish


class HardTanh(_Activation):
    """``x`` cut to ``low`` to ``high``.

    Args:
        low, high: numbers.

    >>> from autograph import HardTanh, Tensor
    >>> HardTanh(low=0)(Tensor.from_numpy([-4.0, 0.5])).numpy().tolist()
    [0.0, 0.5]
    """

    operation = activations.hard_tanh


class Softplus(_Activation):
    """``log(1 + exp(x))``, without overflow.

    >>> from autograph import Softplus, Tensor
    >>> Softplus()(Tensor.from_numpy([0.0, 1000.0])).numpy().round(4).tolist()
    [0.6931, 1000.0]
    """

    operation = activations.softplus


class Softsign(_Activation):
    """``x / (1 + |x|)``.

    >>> from autograph import Softsign, Tensor
    >>> Softsign()(Tensor.from_numpy([-1.0, 3.0])).numpy().tolist()
    [-0.5, 0.75]
    """

    operation = activations.softsign


class Tanh(_Activation):
    """The hyperbolic tangent.

    >>> from autograph import Tanh, Tensor
    >>> Tanh()(Tensor.from_numpy([-1.0, 0.0])).numpy().round(4).tolist()
    [-0.7616, 0.0]
    """

    operation = tanh


class Softmax(_Activation):
    """``exp(x)`` divided by its sum along an axis.

    Args:
        axis: counted from the end if negative.

    >>> from autograph import Softmax, Tensor
    >>> Softmax()(Tensor.from_numpy([0.0, 0.0])).numpy().round(4).tolist()
    [0.5, 0.5]
    """

    operation = softmax.softmax


class LogSoftmax(_Activation):
    """The logarithm of :class:`Softmax`, without overflow.

    Args:
        axis: counted from the end if negative.

    >>> from autograph import LogSoftmax, Tensor
    >>> LogSoftmax()(Tensor.from_numpy([0.0, 1000.0])).numpy().round(4).tolist()
    [-1000.0, 0.0]
    """

    operation = softmax.log_softmax


class HardShrink(_Activation):
    """``x`` where it is farther from 0 than a threshold, else 0.

    Args:
        threshold: a number.

    >>> from autograph import HardShrink, Tensor
    >>> HardShrink(threshold=1)(Tensor.from_numpy([-3.0, 0.5])).numpy().tolist()
    [-3.0, 0.0]
    """

    operation = activations.hard_shrink


class SoftShrink(_Activation):
    """``x`` nearer to 0 by a threshold; 0 where it is not so far from it.

    Args:
        threshold: a number.

    >>> from autograph import SoftShrink, Tensor
    >>> SoftShrink(threshold=1)(Tensor.from_numpy([-3.0, 0.5])).numpy().tolist()
    [-2.0, 0.0]
    """

    operation = activations.soft_shrink


class TanhShrink(_Activation):
    """``x - tanh(x)``.

    >>> from autograph import TanhShrink, Tensor
    >>> TanhShrink()(Tensor.from_numpy([-1.0, 0.0])).numpy().round(4).tolist()
    [-0.2384, 0.0]
    """

    operation = activations.tanh_shrink


class Threshold(_Activation):
    """``x`` where it is above a threshold, else a value.

    Args:
        threshold, value: numbers.

    >>> from autograph import Tensor, Threshold
    >>> Threshold(1.0, value=-1.0)(Tensor.from_numpy([0.5, 2.0])).numpy().tolist()
    [-1.0, 2.0]
    """

    operation = activations.threshold


class PRelu(Layer):
    """``x`` where it is above 0, else ``slope * x`` with a learned slope, for all channels or for each.

    Source: K. He et al., "Delving Deep into Rectifiers", 2015.

    Args:
        channels: of ``[n, channels, ...]``, each with a slope of its own; 1 is one slope for all.
        slope: the first.
        device: where the parameter is; None is the host.
        dtype: a float type.

    Attributes:
        slope: ``[channels]``.

    Raises:
        AutographError: ``channels`` is below 1. DtypeError: ``dtype`` is not a float type.

    >>> from autograph import PRelu, Tensor
    >>> PRelu(2)(Tensor.from_numpy([[-1.0, 3.0]])).numpy().tolist()
    [[-0.25, 3.0]]
    """

    def __init__(
        self, channels: int = 1, *, slope: float = 0.25, device: Device | None = None, dtype: DTypeLike = f32
    ) -> None:
        require_counts("PRelu", channels=channels)
        self.slope = Parameter(Tensor.full(channels, slope, dtype, device))

    def forward(self, x: Tensor) -> Tensor:
        """The activation of each element.

        Raises:
            ShapeError: the layer has slopes for another number of channels.
            DtypeError: ``x`` is not a tensor of floats.

        >>> from autograph import PRelu, Tensor
        >>> PRelu(slope=0.5)(Tensor.from_numpy([-1.0, 3.0])).numpy().tolist()
        [-0.5, 3.0]
        """
        require_tensor("PRelu", x)
        count = self.slope.size
        slope: Tensor = self.slope
        if count > 1:
            if x.ndim < 2 or x.shape[1] != count:
                raise ShapeError(f"PRelu of {count} channels takes x of shape [n, {count}, ...], not {x.shape}")
            slope = slope.reshape(-1, *(1,) * (x.ndim - 2))
        result: Tensor = activations.leaky_relu(x, slope)
        return result

    def describe(self) -> str:
        return settings(self.slope.size)
