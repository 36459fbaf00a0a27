"""The share of rows whose class is told right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.functions.checks import require_dtype
from autograph.functions.classes import Classes, class_index, class_tensor
from autograph.functions.reductions.aggregates import argmax, mean
from autograph.functions.type_variables import C
from krnlpy import Buffer, Item, ItemMut, bf16, f16, f32, f64, i32, kernel

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _hits(predicted: Item[i32], classes: Item[C], hits: ItemMut[f32], count: i32) -> None:
    hits = 1.0 if class_index(classes, count) == predicted else 0.0


def accuracy(logits: Tensor, classes: Classes) -> Tensor:
    """The share of rows whose greatest logit is that of the true class: of equal ones the first counts, and NaN is
    greater than all, as for :func:`argmax`.

    Args:
        logits: ``[batch, classes, ...]``, of floats.
        classes: ``[batch, ...]``, as :func:`cross_entropy_loss` takes them; on a device, a class out of range is wrong.

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
    hits = Buffer.empty(targets.shape, f32, logits.device)
    if hits.size:
        _hits(argmax(logits.detach(), 1).buffer, targets.buffer, hits, logits.shape[1])
    return mean(logits.result(hits))
