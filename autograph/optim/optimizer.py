"""What an optimizer is."""

from __future__ import annotations

from typing import Protocol

from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor


class Optimizer(Protocol):
    """Changes parameters by their gradients. Any class that has these two methods is one.

    What it remembers of each parameter are tensors in ``parameter.state``, by name. They are saved with the model (so
    their shapes must broadcast to the parameter's), and are moved with it, but keep their dtype when the model is cast.
    Its names should not be those that another optimizer uses for something else, so that a model can change optimizers.

    One that can change several parameters at once, or needs their names, also has ``update_all(parameters,
    learning_rate)``, where ``parameters`` is a dict of all of a model's, by name: ``model.update`` calls that instead.

    >>> from autograph import Dense, Tensor
    >>> class SignDescent:
    ...     def __init__(self, scale):
    ...         self.scale = scale
    ...     def settings(self):
    ...         return {"scale": self.scale}
    ...     def update(self, parameter, gradient, learning_rate):
    ...         sign = (gradient * 1e30).cast("i8").cast(parameter.dtype) / 127
    ...         parameter.scaled_add(-learning_rate * self.scale, sign)
    >>> model = Dense(2, 1, seed=0)
    >>> before = model.weight.numpy()
    >>> model.init_parameter_grads()
    >>> model(Tensor.full((1, 2), 7.0)).sum().backward()
    >>> model.update(0.5, SignDescent(scale=0.5))
    >>> (before - model.weight.numpy()).tolist()
    [[0.25], [0.25]]
    """

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """Changes a parameter in place; nothing is read back.

        Args:
            parameter: what is changed; what the optimizer remembers is in its ``state``.
            gradient: of the parameter's shape, dtype and device.
            learning_rate: a number, or a parameter of the graph that is being captured.

        Raises:
            AutographError: the optimizer cannot change such a parameter; it is then as it was.

        >>> from autograph import SGD, Parameter, Tensor
        >>> weight = Parameter(Tensor.ones(2))
        >>> SGD(momentum=0.9).update(weight, Tensor.ones(2), 0.25)
        >>> weight.numpy().tolist(), weight.state["velocity"].numpy().tolist()
        ([0.75, 0.75], [1.0, 1.0])
        """

    def settings(self) -> dict[str, float | int | str | bool]:
        """The settings, by name, as they are written in checkpoints.

        >>> from autograph import SGD
        >>> SGD(momentum=0.5).settings()
        {'momentum': 0.5, 'dampening': 0.0, 'weight_decay': 0.0, 'nesterov': False}
        """
