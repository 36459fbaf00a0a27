"""Losses of truths: of probabilities, or of logits, whose sigmoid they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.functions.elementwise.operation import elementwise
from autograph.tensor.base import TensorBase
from krnlpy import dsl, func

from .reduced import Reduction, compared, like, reduced, require_broadcast, require_reduction, require_setting, wide

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@func
def _at_least(x: Any) -> Any:
    """A logarithm, of 0 too; NaN stays NaN."""
    return -100.0 if x < -100.0 else x


@elementwise
def _of_probability(p: Any, target: Any) -> Any:
    return -(target * _at_least(dsl.log(p)) + (1.0 - target) * _at_least(dsl.log1p(-p)))


@func
def _by_probability(p: Any, target: Any) -> Any:
    # Not that of the cut logarithms: a probability of exactly 0 or 1 that is wrong must come back from there.
    return (p - target) / max(p * (1.0 - p), 1e-12)


@func
def _by_target(p: Any, target: Any) -> Any:
    return _at_least(dsl.log1p(-p)) - _at_least(dsl.log(p))


dsl.define_partials(_of_probability, _by_probability, _by_target)


@elementwise
def _of_logit(x: Any, target: Any, positive: Any) -> Any:
    # log(1 + exp(x)) and log(1 + exp(-x)) share the part that is small: nothing is subtracted.
    rest = dsl.log1p(dsl.exp(-abs(x)))
    return positive * target * (max(-x, 0) + rest) + (1.0 - target) * (max(x, 0) + rest)


@elementwise
def _focal(x: Any, target: Any, gamma: Any) -> Any:
    rest = dsl.log1p(dsl.exp(-abs(x)))
    loss = target * (max(-x, 0) + rest) + (1.0 - target) * (max(x, 0) + rest)
    wrong = target * dsl.sigmoid(-x) + (1.0 - target) * dsl.sigmoid(x)
    # Where it is 0 to all digits, a power of less than 1 would have an infinite slope.
    return loss * max(wrong, 1e-30) ** gamma


@elementwise
def _balance(target: Any, alpha: Any) -> Any:
    return alpha * target + (1.0 - alpha) * (1.0 - target)


def binary_cross_entropy(
    x: Tensor, target: Tensor, reduction: Reduction = "mean", *, weight: Tensor | None = None
) -> Tensor:
    """``-(target * log(x) + (1 - target) * log(1 - x))``, of probabilities.

    Logarithms are cut at -100, so that the loss of a probability of 0 or 1 is finite; its slope there is that of
    ``x (1 - x)`` of 1e-12, as in PyTorch. :func:`binary_cross_entropy_with_logits` needs no such cuts.

    Args:
        x: probabilities of any shape, from 0 to 1; of others the loss is NaN.
        target: truths, or probabilities, of the same shape.
        reduction: ``"mean"`` of all elements, their ``"sum"``, or ``"none"``: one loss for each.
        weight: what each loss is multiplied by; its shape broadcasts to that of ``x``.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of them is not a tensor.
        DeviceError: they lie on several devices.
        AutographError: ``reduction`` is something else.

    >>> from autograph import Tensor, binary_cross_entropy
    >>> losses = binary_cross_entropy(Tensor.from_numpy([0.5, 0.9, 0.0]), Tensor.from_numpy([1.0, 1.0, 1.0]), "none")
    >>> losses.numpy().round(4).tolist()
    [0.6931, 0.1054, 100.0]
    """
    if weight is None:
        return compared("binary_cross_entropy", _of_probability, x, target, reduction)
    losses = compared("binary_cross_entropy", _of_probability, x, target, "none")
    require_reduction(reduction)
    return reduced("binary_cross_entropy", _weighted("binary_cross_entropy", losses, weight), reduction)


def binary_cross_entropy_with_logits(
    x: Tensor,
    target: Tensor,
    reduction: Reduction = "mean",
    *,
    weight: Tensor | None = None,
    pos_weight: Tensor | float | None = None,
) -> Tensor:
    """:func:`binary_cross_entropy` of ``sigmoid(x)``, with all digits for logits of any size.

    Args:
        x: logits of any shape, of floats.
        target: truths, or probabilities, of the same shape.
        reduction: ``"mean"`` of all elements, their ``"sum"``, or ``"none"``: one loss for each.
        weight: what each loss is multiplied by; its shape broadcasts to that of ``x``.
        pos_weight: what the part of the truths is multiplied by: a number, or a tensor that broadcasts, such as one
            number for each class of ``[n, classes]``.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of them is not a tensor.
        DeviceError: they lie on several devices.
        AutographError: ``reduction`` is something else.

    >>> from autograph import Tensor, binary_cross_entropy_with_logits
    >>> logits, truths = Tensor.from_numpy([0.0, -1000.0, 1000.0]), Tensor.from_numpy([1.0, 1.0, 1.0])
    >>> binary_cross_entropy_with_logits(logits, truths, "none").numpy().round(4).tolist()
    [0.6931, 1000.0, 0.0]
    """
    name = "binary_cross_entropy_with_logits"
    require_reduction(reduction)
    logits, truths = wide(name, x), like(name, "targets", target, x)
    positive: Any = 1.0 if pos_weight is None else pos_weight
    if isinstance(positive, TensorBase):
        require_broadcast(name, "pos_weight", positive, x)
    losses = _of_logit(logits, truths, positive)
    if weight is not None:
        losses = _weighted(name, losses, weight)
    return reduced(name, losses, reduction)


def focal_loss(
    x: Tensor, target: Tensor, reduction: Reduction = "mean", *, alpha: float | None = 0.25, gamma: float = 2.0
) -> Tensor:
    """:func:`binary_cross_entropy_with_logits`, times ``(1 - p) ** gamma`` with the probability ``p`` that is given to
    what is true: what is told well already counts less.

    After T.-Y. Lin et al., "Focal loss for dense object detection" (2017).

    Args:
        x: logits of any shape, of floats.
        target: truths of the same shape.
        reduction: ``"mean"`` of all elements, their ``"sum"``, or ``"none"``: one loss for each.
        alpha: what losses of the true ones are multiplied by, those of the others by ``1 - alpha``; None: nothing.
        gamma: at least 0.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of the two is not a tensor.
        DeviceError: they lie on two devices.
        AutographError: ``reduction``, ``alpha`` or ``gamma`` is something else.

    >>> from autograph import Tensor, focal_loss
    >>> focal_loss(Tensor.from_numpy([0.0, 2.0]), Tensor.from_numpy([1.0, 1.0]), "none").numpy().round(4).tolist()
    [0.0433, 0.0005]
    """
    require_setting("focal_loss", "gamma", gamma, 0)
    if alpha is not None:
        require_setting("focal_loss", "alpha", alpha, 0, 1)
    losses = compared("focal_loss", _focal, x, target, "none", gamma)
    require_reduction(reduction)
    if alpha is not None:
        losses = losses * _balance(like("focal_loss", "targets", target, x), alpha)
    return reduced("focal_loss", losses, reduction)


def _weighted(operation: str, losses: Tensor, weight: Tensor) -> Tensor:
    require_broadcast(operation, "weight", weight, losses)
    return losses * weight
