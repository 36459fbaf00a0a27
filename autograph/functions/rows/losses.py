"""Cross-entropy of rows of logits and their classes, and its gradient."""

from __future__ import annotations

from functools import lru_cache
from math import nan
from typing import Any, Literal, NamedTuple

from autograph.functions.classes import class_index
from autograph.functions.type_variables import C, T, U
from krnlpy import Buffer, Global, Out, ScalarType, kernel
from krnlpy.dsl import exp, log

from .parts import as_rows, launch, parts
from .softmax import power


class _Kernels(NamedTuple):
    losses: Any
    gradient: Any


@lru_cache
def _kernels(is_host: bool, dtype: ScalarType) -> _Kernels:
    first_row, row_step, first, step, total, greatest = parts(is_host, dtype)

    @kernel(unchecked=True)
    def losses(
        logits: Global[T, Literal[2]],
        classes: Global[C, Literal[2]],
        loss: Out[U, Literal[2]],
        tops: Out[U, Literal[2]],
        powers: Out[U, Literal[2]],
        scale: dtype,  # type: ignore[valid-type]
    ) -> None:
        n = logits.shape[1]
        for row in range(first_row(), logits.shape[0], row_step()):
            top = greatest(n, logits[row])
            whole = total(n, power, logits[row], top)
            if first() == 0:
                index = class_index(classes[row, 0], n)
                own = logits[row, max(index, 0)]
                # The greatest and the logarithm are never added: a great one would leave no digits for the logarithm.
                value = (log(whole) - (own - top if own != top else dtype(0.0))) * scale
                loss[row, 0] = value if index >= 0 else dtype(nan)
                tops[row, 0] = top
                powers[row, 0] = whole

    @kernel(unchecked=True)
    def gradient(
        logits: Global[T, Literal[2]],
        classes: Global[C, Literal[2]],
        tops: Global[U, Literal[2]],
        powers: Global[U, Literal[2]],
        dlogits: Out[T, Literal[2]],
        dy: Global[U],
        scale: dtype,  # type: ignore[valid-type]
    ) -> None:
        """``softmax(row) - one_hot(class)``, times the gradient of the loss."""
        n = logits.shape[1]
        for row in range(first_row(), logits.shape[0], row_step()):
            index = class_index(classes[row, 0], n)
            factor = scale * dy[0] if index >= 0 else dtype(nan)
            top, share = tops[row, 0], 1.0 / powers[row, 0]
            for j in range(first(), n, step()):
                # The powers that were summed, so that rows sum to 0.
                own = exp(logits[row, j] - top) if logits[row, j] != top else 1.0
                dlogits[row, j] = (own * share - dtype(1.0 if j == index else 0.0)) * factor

    return _Kernels(losses, gradient)


def losses(logits: Buffer, classes: Buffer, scale: float) -> tuple[Buffer, Buffer, Buffer]:
    """Of each row of ``[batch, classes]`` its loss, times a scale; its greatest logit, and the sum of exponentials of
    logits less that: ``[batch, 1]`` each."""
    compute, batch = logits.dtype.compute, logits.shape[0]
    results = [Buffer.empty((batch, 1), compute, logits.device) for _ in range(3)]
    rows = (as_rows(logits, logits.shape[1]), classes.reshape((batch, 1)))
    launch(_kernels(logits.device.is_host, compute).losses, 2, *rows, *results, numbers=(scale,))
    loss, tops, powers = results
    return loss, tops, powers


def gradient(logits: Buffer, classes: Buffer, tops: Buffer, powers: Buffer, dy: Buffer, scale: float) -> Buffer:
    """The gradient of the logits for that of the sum of the losses, a number."""
    batch, n = logits.shape
    out = Buffer.empty(logits.shape, logits.dtype, logits.device)
    rows = (as_rows(logits, n), classes.reshape((batch, 1)), tops, powers, out)
    made = _kernels(logits.device.is_host, logits.dtype.compute).gradient
    launch(made, 1, *rows, numbers=(dy.reshape((1,)), scale))
    return out
