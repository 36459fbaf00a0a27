"""What stands in the brackets of ``x[key]``: a view, and the places of its elements that indices and masks name."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autograph.errors import AxisError, DeviceError, DtypeError, ShapeError
from autograph.functions.launch import reshape_or_copy
from autograph.functions.shapes.views import view_of
from autograph.functions.type_variables import C
from autograph.tensor.base import Shape, TensorBase
from krnlpy import Buffer, Item, ItemMut, i32, kernel

from .places import Array, Places, host_places, in_form, index_array, index_tensor, place_of, require_countable
from .true_places import true_places

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_NOWHERE = -(1 << 31)
"""A place that is out of range, also where those below 0 count from the end."""
WHOLE_AXIS = slice(None)


@kernel
def _join(before: Item[i32], index: Item[C], out: ItemMut[i32], count: i32) -> None:
    """From places on some axes and on the next one to places on all of them, in row-major order."""
    place = place_of(index, count)
    out = before * count + place if before >= 0 and place >= 0 else _NOWHERE


class View(NamedTuple):
    """What integers, slices and new axes select.

    Attributes:
        key: integers and slices.
        shape: of the view, with new axes.
    """

    key: tuple[Any, ...]
    shape: Shape

    def is_all(self, x: Tensor) -> bool:
        """Whether it is the tensor as it is."""
        return self.shape == x.shape and all(k == WHOLE_AXIS for k in self.key)

    def of(self, buffer: Buffer) -> Buffer:
        return in_form(buffer[self.key], self.shape)


@dataclass(frozen=True)
class Mask:
    """Truth values over some axes, of which no other index stands beside them.

    Attributes:
        values: a tensor or an array.
        axis: the first of its axes, of the view.
    """

    values: Any
    axis: int


@dataclass(frozen=True)
class Selection:
    """What a key with indices or masks selects.

    Attributes:
        view: of the tensor.
        order: of the view's axes, which brings those that are indexed together.
        form: of the view in that order: ``[outer, n, inner]``.
        places: on the middle axis.
        shape: of the result.
    """

    view: View
    order: tuple[int, ...]
    form: tuple[int, int, int]
    places: Places
    shape: Shape


class _Advanced(NamedTuple):
    """An index or a mask: of so many axes, the first of the view and of the tensor."""

    entry: Any
    is_mask: bool
    axis: int
    source_axis: int
    span: int


@dataclass
class Key:
    """A key, taken apart; nothing is looked up yet.

    Attributes:
        view: what integers, slices and new axes select.
        advanced: indices and masks.
        front: how many axes of the view come before those that the indices give.
    """

    view: View
    advanced: list[_Advanced]
    front: int

    @property
    def mask(self) -> Mask | None:
        """The mask, if it is the only index."""
        first = self.advanced[0]
        return Mask(first.entry, first.axis) if len(self.advanced) == 1 and first.is_mask else None


def is_plain(key: Any) -> bool:
    """Whether a key consists of integers, slices and ellipses, which need no taking apart."""
    for k in key if key.__class__ is tuple else (key,):
        if not (k.__class__ is int or k.__class__ is slice or k is ...):
            return False
    return True


def key_of(x: Tensor, key: Any) -> Key:
    """Takes a key apart.

    Raises:
        ShapeError: too many indices, an integer out of range, a mask of another shape, or something else than an index.
        DtypeError: a tensor or an array of other numbers than whole ones.
    """
    entries = _expanded(x, [_entry(k) for k in (key if isinstance(key, tuple) else (key,))])
    basic: list[Any] = []
    lengths: list[int | None] = []  # of the view's axes; None: the next of what the buffer gives
    advanced, positions = [], []
    for position, entry in enumerate(entries):
        span = _span(entry)
        if entry is None:
            lengths.append(1)
        elif isinstance(entry, slice):
            basic.append(entry)
            lengths.append(None)
        else:
            positions.append((position, len(lengths)))
            if isinstance(entry, int):
                basic.append(entry)
                continue
            is_mask = _is_mask(entry)
            advanced.append(_Advanced(entry, is_mask, len(lengths), len(basic), max(1, span)))
            basic += [WHOLE_AXIS] * span
            lengths += [None] * span if span else [1]
    shape = _view_shape(x, tuple(basic), lengths)
    is_together = all(b[0] - a[0] == 1 for a, b in pairwise(positions))
    return Key(View(tuple(basic), shape), advanced, positions[0][1] if advanced and is_together else 0)


def selection_of(x: Tensor, key: Key) -> Selection:
    """Looks up the places of a key with indices or masks. Waits for the number of true values of masks on a device.

    Raises:
        ShapeError: an index is out of range, a mask has another shape than the axes, or shapes do not broadcast.
        DeviceError: a tensor on another device.
    """
    view = key.view.shape
    indexed = [axis for part in key.advanced for axis in range(part.axis, part.axis + part.span)]
    kept = [axis for axis in range(len(view)) if axis not in indexed]
    before, after = kept[: key.front], kept[key.front :]
    counts = [prod(view[part.axis : part.axis + part.span]) for part in key.advanced]
    require_countable("an index", prod(counts))
    found = [_looked_up(x, part, view) for part in key.advanced]
    checks = [None if part.is_mask else ("an index", part.source_axis) for part in key.advanced]
    if len(found) > 1:
        for index, count, check in zip(found, counts, checks, strict=True):
            if not isinstance(index, np.ndarray):
                Places(index, count, check=check).require_range()
        checks = [None]
    index, shape = _joined(x, found, counts)
    form = (prod(view[a] for a in before), prod(counts), prod(view[a] for a in after))
    are_distinct = len(found) == 1 and key.advanced[0].is_mask
    places = Places(index, form[1], are_distinct=are_distinct, check=checks[0])
    result = (*(view[a] for a in before), *shape, *(view[a] for a in after))
    return Selection(key.view, (*before, *indexed, *after), form, places, result)


def _entry(given: Any) -> Any:
    """An entry of a key: None, an ellipsis, a slice, an int, an array, or a tensor."""
    if given is None or given is ... or isinstance(given, slice | TensorBase):
        return given
    if isinstance(given, bool | np.bool_):
        return np.asarray(given)
    try:
        return operator.index(given) if not isinstance(given, np.ndarray) else index_array("an index", given)
    except TypeError:
        pass
    if isinstance(given, list | tuple | range):
        return index_array("an index", given)
    raise ShapeError(
        f"{given!r} is not an index; expected integers, slices, an ellipsis, None, or whole numbers or truth values as"
        " tensors, arrays or lists"
    )


def _is_mask(entry: Any) -> bool:
    if isinstance(entry, TensorBase):
        if entry.dtype.is_float:
            raise DtypeError(f"an index of {entry.dtype}; expected whole numbers or truth values")
        return entry.dtype.kind == "bool"
    return isinstance(entry, np.ndarray) and entry.dtype.kind == "b"


def _span(entry: Any) -> int:
    """How many axes an entry stands for."""
    return 0 if entry is None else entry.ndim if _is_mask(entry) else 1


def _expanded(x: Tensor, entries: list[Any]) -> list[Any]:
    """The entries with slices for an ellipsis, and for the axes that none is for."""
    ellipses = [place for place, entry in enumerate(entries) if entry is ...]
    if len(ellipses) > 1:
        raise ShapeError("an index has one ellipsis at most")
    named = sum(_span(entry) for entry in entries if entry is not ...)
    if named > x.ndim:
        raise AxisError(f"{named} indices for a tensor of {x.ndim} dimensions of shape {x.shape}")
    place = ellipses[0] if ellipses else len(entries)
    return [*entries[:place], *[WHOLE_AXIS] * (x.ndim - named), *entries[place + 1 :]]


def _view_shape(x: Tensor, basic: tuple[Any, ...], lengths: Sequence[int | None]) -> Shape:
    is_whole = all(k == WHOLE_AXIS for k in basic)
    given = iter(x.shape if is_whole else view_of(x, lambda buffer: buffer[basic]).shape)
    return tuple(next(given) if n is None else n for n in lengths)


def _looked_up(x: Tensor, part: _Advanced, view: Shape) -> Any:
    """Whole numbers as a tensor, or as an array where they were given so; those of a mask are places in the axes that
    it is for, taken together."""
    entry, axes = part.entry, view[part.axis : part.axis + part.span]
    if not part.is_mask:
        if isinstance(entry, TensorBase):
            return index_tensor("an index", entry, x, part.source_axis, axes[0])
        return host_places("an index", part.source_axis, axes[0], entry)
    given = entry.shape or (1,)
    # An axis of no elements fits each: the standard has it so.
    if len(given) != len(axes) or any(n not in (m, 0) for n, m in zip(given, axes, strict=True)):
        of = f"axis {part.source_axis}" if part.span == 1 else f"the axes from {part.source_axis} on"
        raise AxisError(f"a mask of shape {given} for {of} of shape {axes}: lengths must be equal, or 0")
    if not isinstance(entry, TensorBase):
        return np.flatnonzero(entry).astype(np.int32)
    require_device(x, entry)
    return x.result(true_places(reshape_or_copy(entry.buffer, (entry.size,))))


def require_device(x: Tensor, other: Any) -> None:
    """Raises DeviceError if a mask or a value lies on another device than the tensor."""
    if other.device != x.device:
        raise DeviceError(
            f"a tensor on {x.device.name} is indexed with one on {other.device.name}; move it with"
            " tensor.to_device(device), or pass a NumPy array"
        )


def _joined(x: Tensor, found: list[Any], counts: list[int]) -> tuple[Tensor, Shape]:
    """One index for all: places on all axes taken together, and the shape that the indices broadcast to."""
    try:
        shape = np.broadcast_shapes(*(index.shape for index in found))
    except ValueError:
        shapes = " and ".join(str(index.shape) for index in found)
        raise ShapeError(f"indices of shapes {shapes} do not broadcast: lengths must be equal or 1") from None
    if all(isinstance(index, np.ndarray) for index in found):
        whole = found[0]
        for index, count in zip(found[1:], counts[1:], strict=True):
            whole = whole * np.int32(count) + index
        array: Array = np.broadcast_to(whole, shape)
        return x.result(Buffer.from_numpy(array.astype(np.int32), x.device)), shape
    tensors = [Buffer.from_numpy(i, x.device) if isinstance(i, np.ndarray) else i.buffer for i in found]
    if len(tensors) == 1:
        return found[0], shape
    before = Buffer.zeros((1,) * len(shape), i32, x.device).broadcast_to(shape)
    for buffer, count in zip(tensors, counts, strict=True):
        after = Buffer.empty(shape, i32, x.device)
        if after.size:
            _join(before, buffer.broadcast_to(shape), after, count)
        before = after
    return x.result(before), shape
