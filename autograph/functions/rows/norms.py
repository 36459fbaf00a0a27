"""Rows less their mean, divided by their deviation, and the gradient of that."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

from autograph.functions.launch import split_rows
from autograph.functions.reducers.sums import sum_axes, sum_buffers
from autograph.functions.type_variables import T, U
from krnlpy import Buffer, Global, GlobalMut, Out, ScalarType, func, i32, kernel
from krnlpy.dsl import sqrt

from .parts import as_rows, launch, parts, rows_of_thread


class _Kernels(NamedTuple):
    normalize: Any
    gradient: Any
    gradients: Any


_ROWS = 16
"""Rows whose sums a thread or subgroup makes, at most: few enough that many take part."""


@func
def _element(j: Any, x: Any) -> Any:
    return x[j]


@func
def _square(j: Any, x: Any, mean: Any) -> Any:
    rest = x[j] - mean
    return rest * rest


@func
def _weighted(j: Any, dy: Any, weight: Any) -> Any:
    return dy[j] * weight[j]


@func
def _weighted_rest(j: Any, dy: Any, weight: Any, x: Any, mean: Any) -> Any:
    return dy[j] * weight[j] * (x[j] - mean)


@lru_cache
def _kernels(is_host: bool, dtype: ScalarType, centers: bool) -> _Kernels:
    first_row, row_step, first, step, total, _ = parts(is_host, dtype)

    @kernel(unchecked=True)
    def normalize(
        x: Global[T, Literal[2]],
        y: Out[T, Literal[2]],
        means: Out[U, Literal[2]],
        scales: Out[U, Literal[2]],
        weight: Global[T],
        bias: Global[T],
        epsilon: dtype,  # type: ignore[valid-type]
    ) -> None:
        n = x.shape[1]
        for row in range(first_row(), x.shape[0], row_step()):
            mean = total(n, _element, x[row]) / n if centers else dtype(0.0)
            scale = 1.0 / sqrt(total(n, _square, x[row], mean) / n + epsilon)
            if first() == 0:
                means[row, 0] = mean
                scales[row, 0] = scale
            for j in range(first(), n, step()):
                y[row, j] = (x[row, j] - mean) * scale * weight[j] + bias[j]

    @kernel(unchecked=True)
    def gradient(
        x: Global[T, Literal[2]],
        dy: Global[T, Literal[2]],
        means: Global[U, Literal[2]],
        scales: Global[U, Literal[2]],
        dx: Out[T, Literal[2]],
        weight: Global[T],
    ) -> None:
        """``scale * (g - mean(g) - rest * mean(g * rest))`` with ``g`` and ``rest`` for what is weighted and normal."""
        n = x.shape[1]
        for row in range(first_row(), x.shape[0], row_step()):
            mean, scale = means[row, 0], scales[row, 0]
            of_mean = total(n, _weighted, dy[row], weight) / n if centers else dtype(0.0)
            of_scale = total(n, _weighted_rest, dy[row], weight, x[row], mean) / n * scale * scale
            for j in range(first(), n, step()):
                dx[row, j] = scale * (dy[row, j] * weight[j] - of_mean - (x[row, j] - mean) * of_scale)

    @kernel(unchecked=True)
    def gradients(
        x: Global[T, Literal[2]],
        dy: Global[T, Literal[2]],
        means: Global[U, Literal[2]],
        scales: Global[U, Literal[2]],
        dx: Out[T, Literal[2]],
        of_weight: GlobalMut[U, Literal[2]],
        of_bias: GlobalMut[U, Literal[2]],
        weight: Global[T],
        count: i32,
    ) -> None:
        """The same, and for some rows the sums that are the gradients of weight and bias."""
        n = x.shape[1]
        for block in range(first_row(), of_weight.shape[0], row_step()):
            for j in range(first(), n, step()):
                of_weight[block, j] = dtype(0.0)
                of_bias[block, j] = dtype(0.0)
            for row in range(block * count, min(block * count + count, x.shape[0])):
                mean, scale = means[row, 0], scales[row, 0]
                of_mean = total(n, _weighted, dy[row], weight) / n if centers else dtype(0.0)
                of_scale = total(n, _weighted_rest, dy[row], weight, x[row], mean) / n * scale * scale
                for j in range(first(), n, step()):
                    dx[row, j] = scale * (dy[row, j] * weight[j] - of_mean - (x[row, j] - mean) * of_scale)
                    of_weight[block, j] += dy[row, j] * ((x[row, j] - mean) * scale)
                    of_bias[block, j] += dy[row, j]

    return _Kernels(normalize, gradient, gradients)


def normalize(
    x: Buffer, n: int, weight: Buffer | None, bias: Buffer | None, epsilon: float, centers: bool
) -> tuple[Buffer, Buffer, Buffer]:
    """Rows of ``n`` elements, each less the mean (if it ``centers``), divided by the root of the mean square and
    ``epsilon``, times a weight, plus a bias; and the means and reciprocal roots, ``[rows, 1]``."""
    out, compute = Buffer.empty(x.shape, x.dtype, x.device), x.dtype.compute
    rows = as_rows(x, n)
    means, scales = (Buffer.empty((rows.shape[0], 1), compute, x.device) for _ in range(2))
    weights = Buffer.ones(n, x.dtype, x.device) if weight is None else weight.reshape((n,))
    biases = Buffer.zeros(n, x.dtype, x.device) if bias is None else bias.reshape((n,))
    made = _kernels(x.device.is_host, compute, centers).normalize
    numbers = (weights, biases, epsilon)
    launch(made, 3 if centers else 2, rows, as_rows(out, n), means, scales, numbers=numbers)
    return out, means, scales


def gradient(x: Buffer, dy: Buffer, weight: Buffer | None, means: Buffer, scales: Buffer, centers: bool) -> Buffer:
    """The gradient of ``x`` for that of the rows that :func:`normalize` gave."""
    n = x.size // means.shape[0]
    out = Buffer.empty(x.shape, x.dtype, x.device)
    weights = Buffer.ones(n, x.dtype, x.device) if weight is None else weight.reshape((n,))
    made = _kernels(x.device.is_host, x.dtype.compute, centers).gradient
    rows = (as_rows(x, n), as_rows(dy, n), means, scales, as_rows(out, n))
    launch(made, 3 if centers else 2, *rows, numbers=(weights,))
    return out


def gradients(
    x: Buffer, dy: Buffer, weight: Buffer | None, means: Buffer, scales: Buffer, centers: bool
) -> tuple[Buffer, Buffer, Buffer]:
    """The gradients of ``x``, and of weight and bias, ``[n]``."""
    n, compute = x.size // means.shape[0], x.dtype.compute
    out = Buffer.empty(x.shape, x.dtype, x.device)
    weights = Buffer.ones(n, x.dtype, x.device) if weight is None else weight.reshape((n,))
    made = _kernels(x.device.is_host, compute, centers).gradients
    parts: list[list[Buffer]] = [[], []]
    count = min(_ROWS, rows_of_thread(x.device, n, 5))
    for some in split_rows(as_rows(x, n), as_rows(dy, n), means, scales, as_rows(out, n)):
        sums = [Buffer.empty((-(-some[0].shape[0] // count), n), compute, x.device) for _ in range(2)]
        launch(made, 5 * count, *sums, before=some, numbers=(weights, count))
        for part, total in zip(parts, sums, strict=True):
            part.append(sum_axes(total, (0,), compute))
    of_weight, of_bias = (part[0] if len(part) == 1 else sum_buffers(part) for part in parts)
    return out, of_weight, of_bias
