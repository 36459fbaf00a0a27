"""Diagonals of matrices, and what lies on one side of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable
from autograph.errors import ShapeError
from autograph.functions.checks import integers
from autograph.functions.reducers.sums import sum as sum_of
from autograph.functions.sequences import places
from autograph.functions.type_variables import T
from autograph.tensor.base import Shape, require_tensor
from krnlpy import Buffer, DTypeLike, Item, ItemMut, i32, kernel

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _below(x: Item[T], row: Item[i32], column: Item[i32], above: i32, y: ItemMut[T]) -> None:
    y = x if column - row <= above else T(0)


@kernel
def _above(x: Item[T], row: Item[i32], column: Item[i32], above: i32, y: ItemMut[T]) -> None:
    y = x if column - row >= above else T(0)


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The lower triangle of each matrix of a stack, and zeros above it.

    Args:
        x: of at least two axes.
        k: the highest diagonal that stays: above 0 one above the main one.

    Raises:
        ShapeError: ``x`` has fewer axes, or ``k`` is no whole number.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import ones, tril
    >>> tril(ones((3, 3), "i32"), k=-1).numpy().tolist()
    [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    """
    return _triangle("tril", _below, x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The upper triangle of each matrix of a stack, and zeros below it.

    Args:
        x: of at least two axes.
        k: the lowest diagonal that stays: above 0 one above the main one.

    Raises:
        ShapeError: ``x`` has fewer axes, or ``k`` is no whole number.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import ones, triu
    >>> triu(ones((3, 3), "i32")).numpy().tolist()
    [[1, 1, 1], [0, 1, 1], [0, 0, 1]]
    """
    return _triangle("triu", _above, x, k)


def _triangle(operation: str, kernel: Any, x: Tensor, k: int) -> Tensor:
    _require_matrices(operation, x)
    above = _place(x.shape, k)
    result = Buffer.empty(x.shape, x.dtype, x.device)
    if result.size:
        rows, columns = (places(n, x.device) for n in x.shape[-2:])
        row, column = rows.reshape((-1, 1)).broadcast_to(x.shape), columns.broadcast_to(x.shape)
        kernel(x.buffer, row, column, above, result)
    return differentiable(
        x.result(result), [(x, lambda gradient: _triangle(operation, kernel, gradient, above))], higher_order=True
    )


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """A diagonal of each matrix of a stack, as the last axis. A view.

    Args:
        x: of at least two axes; the last two are those of matrices.
        offset: which: above 0 one that lies above the main one.

    Raises:
        ShapeError: ``x`` has fewer axes, or ``offset`` is no whole number.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import asarray, diagonal
    >>> x = asarray([[1, 2, 3], [4, 5, 6]])
    >>> diagonal(x).numpy().tolist(), diagonal(x, offset=1).numpy().tolist()
    ([1, 5], [2, 6])
    """
    _require_matrices("diagonal", x)
    above, source = _place(x.shape, offset), x.shape
    value = x.view(lambda buffer: buffer.diagonal(above))
    return differentiable(value, [(x, lambda gradient: _on_diagonal(gradient, source, above))], higher_order=True)


def trace(x: Tensor, /, *, offset: int = 0, dtype: DTypeLike | None = None) -> Tensor:
    """The sum of a diagonal of each matrix of a stack.

    Args:
        x: of at least two axes; the last two are those of matrices.
        offset: which diagonal: above 0 one that lies above the main one.
        dtype: to which the elements are converted first; None: they are summed as by :func:`sum`.

    Raises:
        ShapeError: ``x`` has fewer axes, or ``offset`` is no whole number.
        DtypeError: ``x`` is no tensor, or ``dtype`` no scalar type.

    >>> from autograph import asarray, trace
    >>> trace(asarray([[1.0, 2.0], [3.0, 4.0]])).item()
    5.0
    """
    elements = diagonal(x, offset=offset)
    return sum_of(elements if dtype is None else elements.cast(dtype), -1)


def diag(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """A matrix of zeros with the elements of a vector on a diagonal. Its inverse is :func:`diagonal`.

    Args:
        x: a vector.
        offset: which diagonal: above 0 one that lies above the main one.

    Raises:
        ShapeError: ``x`` is no vector, or ``offset`` is no whole number.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import asarray, diag
    >>> diag(asarray([1, 2]), offset=-1).numpy().tolist()
    [[0, 0, 0], [1, 0, 0], [0, 2, 0]]
    """
    require_tensor("diag", x)
    if x.ndim != 1:
        raise ShapeError(f"diag makes a matrix of a vector, not of shape {x.shape}; diagonal(x) is that of a matrix")
    (above,) = integers((offset,))
    length = x.size + abs(above)
    return _on_diagonal(x, (length, length), above)


def _on_diagonal(x: Tensor, shape: Shape, above: int) -> Tensor:
    """Matrices of zeros but for a diagonal."""
    result = Buffer.zeros(shape, x.dtype, x.device)
    result.diagonal(above).copy_from(x.buffer)
    return differentiable(x.result(result), [(x, lambda gradient: diagonal(gradient, offset=above))], higher_order=True)


def _require_matrices(operation: str, x: Tensor) -> None:
    require_tensor(operation, x)
    if x.ndim < 2:
        raise ShapeError(f"{operation} takes a matrix or a stack of them, not shape {x.shape}")


def _place(shape: Shape, k: int) -> int:
    """Which diagonal, none farther out than the first that has no elements."""
    rows, columns = shape[-2:]
    given = integers((k,))
    if len(given) != 1:
        raise ShapeError(f"a diagonal {k!r}: expected one whole number")
    above = given[0]
    return max(-rows, min(above, columns))
