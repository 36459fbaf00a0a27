"""Cross-entropy of logits, and the negative logarithm of the likelihood: of classes, or of probabilities of them."""

from __future__ import annotations

import operator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import AutographError, DeviceError, ShapeError
from autograph.functions.checks import require_dtype
from autograph.functions.classes import Classes, class_tensor
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.reducers.sums import sum as sum_of
from autograph.functions.reductions.operation import Reduction as Along
from autograph.functions.reductions.softmax import log_softmax
from autograph.functions.rows.columns import fits_columns
from autograph.functions.rows.parts import fits_rows
from autograph.functions.shapes.arrangement import moveaxis
from autograph.tensor.base import TensorBase
from krnlpy import Buffer, ScalarType, bf16, f16, f32, f64, func

from .picks import Labels, picked
from .reduced import Reduction, like, reduced, require_reduction, require_setting, wide
from .rows import cross_entropy_of_rows, weighted_losses

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

INFINITY = float("inf")


@func
def _part(target: Any, logarithm: Any) -> Any:
    # What has no share adds nothing, also where its probability is 0.
    return 0.0 if target == 0.0 and logarithm == -INFINITY else -target * logarithm


_expected = Along(_part, None, None, (0,), None, "cross_entropy_loss")


@elementwise
def _smoothed(own: Any, whole: Any, takes_part: Any, smoothing: Any, count: Any) -> Any:
    return 0.0 if takes_part == 0.0 else (smoothing - 1.0) * own - smoothing / count * whole


@elementwise
def _smoothed_target(target: Any, smoothing: Any, count: Any) -> Any:
    return (1.0 - smoothing) * target + smoothing / count


def cross_entropy_loss(
    logits: Tensor,
    classes: Classes,
    reduction: Reduction = "mean",
    *,
    weight: Tensor | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross-entropy ``log(sum(exp(row))) - row[class]`` of rows of logits, or that of probabilities of classes.

    Args:
        logits: ``[batch, classes]``, or ``[batch, classes, ...]`` with a row for each place on the other axes.
        classes: ``[batch, ...]`` true classes, of any integer type: a tensor on the logits' device, or a NumPy array. A
            class out of range raises if the classes lie on the host (a NumPy array, or a host tensor); on a device,
            where looking would mean waiting, it makes the loss and the row's gradient NaN. Or probabilities: floats of
            the logits' shape.
        reduction: ``"mean"`` (of a batch, not empty), ``"sum"`` or ``"none"``: a loss for each row.
        weight: ``[classes]``: what the loss of a class is multiplied by. The mean over classes is then divided by the
            sum of the weights of the rows.
        ignore_index: the class of rows that take no part, neither in the loss nor in what the mean is divided by (so
            that it is NaN where no row is left). PyTorch ignores -100 without being asked.
        label_smoothing: from 0 to 1: the share of the true class that is given to all classes alike. After C. Szegedy
            et al., "Rethinking the Inception architecture for computer vision" (2016).

    Returns:
        The loss on the device: f64 of f64, else f32. Its gradient is that of what is returned.

    Raises:
        ShapeError: not one class a row, or a class is out of range, or there is a mean of no rows.
        DtypeError: the logits are not floats.
        DeviceError: the classes, or the weights, are a tensor on another device.
        AutographError: ``reduction`` or a setting is something else, or ``ignore_index`` is given with probabilities.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> logits = Tensor.from_numpy([[0.0, 0.0], [100.0, 0.0]]).cast("f32")
    >>> loss = logits.cross_entropy_loss(np.array([1, 0]))  # log(2) and 0
    >>> round(loss.item(), 4)
    0.3466
    >>> round(logits.cross_entropy_loss(np.array([1, -1]), ignore_index=-1).item(), 4)
    0.6931
    """
    name = "cross_entropy_loss"
    require_dtype(name, logits, f16, bf16, f32, f64)
    require_reduction(reduction)
    require_setting(name, "label_smoothing", label_smoothing, 0, 1)
    if _are_floats(classes) and classes.ndim == logits.ndim:
        if ignore_index is not None:
            raise AutographError(f"{name}(ignore_index={ignore_index}) of probabilities: no row has a class to ignore")
        return _of_probabilities(logits, classes, reduction, weight, label_smoothing)
    labels = _labels(name, logits, classes, ignore_index)
    rows = len(labels.classes)
    if reduction == "mean" and not rows:
        raise ShapeError(f"{name} of an empty batch has no mean")
    is_plain = weight is None and ignore_index is None
    if logits.ndim == 2 and is_plain and not label_smoothing and reduction != "none" and rows:
        return cross_entropy_of_rows(logits, labels.classes, 1 / rows if reduction == "mean" else 1.0)
    fits = fits_rows(logits.shape, (1,)) if logits.ndim == 2 else fits_columns(logits.shape)
    if fits and (weight is None or not weight.tracked):
        weights = None if weight is None else _class_weights(name, weight, logits)
        places = logits if logits.ndim <= 3 else logits.reshape((*logits.shape[:2], -1))
        losses, shares = weighted_losses(places, labels, weights, float(label_smoothing))
        return _reduced_rows(name, logits, losses, None if is_plain else shares, reduction)
    of_rows = _rows(wide(name, logits))
    logarithms = log_softmax(of_rows, 1) if rows else of_rows
    return _of_labels(name, logits, logarithms, labels, reduction, weight, label_smoothing)


def nll_loss(
    x: Tensor,
    classes: Classes,
    reduction: Reduction = "mean",
    *,
    weight: Tensor | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """``-row[class]`` of rows of logarithms of probabilities: with :func:`log_softmax` before it, it is
    :func:`cross_entropy_loss`.

    Args:
        x: ``[batch, classes]``, or ``[batch, classes, ...]`` with a row for each place on the other axes.
        classes: ``[batch, ...]`` true classes, as :func:`cross_entropy_loss` takes them.
        reduction: ``"mean"`` (of a batch, not empty), ``"sum"`` or ``"none"``: a loss for each row.
        weight: ``[classes]``: what the loss of a class is multiplied by. The mean is then divided by the sum of the
            weights of the rows.
        ignore_index: the class of rows that take no part.

    Returns:
        The loss on the device: f64 of f64, else f32.

    Raises:
        ShapeError: not one class a row, or a class is out of range, or there is a mean of no rows.
        DtypeError: ``x`` is not of floats, or the classes are not integers.
        DeviceError: the classes, or the weights, are a tensor on another device.
        AutographError: ``reduction`` or ``ignore_index`` is something else.

    >>> import numpy as np
    >>> from autograph import Tensor, nll_loss
    >>> nll_loss(Tensor.from_numpy([[-0.5, -1.0], [-2.0, -0.25]]), np.array([0, 1])).item()
    0.375
    """
    require_reduction(reduction)
    logarithms = wide("nll_loss", x)
    labels = _labels("nll_loss", x, classes, ignore_index)
    if reduction == "mean" and not len(labels.classes):
        raise ShapeError("nll_loss of an empty batch has no mean")
    return _of_labels("nll_loss", x, _rows(logarithms), labels, reduction, weight, 0.0)


def _are_floats(classes: Any) -> bool:
    dtype = getattr(classes, "dtype", None)
    return dtype.is_float if isinstance(dtype, ScalarType) else isinstance(dtype, np.dtype) and dtype.kind == "f"


def _labels(operation: str, logits: Tensor, classes: Any, ignore_index: Any) -> Labels:
    """The classes of the rows. Raises ShapeError, DtypeError, DeviceError and AutographError."""
    if ignore_index is not None:
        try:
            ignore_index = operator.index(ignore_index)
        except TypeError:
            raise AutographError(f"{operation}(ignore_index={ignore_index!r}): expected a whole number") from None
        if not -(1 << 31) <= ignore_index < 1 << 31:
            raise AutographError(f"{operation}(ignore_index={ignore_index}): expected a number of 32 bits")
    of = class_tensor(operation, logits, classes, ignore_index)
    return Labels(of if of.ndim == 1 else of.reshape((of.size,)), logits.shape[1], ignore_index)


def _rows(x: Tensor) -> Tensor:
    """``[n, classes, ...]`` as rows of classes."""
    if x.ndim == 2:
        return x
    return moveaxis(x, 1, -1).reshape((x.shape[0] * prod(x.shape[2:]), x.shape[1]))


def _class_weights(operation: str, weight: Tensor, x: Tensor) -> Tensor:
    """Raises DtypeError, ShapeError and DeviceError."""
    weights = wide(operation, weight)
    if weight.shape != x.shape[1:2]:
        raise ShapeError(f"{operation}(weight=) of shape {weight.shape}: expected one number a class, {x.shape[1:2]}")
    if weight.device != x.device:
        raise DeviceError(
            f"{operation}: weights on {weight.device.name}, logits on {x.device.name}; move them with"
            " tensor.to_device(device)"
        )
    return weights.cast(x.dtype.compute)


def _of_labels(
    operation: str,
    x: Tensor,
    logarithms: Tensor,
    labels: Labels,
    reduction: str,
    weight: Tensor | None,
    smoothing: float,
) -> Tensor:
    """The loss of rows of logarithms, of which ``x`` has the shape that was given."""
    weights = None if weight is None else _class_weights(operation, weight, x)
    own = picked(logarithms, labels)
    shares = None  # what a row counts for: 0 of those that are ignored
    if weights is not None or labels.ignored is not None:
        ones = logarithms.result(Buffer.ones(1, logarithms.dtype, x.device)) if weights is None else weights
        shares = picked(ones.broadcast_to(logarithms.shape), labels)
    weighted = own if weights is None or shares is None else own * shares
    if smoothing:
        whole = sum_of(logarithms if weights is None else logarithms * weights, 1)
        takes_part: Any = 1.0
        if labels.ignored is not None:
            ones = logarithms.result(Buffer.ones(1, logarithms.dtype, x.device))
            takes_part = shares if weights is None else picked(ones.broadcast_to(logarithms.shape), labels)
        losses: Tensor = _smoothed(weighted, whole, takes_part, float(smoothing), float(labels.count))
    else:
        losses = -weighted
    return _reduced_rows(operation, x, losses, shares, reduction)


def _reduced_rows(operation: str, x: Tensor, losses: Tensor, shares: Tensor | None, reduction: str) -> Tensor:
    """The losses of the rows of ``x``, or their sum, or the mean of what the rows count for."""
    if reduction == "none":
        shape = (x.shape[0], *x.shape[2:])
        return losses if losses.shape == shape else losses.reshape(shape)
    if reduction == "mean" and shares is not None:
        return sum_of(losses) / sum_of(shares)
    return reduced(operation, losses, reduction)


def _of_probabilities(logits: Tensor, target: Any, reduction: str, weight: Tensor | None, smoothing: float) -> Tensor:
    name = "cross_entropy_loss"
    if logits.ndim < 2 or not logits.shape[1]:
        raise ShapeError(f"{name} takes logits of shape [batch, classes, ...], not {logits.shape}")
    if not isinstance(target, TensorBase):
        target = logits.result(Buffer.from_numpy(np.asarray(target, logits.dtype.compute.dtype), logits.device))
    target = like(name, "probabilities", target, logits)
    x = wide(name, logits)
    if reduction == "mean" and not logits.size:
        raise ShapeError(f"{name} of an empty batch has no mean")
    if smoothing:
        target = _smoothed_target(target, float(smoothing), float(logits.shape[1]))
    if weight is not None:
        weights = _class_weights(name, weight, logits)
        target = target * weights.reshape((logits.shape[1], *(1,) * (logits.ndim - 2)))
    losses: Tensor = _expected(target, log_softmax(x, 1) if x.size else x, axis=1)
    return reduced(name, losses, reduction)
