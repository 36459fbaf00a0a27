"""Elements stored at places on an axis, and where a mask is true. Of several for one place the last one stays."""

from __future__ import annotations

from typing import Literal

from autograph.functions.sequences import arange
from autograph.functions.type_variables import C, T
from krnlpy import Buffer, Global, GlobalMut, Item, ItemMut, Spec, i32, kernel, scalar_type
from krnlpy.dsl import atomic_max

from .host import put_on_host
from .places import WORDS, Form, Places, beside, coordinates, in_form, parts, place_of


@kernel(unchecked=True)
def _find_last(
    last: GlobalMut[i32, Literal[3]],
    row: Item[i32],
    index: Item[C],
    column: Item[i32],
    step: Item[i32],
    first: i32,
    count: i32,
) -> None:
    """The last of the elements for each place; of those places that begin with ``first``."""
    place = place_of(index, count) - first
    if 0 <= place < last.shape[1]:
        atomic_max(last[row, place, column], step)


@kernel(unchecked=True)
def _put(
    x: GlobalMut[T, Literal[3]],
    row: Item[i32],
    index: Item[C],
    column: Item[i32],
    step: Item[i32],
    last: Global[i32, Literal[3]],
    value: Item[T],
    first: i32,
    count: i32,
    ARE_DISTINCT: Spec[bool],
) -> None:
    place = place_of(index, count) - first
    if 0 <= place < x.shape[1] and (ARE_DISTINCT or last[row, place, column] == step):
        x[row, place, column] = value


@kernel
def _assign_where(x: ItemMut[T], mask: Item[bool], value: Item[T]) -> None:
    if mask:
        x = value


_PUT = {are_distinct: _put.specialize(ARE_DISTINCT=are_distinct) for are_distinct in (True, False)}


def put(x: Buffer, form: Form, places: Places, value: Buffer) -> None:
    """Stores ``[outer, m, inner]``, in any shape, in ``[outer, n, inner]``, in any shape of which that is a view.

    What is out of range on a device is left out.

    Raises:
        ShapeError: on the host a place is out of range; nothing is changed.
    """
    places.require_range()
    if not (x.size and value.size):
        return
    word = scalar_type(WORDS[x.dtype.size])
    x, value = x.bitcast(word), value.bitcast(word)
    if x.device.is_host and x.can_be_indexed and value.can_be_indexed:
        put_on_host(x, form, places.checked, value)
        return
    outer, _, inner = form
    index, whole = places.form(outer, inner), x.reshape(form)
    value = in_form(value, (outer, index.shape[1], inner))
    for part in parts(whole):
        at, of = index[beside(part, index.shape)], value[beside(part, value.shape)]
        _put_part(whole[part], part[1].start or 0, places, at, of)


def _put_part(x: Buffer, first: int, places: Places, index: Buffer, value: Buffer) -> None:
    """Stores at the places that begin with ``first``."""
    shape = value.shape
    steps = arange(shape[1], device=x.device).buffer.reshape((1, shape[1], 1))
    if places.are_distinct:
        last = Buffer.zeros((1, 1, 1), i32, x.device)
    else:
        last = last_of(index, steps, x.shape[1], first, places.count)
    rows, columns = coordinates(shape, x.device)
    store = _PUT[places.are_distinct]
    last = last.broadcast_to((shape[0], last.shape[1], shape[2]))
    store(x, rows, index.broadcast_to(shape), columns, steps.broadcast_to(shape), last, value, first, places.count)


def last_of(index: Buffer, steps: Buffer, n: int, first: int, count: int) -> Buffer:
    """For each place from ``first`` on, the last of the steps whose index it is; -1 where there is none."""
    last = Buffer.full((index.shape[0], n, index.shape[2]), -1, i32, index.device)
    rows, columns = coordinates(index.shape, index.device)
    _find_last(last, rows, index, columns, steps.broadcast_to(index.shape), first, count)
    return last


def assign_where(x: Buffer, mask: Buffer, value: Buffer) -> None:
    """Stores elements where a mask is true; all of one shape."""
    if x.size:
        _assign_where(x, mask, value)
