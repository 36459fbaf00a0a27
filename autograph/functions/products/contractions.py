"""Sums of products over axes that two tensors share: made of batched products of matrices, without copies where the
axes that become rows, columns or the inner axis lie one in the other."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import ShapeError
from autograph.functions.elementwise.arithmetic import multiply
from autograph.functions.elementwise.promotion import promoted
from autograph.functions.reductions import states
from autograph.functions.reductions.operation import reduction
from autograph.functions.shapes.views import reshape, transpose
from autograph.tensor.base import Shape

from .matrices import matrices, require_operands

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Labels = tuple[Hashable, ...]


_dot = reduction(states.product, name="vecdot")


def contract(x: Tensor, xs: Labels, y: Tensor, ys: Labels, out: Labels) -> Tensor:
    """The sums of products of elements whose axes of one label have one index.

    Args:
        x: a tensor.
        xs: a label for each of its axes, all different; axes of one label are equally long.
        y: a tensor on the same device.
        ys: its labels.
        out: those of the result's axes. What is not among them is summed over, and in both tensors.
    """
    batch = [label for label in out if label in xs and label in ys]
    inner = [label for label in xs if label in ys and label not in out]
    rows = [label for label in xs if label not in ys]
    columns = [label for label in ys if label not in xs]
    if not inner:
        products: Tensor = multiply(_spread(x, xs, out), _spread(y, ys, out))
        return products
    dtype = promoted("a product", (x.dtype, y.dtype))
    if not rows and not columns and dtype.kind != "bool":
        order = (*batch, *inner)
        axes = tuple(range(len(batch), len(order)))
        sums: Tensor = _dot(_placed(x, xs, order), _placed(y, ys, order), axis=axes)
        return sums
    if not _are_joined(x, xs, inner) or not _are_joined(y, ys, inner):
        inner.sort(key=ys.index)
    left = _joined(x, xs, batch, rows, inner)
    right = _joined(y, ys, batch, inner, columns)
    result = matrices(left, right, dtype)
    now = (*batch, *rows, *columns)
    lengths = dict(zip((*xs, *ys), (*x.shape, *y.shape), strict=True))
    return _placed(reshape(result, tuple(lengths[label] for label in now)), now, out)


def _placed(x: Tensor, labels: Labels, order: Labels) -> Tensor:
    """The axes in another order."""
    return x if labels == order else transpose(x, tuple(labels.index(label) for label in order))


def _spread(x: Tensor, labels: Labels, out: Labels) -> Tensor:
    """The axes where they are in a result, with axes of length 1 for others."""
    placed = _placed(x, labels, tuple(label for label in out if label in labels))
    shape = tuple(x.shape[labels.index(label)] if label in labels else 1 for label in out)
    return placed if placed.shape == shape else reshape(placed, shape)


def _are_joined(x: Tensor, labels: Labels, some: list[Hashable]) -> bool:
    """Whether some axes lie one in the other, in this order."""
    step = None
    for axis in reversed([labels.index(label) for label in some]):
        if x.shape[axis] == 1:
            continue
        if step is not None and x.strides[axis] != step:
            return False
        step = x.strides[axis] * x.shape[axis]
    return True


def _joined(
    x: Tensor, labels: Labels, batch: Sequence[Hashable], rows: Sequence[Hashable], columns: Sequence[Hashable]
) -> Tensor:
    """A stack of matrices, of whose axes some become one."""
    order = (*batch, *rows, *columns)
    placed = _placed(x, labels, order)
    ends = len(batch), len(batch) + len(rows)
    shape = (*placed.shape[: ends[0]], prod(placed.shape[ends[0] : ends[1]]), prod(placed.shape[ends[1] :]))
    return placed if placed.shape == shape else reshape(placed, shape)


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """The sums of products over some axes of both tensors; the result has the others of ``x1``, then those of ``x2``.

    Args:
        x1: a tensor.
        x2: a tensor.
        axes: how many: the last ones of ``x1`` and the first ones of ``x2``; or the axes of ``x1`` and those of ``x2``
            that belong together, which count from the end where they are below 0.

    Raises:
        ShapeError: there are no such axes, or their lengths differ.
        DtypeError: no dtype holds those of both, or they are not tensors.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, tensordot
    >>> x, y = Tensor.ones((2, 3, 4)), Tensor.ones((4, 3, 5))
    >>> tensordot(x, y, axes=((1, 2), (1, 0))).shape, tensordot(x, y, axes=1).shape
    ((2, 5), (2, 3, 3, 5))
    """
    require_operands("tensordot", x1, x2)
    left, right = _axes(x1, x2, axes)
    xs: list[Hashable] = [("left", axis) for axis in range(x1.ndim)]
    ys: list[Hashable] = [("right", axis) for axis in range(x2.ndim)]
    for a, b in zip(left, right, strict=True):
        if x1.shape[a] != x2.shape[b]:
            raise ShapeError(
                f"tensordot of shapes {x1.shape} and {x2.shape} over the axes {left} and {right}: {x1.shape[a]} and"
                f" {x2.shape[b]} elements do not fit"
            )
        ys[b] = xs[a]
    out = (*(label for label in xs if label not in ys), *(label for label in ys if label not in xs))
    return contract(x1, tuple(xs), x2, tuple(ys), out)


def _axes(x: Tensor, y: Tensor, axes: Any) -> tuple[Shape, Shape]:
    """The axes of both tensors over which tensordot sums."""
    try:
        count = operator.index(axes)
    except TypeError:
        try:
            left, right = (tuple(operator.index(axis) for axis in some) for some in axes)
        except (TypeError, ValueError):
            raise ShapeError(
                f"tensordot(axes={axes!r}): expected a number of axes, or a pair of sequences of axes"
            ) from None
    else:
        if not 0 <= count <= min(x.ndim, y.ndim):
            raise ShapeError(f"tensordot(axes={count}) of shapes {x.shape} and {y.shape}: they have not so many axes")
        left, right = tuple(range(x.ndim - count, x.ndim)), tuple(range(count))
    both = []
    for some, tensor in ((left, x), (right, y)):
        found = tuple(axis + tensor.ndim if axis < 0 else axis for axis in some)
        if len(left) != len(right) or len({*found}) != len(found) or not all(0 <= a < tensor.ndim for a in found):
            raise ShapeError(
                f"tensordot(axes={axes!r}) of shapes {x.shape} and {y.shape}: expected as many axes of each, each once"
            )
        both.append(found)
    return both[0], both[1]


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sums of products along an axis; the other axes broadcast.

    Args:
        x1: a tensor of numbers.
        x2: a tensor of numbers.
        axis: below 0, so that it is the same axis of both; from 0 on where both have as many axes.

    Raises:
        ShapeError: there is no such axis, its lengths differ, or the others do not broadcast.
        DtypeError: no dtype holds those of both, or they are not tensors.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, vecdot
    >>> x = Tensor.from_numpy([[1.0, 2.0], [3.0, 4.0]])
    >>> vecdot(x, x).numpy().tolist(), vecdot(x, x[0], axis=-1).numpy().tolist()
    ([5.0, 25.0], [5.0, 11.0])
    """
    require_operands("vecdot", x1, x2)
    given = f"vecdot(axis={axis!r}) of shapes {x1.shape} and {x2.shape}"
    try:
        place = operator.index(axis)
    except TypeError:
        raise ShapeError(f"{given}: expected a whole number") from None
    if place >= 0 and x1.ndim == x2.ndim:
        place -= x1.ndim
    least = min(x1.ndim, x2.ndim)
    if not -least <= place < 0:
        raise ShapeError(f"{given}: expected an axis from {-least} to -1")
    if x1.shape[place] != x2.shape[place]:
        raise ShapeError(f"{given}: {x1.shape[place]} and {x2.shape[place]} elements do not fit")
    try:
        ndim = len(np.broadcast_shapes(x1.shape, x2.shape))
    except ValueError:
        raise ShapeError(f"{given}: the other axes, aligned at the right, must be equal or of length 1") from None
    (x, xs), (y, ys) = _unrepeated(x1, x2, place), _unrepeated(x2, x1, place)
    return contract(x, xs, y, ys, tuple(a for a in range(-ndim, 0) if a != place))


def _unrepeated(x: Tensor, other: Tensor, place: int) -> tuple[Tensor, Labels]:
    """A tensor without the axes along which it is repeated for another, and the numbers of its axes, below 0."""
    kept = tuple(
        a for a in range(-x.ndim, 0) if a == place or x.shape[a] != 1 or a < -other.ndim or other.shape[a] == 1
    )
    return (x if len(kept) == x.ndim else reshape(x, tuple(x.shape[a] for a in kept))), kept


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """All products of the elements of two vectors ``[m]`` and ``[n]``: ``[m, n]``.

    Raises:
        ShapeError: they are not vectors.
        DtypeError: no dtype holds those of both, or they are not tensors.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, outer
    >>> outer(Tensor.from_numpy([1, 2]), Tensor.from_numpy([3, 4, 5])).numpy().tolist()
    [[3, 4, 5], [6, 8, 10]]
    """
    require_operands("outer", x1, x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ShapeError(f"outer takes vectors, not tensors of shapes {x1.shape} and {x2.shape}")
    return contract(x1, ("m",), x2, ("n",), ("m", "n"))
