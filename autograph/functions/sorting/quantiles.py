"""Quantiles along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import TYPE_CHECKING, Any

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.checks import is_number
from autograph.functions.elementwise.comparisons import isnan, where
from autograph.functions.scans.cumulative import axis_of
from autograph.functions.scans.windows import window
from autograph.functions.shapes.joining import stack
from autograph.tensor.base import require_tensor
from krnlpy import f32

from .sorts import sort

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def quantile(x: Tensor, q: float | Sequence[float], axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The element that is greater than a share of all along an axis; between two, what lies on the line through them.

    NaN where there is one. Integers of up to 32 bits give f32.

    Args:
        x: any shape.
        q: the share, from 0 to 1; of several, the results stand along a new first axis.
        axis: counted from the end if negative; None means all elements.
        keepdims: the axis stays, with length 1.

    Raises:
        ShapeError: there is no such axis, or there are no elements.
        DtypeError: ``x`` is not a tensor, or of 64-bit integers.
        AutographError: ``q`` is not a number from 0 to 1, or a sequence of them.

    >>> from autograph import Tensor, quantile
    >>> quantile(Tensor.from_numpy([1.0, 2.0, 4.0, 8.0]), [0.5, 1.0]).numpy().tolist()
    [3.0, 8.0]
    """
    return _quantile("quantile", x, q, axis, keepdims)


def median(x: Tensor, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The middle element along an axis, or the mean of the two in the middle.

    NaN where there is one. Integers of up to 32 bits give f32.

    Args:
        x: any shape.
        axis: counted from the end if negative; None means all elements.
        keepdims: the axis stays, with length 1.

    Raises:
        ShapeError: there is no such axis, or there are no elements.
        DtypeError: ``x`` is not a tensor, or of 64-bit integers.

    >>> from autograph import Tensor, median
    >>> median(Tensor.from_numpy([[1.0, 5.0, 3.0], [4.0, 9.0, 4.5]]), axis=1).numpy().tolist()
    [3.0, 4.5]
    """
    return _quantile("median", x, 0.5, axis, keepdims)


def _quantile(name: str, x: Tensor, q: Any, axis: int | None, keepdims: bool) -> Tensor:
    require_tensor(name, x)
    shares = list(q) if isinstance(q, Sequence) else [q]
    if not shares or not all(is_number(share) and 0 <= share <= 1 for share in shares):
        raise AutographError(f"{name}(q={q!r}): expected a number from 0 to 1, or several")
    if not x.dtype.is_float:
        if x.dtype.size == 8:
            raise DtypeError(f"{name} of {x.dtype}: convert to a float type first, for example tensor.cast(f32)")
        x = x.cast(f32)
    if axis is None:
        kept = (1,) * x.ndim
        x, along = x.reshape(-1), 0
    else:
        along = axis_of(name, x, axis)
        kept = (*x.shape[:along], 1, *x.shape[along + 1 :])
    if not x.shape[along]:
        raise ShapeError(f"{name} of a tensor of shape {x.shape} along axis {along}: there are no elements")
    ordered = sort(x, along)
    results = [_between(ordered, along, share).reshape(kept) for share in shares]
    if not keepdims:
        without = () if axis is None else (*kept[:along], *kept[along + 1 :])
        results = [result.reshape(without) for result in results]
    return stack(results) if isinstance(q, Sequence) else results[0]


def _between(ordered: Tensor, axis: int, share: float) -> Tensor:
    """What is at a share of the way through sorted elements, of which a NaN would be the last."""
    n = ordered.shape[axis]
    place = share * (n - 1)
    below = floor(place)
    result: Tensor = window(ordered, axis, below, 1)
    if place > below:
        result = result * (below + 1 - place) + window(ordered, axis, below + 1, 1) * (place - below)
    last: Tensor = window(ordered, axis, n - 1, 1)
    return where(isnan(last), last, result)
