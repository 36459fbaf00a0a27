"""Elements of rows taken from places, and put there: no place twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from autograph.autograd import differentiable
from autograph.functions.launch import split_rows
from autograph.functions.type_variables import T
from krnlpy import Buffer, Global, GlobalMut, Item, ItemMut, i32, kernel
from krnlpy.dsl import item_id

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _take(x: Global[T, Literal[2]], places: Item[i32], out: ItemMut[T], count: i32) -> None:
    out = x[item_id() // count, places]


@kernel
def _put(x: Item[T], places: Item[i32], out: GlobalMut[T, Literal[2]], count: i32) -> None:
    out[item_id() // count, places] = x


def as_rows(buffer: Buffer, axis: int) -> Buffer:
    """``[rows, n]``, the elements of the axis in each row. A view where that is possible."""
    moved = _moved(buffer, axis, buffer.ndim - 1)
    rows = moved.size // moved.shape[-1] if moved.size else 0
    flat = moved if moved.is_contiguous() else moved.contiguous()
    return flat.reshape((rows, moved.shape[-1]))


def of_rows(rows: Buffer, shape: tuple[int, ...], axis: int) -> Buffer:
    """The elements of ``[rows, n]`` back on their axis, of a shape that has n there."""
    last = (*shape[:axis], *shape[axis + 1 :], shape[axis])
    return _moved(rows.reshape(last), len(shape) - 1, axis).contiguous()


def _moved(buffer: Buffer, source: int, to: int) -> Buffer:
    if source == to:
        return buffer
    axes = [axis for axis in range(buffer.ndim) if axis != source]
    axes.insert(to, source)
    return buffer.transpose(*axes)


def taken(x: Tensor, places: Buffer, axis: int) -> Tensor:
    """The elements at places ``[rows, count]`` along an axis."""
    n, count = x.shape[axis], places.shape[1]
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    out = Buffer.empty(places.shape, x.dtype, x.device)
    if out.size:
        for elements, some, part in split_rows(as_rows(x.buffer, axis), places, out):
            _take(elements, some, part, count)
    value = x.result(of_rows(out, shape, axis))
    return differentiable(value, [(x, lambda dy: put(dy, places, axis, n))], higher_order=True)


def put(x: Tensor, places: Buffer, axis: int, n: int) -> Tensor:
    """Zeros of length n along an axis, with the elements of x at places ``[rows, count]``."""
    count = places.shape[1]
    shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
    out = Buffer.zeros((places.shape[0], n), x.dtype, x.device)
    if x.size:
        for elements, some, part in split_rows(as_rows(x.buffer, axis), places, out):
            _put(elements, some, part, count)
    value = x.result(of_rows(out, shape, axis))
    return differentiable(value, [(x, lambda dy: taken(dy, places, axis))], higher_order=True)


def neighbours(buffer: Buffer, *, before: bool) -> Buffer:
    """The element before each of ``[n]``, or behind it; the element itself where there is none."""
    out = buffer.copy()
    if len(buffer) > 1:
        to, source = (out[1:], buffer[:-1]) if before else (out[:-1], buffer[1:])
        to.copy_from(source)
    return out
