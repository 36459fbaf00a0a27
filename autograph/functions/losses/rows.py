"""Cross-entropy of rows of logits and their classes, in one kernel where rows are not too long."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Literal

from autograph.autograd import differentiable, saved
from autograph.functions.classes import class_index
from autograph.functions.indexing.one_hot import one_hot
from autograph.functions.launch import split_rows
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.reductions.softmax import greatest_and_powers, softmax
from autograph.functions.rows import losses as rows
from autograph.functions.rows.parts import fits_rows
from autograph.functions.type_variables import C, T, U, W, number_for
from autograph.tensor.base import recording
from krnlpy import Buffer, Global, Item, ItemMut, i32, kernel
from krnlpy.dsl import exp, item_id, log

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


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


def cross_entropy_of_rows(logits: Tensor, classes: Tensor, scale: float) -> Tensor:
    """The sum of the losses of ``[batch, classes]``, times a number: f64 of f64, else f32."""
    batch, count = logits.shape
    labels = classes.buffer
    loss, tops, powers = _losses(logits.detach(), labels, scale)
    value = logits.result(sum_axes(loss, (0, 1), loss.dtype))
    kept = saved(logits)

    def gradient(dy: Tensor) -> Tensor:
        if recording.on:
            wide = kept.cast(kept.dtype.compute)
            result: Tensor = (softmax(wide, 1) - one_hot(classes, count, wide.dtype)) * (dy * scale)
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
