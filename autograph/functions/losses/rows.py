"""Cross-entropy of rows of logits and their classes, in one kernel where rows are not too long."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any, Literal

from autograph.autograd import differentiable, saved
from autograph.functions.classes import class_index
from autograph.functions.indexing.one_hot import one_hot
from autograph.functions.launch import split_rows
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.reductions.softmax import greatest_and_powers, softmax
from autograph.functions.rows import columns
from autograph.functions.rows import losses as rows
from autograph.functions.rows.parts import fits_rows
from autograph.functions.shapes.arrangement import moveaxis
from autograph.functions.type_variables import C, T, U, W, number_for
from autograph.tensor.base import recording
from krnlpy import Buffer, Global, Item, ItemMut, i32, kernel
from krnlpy.dsl import exp, item_id, log

from .picks import Labels, picked, spread

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


def weighted_losses(logits: Tensor, labels: Labels, weights: Tensor | None, smoothing: float) -> tuple[Tensor, Tensor]:
    """The losses of ``[batch, classes]`` rows that are not too long, or of ``[batch, classes, places]``, and what each
    counts for: f64 of f64, else f32.

    Args:
        logits: of the classes.
        labels: their classes, one after the other.
        weights: of the classes, not recorded.
        smoothing: the share of a row that is given to all classes alike.
    """
    count, shape = logits.shape[1], (logits.shape[0], *logits.shape[2:])
    kernels: Any = rows if logits.ndim == 2 else columns
    dtype, device, classes = logits.dtype.compute, logits.device, labels.classes.buffer.reshape(shape)
    of = Buffer.ones(count, dtype, device) if weights is None else weights.buffer.contiguous()
    shares = rows.Shares(of, sum_axes(of, (0,), dtype).reshape((1,)), smoothing, *labels.numbers[2:])
    loss, counted, tops, powers = kernels.weighted_losses(logits.buffer, classes, shares)
    kept, counts = saved(logits), logits.result(counted.reshape(shape))

    def gradient(dy: Tensor) -> Tensor:
        if not recording.on:
            return dy.result(kernels.weighted_gradient(kept.buffer, classes, tops, powers, dy.buffer, shares))
        by_rows = kept.cast(dtype) if kept.ndim == 2 else moveaxis(kept.cast(dtype), 1, -1).reshape((-1, count))
        own = counts.reshape((-1,)) * (1.0 - smoothing)
        takes_part = picked(dy.result(Buffer.ones(1, dtype, device).broadcast_to(by_rows.shape)), labels)
        other = takes_part * (smoothing / count)
        part = (own + other * dy.result(shares.weight)).reshape((-1, 1))
        slopes: Tensor = softmax(by_rows, 1) * part - spread(own, labels) - other.reshape((-1, 1)) * dy.result(of)
        slopes = (slopes * dy.reshape((-1, 1))).cast(kept.dtype)
        return slopes if kept.ndim == 2 else moveaxis(slopes.reshape((*shape, count)), -1, 1)

    value = logits.result(loss.reshape(shape))
    return differentiable(value, [(logits, gradient)], higher_order=True), counts


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
