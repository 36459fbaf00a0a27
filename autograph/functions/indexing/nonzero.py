"""Where elements are not 0."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from autograph.errors import ShapeError
from autograph.functions.launch import reshape_or_copy
from autograph.tensor.base import require_tensor
from krnlpy import Buffer, Item, ItemMut, i32, kernel

from .places import require_countable
from .true_places import true_places

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _coordinate(place: Item[i32], out: ItemMut[i32], step: i32, length: i32) -> None:
    out = place // step % length


def nonzero(x: Tensor) -> tuple[Tensor, ...]:
    """The indices of the elements that are not 0 (or are true), in row-major order: a tensor for each axis.

    Waits for their number, which is the length of the results. Where it is not needed, ``where(x != 0, ...)`` and
    ``x[x != 0] = value`` do without. NaN is not 0.

    Args:
        x: at least one axis, any dtype.

    Returns:
        i32 tensors of one axis; as a key, ``x[nonzero(x)]``, they select these elements.

    Raises:
        ShapeError: a tensor without axes.

    >>> from autograph import Tensor, nonzero
    >>> [i.numpy().tolist() for i in nonzero(Tensor.from_numpy([[0, 7], [5, 0], [0, 1]]))]
    [[0, 1, 2], [1, 0, 1]]
    """
    require_tensor("nonzero", x)
    if not x.ndim:
        raise ShapeError("nonzero of a tensor of shape (): it takes one with at least one axis; compare with != 0")
    require_countable("nonzero", x.size)
    found = Buffer.empty(0, i32, x.device)
    if x.size:
        mask = x.buffer if x.dtype.kind == "bool" else x.buffer.cast(bool)
        found = true_places(reshape_or_copy(mask, (x.size,)))
    if x.ndim == 1:
        return (x.result(found),)
    results = []
    for axis, length in enumerate(x.shape):
        out = Buffer.empty(found.size, i32, x.device)
        if out.size:
            _coordinate(found, out, prod(x.shape[axis + 1 :]), length)
        results.append(x.result(out))
    return tuple(results)
