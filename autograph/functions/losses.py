"""Logits and true classes: cross-entropy loss with the softmax inside, accuracy."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any, Literal

from autograph.autograd import differentiable
from autograph.errors import AutographError, ShapeError
from krnlpy import Buffer, Global, Item, ItemMut, Out, bf16, f16, f32, f64, func, i32, kernel
from krnlpy.dsl import exp, global_id, global_threads, item_id, log

from .checks import require_dtype
from .classes import Classes, class_index, class_tensor
from .launch import grid_stride, max_passes, split_rows
from .reducers.sums import sum_axes
from .reductions.aggregates import argmax, mean
from .type_variables import C, F

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Reduction = Literal["mean", "sum"]

_RESERVED_PASSES = 128
"""A thread loops twice over a row that is not split: up to twice MAX_PASSES, less these, so that all its loops together
stay below the limit of any driver."""


@func
def _piece_size(length: Any, pieces: Any) -> Any:
    return (length + pieces - 1) // pieces


@func
def _row_loss(logits: Any, row: Any, index: Any, maximum: Any, powers: Any) -> Any:
    """``log(sum(exp(row))) - row[class]``. The maximum and the logarithm are never added: a large maximum would leave
    no digits for the logarithm."""
    return log(powers) - (logits[row, index] - maximum)


@kernel(unchecked=True)
def _losses(
    logits: Global[F, Literal[2]],
    classes: Global[C],
    loss: Out[f32],
    maximum: Out[f32],
    powers: Out[f32],
    scale: f32,
    invalid: f32,
) -> None:
    """A thread has one row. ``powers`` is sum(exp(row - maximum)), which does not overflow."""
    for row in range(global_id(), logits.shape[0], global_threads()):
        greatest = logits[row, 0]
        for j in range(1, logits.shape[1]):
            greatest = max(greatest, logits[row, j])
        total = 0.0
        for j in range(logits.shape[1]):
            total += exp(logits[row, j] - greatest)
        maximum[row] = greatest
        powers[row] = total
        index = class_index(classes[row], logits.shape[1])
        loss[row] = _row_loss(logits, row, index, greatest, total) * scale if index >= 0 else invalid


@kernel(unchecked=True)
def _piece_maxima(logits: Global[F, Literal[2]], maxima: Out[f32, Literal[2]]) -> None:
    """A thread has one of the pieces of a row."""
    pieces = maxima.shape[1]
    size = _piece_size(logits.shape[1], pieces)
    for item in range(global_id(), maxima.size, global_threads()):
        row = item // pieces
        first = item % pieces * size
        greatest = logits[row, first]
        for j in range(1, min(size, logits.shape[1] - first)):
            greatest = max(greatest, logits[row, first + j])
        maxima[row, item % pieces] = greatest


@kernel(unchecked=True)
def _piece_powers(logits: Global[F, Literal[2]], maxima: Global[f32, Literal[2]], sums: Out[f32, Literal[2]]) -> None:
    """The powers of a piece, of the differences to the row's maximum: its gradient is made of the same."""
    pieces = sums.shape[1]
    size = _piece_size(logits.shape[1], pieces)
    for item in range(global_id(), sums.size, global_threads()):
        row = item // pieces
        first = item % pieces * size
        greatest = maxima[row, 0]
        for piece in range(1, pieces):
            greatest = max(greatest, maxima[row, piece])
        total = 0.0
        for j in range(min(size, logits.shape[1] - first)):
            total += exp(logits[row, first + j] - greatest)
        sums[row, item % pieces] = total


@kernel(unchecked=True)
def _losses_of_pieces(
    logits: Global[F, Literal[2]],
    classes: Global[C],
    maxima: Global[f32, Literal[2]],
    sums: Global[f32, Literal[2]],
    loss: Out[f32],
    maximum: Out[f32],
    powers: Out[f32],
    scale: f32,
    invalid: f32,
) -> None:
    """What :func:`_losses` gives."""
    for row in range(global_id(), logits.shape[0], global_threads()):
        greatest = maxima[row, 0]
        for piece in range(1, maxima.shape[1]):
            greatest = max(greatest, maxima[row, piece])
        total = 0.0
        for piece in range(sums.shape[1]):
            total += sums[row, piece]
        maximum[row] = greatest
        powers[row] = total
        index = class_index(classes[row], logits.shape[1])
        loss[row] = _row_loss(logits, row, index, greatest, total) * scale if index >= 0 else invalid


@kernel
def _gradient(
    logits: Item[F],
    classes: Item[C],
    maximum: Item[f32],
    powers: Item[f32],
    gradient: Item[f32],
    dlogits: ItemMut[F],
    count: i32,
    scale: f32,
    invalid: f32,
) -> None:
    """``softmax(row) - one_hot(class)``, times the gradient of the loss."""
    index = class_index(classes, count)
    p = exp(logits - maximum) / powers  # the powers that were summed, so that rows sum to 0
    if index == item_id() % count:
        p -= 1
    if index < 0:
        p = invalid
    dlogits = p * scale * gradient


@kernel
def _hits(predicted: Item[i32], classes: Item[C], hits: ItemMut[f32], count: i32) -> None:
    hits = 1.0 if class_index(classes, count) == predicted else 0.0


def cross_entropy_loss(logits: Tensor, classes: Classes, reduction: Reduction = "mean") -> Tensor:
    """The cross-entropy ``log(sum(exp(row))) - row[class]``, averaged or summed over the batch, in f32.

    Args:
        logits: ``[batch, classes]``, f16, bf16 or f32.
        classes: ``[batch]`` true classes, of any integer type: a tensor on the logits' device, or a NumPy array. A
            class out of range raises if the classes lie on the host (a NumPy array, or a host tensor); on a device,
            where looking would mean waiting, it makes the loss and the row's gradient NaN.
        reduction: ``"mean"`` (of a batch, not empty) or ``"sum"``.

    Returns:
        The loss, f32 of shape ``()``, on the device. Its gradient is that of what is returned.

    Raises:
        ShapeError: not one class a row, or a class is out of range, or the batch is empty.
        DtypeError: the logits are not floats of at most 32 bits, or the classes are not integers.
        DeviceError: the classes are a tensor on another device.
        AutographError: ``reduction`` is something else.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> logits = Tensor.from_numpy([[0.0, 0.0], [100.0, 0.0]]).cast("f32")
    >>> loss = logits.cross_entropy_loss(np.array([1, 0]))  # log(2) and 0
    >>> round(loss.item(), 4)
    0.3466
    """
    require_dtype("cross_entropy_loss", logits, f16, bf16, f32)
    if not isinstance(reduction, str) or reduction not in ("mean", "sum"):
        raise AutographError(f"reduction={reduction!r}: expected 'mean' or 'sum'")
    targets = class_tensor("cross_entropy_loss", logits, classes)
    batch, count = logits.shape
    if not batch:
        raise ShapeError("cross_entropy_loss of an empty batch")
    device = logits.device
    scale = 1 / batch if reduction == "mean" else 1.0
    loss, maximum, powers = (Buffer.empty(batch, f32, device) for _ in range(3))
    for rows in split_rows(logits.buffer, targets.buffer, loss, maximum, powers):
        _losses_of_rows(rows, scale)
    value = logits.result(sum_axes(loss, (0,), f32))
    saved = logits.detach()

    def gradient_of_logits(gradient: Tensor) -> Tensor:
        dlogits = Buffer.empty(saved.shape, saved.dtype, device)
        of_rows = [b.reshape((batch, 1)).broadcast_to(saved.shape) for b in (targets.buffer, maximum, powers)]
        for items in split_rows(saved.buffer, *of_rows, gradient.buffer.broadcast_to(saved.shape), dlogits):
            _gradient(*items, count, scale, nan)
        return saved.result(dlogits)

    return differentiable(value, [(logits, gradient_of_logits)])


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


def _losses_of_rows(buffers: tuple[Buffer, ...], scale: float) -> None:
    """Launches what fills the last three of the buffers that :func:`_losses` takes."""
    logits, *others = buffers
    rows, count = logits.shape
    most = max_passes(logits.device)
    if count <= most - _RESERVED_PASSES:
        grid_stride(_losses, rows, 2 * count)(logits, *others, scale, nan)
        return
    pieces = -(-count // most)
    size = -(-count // pieces)
    maxima, sums = (Buffer.empty((rows, pieces), f32, logits.device) for _ in range(2))
    grid_stride(_piece_maxima, maxima.size, size)(logits, maxima)
    grid_stride(_piece_powers, sums.size, size + pieces)(logits, maxima, sums)
    grid_stride(_losses_of_pieces, rows, 2 * pieces)(logits, others[0], maxima, sums, *others[1:], scale, nan)
