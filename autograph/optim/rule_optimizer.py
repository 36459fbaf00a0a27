"""Optimizers by rules: what they share, and what their settings must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograph.errors import AutographError, DtypeError
from autograph.functions.checks import is_number
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor

from .groups import Configured, Setting
from .rule import UpdateRule, numbers_of, updates_of


class RuleOptimizer(Configured):
    """An optimizer by an :class:`UpdateRule`: what its subclasses share.

    Args:
        rule: the rule.
        settings: as they are written in checkpoints.
        numbers: the last arguments of the rule's function.

    Raises:
        DtypeError: ``rule`` is not an UpdateRule, or ``settings`` no mapping.
        AutographError: ``numbers`` are not numbers.

    >>> from autograph.optim import RuleOptimizer, UpdateRule
    >>> def descent(weight, gradient, rate, decay):
    ...     return weight - rate * (gradient + decay * weight)
    >>> class Descent(RuleOptimizer):
    ...     def __init__(self, decay):
    ...         super().__init__(UpdateRule(descent), {"decay": decay}, [decay])
    >>> Descent(decay=0.5)
    Descent(decay=0.5)
    """

    def __init__(self, rule: UpdateRule, settings: Mapping[str, Setting], numbers: Sequence[float]) -> None:
        if not isinstance(rule, UpdateRule):
            raise DtypeError(f"RuleOptimizer takes an UpdateRule, not {type(rule).__name__}")
        super().__init__(settings)
        self._rule = rule
        self._numbers = numbers_of("numbers", numbers)

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """Changes a parameter by its gradient, in place; nothing is read back.

        Args:
            parameter: what is changed; what the optimizer remembers is in its ``state``.
            gradient: of the parameter's shape, dtype and device.
            learning_rate: a number, or a parameter of the graph that is being captured.

        Raises:
            DtypeError: the parameter is none, or not of floats, or the gradient has another dtype.
            ShapeError: the gradient has another shape.
            LaunchError: the gradient lies on another device, or the learning rate is not a number.

        >>> from autograph import SGD, Parameter, Tensor
        >>> weight, optimizer = Parameter(Tensor.zeros(1)), SGD(momentum=0.5)
        >>> for _ in range(2):
        ...     optimizer.update(weight, Tensor.ones(1), learning_rate=1.0)
        >>> weight.item()  # the second step is half as long again
        -2.5
        """
        self._rule.update(parameter, gradient, learning_rate, self._numbers)

    def update_all(
        self,
        parameters: Mapping[str, Parameter],
        learning_rate: float,
        *,
        scale: float = 1.0,
        factor: Tensor | None = None,
    ) -> None:
        """Changes all parameters that have a gradient as :meth:`update` does one by one, by few launches.

        Args:
            parameters: by name.
            learning_rate: a number, or a parameter of the graph that is being captured.
            scale: times the learning rate.
            factor: a tensor of one element: each gradient is multiplied by it. Where it is 0, nothing is changed.

        Raises:
            DtypeError, ShapeError, LaunchError: as by :meth:`update`, before anything is changed.

        >>> from autograph import SGD, Dense, Tensor
        >>> model = Dense(2, 1, bias=True, seed=0)
        >>> model.bias.fill(1)
        >>> model.init_parameter_grads()
        >>> model(Tensor.ones((1, 2))).sum().backward()
        >>> SGD().update_all(dict(model.named_parameters()), 0.5)
        >>> model.bias.item()
        0.5
        """
        self._rule.update_all(updates_of(parameters), learning_rate, self._numbers, scale=scale, factor=factor)


def require_settings(optimizer: str, **ranges: tuple[Any, float, float]) -> None:
    """Settings must be numbers, each from a least one to below a limit.

    Args:
        optimizer: its name, for the message.
        ranges: by name, the value, the least and the limit.

    Raises:
        AutographError: one is not.
    """
    for name, (value, least, limit) in ranges.items():
        if not (is_number(value) and least <= value < limit):
            upper = "" if limit == float("inf") else f" to below {limit:g}"
            raise AutographError(f"{optimizer}: {name}={value!r}; expected a number from {least:g}{upper}")
