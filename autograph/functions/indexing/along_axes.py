"""Elements along an axis by whole numbers: taken, put, and added."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.autograd import differentiable
from autograph.errors import ShapeError
from autograph.functions.checks import require_alike, require_numbers
from autograph.functions.elementwise.comparisons import equal, less, where
from autograph.functions.reducers.reducer import axes_of
from autograph.functions.sequences import arange
from autograph.functions.shapes.views import broadcast_to, reshape
from autograph.tensor.base import Shape, require_tensor

from .places import Form, Places, index_tensor
from .putting import last_of, put
from .selections import added, select

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Indices = Any
"""A tensor of whole numbers, or what NumPy makes an array of them of."""


def take(x: Tensor, indices: Indices, axis: int | None = None) -> Tensor:
    """The elements, rows, or whatever lies along an axis, at indices.

    Args:
        x: any shape and dtype.
        indices: whole numbers of any shape, below 0 counted from the end: a tensor on the device of ``x``, an array or
            a list. One out of range raises if it lies on the host; on a device, where looking would mean waiting, it
            gives NaN, and 0 of integers.
        axis: below 0 it counts from the end; it may be left out where there is only one.

    Returns:
        The shape of ``x`` with that of the indices in the place of the axis. The gradient of an element that is taken
        several times is the sum, always added in the same order.

    Raises:
        ShapeError: there is no such axis, or it is left out of several, or an index is out of range.
        DtypeError: the indices are not whole numbers.
        DeviceError: the indices are a tensor on another device.

    >>> from autograph import Tensor, take
    >>> x = Tensor.from_numpy([[1, 2, 3], [4, 5, 6]])
    >>> take(x, [2, 0], axis=1).numpy().tolist()
    [[3, 1], [6, 4]]
    """
    require_tensor("take", x)
    axis = _axis("take", x, axis)
    index = index_tensor("take", indices, x, axis, x.shape[axis])
    before, n, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    places = Places(index, n, check=("take", axis))
    return select(x, places, (prod(before), n, prod(after)), (*before, *index.shape, *after))


def take_along_axis(x: Tensor, indices: Indices, axis: int = -1) -> Tensor:
    """The elements at indices along an axis, for each place on the other axes: what PyTorch calls ``gather``.

    ``argsort`` and ``argmax`` give such indices.

    Args:
        x: any shape and dtype.
        indices: whole numbers, of as many axes as ``x``, as :func:`take` takes them. Apart from ``axis`` the lengths
            are those of ``x``; where one of the two is 1 it is repeated.
        axis: below 0 it counts from the end.

    Raises:
        ShapeError: there is no such axis, shapes do not fit, or an index is out of range.
        DtypeError: the indices are not whole numbers.
        DeviceError: the indices are a tensor on another device.

    >>> from autograph import Tensor, take_along_axis
    >>> x = Tensor.from_numpy([[1, 2, 3], [4, 5, 6]])
    >>> take_along_axis(x, [[2, 2], [0, 1]], axis=1).numpy().tolist()
    [[3, 3], [4, 5]]
    """
    require_tensor("take_along_axis", x)
    axis = _axis("take_along_axis", x, axis)
    index = index_tensor("take_along_axis", indices, x, axis, x.shape[axis])
    others = _others("take_along_axis", axis, x.shape, index.shape)
    n, m = x.shape[axis], index.shape[axis]
    whole = broadcast_to(x, (*others[:axis], n, *others[axis:])) if x.shape != _with(others, axis, n) else x
    places, form = _along("take_along_axis", index, axis, others, n)
    return select(whole, places, form, _with(others, axis, m))


def scatter_add(x: Tensor, indices: Indices, source: Tensor, axis: int = -1) -> Tensor:
    """A tensor with elements of another one added at indices along an axis: the counterpart of :func:`take_along_axis`.

    Elements for one place are added in a fixed order, so that the same inputs always give the same bits; f16 and bf16
    are added in f32 and rounded once.

    Args:
        x: any shape and numeric dtype; it stays as it is.
        indices: whole numbers, of as many axes as ``x``, as :func:`take` takes them; on a device, what is out of range
            is left out.
        source: of the dtype of ``x``. It broadcasts with the indices; apart from ``axis`` the lengths are those of
            ``x`` then.
        axis: below 0 it counts from the end.

    Raises:
        ShapeError: there is no such axis, shapes do not fit, or an index is out of range.
        DtypeError: the indices are not whole numbers, or the dtypes differ, or are bool.
        DeviceError: the tensors lie on several devices.

    >>> from autograph import Tensor, scatter_add
    >>> x = Tensor.from_numpy([10.0, 20.0, 30.0])
    >>> scatter_add(x, [0, 2, 0], Tensor.from_numpy([1.0, 2.0, 3.0])).numpy().tolist()
    [14.0, 20.0, 32.0]
    """
    axis, index, given = _scattered("scatter_add", x, indices, source, axis)
    require_numbers("scatter_add", x.dtype)
    others = (*x.shape[:axis], *x.shape[axis + 1 :])
    places, form = _along("scatter_add", index, axis, others, x.shape[axis])
    return added(x, places, form, given)


def put_along_axis(x: Tensor, indices: Indices, values: Tensor, axis: int = -1) -> Tensor:
    """A tensor with other elements at indices along an axis. Of several for one place the last one counts.

    Args:
        x: any shape and dtype; it stays as it is. ``x[key] = value`` changes a tensor in place.
        indices: whole numbers, of as many axes as ``x``, as :func:`take` takes them; on a device, what is out of range
            is left out.
        values: of the dtype of ``x``. They broadcast with the indices; apart from ``axis`` the lengths are those of
            ``x`` then.
        axis: below 0 it counts from the end.

    Raises:
        ShapeError: there is no such axis, shapes do not fit, or an index is out of range.
        DtypeError: the indices are not whole numbers, or the dtypes differ.
        DeviceError: the tensors lie on several devices.

    >>> from autograph import Tensor, put_along_axis
    >>> x = Tensor.from_numpy([[1, 2, 3], [4, 5, 6]])
    >>> put_along_axis(x, [[0], [2]], Tensor.from_numpy([[9], [9]]), axis=1).numpy().tolist()
    [[9, 2, 3], [4, 5, 9]]
    """
    axis, index, given = _scattered("put_along_axis", x, indices, values, axis)
    others = (*x.shape[:axis], *x.shape[axis + 1 :])
    places, form = _along("put_along_axis", index, axis, others, x.shape[axis])
    out = x.buffer.copy()
    put(out, form, places, given.buffer)
    value = x.result(out)
    places = places.checked

    def gradients(dy: Tensor) -> tuple[Tensor, Tensor]:
        m = places.number(form[0], form[2])
        steps = arange(m, device=dy.device).buffer.reshape((1, m, 1))
        found = last_of(places.form(form[0], form[2]), steps, form[1], 0, form[1])
        last = dy.result(found.broadcast_to(form))
        is_kept = reshape(less(last, 0), dy.shape)
        counts = equal(select(last, places, form, (form[0], m, form[2]), is_linear=True), dy.result(steps))
        chosen = select(dy, places, form, given.shape, is_linear=True)
        return where(is_kept, dy, 0.0), where(reshape(counts, given.shape), chosen, 0.0)

    return differentiable(value, [((x, given), gradients)], higher_order=True)


def index_add(x: Tensor, indices: Indices, source: Tensor, axis: int = 0) -> Tensor:
    """A tensor with rows, or whatever lies along an axis, of another one added at indices: the counterpart of
    :func:`take`, and the sums of segments where ``x`` is zeros.

    Args:
        x: any shape and numeric dtype; it stays as it is.
        indices: ``[m]`` whole numbers, as :func:`take` takes them; on a device, what is out of range is left out.
        source: of the dtype of ``x``, and of its shape but for ``axis``, whose length is m.
        axis: below 0 it counts from the end.

    Returns:
        The sums, always added in the same order; of f16 and bf16 in f32, rounded once.

    Raises:
        ShapeError: there is no such axis, shapes do not fit, or an index is out of range.
        DtypeError: the indices are not whole numbers, or the dtypes differ, or are bool.
        DeviceError: the tensors lie on several devices.

    >>> from autograph import Tensor, index_add
    >>> rows = Tensor.from_numpy([[1, 2], [3, 4], [5, 6]])
    >>> index_add(Tensor.zeros((2, 2), "i64"), [1, 0, 1], rows).numpy().tolist()
    [[3, 4], [6, 8]]
    """
    require_tensor("index_add", x)
    require_alike("index_add", x, source)
    require_numbers("index_add", x.dtype)
    axis = _axis("index_add", x, axis)
    n = x.shape[axis]
    index = index_tensor("index_add", indices, x, axis, n)
    expected = (*x.shape[:axis], index.size, *x.shape[axis + 1 :])
    if index.ndim != 1 or source.shape != expected:
        raise ShapeError(
            f"index_add to shape {x.shape} along axis {axis}: indices of shape {index.shape} and a source of shape"
            f" {source.shape}; expected (m,) and {(*x.shape[:axis], 'm', *x.shape[axis + 1 :])}"
        )
    form = (prod(x.shape[:axis]), n, prod(x.shape[axis + 1 :]))
    return added(x, Places(index, n, check=("index_add", axis)), form, source)


def _axis(operation: str, x: Tensor, axis: int | None) -> int:
    if axis is None:
        if x.ndim != 1:
            raise ShapeError(f"{operation} of a tensor of shape {x.shape}: name the axis")
        return 0
    return axes_of(operation, x, axis)[0]


def _with(others: Shape, axis: int, length: int) -> Shape:
    return (*others[:axis], length, *others[axis:])


def _others(operation: str, axis: int, x: Shape, index: Shape) -> Shape:
    """The lengths of the axes beside the one that is indexed."""
    if len(x) == len(index):
        try:
            return np.broadcast_shapes((*x[:axis], *x[axis + 1 :]), (*index[:axis], *index[axis + 1 :]))
        except ValueError:
            pass
    raise ShapeError(
        f"{operation} of shape {x} with indices of shape {index}: apart from axis {axis} lengths must be equal or 1"
    )


def _scattered(operation: str, x: Tensor, indices: Indices, source: Tensor, axis: int) -> tuple[int, Tensor, Tensor]:
    """The axis, the indices, and what goes there, in the shape that it has with the indices."""
    require_tensor(operation, x)
    require_alike(operation, x, source)
    axis = _axis(operation, x, axis)
    index = index_tensor(operation, indices, x, axis, x.shape[axis])
    try:
        shape = np.broadcast_shapes(index.shape, source.shape)
    except ValueError:
        shape = ()
    if index.ndim != x.ndim or len(shape) != x.ndim or _with_length(x.shape, axis, shape[axis]) != shape:
        raise ShapeError(
            f"{operation} to shape {x.shape} along axis {axis}: indices of shape {index.shape}, elements of shape"
            f" {source.shape}; together they must have the lengths of the tensor apart from that axis"
        )
    if index.shape[axis] != shape[axis]:
        index = index.view(lambda buffer: buffer.broadcast_to(_with_length(index.shape, axis, shape[axis])))
    return axis, index, source if source.shape == shape else broadcast_to(source, shape)


def _with_length(shape: Shape, axis: int, length: int) -> Shape:
    return (*shape[:axis], length, *shape[axis + 1 :])


def _along(operation: str, index: Tensor, axis: int, others: Shape, n: int) -> tuple[Places, Form]:
    """The places of indices with as many axes as the tensor, and the form in which they stand for them."""
    m = index.shape[axis]
    form = (prod(others[:axis]), n, prod(others[axis:]))
    if index.size == m:
        return Places(index, n, check=(operation, axis)), form
    shape = _with(others, axis, m)
    whole = index if index.shape == shape else index.view(lambda buffer: buffer.broadcast_to(shape))
    return Places(whole, n, are_shared=False, check=(operation, axis)), form
