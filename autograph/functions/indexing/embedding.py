"""Rows of a table by their numbers."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable
from autograph.errors import ShapeError
from autograph.functions.checks import require_ndim

from .along_axes import Indices, take

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def embedding(weight: Tensor, indices: Indices, padding_index: int | None = None) -> Tensor:
    """The rows of a table at indices, such as the vectors of words.

    Args:
        weight: ``[count, features]``.
        indices: whole numbers of any shape, as :func:`take` takes them.
        padding_index: the row of what only fills up sequences: no gradient goes to it.

    Returns:
        ``[*indices.shape, features]``.

    Raises:
        ShapeError: ``weight`` is not a table, or an index is out of range.
        DtypeError: the indices are not whole numbers.
        DeviceError: the indices are a tensor on another device.

    >>> from autograph import Tensor, embedding
    >>> table = Tensor.from_numpy([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
    >>> embedding(table, [[1, 2], [2, 0]], padding_index=0).numpy().tolist()
    [[[1.0, 2.0], [3.0, 4.0]], [[3.0, 4.0], [0.0, 0.0]]]
    """
    require_ndim("embedding", "weight", weight, "[count, features]")
    if padding_index is None:
        return take(weight, indices, 0)
    return take(_without_gradient(weight, _row("embedding", weight, padding_index)), indices, 0)


def _row(operation: str, weight: Tensor, given: Any) -> int:
    count = weight.shape[0]
    try:
        row = operator.index(given)
    except TypeError:
        row = count
    if not -count <= row < count:
        raise ShapeError(f"{operation}: padding_index={given!r} of a table of {count} rows: expected one of them")
    return row


def _without_gradient(weight: Tensor, row: int) -> Tensor:
    """The same table; the gradient of one row is 0."""
    return differentiable(weight.detach(), [(weight, lambda dy: _with_zeros(dy, row))], higher_order=True)


def _with_zeros(x: Tensor, row: int) -> Tensor:
    out = x.buffer.copy()
    out[row].fill(0)
    return differentiable(x.result(out), [(x, lambda dy: _with_zeros(dy, row))], higher_order=True)
