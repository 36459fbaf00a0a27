"""Tensors put together along an axis, and taken apart."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable
from autograph.errors import DeviceError, DtypeError, ShapeError
from autograph.functions.casts import cast
from autograph.functions.checks import axis_within
from autograph.functions.elementwise.promotion import promoted
from autograph.tensor.base import Shape, require_tensor
from krnlpy import Buffer

from .parts import Key, part_of, view_at
from .views import flatten

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Tensors one behind the other along an axis.

    Args:
        arrays: at least one, of equal shapes but for the axis. Their dtypes are promoted.
        axis: counted from the end if negative; None joins what :func:`Tensor.flatten` makes of each.

    Raises:
        ShapeError: there is none, or the shapes differ, or have no such axis.
        DtypeError: one is no tensor, or no dtype holds what theirs do.
        DeviceError: they lie on several devices.

    >>> from autograph import asarray, concat
    >>> concat([asarray([[1, 2]]), asarray([[3, 4], [5, 6]])]).numpy().tolist()
    [[1, 2], [3, 4], [5, 6]]
    """
    tensors = _alike("concat", arrays)
    if axis is None:
        tensors, axis = tuple(flatten(x) for x in tensors), 0
    first = tensors[0].shape
    place = axis_within("concat", axis, len(first))
    for x in tensors:
        if x.shape == first:  # what most are
            continue
        if x.ndim != len(first) or (*x.shape[:place], *x.shape[place + 1 :]) != (*first[:place], *first[place + 1 :]):
            raise ShapeError(
                f"concat of shapes {first} and {x.shape} along axis {place}: all other lengths must be equal"
            )
    lengths = [x.shape[place] for x in tensors]
    keys = tuple(_slice_of(place, end - n, end) for n, end in zip(lengths, accumulate(lengths), strict=True))
    return _joined(tensors, (*first[:place], sum(lengths), *first[place + 1 :]), keys)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Tensors beside each other along a new axis.

    Args:
        arrays: at least one, of one shape. Their dtypes are promoted.
        axis: the new one's place in the result; counted from the end if negative.

    Raises:
        ShapeError: there is none, or the shapes differ, or the result has no such axis.
        DtypeError: one is no tensor, or no dtype holds what theirs do.
        DeviceError: they lie on several devices.

    >>> from autograph import asarray, stack
    >>> stack([asarray([1, 2]), asarray([3, 4])], axis=1).numpy().tolist()
    [[1, 3], [2, 4]]
    """
    tensors = _alike("stack", arrays)
    first = tensors[0].shape
    place = axis_within("stack", axis, len(first) + 1)
    for x in tensors:
        if x.shape != first:
            raise ShapeError(f"stack of shapes {first} and {x.shape}: they must be equal")
    before: Key = (slice(None),) * place
    keys = tuple((*before, i) for i in range(len(tensors)))
    return _joined(tensors, (*first[:place], len(tensors), *first[place:]), keys)


def split(x: Tensor, sections: int | Sequence[int], /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Views of consecutive parts along an axis.

    Args:
        x: of at least one axis.
        sections: how many parts of equal length; or the places at which the parts after the first begin, as NumPy's
            ``split`` has them.
        axis: counted from the end if negative.

    Raises:
        ShapeError: there is no such axis, or its length is no multiple of ``sections``, or the places are not
            ascending from 0 to the length.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import arange, split
    >>> [part.numpy().tolist() for part in split(arange(6), 3)]
    [[0, 1], [2, 3], [4, 5]]
    >>> [part.numpy().tolist() for part in split(arange(6), [1, 4])]
    [[0], [1, 2, 3], [4, 5]]
    """
    require_tensor("split", x)
    place = axis_within("split", axis, x.ndim)
    ends = _ends(x.shape, place, sections)
    parts = tuple(view_at(x, _slice_of(place, start, end)) for start, end in zip((0, *ends), ends, strict=False))
    return differentiable(parts, [(x, lambda *gradients: concat(gradients, axis=place))], higher_order=True)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Views of what lies at each place of an axis, without the axis.

    Args:
        x: of at least one axis.
        axis: counted from the end if negative.

    Raises:
        ShapeError: there is no such axis.
        DtypeError: ``x`` is no tensor.

    >>> from autograph import asarray, unstack
    >>> [column.numpy().tolist() for column in unstack(asarray([[1, 2], [3, 4]]), axis=1)]
    [[1, 3], [2, 4]]
    """
    require_tensor("unstack", x)
    place = axis_within("unstack", axis, x.ndim)
    parts = tuple(view_at(x, (*(slice(None),) * place, i)) for i in range(x.shape[place]))
    if not parts:
        return ()
    return differentiable(parts, [(x, lambda *gradients: stack(gradients, axis=place))], higher_order=True)


def _alike(operation: str, arrays: Any) -> tuple[Tensor, ...]:
    """Tensors of one device, in the dtype to which theirs are promoted."""
    if not isinstance(arrays, Sequence):
        raise DtypeError(f"{operation} takes a list or a tuple of tensors, not {type(arrays).__name__}")
    tensors = tuple(arrays)
    if not tensors:
        raise ShapeError(f"{operation} takes at least one tensor")
    for x in tensors:
        require_tensor(operation, x)
        if x.device != tensors[0].device:
            raise DeviceError(
                f"{operation} of tensors on {tensors[0].device.name} and on {x.device.name}; move one with"
                " tensor.to_device(device)"
            )
    dtypes = [x.dtype for x in tensors]
    if len({*dtypes}) == 1:
        return tensors
    dtype = promoted(operation, dtypes)
    return tuple(x if x.dtype is dtype else cast(x, dtype) for x in tensors)


def _joined(tensors: tuple[Tensor, ...], shape: Shape, keys: tuple[Key, ...]) -> Tensor:
    """A tensor of which each key selects the elements of one of the tensors."""
    first = tensors[0]
    result = Buffer.empty(shape, first.dtype, first.device)
    for x, key in zip(tensors, keys, strict=True):
        result[key].copy_from(x.buffer)

    def gradients(dy: Tensor) -> tuple[Tensor, ...]:
        return tuple(part_of(dy, key) for key in keys)

    return differentiable(first.result(result), [(tensors, gradients)], higher_order=True)


def _slice_of(axis: int, start: int, end: int) -> Key:
    return (*[slice(None)] * axis, slice(start, end))


def _ends(shape: Shape, axis: int, sections: Any) -> tuple[int, ...]:
    """Where the parts end."""
    length = shape[axis]
    try:
        places = [operator.index(n) for n in sections] if isinstance(sections, Sequence) else operator.index(sections)
    except TypeError:
        raise ShapeError(f"split takes a number of sections, or the places between them, not {sections!r}") from None
    if isinstance(places, list):
        ends = (*places, length)
        if any(end < start for start, end in zip((0, *ends), ends, strict=False)):
            raise ShapeError(f"split of shape {shape} at {places}: expected ascending places from 0 to {length}")
        return ends
    if places < 1 or length % places:
        raise ShapeError(f"split of shape {shape} into {places} sections: axis {axis} has length {length}")
    size = length // places
    return tuple(size * (i + 1) for i in range(places))
