"""Logits and true classes: cross-entropy loss with the softmax inside, accuracy."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Literal

from autograph.autograd import differentiable, saved
from autograph.errors import AutographError, ShapeError
from autograph.tensor.base import recording
from krnlpy import Buffer, Global, Item, ItemMut, bf16, f16, f32, f64, i32, kernel
from krnlpy.dsl import exp, item_id, log

from .checks import require_dtype
from .classes import Classes, class_index, class_tensor
from .indexing.one_hot import one_hot
from .launch import split_rows
from .reducers.sums import sum_axes
from .reductions.aggregates import argmax, mean
from .reductions.softmax import greatest_and_powers, softmax
from .rows import losses as rows
from .rows.parts import fits_rows
from .type_variables import C, T, U, W, number_for

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Reduction = Literal["mean", "sum"]


@kernel
def _long_losses(
    classes: Item[C],
    tops: Item[U],
    powers: Item[U],
    loss: ItemMut[U],
    logits: Global[T, Literal[2]],
    scale: W,
    invalid: W,
) -> None:
    index = class_index(classes, logits.shape[1])
    # The greatest and the logarithm are never added: a great one would leave no digits for the logarithm.
    loss = (log(powers) - (logits[item_id(), max(index, 0)] - tops)) * scale if index >= 0 else invalid


@kernel
def _long_gradient(
    logits: Item[T],
    classes: Item[C],
    tops: Item[U],
    powers: Item[U],
    gradient: Item[U],
    dlogits: ItemMut[T],
    count: i32,
    scale: W,
    invalid: W,
) -> None:
    """``softmax(row) - one_hot(class)``, times the gradient of the loss."""
    index = class_index(classes, count)
    p = exp(logits - tops) / powers  # the powers that were summed, so that rows sum to 0
    if index == item_id() % count:
        p -= 1
    if index < 0:
        p = invalid
    dlogits = p * scale * gradient


@kernel
def _hits(predicted: Item[i32], classes: Item[C], hits: ItemMut[f32], count: i32) -> None:
    hits = 1.0 if class_index(classes, count) == predicted else 0.0


def cross_entropy_loss(logits: Tensor, classes: Classes, reduction: Reduction = "mean") -> Tensor:
    """The cross-entropy ``log(sum(exp(row))) - row[class]``, averaged or summed over the batch.

    Args:
        logits: ``[batch, classes]``, of floats.
        classes: ``[batch]`` true classes, of any integer type: a tensor on the logits' device, or a NumPy array. A
            class out of range raises if the classes lie on the host (a NumPy array, or a host tensor); on a device,
            where looking would mean waiting, it makes the loss and the row's gradient NaN.
        reduction: ``"mean"`` (of a batch, not empty) or ``"sum"``.

    Returns:
        The loss, of shape ``()``, on the device: f64 of f64, else f32. Its gradient is that of what is returned.

    Raises:
        ShapeError: not one class a row, or a class is out of range, or the batch is empty.
        DtypeError: the logits are not floats, or the classes are not integers.
        DeviceError: the classes are a tensor on another device.
        AutographError: ``reduction`` is something else.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> logits = Tensor.from_numpy([[0.0, 0.0], [100.0, 0.0]]).cast("f32")
    >>> loss = logits.cross_entropy_loss(np.array([1, 0]))  # log(2) and 0
    >>> round(loss.item(), 4)
    0.3466
    """
    require_dtype("cross_entropy_loss", logits, f16, bf16, f32, f64)
    if not isinstance(reduction, str) or reduction not in ("mean", "sum"):
        raise AutographError(f"reduction={reduction!r}: expected 'mean' or 'sum'")
    targets = class_tensor("cross_entropy_loss", logits, classes)
    batch, count = logits.shape
    if not batch:
        raise ShapeError("cross_entropy_loss of an empty batch")
    scale = 1 / batch if reduction == "mean" else 1.0
    labels = targets.buffer
    loss, tops, powers = _losses(logits.detach(), labels, scale)
    value = logits.result(sum_axes(loss, (0, 1), loss.dtype))
    kept = saved(logits)

    def gradient(dy: Tensor) -> Tensor:
        if recording.on:
            wide = kept.cast(kept.dtype.compute)
            result: Tensor = (softmax(wide, 1) - one_hot(targets, count, wide.dtype)) * (dy * scale)
            return result.cast(kept.dtype)
        if fits_rows(kept.shape, (1,)):
            return dy.result(rows.gradient(kept.buffer, labels, tops, powers, dy.buffer, scale))
        dlogits = Buffer.empty(kept.shape, kept.dtype, kept.device)
        of_rows = [b.reshape((batch, 1)).broadcast_to(kept.shape) for b in (labels, tops, powers)]
        numbers = (count, number_for(kept.dtype, scale), number_for(kept.dtype, nan))
        for items in split_rows(kept.buffer, *of_rows, dy.buffer.broadcast_to(kept.shape), dlogits):
            _long_gradient(*items, *numbers)
        return dy.result(dlogits)

    return differentiable(value, [(logits, gradient)], higher_order=True)


def accuracy(logits: Tensor, classes: Classes) -> Tensor:
    """The share of rows whose greatest logit is that of the true class: of equal ones the first counts, and NaN is
    greater than all, as for :func:`argmax`.

    Args:
        logits: ``[batch, classes]``, of floats.
        classes: ``[batch]``, as :func:`cross_entropy_loss` takes them; on a device, a class out of range is wrong.

    Returns:
        The share, f32 of shape ``()``, on the device: NaN of an empty batch.

    Raises:
        ShapeError: not one class a row, or a class is out of range.
        DtypeError: the logits are not floats, or the classes are not integers.
        DeviceError: the classes are a tensor on another device.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> logits = Tensor.from_numpy([[0.2, 0.8], [0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
    >>> logits.accuracy(np.array([1, 1, 1, 0])).item()  # right, wrong, right, a tie
    0.75
    """
    require_dtype("accuracy", logits, f16, bf16, f32, f64)
    targets = class_tensor("accuracy", logits, classes)
    rows, count = logits.shape
    hits = Buffer.empty(rows, f32, logits.device)
    if rows:
        _hits(argmax(logits.detach(), 1).buffer, targets.buffer, hits, count)
    return mean(logits.result(hits))


def _losses(logits: Tensor, classes: Buffer, scale: float) -> tuple[Buffer, Buffer, Buffer]:
    """What :func:`rows.losses` gives, for rows of any length."""
    if fits_rows(logits.shape, (1,)):
        return rows.losses(logits.buffer, classes, scale)
    tops, powers = (part.buffer for part in greatest_and_powers(logits, (1,)))
    loss = Buffer.empty(tops.shape, tops.dtype, tops.device)
    factor, invalid = (number_for(logits.dtype, number) for number in (scale, nan))
    for labels, top, power, out, some in split_rows(classes.reshape(tops.shape), tops, powers, loss, logits.buffer):
        _long_losses(labels, top, power, out, some, factor, invalid)
    return loss, tops, powers
