"""Elements and tensors repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autograph.functions.checks import integers, single
from autograph.tensor.base import require_tensor

from .views import broadcast_to, reshape

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
