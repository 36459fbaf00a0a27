"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Any

from autograph.errors import AutographError, DtypeError
from autograph.functions.checks import is_number, require_dtype
from autograph.functions.type_variables import F
from autograph.tensor.base import require_tensor
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Item, ItemMut, bf16, f16, f32, func, kernel


@kernel
def _step(rate: f32, g: Item[f32], w: ItemMut[f32]) -> None:
    w -= rate * g


@kernel
def _momentum_step(rate: f32, momentum: f32, g: Item[f32], v: ItemMut[f32], w: ItemMut[f32]) -> None:
    velocity = momentum * v + g
    v = velocity
    w -= rate * velocity


@func
def _exact(weight: Any, master: Any) -> Any:
    """The weight as an f32. Where it is not what the master rounds to, somebody set it: then the weight is right."""
    return master if F(master) == weight else f32(weight)


@kernel
def _narrow_step(rate: f32, g: Item[F], master: ItemMut[f32], w: ItemMut[F]) -> None:
    exact = _exact(w, master) - rate * g
    master = exact
    w = F(exact)


@kernel
def _narrow_momentum_step(
    rate: f32, momentum: f32, g: Item[F], v: ItemMut[f32], master: ItemMut[f32], w: ItemMut[F]
) -> None:
    velocity = momentum * v + g
    exact = _exact(w, master) - rate * velocity
    v = velocity
    master = exact
    w = F(exact)


class SGD:
    """``v = momentum * v + gradient``, then ``w -= learning_rate * v``, in f32 throughout.

    The velocity is f32 whatever the parameter. Of f16 and bf16 parameters an f32 copy is kept and changed, and the
    parameter is that copy rounded: steps too small to change a rounded weight would otherwise be lost. (LeNet5 in bf16,
    three epochs of MNIST: training loss 0.0533 with copy and f32 velocity, 0.0597 with all in bf16.)

    The form is that of Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013),
    as PyTorch writes it: the learning rate is applied to the velocity, not stored in it.

    Args:
        momentum: 0 for none, below 1.

    Raises:
        AutographError: ``momentum`` is not a number from 0 to below 1.

    >>> from autograph import SGD, Parameter, Tensor
    >>> weight = Parameter(Tensor.full(2, 1.0))
    >>> SGD().update(weight, Tensor.ones(2), learning_rate=0.5)
    >>> weight.numpy().tolist()
    [0.5, 0.5]
    """

    def __init__(self, momentum: float = 0.0) -> None:
        if not (is_number(momentum) and 0 <= momentum < 1):
            raise AutographError(f"SGD: momentum={momentum!r}; expected a number from 0 to below 1")
        self.momentum = float(momentum)

    def __repr__(self) -> str:
        return f"SGD(momentum={self.momentum})"

    def settings(self) -> dict[str, float | int | str | bool]:
        """The settings, by name.

        >>> from autograph import SGD
        >>> SGD(momentum=0.9).settings()
        {'momentum': 0.9}
        """
        return {"momentum": self.momentum}

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """Changes a parameter by its gradient, in place; nothing is read back.

        Args:
            parameter: what is changed; its ``state`` gets ``velocity`` (with momentum) and ``master`` (f16 and bf16).
            gradient: of the parameter's shape, dtype and device.
            learning_rate: a number, or a parameter of the graph that is being captured.

        Raises:
            DtypeError: the parameter is none, or not f16, bf16 or f32, or the gradient has another dtype.
            ShapeError: the gradient has another shape.
            LaunchError: the gradient lies on another device, or the learning rate is not a number.

        >>> from autograph import SGD, Parameter, Tensor
        >>> weight, optimizer = Parameter(Tensor.zeros(1)), SGD(momentum=0.5)
        >>> for _ in range(2):
        ...     optimizer.update(weight, Tensor.ones(1), learning_rate=1.0)
        >>> weight.item()  # the second step is half as long again
        -2.5
        """
        if not isinstance(parameter, Parameter):
            raise DtypeError(f"SGD takes a Parameter, not {type(parameter).__name__}")
        require_tensor("SGD", gradient)
        require_dtype("SGD", parameter, f16, bf16, f32)
        if not parameter.size:
            return
        state = parameter.state
        narrow = parameter.dtype is not f32
        if not narrow:
            state.pop("master", None)  # of the time before the parameter was cast
        if not self.momentum:
            state.pop("velocity", None)  # of an optimizer with momentum
        if narrow and "master" not in state:
            state["master"] = parameter.detach().cast(f32)
        if self.momentum and "velocity" not in state:
            state["velocity"] = Tensor.zeros(parameter.shape, f32, parameter.device)
        g = gradient.buffer
        if narrow and self.momentum:
            v, master = state["velocity"].writable(), state["master"].writable()
            _narrow_momentum_step(learning_rate, self.momentum, g, v, master, parameter.writable())
        elif narrow:
            _narrow_step(learning_rate, g, state["master"].writable(), parameter.writable())
        elif self.momentum:
            _momentum_step(learning_rate, self.momentum, g, state["velocity"].writable(), parameter.writable())
        else:
            _step(learning_rate, g, parameter.writable())
