"""How many rows of logits are right."""

from __future__ import annotations

from typing import Literal

from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Global, Out, bf16, f16, f32, i32, kernel, u32
from krnlpy.dsl import global_id, global_threads

from .checks import require_dtype
from .classes import Classes, class_tensor
from .launch import longest, over, parts
from .reductions import reduce_axes
from .type_variables import C, F


@kernel(unchecked=True)
def _hits(logits: Global[F, Literal[2]], classes: Global[C], hits: Out[u32, Literal[2]]) -> None:
    """A thread has a row, or one of the pieces of a long one, of which all must be right."""
    pieces = hits.shape[1]
    size = (logits.shape[1] + pieces - 1) // pieces
    for item in range(global_id(), hits.size, global_threads()):
        row = item // pieces
        first = item % pieces * size
        label = i32(classes[row])
        right = 0
        if C(label) == classes[row] and 0 <= label < logits.shape[1]:
            right = 1
            for j in range(first, min(first + size, logits.shape[1])):
                # A comparison with NaN is false, so that NaN is never right.
                if (j < label or j > label) and not logits[row, label] > logits[row, j]:
                    right = 0
        hits[row, item % pieces] = u32(right)


@kernel(unchecked=True)
def _all_pieces(hits: Global[u32, Literal[2]], out: Out[u32]) -> None:
    for row in range(global_id(), out.size, global_threads()):
        right = u32(1)
        for piece in range(hits.shape[1]):
            right = min(right, hits[row, piece])
        out[row] = right


def accuracy(logits: Tensor, classes: Classes) -> Tensor:
    """The count of rows whose greatest logit is that of the true class; ties and NaN are wrong.

    Args:
        logits: ``[batch, classes]``, f16, bf16 or f32.
        classes: ``[batch]``, as :func:`autograph.functions.losses.cross_entropy_loss` takes them; on a device, a
            class out of range is wrong.

    Returns:
        The count, u32 of shape ``()``, on the device.

    Raises:
        ShapeError, DtypeError, DeviceError: see :func:`autograph.functions.classes.class_tensor`.
    """
    require_dtype("accuracy", logits, f16, bf16, f32)
    targets = class_tensor("accuracy", logits, classes)
    rows, count = logits.shape
    pieces = max(1, -(-count // longest(logits.device)))
    hits = Buffer.empty((rows, pieces), u32, logits.device)
    if hits.size:
        for some, labels, part in parts(logits.buffer, targets.buffer, hits):
            over(_hits, part.size, -(-count // pieces))(some, labels, part)
    if pieces > 1 and rows:
        whole = Buffer.empty((rows, 1), u32, logits.device)
        over(_all_pieces, rows, pieces)(hits, whole.reshape((rows,)))
        hits = whole
    return Tensor(reduce_axes(hits.reshape((rows,)), (0,), u32))
