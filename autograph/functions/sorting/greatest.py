"""The greatest elements along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from autograph.errors import ShapeError
from autograph.functions.checks import single
from autograph.functions.scans.cumulative import axis_of
from autograph.tensor.base import require_tensor

from .best import best_of
from .keys import keys_of
from .places import as_rows, of_rows, taken

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


class TopK(NamedTuple):
    """The greatest (or smallest) elements along an axis, and their places on it as i32."""

    values: Tensor
    indices: Tensor


def topk(x: Tensor, k: int, axis: int = -1, *, largest: bool = True) -> TopK:
    """The k greatest elements along an axis, the greatest first, and their places; of equal ones the first first.

    NaN is behind all others, also of the greatest. The gradient goes back to where the elements came from.

    Args:
        x: any shape and dtype.
        k: how many; at most as many as the axis has.
        axis: counted from the end if negative.
        largest: False gives the smallest, the smallest first.

    Returns:
        ``values`` and ``indices``, the latter i32.

    Raises:
        ShapeError: there is no such axis, or it has fewer than k elements.
        LimitExceeded: the axis has more elements than kernels of the device reach.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, topk
    >>> values, indices = topk(Tensor.from_numpy([3, 1, 2]), 2)
    >>> values.numpy().tolist(), indices.numpy().tolist()
    ([3, 2], [0, 2])
    """
    require_tensor("topk", x)
    along, count = axis_of("topk", x, axis), single("k", k, 0)
    if count > x.shape[along]:
        raise ShapeError(f"topk of k={count} along axis {axis} of a tensor of shape {x.shape}: it has fewer elements")
    places = best_of(keys_of(as_rows(x.buffer, along), descending=largest), count)
    shape = (*x.shape[:along], count, *x.shape[along + 1 :])
    return TopK(taken(x, places, along), x.result(of_rows(places, shape, along)))
