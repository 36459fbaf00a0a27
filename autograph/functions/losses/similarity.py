"""Losses of vectors: how alike they are, and which of two is nearer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.errors import ShapeError
from autograph.functions.checks import axis_within
from autograph.functions.elementwise.arithmetic import minimum
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.reductions.aggregates import vector_norm
from autograph.functions.reductions.operation import Reduction as Along
from autograph.tensor.base import require_tensor
from krnlpy import dsl, func

from .reduced import Reduction, compared, like, reduced, require_reduction, require_setting, wide

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@func
def _products(x: Any, y: Any) -> Any:
    return x * y, x * x, y * y


_sums_of_products = Along(_products, None, None, (0,), None, "cosine_similarity")


@elementwise
def _cosine(product: Any, x: Any, y: Any, least: Any) -> Any:
    # The root of each by itself: their product may leave the range of floats.
    return product / (dsl.sqrt(max(x, least)) * dsl.sqrt(max(y, least)))


@elementwise
def _of_pair(cosine: Any, target: Any, margin: Any) -> Any:
    return 1.0 - cosine if target > 0.0 else max(cosine - margin, 0)


@elementwise
def _of_triplet(positive: Any, negative: Any, margin: Any) -> Any:
    return max(positive - negative + margin, 0)


@elementwise
def _hinge(x: Any, target: Any, margin: Any) -> Any:
    return max(margin - target * x, 0)


@elementwise
def _hinge_embedding(x: Any, target: Any, margin: Any) -> Any:
    return x if target > 0.0 else max(margin - x, 0)


def cosine_similarity(x: Tensor, y: Tensor, axis: int = 1, *, epsilon: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along an axis.

    Args:
        x: any shape, of floats.
        y: the same shape.
        axis: counted from the end if negative.
        epsilon: the least that a norm counts, so that vectors of zeros have the similarity 0.

    Returns:
        The shape without the axis: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is no such axis.
        DtypeError: they are not tensors of floats.
        DeviceError: they lie on two devices.
        AutographError: ``epsilon`` is something else.

    >>> from autograph import Tensor, cosine_similarity
    >>> x, y = Tensor.from_numpy([[3.0, 4.0], [1.0, 0.0]]), Tensor.from_numpy([[6.0, 8.0], [0.0, 0.0]])
    >>> cosine_similarity(x, y).numpy().round(6).tolist()
    [1.0, 0.0]
    """
    require_setting("cosine_similarity", "epsilon", epsilon, 1e-15)
    left, right = wide("cosine_similarity", x), like("cosine_similarity", "the other", y, x)
    place = axis_within("cosine_similarity", axis, x.ndim)
    result: Tensor = _cosine(*_sums_of_products(left, right, axis=place), epsilon * epsilon)
    return result


def cosine_embedding_loss(
    x: Tensor, y: Tensor, target: Tensor, reduction: Reduction = "mean", *, margin: float = 0.0
) -> Tensor:
    """``1 - cos(x, y)`` of pairs that belong together, ``max(0, cos(x, y) - margin)`` of others.

    Args:
        x: vectors ``[n, features]``.
        y: of the same shape.
        target: ``[n]``, 1 for pairs that belong together, -1 for others.
        reduction: ``"mean"`` of all pairs, their ``"sum"``, or ``"none"``: one loss for each.
        margin: from -1 to 1.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, ``target`` has not one number a pair, or there is a mean of no pairs.
        DtypeError: they are not tensors of floats.
        DeviceError: they lie on several devices.
        AutographError: ``reduction`` or ``margin`` is something else.

    >>> from autograph import Tensor, cosine_embedding_loss
    >>> x, y = Tensor.from_numpy([[3.0, 4.0], [1.0, 0.0]]), Tensor.from_numpy([[4.0, 3.0], [1.0, 0.0]])
    >>> cosine_embedding_loss(x, y, Tensor.from_numpy([1.0, -1.0]), "none").numpy().round(4).tolist()
    [0.04, 1.0]
    """
    require_setting("cosine_embedding_loss", "margin", margin, -1, 1)
    require_reduction(reduction)
    require_tensor("cosine_embedding_loss", x)
    if x.ndim != 2:
        raise ShapeError(f"cosine_embedding_loss takes vectors [n, features], not {x.shape}")
    return compared("cosine_embedding_loss", _of_pair, cosine_similarity(x, y), target, reduction, margin)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    reduction: Reduction = "mean",
    *,
    margin: float = 1.0,
    p: float = 2,
    swap: bool = False,
    epsilon: float = 1e-6,
) -> Tensor:
    """``max(0, d(anchor, positive) - d(anchor, negative) + margin)``, with distances along the last axis.

    After V. Balntas et al., "Learning shallow convolutional feature descriptors with triplet losses" (2016).

    Args:
        anchor: vectors ``[..., features]``.
        positive: those that should be near, of the same shape.
        negative: those that should be far, of the same shape.
        reduction: ``"mean"`` of all triplets, their ``"sum"``, or ``"none"``: one loss for each.
        margin: at least 0.
        p: the distance is the ``p``-norm of the difference, as :func:`vector_norm` has them.
        swap: whether the distance from the positive to the negative counts where it is the smaller one.
        epsilon: is added to differences, so that the distance of equal vectors has a slope.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no triplets.
        DtypeError: they are not tensors of floats.
        DeviceError: they lie on several devices.
        AutographError: ``reduction`` or a setting is something else.

    >>> from autograph import Tensor, triplet_margin_loss
    >>> anchor, far = Tensor.zeros((1, 2)), Tensor.full((1, 2), 0.5)
    >>> round(triplet_margin_loss(anchor, anchor, far).item(), 4)
    0.2929
    """
    name = "triplet_margin_loss"
    require_reduction(reduction)
    for setting, value in (("margin", margin), ("epsilon", epsilon)):
        require_setting(name, setting, value, 0)
    require_setting(name, "p", p, 0)
    a = wide(name, anchor)
    near, far = like(name, "positives", positive, anchor), like(name, "negatives", negative, anchor)
    if not a.ndim:
        raise ShapeError(f"{name} takes vectors [..., features], not numbers")

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return vector_norm(x - y + epsilon, -1, ord=p)

    to_negative = distance(a, far)
    if swap:
        to_negative = minimum(to_negative, distance(near, far))
    return reduced(name, _of_triplet(distance(a, near), to_negative, margin), reduction)


def hinge_loss(x: Tensor, target: Tensor, reduction: Reduction = "mean", *, margin: float = 1.0) -> Tensor:
    """``max(0, margin - target * x)``: the loss of support vector machines.

    Args:
        x: scores of any shape.
        target: 1 or -1, of the same shape.
        reduction: ``"mean"`` of all elements, their ``"sum"``, or ``"none"``: one loss for each.
        margin: at least 0.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of the two is not a tensor.
        DeviceError: they lie on two devices.
        AutographError: ``reduction`` or ``margin`` is something else.

    >>> from autograph import Tensor, hinge_loss
    >>> hinge_loss(Tensor.from_numpy([0.5, 2.0]), Tensor.from_numpy([1.0, -1.0]), "none").numpy().tolist()
    [0.5, 3.0]
    """
    require_setting("hinge_loss", "margin", margin, 0)
    return compared("hinge_loss", _hinge, x, target, reduction, margin)


def hinge_embedding_loss(x: Tensor, target: Tensor, reduction: Reduction = "mean", *, margin: float = 1.0) -> Tensor:
    """A distance ``x`` of pairs that belong together, ``max(0, margin - x)`` of others.

    Args:
        x: distances of any shape.
        target: 1 for pairs that belong together, -1 for others; of the same shape.
        reduction: ``"mean"`` of all elements, their ``"sum"``, or ``"none"``: one loss for each.
        margin: at least 0.

    Returns:
        The loss: f64 of f64, else f32.

    Raises:
        ShapeError: the shapes differ, or there is a mean of no elements.
        DtypeError: ``x`` is not of floats, or one of the two is not a tensor.
        DeviceError: they lie on two devices.
        AutographError: ``reduction`` or ``margin`` is something else.

    >>> from autograph import Tensor, hinge_embedding_loss
    >>> hinge_embedding_loss(Tensor.from_numpy([0.5, 0.25]), Tensor.from_numpy([1.0, -1.0]), "none").numpy().tolist()
    [0.5, 0.75]
    """
    require_setting("hinge_embedding_loss", "margin", margin, 0)
    return compared("hinge_embedding_loss", _hinge_embedding, x, target, reduction, margin)
