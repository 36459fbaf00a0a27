"""LAMB: steps as long as the layer's weights say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from autograph.functions.reductions.aggregates import vector_norm
from autograph.functions.type_variables import T
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Item, ItemMut, kernel
from krnlpy.dsl import sqrt

from .adam import adam_corrections, adam_numbers, require_betas, running_mean
from .groups import Configured
from .rule import Update, UpdateRule, updates_of


@cache
def _direction(has_decay: bool) -> UpdateRule:
    def lamb(
        w: Any, g: Any, mean: Any, square_mean: Any, correction1: Any, correction2: Any, rate: Any, gain1: Any,
        gain2: Any, epsilon: Any, decay: Any, log1: Any, log2: Any,
    ) -> Any:  # fmt: skip
        m = running_mean(mean, g, gain1)
        v = running_mean(square_mean, g * g, gain2)
        change = m * correction1 / (sqrt(v * correction2) + epsilon)
        return change + decay * w if has_decay else change, m, v

    return UpdateRule(
        lamb, state=["mean", "square_mean"], clock=["step"], derived=["correction1", "correction2"],
        derive=adam_corrections,
    )  # fmt: skip


@kernel
def _trust(weight: Item[T], change: Item[T], factor: Item[T], ratio: ItemMut[T]) -> None:
    """The quotient of two norms; 1 where one of them is 0, and 0 where the factor is: nothing is to change then."""
    quotient = weight / change if weight > 0.0 and change > 0.0 else T(1.0)
    ratio = quotient if factor != 0.0 else T(0.0)


class LAMB(Configured):
    """Adam's steps, each layer's as long as its weights: You et al., "Large batch optimization for deep learning:
    training BERT in 76 minutes", 2020, algorithm 2 with the identity for its function of norms.

    Biases and norms usually have a group of their own: ``LAMB(weight_decay=0.01).group("*.bias", optimizer=AdamW())``.

    Args:
        beta1: how much of the mean of gradients remains from step to step, below 1.
        beta2: how much of the mean of their squares remains.
        epsilon: is added to the root of the latter.
        weight_decay: times the weight is added to the step before its length is set.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import LAMB
    >>> weight = Parameter(Tensor.from_numpy([3.0, 4.0]).cast("f32"))
    >>> LAMB(weight_decay=0.0).update(weight, Tensor.from_numpy([0.1, 0.1]).cast("f32"), learning_rate=0.1)
    >>> [round(w, 4) for w in weight.tolist()]  # the step is a tenth of the norm, 5
    [2.6464, 3.6464]
    """

    def __init__(
        self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-6, *, weight_decay: float = 0.01
    ) -> None:
        require_betas("LAMB", beta1, beta2, epsilon, weight_decay)
        settings = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "weight_decay": weight_decay}
        super().__init__({name: float(value) for name, value in settings.items()})
        self._rule, self._numbers = _direction(weight_decay > 0), adam_numbers(beta1, beta2, epsilon, weight_decay)

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

        >>> from autograph import Parameter, Tensor
        >>> from autograph.optim import LAMB
        >>> weight = Parameter(Tensor.ones(1))
        >>> LAMB().update(weight, Tensor.ones(1), learning_rate=0.25)
        >>> weight.item()
        0.75
        """
        self._update(Update(parameter, gradient), learning_rate, 1.0, None)

    def update_all(
        self,
        parameters: Mapping[str, Parameter],
        learning_rate: float,
        *,
        scale: float = 1.0,
        factor: Tensor | None = None,
    ) -> None:
        """As :meth:`Configured.update_all`.

        Raises:
            DtypeError, ShapeError, LaunchError: as by :meth:`update`.

        >>> from autograph import Dense
        >>> from autograph.optim import LAMB
        >>> LAMB().update_all(dict(Dense(2, 1).named_parameters()), 0.1)  # without gradients, nothing changes
        """
        for update in updates_of(parameters):
            self._update(update, learning_rate, scale, factor)

    def _update(self, update: Update, rate: float, scale: float, factor: Tensor | None) -> None:
        parameter = update.parameter
        change = self._rule.change(update, rate, self._numbers, factor=factor)
        one = Tensor.ones((), change.dtype, change.device) if factor is None else factor.cast(change.dtype).reshape(())
        ratio = Tensor.empty((), change.dtype, change.device)
        # No tensor stays that shares the weight: it would be copied before it is moved.
        norm = vector_norm(parameter.state.get("master", parameter).detach())
        _trust(norm.buffer, vector_norm(change).buffer, one.buffer, ratio.writable())
        self._rule.move(parameter, change, rate, scale=scale, factor=ratio)
