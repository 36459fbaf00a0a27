"""Losses that are distances between numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.functions.elementwise.operation import elementwise

from .reduced import Reduction, compared, require_setting

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@elementwise
def _square(x: Any, target: Any) -> Any:
    return (x - target) * (x - target)


@elementwise
def _magnitude(x: Any, target: Any) -> Any:
    return abs(x - target)


@elementwise
def _huber(x: Any, target: Any, delta: Any) -> Any:
    distance = abs(x - target)
    return 0.5 * distance * distance if distance < delta else delta * (distance - 0.5 * delta)


@elementwise
def _smooth(x: Any, target: Any, beta: Any) -> Any:
    distance = abs(x - target)
    return 0.5 * distance * distance / beta if distance < beta else distance - 0.5 * beta


def mse_loss(x: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """The square of the difference.

    Args:
        x: predictions of any shape, of floats.
        target: numbers of the same shape.
        reduction: ``"mean"`` of all elements, their ``"sum"``, or ``"none"``: one loss for each.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of the two is not a tensor.
        DeviceError: they lie on two devices.
        AutographError: ``reduction`` is something else.

    >>> from autograph import Tensor, mse_loss
    >>> mse_loss(Tensor.from_numpy([1.0, 2.0]), Tensor.from_numpy([1.0, 4.0])).item()
    2.0
    """
    return compared("mse_loss", _square, x, target, reduction)


def l1_loss(x: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """The magnitude of the difference. Its slope where both are equal is 0.

    Args:
        x: predictions of any shape, of floats.
        target: numbers of the same shape.
        reduction: as in :func:`mse_loss`.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of the two is not a tensor.
        DeviceError: they lie on two devices.
        AutographError: ``reduction`` is something else.

    >>> from autograph import Tensor, l1_loss
    >>> l1_loss(Tensor.from_numpy([1.0, 2.0]), Tensor.from_numpy([1.0, 4.0])).item()
    1.0
    """
    return compared("l1_loss", _magnitude, x, target, reduction)


def huber_loss(x: Tensor, target: Tensor, reduction: Reduction = "mean", *, delta: float = 1.0) -> Tensor:
    """Half the square of the difference where that is below ``delta``, and beyond a line of the slope ``delta``.

    After P. J. Huber, "Robust estimation of a location parameter" (1964).

    Args:
        x: predictions of any shape, of floats.
        target: numbers of the same shape.
        reduction: as in :func:`mse_loss`.
        delta: where the line begins, at least 0.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of the two is not a tensor.
        DeviceError: they lie on two devices.
        AutographError: ``reduction`` or ``delta`` is something else.

    >>> from autograph import Tensor, huber_loss
    >>> huber_loss(Tensor.from_numpy([1.0, 2.0]), Tensor.from_numpy([1.5, 4.0]), "none").numpy().tolist()
    [0.125, 1.5]
    """
    require_setting("huber_loss", "delta", delta, 0)
    return compared("huber_loss", _huber, x, target, reduction, delta)


def smooth_l1_loss(x: Tensor, target: Tensor, reduction: Reduction = "mean", *, beta: float = 1.0) -> Tensor:
    """The magnitude of the difference, less ``beta / 2``, with a parabola of the same slope where that is below
    ``beta``: :func:`huber_loss` divided by ``beta``.

    After R. Girshick, "Fast R-CNN" (2015).

    Args:
        x: predictions of any shape, of floats.
        target: numbers of the same shape.
        reduction: as in :func:`mse_loss`.
        beta: where the line begins, at least 0; of 0 this is :func:`l1_loss`.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of the two is not a tensor.
        DeviceError: they lie on two devices.
        AutographError: ``reduction`` or ``beta`` is something else.

    >>> from autograph import Tensor, smooth_l1_loss
    >>> smooth_l1_loss(Tensor.from_numpy([1.0, 2.0]), Tensor.from_numpy([1.5, 4.0]), "none", beta=0.5).numpy().tolist()
    [0.25, 1.75]
    """
    require_setting("smooth_l1_loss", "beta", beta, 0)
    return compared("smooth_l1_loss", _smooth, x, target, reduction, beta)
