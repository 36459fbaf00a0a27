"""Sums of exponentials, and shares of them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable, saved
from autograph.errors import DtypeError
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.reducers.reducer import axes_of
from autograph.functions.reducers.sums import sum as sum_of
from autograph.functions.rows import softmax as rows
from autograph.functions.rows.parts import fits_rows
from autograph.tensor.base import recording, require_tensor
from krnlpy import dsl

from . import states
from .aggregates import Axes
from .aggregates import max as max_of
from .operation import Reduction

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_exponentials = Reduction(states.exponential, None, None, (0,), None, "logsumexp")
_products = Reduction(states.product, None, None, (0,), None, "softmax")


@elementwise
def _with_logarithm(top: Any, total: Any) -> Any:
    return top + dsl.log(total)


@elementwise
def _share(x: Any, y: Any, dy: Any) -> Any:
    return dy * dsl.exp(x - y)


@elementwise
def _quotient(x: Any, top: Any, total: Any) -> Any:
    return states.exponential(x, top) / total


@elementwise
def _softmax_gradient(y: Any, dy: Any, mean: Any) -> Any:
    return y * (dy - mean)


@elementwise
def _log_quotient(x: Any, top: Any, total: Any) -> Any:
    return x - top - dsl.log(total)


@elementwise
def _log_softmax_gradient(y: Any, dy: Any, total: Any) -> Any:
    return dy - total * dsl.exp(y)


def logsumexp(x: Tensor, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` over an axis, several, or all, without overflow; ``-inf`` of no elements.

    Args:
        x: any shape, of floats.
        axis: counted from the end if negative; None means all axes.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is not a tensor, or not of floats.

    >>> from autograph import Tensor, logsumexp
    >>> logsumexp(Tensor.from_numpy([1000.0, 1000.0])).numpy().round(4).item()
    1000.6931
    """
    require_tensor("logsumexp", x)
    axes = axes_of("logsumexp", x, axis)
    result = _logsumexp(x, axes)
    return result if keepdims else result.reshape(tuple(n for a, n in enumerate(x.shape) if a not in axes))


def _logsumexp(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The result, with axes of length 1."""
    _require_floats("logsumexp", x)
    if not prod(x.shape[a] for a in axes):
        return sum_of(x, axes, keepdims=True) - float("inf")
    if fits_rows(x.shape, axes):
        value: Tensor = x.result(rows.logsumexp(x.buffer, axes))
    else:
        value = _with_logarithm(*greatest_and_powers(x.detach(), axes)).cast(x.dtype)
    kept, result = saved(x), value.detach()

    def gradient(dy: Tensor) -> Any:
        # Where the gradient is derived again, so is the result in it.
        return _share(kept, _logsumexp(kept, axes) if recording.on else result, dy)

    return differentiable(value, [(x, gradient)], higher_order=True)


def greatest_and_powers(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The greatest element of one that is not recorded, and the sum of exponentials of elements less that, over axes
    that stay, with length 1; both in the type of computation."""
    top = max_of(x, axes, keepdims=True).cast(x.dtype.compute)
    return top, _exponentials(x, top, axis=axes, keepdims=True)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """``exp(x)`` divided by its sum along an axis, without overflow.

    Args:
        x: any shape, of floats.
        axis: counted from the end if negative.

    Raises:
        ShapeError: there is no such axis.
        DtypeError: ``x`` is not a tensor, or not of floats.

    >>> from autograph import Tensor, softmax
    >>> softmax(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.2689, 0.7311]
    """
    axes, in_rows = _one_axis("softmax", x, axis)
    if in_rows:
        value: Tensor = x.result(rows.softmax(x.buffer))
    else:
        value = (
            x.detach() if not x.size else _quotient(x.detach(), *greatest_and_powers(x.detach(), axes)).cast(x.dtype)
        )
    kept, result = saved(x), value.detach()

    def gradient(dy: Tensor) -> Any:
        if in_rows and not recording.on:
            return dy.result(rows.softmax_gradient(result.buffer, dy.buffer))
        y = softmax(kept, axis) if recording.on else result
        return _softmax_gradient(y, dy, _products(y, dy, axis=axes, keepdims=True))

    return differentiable(value, [(x, gradient)], higher_order=True)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """The logarithm of :func:`softmax`, without overflow.

    Args:
        x: any shape, of floats.
        axis: counted from the end if negative.

    Raises:
        ShapeError: there is no such axis.
        DtypeError: ``x`` is not a tensor, or not of floats.

    >>> from autograph import Tensor, log_softmax
    >>> log_softmax(Tensor.from_numpy([0.0, 1000.0])).numpy().tolist()
    [-1000.0, 0.0]
    """
    axes, in_rows = _one_axis("log_softmax", x, axis)
    if in_rows:
        value: Tensor = x.result(rows.log_softmax(x.buffer))
    else:
        value = (
            x.detach()
            if not x.size
            else _log_quotient(x.detach(), *greatest_and_powers(x.detach(), axes)).cast(x.dtype)
        )
    kept, result = saved(x), value.detach()

    def gradient(dy: Tensor) -> Any:
        if in_rows and not recording.on:
            return dy.result(rows.log_softmax_gradient(result.buffer, dy.buffer))
        y = log_softmax(kept, axis) if recording.on else result
        return _log_softmax_gradient(y, dy, sum_of(dy, axes, keepdims=True))

    return differentiable(value, [(x, gradient)], higher_order=True)


def _one_axis(name: str, x: Tensor, axis: int) -> tuple[tuple[int, ...], bool]:
    """The axis, and whether there are rows along it."""
    require_tensor(name, x)
    axes = axes_of(name, x, axis)
    if len(axes) != 1:
        raise DtypeError(f"{name} over axis={axis!r}: expected one axis")
    _require_floats(name, x)
    return axes, fits_rows(x.shape, axes)


def _require_floats(name: str, x: Tensor) -> None:
    if not x.dtype.is_float:
        raise DtypeError(f"{name} of {x.dtype}: convert to a float type first, for example tensor.cast(f32)")
