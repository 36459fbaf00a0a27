"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from functools import cache
from math import inf
from typing import Any

from autograph.errors import AutographError

from .rule import UpdateRule
from .rule_optimizer import RuleOptimizer, require_settings


class SGD(RuleOptimizer):
    """``v = momentum * v + gradient``, then ``w -= learning_rate * v``.

    The form is that of Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013),
    as PyTorch writes it: the learning rate is applied to the velocity, not stored in it. Velocities are f32 whatever
    the parameter, and f16 and bf16 parameters have an f32 copy; see :class:`autograph.optim.UpdateRule`. (LeNet5 in
    bf16, three epochs of MNIST: training loss 0.0533 with copy and f32 velocity, 0.0597 with all in bf16.)

    Args:
        momentum: 0 for none, below 1.
        weight_decay: times the weight is added to the gradient: the slope of half the sum of squares of the weights.
        nesterov: the step goes along ``gradient + momentum * v``: to where the gradient would be looked at next.

    Raises:
        AutographError: a setting is out of range, or ``nesterov`` is asked for without momentum.

    >>> from autograph import SGD, Parameter, Tensor
    >>> weight = Parameter(Tensor.full(2, 1.0))
    >>> SGD().update(weight, Tensor.ones(2), learning_rate=0.5)
    >>> weight.numpy().tolist()
    [0.5, 0.5]
    """

    def __init__(self, momentum: float = 0.0, *, weight_decay: float = 0.0, nesterov: bool = False) -> None:
        require_settings("SGD", momentum=(momentum, 0, 1), weight_decay=(weight_decay, 0, inf))
        if nesterov and not momentum:
            raise AutographError("SGD: nesterov=True without momentum; give a momentum above 0")
        self.momentum = float(momentum)
        settings = {"momentum": self.momentum, "weight_decay": float(weight_decay), "nesterov": bool(nesterov)}
        super().__init__(
            _rule(momentum > 0, weight_decay > 0, bool(nesterov)), settings, (self.momentum, float(weight_decay))
        )


@cache
def _rule(has_momentum: bool, has_decay: bool, is_nesterov: bool) -> UpdateRule:
    """The rule without what is not asked for: 0 times an infinite weight would be NaN."""

    def sgd(w: Any, g: Any, rate: Any, momentum: Any, decay: Any) -> Any:
        slope = g + decay * w if has_decay else g
        return w - rate * slope

    def momentum_sgd(w: Any, g: Any, v: Any, rate: Any, momentum: Any, decay: Any) -> Any:
        slope = g + decay * w if has_decay else g
        velocity = momentum * v + slope
        step = slope + momentum * velocity if is_nesterov else velocity
        return w - rate * step, velocity

    return UpdateRule(momentum_sgd, state=["velocity"]) if has_momentum else UpdateRule(sgd)
