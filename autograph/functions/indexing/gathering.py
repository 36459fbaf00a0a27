"""Elements taken from places on an axis, by kernels that move bits and know nothing of what they mean."""

from __future__ import annotations

from typing import Any, Literal

from autograph.functions.type_variables import C, T
from autograph.tensor.base import Shape
from krnlpy import Buffer, Global, Item, ItemMut, bf16, f16, f32, f64, i32, kernel, scalar_type

from .host import gather_on_host
from .places import WHOLE, WORDS, Form, Part, Places, beside, coordinates, in_form, parts, place_of

_NAN: dict[Any, int] = {f16: 0x7E00, bf16: 0x7FC0, f32: 0x7FC0_0000, f64: 0x7FF8_0000_0000_0000}


@kernel(unchecked=True)
def _gather(
    x: Global[T, Literal[3]], row: Item[i32], index: Item[C], column: Item[i32], out: ItemMut[T], missing: T
) -> None:
    place = place_of(index, x.shape[1])
    value = x[row, max(place, 0), column]
    out = value if place >= 0 else missing


@kernel(unchecked=True)
def _gather_from_part(
    x: Global[T, Literal[3]], row: Item[i32], index: Item[C], column: Item[i32], out: ItemMut[T], first: i32, count: i32
) -> None:
    """From the places that begin with ``first``; what lies at others stays."""
    place = place_of(index, count) - first
    if 0 <= place < x.shape[1]:
        out = x[row, place, column]


def gathered(x: Buffer, form: Form, places: Places, shape: Shape, *, is_linear: bool = False) -> Buffer:
    """Of ``x``, seen in the form ``[outer, n, inner]``, ``[outer, m, inner]`` in a shape of as many elements.

    Args:
        is_linear: what is out of range on a device is 0; else floats are NaN there.

    Raises:
        ShapeError: on the host a place is out of range.
    """
    outer, _, inner = form
    dtype, word = x.dtype, scalar_type(WORDS[x.dtype.size])
    out = Buffer.empty(shape, word, x.device)
    missing = 0 if is_linear else _NAN.get(dtype, 0)
    if not (out.size and x.size):
        places.require_range()
        if out.size:
            out.fill(missing)
        return out.bitcast(dtype)
    x = x.bitcast(word)
    is_column = inner == 1 or places.are_shared
    if is_column and x.device.is_host and x.can_be_indexed and out.can_be_indexed:
        gather_on_host(x, form, places, out, missing)
    else:
        places.require_range()
        _gather_items(in_form(x, form), places.form(outer, inner), out, missing)
    return out.bitcast(dtype)


def _gather_items(x: Buffer, index: Buffer, out: Buffer, missing: int) -> None:
    out = out.reshape((x.shape[0], index.shape[1], x.shape[2]))
    for part in parts(x):
        if part is WHOLE:
            rows, columns = coordinates(out.shape, x.device)
            _gather(x, rows, index.broadcast_to(out.shape), columns, out, missing)
        else:
            _gather_part(x, index, out, missing, part)


def _gather_part(x: Buffer, index: Buffer, out: Buffer, missing: int, part: Part) -> None:
    some, at, to = x[part], index[beside(part, index.shape)], out[beside(part, out.shape)]
    first = part[1].start or 0
    if not first:
        to.fill(missing)
    rows, columns = coordinates(to.shape, x.device)
    _gather_from_part(some, rows, at.broadcast_to(to.shape), columns, to, first, x.shape[1])
