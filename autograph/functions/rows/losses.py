"""Cross-entropy of rows of logits and their classes, and its gradient."""

from __future__ import annotations

from functools import lru_cache
from math import nan
from typing import Any, Literal, NamedTuple

from autograph.functions.classes import class_index, class_place
from autograph.functions.type_variables import C, T, U
from krnlpy import Buffer, Global, Out, ScalarType, func, i32, kernel
from krnlpy.dsl import exp, log

from .parts import as_rows, launch, parts
from .softmax import power


@func
def _distance(j: Any, x: Any, top: Any, weights: Any) -> Any:
    """How far an element is below the greatest, times its weight."""
    return (top - x[j]) * weights[j] if x[j] != top else 0.0


class _Kernels(NamedTuple):
    losses: Any
    gradient: Any
    weighted: Any
    weighted_gradient: Any


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

    @kernel(unchecked=True)
    def weighted(
        logits: Global[T, Literal[2]],
        classes: Global[C, Literal[2]],
        loss: Out[U, Literal[2]],
        shares: Out[U, Literal[2]],
        tops: Out[U, Literal[2]],
        powers: Out[U, Literal[2]],
        weights: Global[U],
        weight: Global[U],
        smoothing: dtype,  # type: ignore[valid-type]
        is_ignored: i32,
        ignored: i32,
    ) -> None:
        """Of each row its loss, with a part of it to all classes alike, and what it counts for."""
        n = logits.shape[1]
        for row in range(first_row(), logits.shape[0], row_step()):
            top = greatest(n, logits[row])
            whole = total(n, power, logits[row], top)
            below = dtype(0.0)
            if smoothing > 0:
                below = total(n, _distance, logits[row], top, weights)
            if first() == 0:
                place = class_place(classes[row, 0], n, is_ignored, ignored)
                own, share = logits[row, max(place, 0)], weights[max(place, 0)]
                value = (1.0 - smoothing) * share * (log(whole) - (own - top if own != top else dtype(0.0)))
                if smoothing > 0:
                    value += smoothing / n * (weight[0] * log(whole) + below)
                other = dtype(0.0) if place == -2 else dtype(nan)
                loss[row, 0] = value if place >= 0 else other
                shares[row, 0] = share if place >= 0 else other
                tops[row, 0] = top
                powers[row, 0] = whole

    @kernel(unchecked=True)
    def weighted_gradient(
        logits: Global[T, Literal[2]],
        classes: Global[C, Literal[2]],
        tops: Global[U, Literal[2]],
        powers: Global[U, Literal[2]],
        dlosses: Global[U, Literal[2]],
        dlogits: Out[T, Literal[2]],
        weights: Global[U],
        weight: Global[U],
        smoothing: dtype,  # type: ignore[valid-type]
        is_ignored: i32,
        ignored: i32,
    ) -> None:
        n = logits.shape[1]
        spread = smoothing / n
        for row in range(first_row(), logits.shape[0], row_step()):
            place = class_place(classes[row, 0], n, is_ignored, ignored)
            taken = (1.0 - smoothing) * weights[max(place, 0)]
            factor = dlosses[row, 0] if place >= 0 else dtype(nan)
            top, share = tops[row, 0], (taken + spread * weight[0]) / powers[row, 0]
            for j in range(first(), n, step()):
                own = exp(logits[row, j] - top) if logits[row, j] != top else 1.0
                slope = own * share - spread * weights[j] - (taken if j == place else dtype(0.0))
                dlogits[row, j] = slope * factor if place != -2 else dtype(0.0)

    return _Kernels(losses, gradient, weighted, weighted_gradient)


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


class Shares(NamedTuple):
    """How much the loss of a row counts.

    Attributes:
        weights: of the classes.
        weight: their sum.
        smoothing: the share of a row that is given to all classes alike.
        is_ignored: whether there is a class of rows that take no part.
        ignored: that class.
    """

    weights: Buffer
    weight: Buffer
    smoothing: float
    is_ignored: int
    ignored: int


def weighted_losses(logits: Buffer, classes: Buffer, shares: Shares) -> list[Buffer]:
    """Of each row of ``[batch, classes]`` its loss, what it counts for, and as :func:`losses` two parts of it."""
    compute, batch = logits.dtype.compute, logits.shape[0]
    results = [Buffer.empty((batch, 1), compute, logits.device) for _ in range(4)]
    rows = (as_rows(logits, logits.shape[1]), classes.reshape((batch, 1)))
    launch(_kernels(logits.device.is_host, compute).weighted, 3, *rows, *results, numbers=tuple(shares))
    return results


def weighted_gradient(
    logits: Buffer, classes: Buffer, tops: Buffer, powers: Buffer, dlosses: Buffer, shares: Shares
) -> Buffer:
    """The gradient of the logits for that of the losses."""
    batch, n = logits.shape
    out = Buffer.empty(logits.shape, logits.dtype, logits.device)
    rows = (as_rows(logits, n), classes.reshape((batch, 1)), tops, powers, dlosses.reshape((batch, 1)), out)
    made = _kernels(logits.device.is_host, logits.dtype.compute).weighted_gradient
    launch(made, 1, *rows, numbers=tuple(shares))
    return out
