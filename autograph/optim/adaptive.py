"""Optimizers that divide each number's steps by how large its gradients are or were."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import inf
from typing import Any

from krnlpy import func
from krnlpy.dsl import sqrt

from .rule import UpdateRule
from .rule_optimizer import RuleOptimizer, require_settings


@cache
def _rmsprop(has_momentum: bool, has_decay: bool, is_centered: bool) -> UpdateRule:
    @func
    def divided(w: Any, g: Any, square_mean: Any, mean: Any, gain: Any, epsilon: Any, decay: Any) -> Any:
        slope = g + decay * w if has_decay else g
        v = square_mean + gain * (slope * slope - square_mean)
        m = mean + gain * (slope - mean) if is_centered else mean
        spread = v - m * m if is_centered else v
        return slope / (sqrt(spread) + epsilon), v, m

    def rmsprop(w: Any, g: Any, square_mean: Any, rate: Any, gain: Any, epsilon: Any, momentum: Any, decay: Any) -> Any:
        step, v, _ = divided(w, g, square_mean, 0.0, gain, epsilon, decay)
        return w - rate * step, v

    def with_momentum(
        w: Any, g: Any, square_mean: Any, velocity: Any, rate: Any, gain: Any, epsilon: Any, momentum: Any, decay: Any
    ) -> Any:
        step, v, _ = divided(w, g, square_mean, 0.0, gain, epsilon, decay)
        moved = momentum * velocity + step
        return w - rate * moved, v, moved

    def centered(
        w: Any, g: Any, square_mean: Any, mean: Any, rate: Any, gain: Any, epsilon: Any, momentum: Any, decay: Any
    ) -> Any:
        step, v, m = divided(w, g, square_mean, mean, gain, epsilon, decay)
        return w - rate * step, v, m

    def centered_with_momentum(
        w: Any, g: Any, square_mean: Any, mean: Any, velocity: Any, rate: Any, gain: Any, epsilon: Any, momentum: Any,
        decay: Any,
    ) -> Any:  # fmt: skip
        step, v, m = divided(w, g, square_mean, mean, gain, epsilon, decay)
        moved = momentum * velocity + step
        return w - rate * moved, v, m, moved

    functions: dict[tuple[bool, bool], Callable[..., Any]] = {
        (False, False): rmsprop,
        (True, False): with_momentum,
        (False, True): centered,
        (True, True): centered_with_momentum,
    }
    state = ["square_mean", *(["mean"] if is_centered else []), *(["scaled_velocity"] if has_momentum else [])]
    return UpdateRule(functions[has_momentum, is_centered], state=state)


class RMSprop(RuleOptimizer):
    """Steps divided by the root of the mean of squares: Hinton, "Neural networks for machine learning", lecture 6e.

    Args:
        alpha: how much of the mean of squares remains from step to step, below 1.
        epsilon: is added to the root.
        momentum: of the divided steps; 0 for none, below 1.
        weight_decay: times the weight is added to the gradient.
        centered: the variance of the gradients takes the place of the mean of their squares.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import RMSprop
    >>> weight = Parameter(Tensor.ones(1))
    >>> RMSprop(alpha=0.75).update(weight, Tensor.full(1, 5.0), learning_rate=0.25)
    >>> round(weight.item(), 6)  # the mean is a quarter of the square
    0.5
    """

    def __init__(
        self,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        centered: bool = False,
    ) -> None:
        require_settings(
            "RMSprop", alpha=(alpha, 0, 1), epsilon=(epsilon, 0, inf), momentum=(momentum, 0, 1),
            weight_decay=(weight_decay, 0, inf),
        )  # fmt: skip
        numbers = {"alpha": alpha, "epsilon": epsilon, "momentum": momentum, "weight_decay": weight_decay}
        numbers = {name: float(value) for name, value in numbers.items()}
        rule = _rmsprop(momentum > 0, weight_decay > 0, bool(centered))
        super().__init__(rule, {**numbers, "centered": bool(centered)}, (1 - alpha, *list(numbers.values())[1:]))


@cache
def _adagrad(has_decay: bool) -> UpdateRule:
    def adagrad(w: Any, g: Any, square_sum: Any, rate: Any, epsilon: Any, decay: Any) -> Any:
        slope = g + decay * w if has_decay else g
        total = square_sum + slope * slope
        return w - rate * (slope / (sqrt(total) + epsilon)), total

    return UpdateRule(adagrad, state=["square_sum"])


class Adagrad(RuleOptimizer):
    """Steps divided by the root of the sum of all squares: Duchi, Hazan and Singer, "Adaptive subgradient methods for
    online learning and stochastic optimization", 2011.

    Args:
        epsilon: is added to the root.
        weight_decay: times the weight is added to the gradient.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import Adagrad
    >>> weight = Parameter(Tensor.ones(1))
    >>> Adagrad().update(weight, Tensor.full(1, 5.0), learning_rate=0.25)
    >>> round(weight.item(), 6)
    0.75
    """

    def __init__(self, epsilon: float = 1e-10, *, weight_decay: float = 0.0) -> None:
        require_settings("Adagrad", epsilon=(epsilon, 0, inf), weight_decay=(weight_decay, 0, inf))
        numbers = {"epsilon": float(epsilon), "weight_decay": float(weight_decay)}
        super().__init__(_adagrad(weight_decay > 0), numbers, tuple(numbers.values()))


@cache
def _adadelta(has_decay: bool) -> UpdateRule:
    def adadelta(
        w: Any, g: Any, square_mean: Any, change_square_mean: Any, rate: Any, gain: Any, epsilon: Any, decay: Any
    ) -> Any:
        slope = g + decay * w if has_decay else g
        v = square_mean + gain * (slope * slope - square_mean)
        change = sqrt(change_square_mean + epsilon) / sqrt(v + epsilon) * slope
        return w - rate * change, v, change_square_mean + gain * (change * change - change_square_mean)

    return UpdateRule(adadelta, state=["square_mean", "change_square_mean"])


class Adadelta(RuleOptimizer):
    """Steps in the unit of the weights: Zeiler, "ADADELTA: an adaptive learning rate method", 2012.

    Args:
        rho: how much of the means of squares remains from step to step, below 1.
        epsilon: is added to both means before their roots.
        weight_decay: times the weight is added to the gradient.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import Adadelta
    >>> weight = Parameter(Tensor.ones(1))
    >>> Adadelta(rho=0.75).update(weight, Tensor.full(1, 2.0), learning_rate=1.0)
    >>> round(weight.item(), 6)
    0.998
    """

    def __init__(self, rho: float = 0.9, epsilon: float = 1e-6, *, weight_decay: float = 0.0) -> None:
        require_settings("Adadelta", rho=(rho, 0, 1), epsilon=(epsilon, 0, inf), weight_decay=(weight_decay, 0, inf))
        numbers = {"rho": float(rho), "epsilon": float(epsilon), "weight_decay": float(weight_decay)}
        super().__init__(_adadelta(weight_decay > 0), numbers, (1 - rho, float(epsilon), float(weight_decay)))


@cache
def _lion(has_decay: bool) -> UpdateRule:
    def lion(w: Any, g: Any, mean: Any, rate: Any, gain1: Any, gain2: Any, decay: Any) -> Any:
        weight = w - rate * decay * w if has_decay else w
        ahead = mean + gain1 * (g - mean)
        step = (1.0 if ahead > 0.0 else 0.0) - (1.0 if ahead < 0.0 else 0.0)
        return weight - rate * step, mean + gain2 * (g - mean)

    return UpdateRule(lion, state=["mean"])


class Lion(RuleOptimizer):
    """Steps of one length along the sign of the mean: Chen et al., "Symbolic discovery of optimization algorithms",
    2023.

    Args:
        beta1: how much of the mean counts in the step, below 1.
        beta2: how much of the mean remains from step to step, below 1.
        weight_decay: each step takes ``learning_rate * weight_decay`` of the weight away.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import Lion
    >>> weight = Parameter(Tensor.ones(3))
    >>> Lion().update(weight, Tensor.from_numpy([9.0, 0.0, -0.1]).cast("f32"), learning_rate=0.25)
    >>> weight.numpy().tolist()
    [0.75, 1.0, 1.25]
    """

    def __init__(self, beta1: float = 0.9, beta2: float = 0.99, *, weight_decay: float = 0.0) -> None:
        require_settings("Lion", beta1=(beta1, 0, 1), beta2=(beta2, 0, 1), weight_decay=(weight_decay, 0, inf))
        numbers = {"beta1": float(beta1), "beta2": float(beta2), "weight_decay": float(weight_decay)}
        super().__init__(_lion(weight_decay > 0), numbers, (1 - beta1, 1 - beta2, float(weight_decay)))
