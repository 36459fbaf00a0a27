"""Elements and tensors repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import DtypeError, ShapeError
from autograph.tensor.base import TensorBase, require_tensor

from .checks import axis_within, integers, single
from .indexing.along_axes import take
from .shapes.views import broadcast_to, reshape

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def tile(x: Tensor, repetitions: Sequence[int], /) -> Tensor:
    """The tensor repeated beside itself along each axis.

    Args:
        x: any tensor.
        repetitions: how often along each axis. Where they are more than the axes, axes are added in front; where they
            are fewer, they are those of the last axes.

    Raises:
        ShapeError: a number is below 0, or none.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import asarray, tile
    >>> tile(asarray([1, 2]), (2, 2)).numpy().tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    require_tensor("tile", x)
    times = tuple(single("repetitions", n, 0) for n in integers((repetitions,)))
    ndim = max(len(times), x.ndim)
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - x.ndim) + x.shape
    apart = tuple(length for n in shape for length in (1, n))
    repeated = tuple(length for pair in zip(times, shape, strict=True) for length in pair)
    whole = tuple(r * n for r, n in zip(times, shape, strict=True))
    return reshape(broadcast_to(reshape(x, apart), repeated), whole)


def repeat(x: Tensor, repeats: int | Tensor | Sequence[int], /, *, axis: int | None = None) -> Tensor:
    """Each element, or what lies at each place of an axis, repeated next to itself.

    Args:
        x: any tensor.
        repeats: how often: a number for all; or a number for each, as a tensor or a sequence of whole numbers. A
            tensor's are waited for: the shape of the result depends on them.
        axis: counted from the end if negative; None repeats the elements in row-major order.

    Raises:
        ShapeError: there is no such axis, or a number is below 0, or they are not as many as the axis has places.
        DtypeError: ``x`` is no tensor, or the numbers are not whole ones.

    >>> from autograph import asarray, repeat
    >>> repeat(asarray([1, 2]), 2).numpy().tolist(), repeat(asarray([1, 2]), [3, 1]).numpy().tolist()
    ([1, 1, 2, 2], [1, 1, 1, 2])
    """
    require_tensor("repeat", x)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    place = axis_within("repeat", axis, x.ndim)
    counts = _counts(repeats)
    n = x.shape[place]
    before, after = x.shape[:place], x.shape[place + 1 :]
    if counts.size == 1:
        count = int(counts.reshape(())[()])
        apart = broadcast_to(reshape(x, (*before, n, 1, *after)), (*before, n, count, *after))
        return reshape(apart, (*before, n * count, *after))
    if counts.shape != (n,):
        raise ShapeError(f"repeat of shape {x.shape} along axis {place} by {counts.shape} numbers: expected ({n},)")
    return take(x, np.repeat(np.arange(n), counts.astype(np.int64)), axis=place)


def _counts(given: Any) -> np.ndarray[Any, Any]:
    try:
        counts = given.numpy() if isinstance(given, TensorBase) else np.asarray(given)
    except ValueError:
        raise ShapeError(f"repeat by {given!r}: expected whole numbers along one axis") from None
    if counts.dtype.kind not in "iu" and counts.size:
        raise DtypeError(f"repeat by {counts.dtype}: expected whole numbers")
    if counts.size and counts.min() < 0:
        raise ShapeError(f"repeat by {int(counts.min())}: expected numbers of at least 0")
    return counts
