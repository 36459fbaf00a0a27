"""Shares of exponentials along rows, their logarithms, and the gradients of both."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Literal, NamedTuple

from autograph.functions.type_variables import T
from krnlpy import Buffer, Global, GlobalMut, Out, ScalarType, func, kernel
from krnlpy.dsl import exp, log

from .parts import as_rows, launch, parts


class _Kernels(NamedTuple):
    softmax: Any
    log_softmax: Any
    logsumexp: Any
    softmax_gradient: Any
    log_softmax_gradient: Any


@func
def power(j: Any, x: Any, top: Any) -> Any:
    """The exponential of an element less the greatest."""
    # Equal ones, infinite ones too, are not subtracted.
    return exp(x[j] - top) if x[j] != top else 1.0


@func
def _kept_power(j: Any, x: Any, top: Any, y: Any) -> Any:
    kept = power(j, x, top)
    y[j] = kept
    return kept


@func
def _product(j: Any, x: Any, y: Any) -> Any:
    return x[j] * y[j]


@func
def _element(j: Any, x: Any) -> Any:
    return x[j]


@lru_cache
def _kernels(is_host: bool, dtype: ScalarType) -> _Kernels:
    first_row, row_step, first, step, total, greatest = parts(is_host, dtype.compute)

    @kernel(unchecked=True)
    def softmax(x: Global[T, Literal[2]], y: GlobalMut[T, Literal[2]]) -> None:
        n = x.shape[1]
        for row in range(first_row(), x.shape[0], row_step()):
            top = greatest(n, x[row])
            scale = 1.0 / total(n, _kept_power, x[row], top, y[row])
            for j in range(first(), n, step()):
                y[row, j] = y[row, j] * scale

    @kernel(unchecked=True)
    def softmax_narrow(x: Global[T, Literal[2]], y: Out[T, Literal[2]]) -> None:
        """Powers are not kept, which would round them."""
        n = x.shape[1]
        for row in range(first_row(), x.shape[0], row_step()):
            top = greatest(n, x[row])
            scale = 1.0 / total(n, power, x[row], top)
            for j in range(first(), n, step()):
                y[row, j] = power(j, x[row], top) * scale

    @kernel(unchecked=True)
    def log_softmax(x: Global[T, Literal[2]], y: Out[T, Literal[2]]) -> None:
        n = x.shape[1]
        for row in range(first_row(), x.shape[0], row_step()):
            top = greatest(n, x[row])
            low = log(total(n, power, x[row], top))
            for j in range(first(), n, step()):
                y[row, j] = (x[row, j] - top if x[row, j] != top else 0.0) - low

    @kernel(unchecked=True)
    def logsumexp(x: Global[T, Literal[2]], y: GlobalMut[T, Literal[2]]) -> None:
        n = x.shape[1]
        for row in range(first_row(), x.shape[0], row_step()):
            top = greatest(n, x[row])
            value = top + log(total(n, power, x[row], top))
            if first() == 0:
                y[row, 0] = value

    @kernel(unchecked=True)
    def softmax_gradient(y: Global[T, Literal[2]], dy: Global[T, Literal[2]], dx: Out[T, Literal[2]]) -> None:
        n = y.shape[1]
        for row in range(first_row(), y.shape[0], row_step()):
            mean = total(n, _product, y[row], dy[row])
            for j in range(first(), n, step()):
                dx[row, j] = y[row, j] * (dy[row, j] - mean)

    @kernel(unchecked=True)
    def log_softmax_gradient(y: Global[T, Literal[2]], dy: Global[T, Literal[2]], dx: Out[T, Literal[2]]) -> None:
        n = y.shape[1]
        for row in range(first_row(), y.shape[0], row_step()):
            whole = total(n, _element, dy[row])
            for j in range(first(), n, step()):
                dx[row, j] = dy[row, j] - whole * exp(y[row, j])

    keeps = dtype is dtype.compute
    return _Kernels(
        softmax if keeps else softmax_narrow, log_softmax, logsumexp, softmax_gradient, log_softmax_gradient
    )


def softmax(x: Buffer) -> Buffer:
    """Softmax along the last axis."""
    return _mapped("softmax", 3, x)


def log_softmax(x: Buffer) -> Buffer:
    """The logarithm of softmax along the last axis."""
    return _mapped("log_softmax", 3, x)


def softmax_gradient(y: Buffer, dy: Buffer) -> Buffer:
    """The gradient of what softmax gave, for that of its result."""
    return _mapped("softmax_gradient", 2, y, dy)


def log_softmax_gradient(y: Buffer, dy: Buffer) -> Buffer:
    """The gradient of what log_softmax gave, for that of its result."""
    return _mapped("log_softmax_gradient", 2, y, dy)


def logsumexp(x: Buffer, axes: tuple[int, ...]) -> Buffer:
    """The logarithm of the sum of exponentials along the last axes, which have length 1 then."""
    kept = x.shape[: axes[0]]
    rows = as_rows(x, x.size // prod(kept))
    y = Buffer.empty((rows.shape[0], 1), x.dtype, x.device)
    launch(_kernels(x.device.is_host, x.dtype).logsumexp, 2, rows, y)
    return y.reshape((*kept, *(1 for _ in axes)))


def _mapped(name: str, passes: int, *buffers: Buffer) -> Buffer:
    first = buffers[0]
    out = Buffer.empty(first.shape, first.dtype, first.device)
    n = first.shape[-1]
    rows = [as_rows(buffer, n) for buffer in (*buffers, out)]
    launch(getattr(_kernels(first.device.is_host, first.dtype), name), passes, *rows)
    return out
