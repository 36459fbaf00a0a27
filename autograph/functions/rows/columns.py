"""Cross-entropy of logits whose classes are not on the last axis, ``[batch, classes, places]``, and its gradient.

A thread has a block of places, and passes over their classes: neighbours in memory are places, not classes. The host
makes vectors of the places of a block; elsewhere a block is one place, and neighbours have neighbouring threads.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, nan
from typing import Any, Literal, NamedTuple

from autograph.functions.classes import class_place
from autograph.functions.launch import MAX_PASSES, grid_stride, split_rows
from autograph.functions.type_variables import C, T, U
from autograph.tensor.base import Shape
from krnlpy import Buffer, Global, Out, ScalarType, i32, kernel
from krnlpy.dsl import exp, global_id, global_threads, local_array, log

from .losses import Shares

_PLACES = 64
"""Of a block, on the host."""


class _Kernels(NamedTuple):
    losses: Any
    gradient: Any


@lru_cache
def _kernels(size: int, dtype: ScalarType) -> _Kernels:
    @kernel(unchecked=True)
    def losses(
        logits: Global[T, Literal[3]],
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
        n, length = logits.shape[1], logits.shape[2]
        blocks = (length + size - 1) // size
        top, whole, below = local_array(dtype, size), local_array(dtype, size), local_array(dtype, size)
        for item in range(global_id(), logits.shape[0] * blocks, global_threads()):
            row, start = item // blocks, item % blocks * size
            count = min(size, length - start)
            for k in range(count):
                top[k] = dtype(-inf)
                whole[k] = dtype(0.0)
                below[k] = dtype(0.0)
            for c in range(n):
                for k in range(count):
                    top[k] = max(top[k], logits[row, c, start + k])
            for c in range(n):
                for k in range(count):
                    x = logits[row, c, start + k]
                    whole[k] += exp(x - top[k]) if x != top[k] else 1.0
                    below[k] += (top[k] - x) * weights[c] if x != top[k] else 0.0
            for k in range(count):
                place = class_place(classes[row, start + k], n, is_ignored, ignored)
                own, share = logits[row, max(place, 0), start + k], weights[max(place, 0)]
                value = (1.0 - smoothing) * share * (log(whole[k]) - (own - top[k] if own != top[k] else dtype(0.0)))
                if smoothing > 0:
                    value += smoothing / n * (weight[0] * log(whole[k]) + below[k])
                other = dtype(0.0) if place == -2 else dtype(nan)
                loss[row, start + k] = value if place >= 0 else other
                shares[row, start + k] = share if place >= 0 else other
                tops[row, start + k] = top[k]
                powers[row, start + k] = whole[k]

    @kernel(unchecked=True)
    def gradient(
        logits: Global[T, Literal[3]],
        classes: Global[C, Literal[2]],
        tops: Global[U, Literal[2]],
        powers: Global[U, Literal[2]],
        dlosses: Global[U, Literal[2]],
        dlogits: Out[T, Literal[3]],
        weights: Global[U],
        weight: Global[U],
        smoothing: dtype,  # type: ignore[valid-type]
        is_ignored: i32,
        ignored: i32,
    ) -> None:
        n, length = logits.shape[1], logits.shape[2]
        blocks, spread = (length + size - 1) // size, smoothing / n
        places, taken = local_array(i32, size), local_array(dtype, size)
        share, factor, top = local_array(dtype, size), local_array(dtype, size), local_array(dtype, size)
        for item in range(global_id(), logits.shape[0] * blocks, global_threads()):
            row, start = item // blocks, item % blocks * size
            count = min(size, length - start)
            for k in range(count):
                place = class_place(classes[row, start + k], n, is_ignored, ignored)
                places[k] = place
                taken[k] = (1.0 - smoothing) * weights[max(place, 0)]
                share[k] = (taken[k] + spread * weight[0]) / powers[row, start + k]
                factor[k] = dlosses[row, start + k] if place >= 0 else dtype(nan)
                top[k] = tops[row, start + k]
            for c in range(n):
                for k in range(count):
                    x = logits[row, c, start + k]
                    own = exp(x - top[k]) if x != top[k] else 1.0
                    slope = own * share[k] - spread * weights[c] - (taken[k] if c == places[k] else dtype(0.0))
                    dlogits[row, c, start + k] = slope * factor[k] if places[k] != -2 else dtype(0.0)

    return _Kernels(losses, gradient)


def fits_columns(shape: Shape) -> bool:
    """Whether a thread of any device may pass over the classes three times."""
    return 0 not in shape and 3 * shape[1] < MAX_PASSES


def weighted_losses(logits: Buffer, classes: Buffer, shares: Shares) -> list[Buffer]:
    """Of each place of ``[batch, classes, places]`` its loss, what it counts for, its greatest logit, and the sum of
    exponentials of logits less that: ``[batch, places]`` each."""
    batch, n, length = logits.shape
    results = [Buffer.empty((batch, length), logits.dtype.compute, logits.device) for _ in range(4)]
    _launch("losses", 2 * n, logits, classes, *results, numbers=tuple(shares))
    return results


def weighted_gradient(
    logits: Buffer, classes: Buffer, tops: Buffer, powers: Buffer, dlosses: Buffer, shares: Shares
) -> Buffer:
    """The gradient of the logits for that of the losses."""
    out = Buffer.empty(logits.shape, logits.dtype, logits.device)
    _launch("gradient", logits.shape[1], logits, classes, tops, powers, dlosses, out, numbers=tuple(shares))
    return out


def _launch(name: str, passes: int, *buffers: Buffer, numbers: tuple[Any, ...]) -> None:
    device = buffers[0].device
    size = _PLACES if device.is_host else 1
    made = getattr(_kernels(size, buffers[0].dtype.compute), name)
    for some in split_rows(*buffers):
        blocks = some[0].shape[0] * -(-some[0].shape[2] // size)
        bound = grid_stride(made, blocks) if device.is_host else grid_stride(made, blocks, passes + 4)
        bound(*some, *numbers)
