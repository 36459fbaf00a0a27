"""Axes and elements arranged otherwise: added and dropped axes, moved ones, reversed and rotated elements."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from autograph.autograd import differentiable
from autograph.errors import ShapeError
from autograph.functions.checks import axis_within, integers
from autograph.functions.reducers.reducer import axes_of
from autograph.tensor.base import require_tensor
from krnlpy import Buffer

from .parts import view_at
from .views import reshape, transpose

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def squeeze(x: Tensor, axis: int | Sequence[int] | None = None) -> Tensor:
    """Without axes of length 1. A view.

    Args:
        x: any tensor.
        axis: which, counted from the end if negative; None is all of length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice, or its length is not 1.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import squeeze, zeros
    >>> squeeze(zeros((1, 3, 1))).shape, squeeze(zeros((1, 3, 1)), 0).shape
    ((3,), (3, 1))
    """
    require_tensor("squeeze", x)
    axes = axes_of("squeeze", x, tuple(a for a, n in enumerate(x.shape) if n == 1) if axis is None else axis)
    if any(x.shape[a] != 1 for a in axes):
        raise ShapeError(f"squeeze of shape {x.shape}, axis={axis!r}: only axes of length 1 can go")
    return reshape(x, tuple(n for a, n in enumerate(x.shape) if a not in axes))


def expand_dims(x: Tensor, axis: int | Sequence[int] = 0) -> Tensor:
    """With new axes of length 1. A view.

    Args:
        x: any tensor.
        axis: the places that the new axes have in the result, counted from the end if negative.

    Raises:
        ShapeError: the result has no such axis, or one is named twice.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import expand_dims, zeros
    >>> expand_dims(zeros((2, 3)), 1).shape, expand_dims(zeros((2, 3)), (0, -1)).shape
    ((2, 1, 3), (1, 2, 3, 1))
    """
    require_tensor("expand_dims", x)
    given = integers((axis,))
    ndim = x.ndim + len(given)
    axes = {axis_within("expand_dims", a, ndim) for a in given}
    if len(axes) != len(given):
        raise ShapeError(f"expand_dims(axis={axis!r}): an axis is named twice")
    lengths = iter(x.shape)
    return reshape(x, tuple(1 if a in axes else next(lengths) for a in range(ndim)))


def moveaxis(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int], /) -> Tensor:
    """Some axes at other places, the rest in their order. A view.

    Args:
        x: any tensor.
        source: which axes, counted from the end if negative.
        destination: the place of each in the result, likewise.

    Raises:
        ShapeError: there is no such axis or place, or one is named twice, or these are not equally many.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import moveaxis, zeros
    >>> moveaxis(zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    require_tensor("moveaxis", x)
    sources = [axis_within("moveaxis", a, x.ndim) for a in integers((source,))]
    places = [axis_within("moveaxis", a, x.ndim) for a in integers((destination,))]
    if not len(sources) == len(places) == len({*sources}) == len({*places}):
        raise ShapeError(
            f"moveaxis from {source!r} to {destination!r}: expected equally many axes and places, none twice"
        )
    at = dict(zip(places, sources, strict=True))
    rest = iter([a for a in range(x.ndim) if a not in sources])
    return transpose(x, tuple(at[a] if a in at else next(rest) for a in range(x.ndim)))


def permute_dims(x: Tensor, /, axes: Sequence[int]) -> Tensor:
    """The axes in another order, as :func:`Tensor.transpose` gives them. A view.

    Args:
        x: any tensor.
        axes: each axis once; below 0 they count from the end.

    Raises:
        ShapeError: an axis is missing, named twice, or not there.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import permute_dims, zeros
    >>> permute_dims(zeros((2, 3, 4)), (1, 2, 0)).shape
    (3, 4, 2)
    """
    require_tensor("permute_dims", x)
    order = integers((axes,))
    if len(order) != x.ndim:
        raise ShapeError(f"permute_dims of shape {x.shape} takes each of its axes once, not {axes!r}")
    return transpose(x, order) if order else x


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The transpose of each matrix of a stack: the last two axes exchanged. A view; also ``x.mT``.

    Args:
        x: of at least two axes.

    Raises:
        ShapeError: ``x`` has fewer axes.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import matrix_transpose, zeros
    >>> matrix_transpose(zeros((5, 2, 3))).shape
    (5, 3, 2)
    """
    require_tensor("matrix_transpose", x)
    if x.ndim < 2:
        raise ShapeError(f"matrix_transpose (.mT) takes a matrix or a stack of them, not shape {x.shape}")
    return transpose(x, (*range(x.ndim - 2), -1, -2))


def flip(x: Tensor, /, *, axis: int | Sequence[int] | None = None) -> Tensor:
    """The elements in reverse order along axes. A view.

    Args:
        x: any tensor.
        axis: counted from the end if negative; None is all.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import asarray, flip
    >>> flip(asarray([[1, 2], [3, 4]]), axis=1).numpy().tolist()
    [[2, 1], [4, 3]]
    """
    require_tensor("flip", x)
    axes = axes_of("flip", x, axis)
    key = tuple(slice(None, None, -1) if a in axes else slice(None) for a in range(x.ndim))
    return differentiable(view_at(x, key), [(x, lambda gradient: flip(gradient, axis=axes))], higher_order=True)


def roll(x: Tensor, /, shift: int | Sequence[int], *, axis: int | Sequence[int] | None = None) -> Tensor:
    """The elements moved along axes; those that leave at an end come in at the other.

    Args:
        x: any tensor.
        shift: by how many places towards the end; one number for all axes, or one for each.
        axis: counted from the end if negative; an axis named twice is moved by the sum. None moves the elements in
            row-major order.

    Raises:
        ShapeError: there is no such axis, or there are several shifts that are not as many as the axes.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import arange, roll
    >>> roll(arange(5), 2).numpy().tolist(), roll(arange(4).reshape(2, 2), 1, axis=0).numpy().tolist()
    ([3, 4, 0, 1, 2], [[2, 3], [0, 1]])
    """
    require_tensor("roll", x)
    if axis is None:
        return reshape(roll(reshape(x, (x.size,)), shift, axis=0), x.shape)
    axes = [axis_within("roll", a, x.ndim) for a in integers((axis,))]
    given = integers((shift,))
    if len(given) != len(axes):
        if len(given) != 1:
            raise ShapeError(f"roll by {shift!r} along axis={axis!r}: expected one shift, or one for each axis")
        given *= len(axes)
    shifts = [0] * x.ndim
    for a, n in zip(axes, given, strict=True):
        shifts[a] = (shifts[a] + n) % max(x.shape[a], 1)
    result = Buffer.empty(x.shape, x.dtype, x.device)
    # Along an axis that is moved, what leaves at the end and the rest.
    moves = [
        ((slice(n, None), slice(None, -n)), (slice(None, n), slice(-n, None))) if n else ((slice(None), slice(None)),)
        for n in shifts
    ]
    for blocks in product(*moves):
        result[tuple(to for to, _ in blocks)].copy_from(x.buffer[tuple(source for _, source in blocks)])
    back, every = tuple(-n for n in shifts), tuple(range(x.ndim))
    return differentiable(x.result(result), [(x, lambda gradient: roll(gradient, back, axis=every))], higher_order=True)
