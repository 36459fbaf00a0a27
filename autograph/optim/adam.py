"""Adam and its kin: steps along the mean of gradients, divided by the root of the mean of their squares."""

from __future__ import annotations

from functools import cache
from math import inf, log
from typing import Any

from autograph.functions.checks import is_number
from krnlpy import func
from krnlpy.dsl import exp, expm1, sqrt, tanh

from .rule import UpdateRule
from .rule_optimizer import RuleOptimizer, require_settings


def require_betas(optimizer: str, beta1: Any, beta2: Any, epsilon: Any, weight_decay: Any) -> None:
    require_settings(
        optimizer, beta1=(beta1, 0, 1), beta2=(beta2, 0, 1), epsilon=(epsilon, 0, inf),
        weight_decay=(weight_decay, 0, inf),
    )  # fmt: skip


def _logarithm(beta: float) -> float:
    """The logarithm, from which kernels have ``1 - beta**step`` without the difference of almost equal numbers."""
    return log(beta) if beta > 0 else -inf


def adam_numbers(beta1: float, beta2: float, epsilon: float, weight_decay: float) -> tuple[float, ...]:
    """What rules take of the settings. ``1 - beta`` and the logarithm are computed here, in f64: of a beta near 1, f32
    leaves few digits of them."""
    return 1 - beta1, 1 - beta2, float(epsilon), float(weight_decay), _logarithm(beta1), _logarithm(beta2)


class _Moments(RuleOptimizer):
    """What Adam, AdamW, NAdam and RAdam share: their settings."""

    def __init__(
        self, rule: UpdateRule, beta1: float, beta2: float, epsilon: float, weight_decay: float, **more: float
    ) -> None:
        settings = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "weight_decay": weight_decay, **more}
        settings = {name: float(value) for name, value in settings.items()}
        numbers = adam_numbers(beta1, beta2, epsilon, weight_decay)
        super().__init__(rule, settings, (*numbers, *(float(value) for value in more.values())))


@func
def running_mean(old: Any, new: Any, gain: Any) -> Any:
    """The running mean, ``beta * old + gain * new``, where gain is ``1 - beta``."""
    return old + gain * (new - old)


@func
def adam_corrections(step: Any, gain1: Any, gain2: Any, epsilon: Any, decay: Any, log1: Any, log2: Any) -> Any:
    """What the two means are multiplied by, since they began with 0."""
    return 1.0 / -expm1(step * log1), 1.0 / -expm1(step * log2)


@cache
def _adam(has_decay: bool, is_decoupled: bool) -> UpdateRule:
    def adam(
        w: Any, g: Any, mean: Any, square_mean: Any, correction1: Any, correction2: Any, rate: Any, gain1: Any,
        gain2: Any, epsilon: Any, decay: Any, log1: Any, log2: Any,
    ) -> Any:  # fmt: skip
        weight = w - rate * decay * w if has_decay and is_decoupled else w
        slope = g + decay * w if has_decay and not is_decoupled else g
        m = running_mean(mean, slope, gain1)
        v = running_mean(square_mean, slope * slope, gain2)
        return weight - rate * correction1 * (m / (sqrt(v * correction2) + epsilon)), m, v

    return UpdateRule(
        adam,
        state=["mean", "square_mean"],
        clock=["step"],
        derived=["correction1", "correction2"],
        derive=adam_corrections,
    )


class Adam(_Moments):
    """Adam: Kingma and Ba, "Adam: a method for stochastic optimization", 2015.

    Args:
        beta1: how much of the mean of gradients remains from step to step, below 1.
        beta2: how much of the mean of their squares remains.
        epsilon: is added to the root of the latter.
        weight_decay: times the weight is added to the gradient; :class:`AdamW` lets the weight itself decay.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import Adam
    >>> weight = Parameter(Tensor.ones(2))
    >>> Adam().update(weight, Tensor.from_numpy([8.0, -0.5]).cast("f32"), learning_rate=0.25)
    >>> [round(w, 6) for w in weight.numpy().tolist()]  # the first step is as long as the rate
    [0.75, 1.25]
    """

    def __init__(
        self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, *, weight_decay: float = 0.0
    ) -> None:
        require_betas("Adam", beta1, beta2, epsilon, weight_decay)
        super().__init__(_adam(weight_decay > 0, False), beta1, beta2, epsilon, weight_decay)


class AdamW(_Moments):
    """Adam with decoupled weight decay: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.

    Args:
        beta1: as in :class:`Adam`.
        beta2: as in :class:`Adam`.
        epsilon: as in :class:`Adam`.
        weight_decay: each step takes ``learning_rate * weight_decay`` of the weight away.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import AdamW
    >>> weight = Parameter(Tensor.ones(1))
    >>> AdamW(weight_decay=0.5).update(weight, Tensor.zeros(1), learning_rate=0.5)
    >>> weight.item()
    0.75
    """

    def __init__(
        self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, *, weight_decay: float = 0.01
    ) -> None:
        require_betas("AdamW", beta1, beta2, epsilon, weight_decay)
        super().__init__(_adam(weight_decay > 0, True), beta1, beta2, epsilon, weight_decay)


@func
def _nadam_momentum(step: Any, gain1: Any, momentum_decay: Any) -> Any:
    return (1.0 - gain1) * (1.0 - 0.5 * exp(step * momentum_decay * -0.040821994520255166))  # log(0.96)


@func
def _nadam_tick(
    step: Any, product: Any, gain1: Any, gain2: Any, epsilon: Any, decay: Any, log1: Any, log2: Any, momentum_decay: Any
) -> Any:
    return step + 1.0, product * _nadam_momentum(step + 1.0, gain1, momentum_decay)


@func
def _nadam_shares(
    step: Any, product: Any, gain1: Any, gain2: Any, epsilon: Any, decay: Any, log1: Any, log2: Any, momentum_decay: Any
) -> Any:
    """What the step has of the gradient and of its mean, and the correction of the mean of squares."""
    now = _nadam_momentum(step, gain1, momentum_decay)
    after = _nadam_momentum(step + 1.0, gain1, momentum_decay)
    return (1.0 - now) / (1.0 - product), after / (1.0 - product * after), 1.0 / -expm1(step * log2)


@cache
def _nadam(has_decay: bool) -> UpdateRule:
    def nadam(
        w: Any, g: Any, mean: Any, square_mean: Any, slopes: Any, means: Any, correction2: Any, rate: Any, gain1: Any,
        gain2: Any, epsilon: Any, decay: Any, log1: Any, log2: Any, momentum_decay: Any,
    ) -> Any:  # fmt: skip
        slope = g + decay * w if has_decay else g
        m = running_mean(mean, slope, gain1)
        v = running_mean(square_mean, slope * slope, gain2)
        return w - rate * ((slopes * slope + means * m) / (sqrt(v * correction2) + epsilon)), m, v

    return UpdateRule(
        nadam, state=["mean", "square_mean"], clock=["step", "momentum_product"], tick=_nadam_tick, clock_start=[0, 1],
        derived=["slopes", "means", "correction2"], derive=_nadam_shares,
    )  # fmt: skip


class NAdam(_Moments):
    """Adam with Nesterov's momentum: Dozat, "Incorporating Nesterov momentum into Adam", 2016.

    Args:
        beta1: as in :class:`Adam`.
        beta2: as in :class:`Adam`.
        epsilon: as in :class:`Adam`.
        weight_decay: times the weight is added to the gradient.
        momentum_decay: how quickly the momentum grows to ``beta1``.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import NAdam
    >>> NAdam(beta1=0.95).settings()["momentum_decay"]
    0.004
    """

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        *,
        weight_decay: float = 0.0,
        momentum_decay: float = 0.004,
    ) -> None:
        require_betas("NAdam", beta1, beta2, epsilon, weight_decay)
        require_settings("NAdam", momentum_decay=(momentum_decay, 0, inf))
        super().__init__(_nadam(weight_decay > 0), beta1, beta2, epsilon, weight_decay, momentum_decay=momentum_decay)


@func
def _langevin(x: Any) -> Any:
    """``coth(x) - 1/x``: by its series where the two are almost equal (the next term is below 2e-8 of the sum)."""
    y = x * x
    series = x * (1.0 / 3.0 - y * (1.0 / 45.0 - y * (2.0 / 945.0 - y * (1.0 / 4725.0 - y * (2.0 / 93555.0)))))
    return series if x < 0.7 else 1.0 / tanh(x) - 1.0 / x


@func
def _rectification(step: Any, gain1: Any, gain2: Any, epsilon: Any, decay: Any, log1: Any, log2: Any) -> Any:
    """The correction of the mean, and what its quotient by the root of the mean of squares is multiplied by: 0 while
    there are too few squares."""
    # The paper's 2/(1-b) - 1 - 2 t b^t/(1 - b^t), b = beta2, is a difference of numbers near 2/(1-b). With
    # a = -log(b) it is coth(a/2) - t coth(t a/2) + t, of which the poles 2/a cancel.
    longest = 1.0 / tanh(-0.5 * log2)
    length = step + _langevin(-0.5 * log2) - step * _langevin(-0.5 * step * log2)
    rectified = 0.0
    if length > 5.0:
        share = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length)
        rectified = sqrt(share) * sqrt(-expm1(step * log2))
    return 1.0 / -expm1(step * log1), rectified


@cache
def _radam(has_decay: bool) -> UpdateRule:
    def radam(
        w: Any, g: Any, mean: Any, square_mean: Any, correction1: Any, rectified: Any, rate: Any, gain1: Any,
        gain2: Any, epsilon: Any, decay: Any, log1: Any, log2: Any,
    ) -> Any:  # fmt: skip
        slope = g + decay * w if has_decay else g
        m = running_mean(mean, slope, gain1)
        v = running_mean(square_mean, slope * slope, gain2)
        change = m * correction1
        if rectified > 0.0:
            change *= rectified / (sqrt(v) + epsilon)
        return w - rate * change, m, v

    return UpdateRule(
        radam, state=["mean", "square_mean"], clock=["step"], derived=["correction1", "rectified"],
        derive=_rectification,
    )  # fmt: skip


class RAdam(_Moments):
    """Rectified Adam: Liu et al., "On the variance of the adaptive learning rate and beyond", 2020.

    While there are too few squares for their mean to be trusted, a step goes along the mean of gradients alone.

    Args:
        beta1: as in :class:`Adam`.
        beta2: as in :class:`Adam`; above 0.
        epsilon: as in :class:`Adam`.
        weight_decay: times the weight is added to the gradient.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import RAdam
    >>> weight = Parameter(Tensor.ones(1))
    >>> RAdam().update(weight, Tensor.full(1, 2.0), learning_rate=0.25)
    >>> round(weight.item(), 6)
    0.5
    """

    def __init__(
        self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, *, weight_decay: float = 0.0
    ) -> None:
        require_betas("RAdam", beta1, beta2, epsilon, weight_decay)
        require_settings("RAdam", beta2=(beta2 if is_number(beta2) and beta2 > 0 else None, 0, 1))
        super().__init__(_radam(weight_decay > 0), beta1, beta2, epsilon, weight_decay)
