"""Losses that are logarithms of probability: of counts, of normal distributions, and between distributions."""

from __future__ import annotations

from math import log, pi
from typing import TYPE_CHECKING, Any

from autograph.functions.elementwise.operation import elementwise
from autograph.functions.reducers.sums import sum as sum_of
from krnlpy import dsl, func

from .reduced import Reduction, compared, like, reduced, require_reduction, require_setting, wide

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

INFINITY = float("inf")


@elementwise
def _divergence(x: Any, target: Any) -> Any:
    # What never happens adds nothing, also where it is given the probability 0.
    return 0.0 if target == 0.0 else target * (dsl.log(target) - x)


@elementwise
def _log_divergence(x: Any, target: Any) -> Any:
    return 0.0 if target == -INFINITY else dsl.exp(target) * (target - x)


@elementwise
def _poisson_of_log(x: Any, target: Any) -> Any:
    return dsl.exp(x) - target * x


@elementwise
def _poisson(x: Any, target: Any, epsilon: Any) -> Any:
    return x - target * dsl.log(x + epsilon)


@elementwise
def _stirling(target: Any) -> Any:
    return target * dsl.log(target) - target + 0.5 * dsl.log(6.283185307179586 * target) if target > 1.0 else 0.0


@elementwise
def _normal(x: Any, target: Any, variance: Any, epsilon: Any) -> Any:
    spread = max(variance, epsilon)
    return 0.5 * (dsl.log(spread) + (x - target) * (x - target) / spread)


@func
def _normal_by_x(x: Any, target: Any, variance: Any, epsilon: Any) -> Any:
    return (x - target) / max(variance, epsilon)


@func
def _normal_by_target(x: Any, target: Any, variance: Any, epsilon: Any) -> Any:
    return (target - x) / max(variance, epsilon)


@func
def _normal_by_variance(x: Any, target: Any, variance: Any, epsilon: Any) -> Any:
    # Of one below epsilon, too: with the slope 0 of the maximum it would stay there.
    spread = max(variance, epsilon)
    share = (x - target) / spread
    return 0.5 * (1.0 / spread - share * share)


dsl.define_partials(_normal, _normal_by_x, _normal_by_target, _normal_by_variance, None)


def kl_divergence(x: Tensor, target: Tensor, reduction: Reduction = "mean", *, log_target: bool = False) -> Tensor:
    """The divergence of S. Kullback and R. A. Leibler (1951), ``target * (log(target) - x)``, of logarithms of
    probabilities, such as :func:`log_softmax` gives.

    Args:
        x: logarithms of probabilities, of any shape: of a distribution for each place on the first axis.
        target: probabilities of the same shape; their logarithms if ``log_target``. Where one is 0, so is the loss.
        reduction: ``"mean"`` of the distributions (the sum divided by the length of the first axis, which PyTorch calls
            ``"batchmean"``), their ``"sum"``, or ``"none"``: the part of each element.
        log_target: whether the targets are logarithms.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of the two is not a tensor.
        DeviceError: they lie on two devices.
        AutographError: ``reduction`` is something else.

    >>> from autograph import Tensor, kl_divergence, log_softmax
    >>> x = log_softmax(Tensor.from_numpy([[0.0, 0.0]]))
    >>> round(kl_divergence(x, Tensor.from_numpy([[1.0, 0.0]])).item(), 4)
    0.6931
    """
    require_reduction(reduction)
    losses = compared("kl_divergence", _log_divergence if log_target else _divergence, x, target, "none")
    if reduction != "mean" or not losses.ndim or not losses.size:
        return reduced("kl_divergence", losses, reduction)
    return sum_of(losses) / losses.shape[0]


def poisson_nll_loss(
    x: Tensor,
    target: Tensor,
    reduction: Reduction = "mean",
    *,
    log_input: bool = True,
    full: bool = False,
    epsilon: float = 1e-8,
) -> Tensor:
    """The negative logarithm of the probability of counts, without what no prediction changes.

    Args:
        x: logarithms of expected counts, or the counts themselves, of any shape.
        target: counts of the same shape.
        reduction: ``"mean"`` of all elements, their ``"sum"``, or ``"none"``: one loss for each.
        log_input: whether ``x`` are logarithms.
        full: whether the logarithm of the target's factorial is added, by Stirling's formula, where it is above 1.
        epsilon: is added to expected counts before their logarithm is taken.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of the two is not a tensor.
        DeviceError: they lie on two devices.
        AutographError: ``reduction`` or ``epsilon`` is something else.

    >>> from autograph import Tensor, poisson_nll_loss
    >>> poisson_nll_loss(Tensor.from_numpy([0.0, 1.0]), Tensor.from_numpy([2.0, 1.0]), "none").numpy().round(4).tolist()
    [1.0, 1.7183]
    """
    require_reduction(reduction)
    require_setting("poisson_nll_loss", "epsilon", epsilon, 0)
    name = "poisson_nll_loss"
    if log_input:
        losses = compared(name, _poisson_of_log, x, target, "none")
    else:
        losses = compared(name, _poisson, x, target, "none", epsilon)
    if full:
        losses = losses + _stirling(like(name, "targets", target, x).detach())
    return reduced(name, losses, reduction)


def gaussian_nll_loss(
    x: Tensor,
    target: Tensor,
    variance: Tensor,
    reduction: Reduction = "mean",
    *,
    full: bool = False,
    epsilon: float = 1e-6,
) -> Tensor:
    """The negative logarithm of the density of normal distributions, without its constant.

    After D. A. Nix and A. S. Weigend, "Estimating the mean and variance of the target probability distribution" (1994).

    Args:
        x: expected numbers of any shape.
        target: numbers of the same shape.
        variance: of each number, of the same shape; a smaller one than ``epsilon`` counts as ``epsilon``.
        reduction: ``"mean"`` of all elements, their ``"sum"``, or ``"none"``: one loss for each.
        full: whether the constant ``log(2 pi) / 2`` is added.
        epsilon: above 0.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of them is not a tensor.
        DeviceError: they lie on several devices.
        AutographError: ``reduction`` or ``epsilon`` is something else.

    >>> from autograph import Tensor, gaussian_nll_loss
    >>> x, variance = Tensor.from_numpy([0.0, 1.0]), Tensor.from_numpy([1.0, 4.0])
    >>> gaussian_nll_loss(x, Tensor.from_numpy([2.0, 1.0]), variance, "none").numpy().round(4).tolist()
    [2.0, 0.6931]
    """
    require_reduction(reduction)
    require_setting("gaussian_nll_loss", "epsilon", epsilon, 1e-30)
    name = "gaussian_nll_loss"
    numbers = wide(name, x), like(name, "targets", target, x), like(name, "variances", variance, x)
    losses = _normal(*numbers, epsilon)
    if full:
        losses = losses + 0.5 * log(2 * pi)
    return reduced(name, losses, reduction)
