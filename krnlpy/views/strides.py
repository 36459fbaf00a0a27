"""Pure arithmetic of shapes, strides and offsets, all counted in elements.

Nothing here knows buffers or devices: a view is a shape, strides of the same length and an offset.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from krnlpy.errors import ShapeError
from krnlpy.scalar import ScalarType

Shape = tuple[int, ...]
Strides = tuple[int, ...]


def as_shape(shape: int | Iterable[int]) -> Shape:
    """A shape from an int or a sequence of ints.

    >>> as_shape(3), as_shape([2, 3])
    ((3,), (2, 3))

    Raises:
        ShapeError: an entry is not an integer, or is negative.
    """
    # What most shapes are; buffers are made all the time.
    if shape.__class__ is int and shape >= 0:
        return (shape,)
    if _is_plain(shape):
        return shape
    try:
        entries = (shape,) if not isinstance(shape, Iterable) else tuple(shape)
        if isinstance(shape, str) or any(isinstance(n, bool | np.bool_) for n in entries):
            raise TypeError
        result = tuple(operator.index(n) for n in entries)
    except TypeError:
        raise ShapeError(f"{shape!r} is not a shape; expected an int or a tuple of ints") from None
    if any(n < 0 for n in result):
        raise ShapeError(f"the shape {result} has a negative length")
    return result


def _is_plain(shape: Any) -> TypeGuard[Shape]:
    """Whether it is a tuple of ints, none negative. A loop takes half the time of ``all``."""
    if shape.__class__ is not tuple:
        return False
    for n in shape:  # noqa: SIM110
        if n.__class__ is not int or n < 0:
            return False
    return True


@lru_cache(maxsize=4096)
def contiguous_strides(shape: Shape) -> Strides:
    """The strides of a row-major contiguous array."""
    strides = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


class Facts(NamedTuple):
    """What follows from a shape and its strides.

    Attributes:
        size: the number of elements.
        contiguous: they lie row-major without gaps. Axes of length 1 don't matter, and nothing is contiguous.
        broadcast: one element of memory is seen at several indices.
        low: the element of memory that lies first, from that of index 0: below 0 where a stride is.
        high: past that which lies last, likewise.
    """

    size: int
    contiguous: bool
    broadcast: bool
    low: int
    high: int


@lru_cache(maxsize=4096)  # a program makes the same views again and again
def facts(shape: Shape, strides: Strides) -> Facts:
    """What follows from a shape and its strides."""
    if 0 in shape:
        return Facts(0, True, False, 0, 0)
    step = high = 1
    low = 0
    contiguous, broadcast = True, False
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n == 1:
            continue
        contiguous &= stride == step
        broadcast |= stride == 0
        step *= n
        if stride < 0:
            low += (n - 1) * stride
        else:
            high += (n - 1) * stride
    return Facts(step, contiguous, broadcast, low, high)


def index(shape: Shape, strides: Strides, offset: int, key: Any) -> tuple[Shape, Strides, int]:
    """The view that ``key`` selects: integers, slices, one ellipsis.

    Raises:
        ShapeError: too many indices, an integer out of range, a step of 0.
    """
    keys = key if isinstance(key, tuple) else (key,)
    ellipses = sum(k is ... for k in keys)
    named = len(keys) - ellipses
    if ellipses > 1:
        raise ShapeError("an index has one ellipsis at most")
    if named > len(shape):
        raise ShapeError(f"{named} indices for a buffer of {len(shape)} dimensions of shape {shape}")
    if not ellipses:
        keys = (*keys, ...)
    new_shape: list[int] = []
    new_strides: list[int] = []
    axis = 0
    for k in keys:
        if k is ...:
            end = axis + len(shape) - named
            new_shape += shape[axis:end]
            new_strides += strides[axis:end]
            axis = end
            continue
        n, stride = shape[axis], strides[axis]
        if isinstance(k, slice):
            start, count, step = _slice(k, n)
            new_shape.append(count)
            new_strides.append(stride * step)
            # An empty slice may start past the end; an offset there would lie outside the memory.
            offset += start * stride if count else 0
        else:
            offset += _integer(k, n, axis) * stride
        axis += 1
    return tuple(new_shape), tuple(new_strides), offset


def _slice(key: slice, n: int) -> tuple[int, int, int]:
    try:
        start, stop, step = key.indices(n)
    except (TypeError, ValueError):
        raise ShapeError(f"{key} is not a slice of integers with a step other than 0") from None
    return start, len(range(start, stop, step)), step


def _integer(key: Any, n: int, axis: int) -> int:
    try:
        if isinstance(key, bool | np.bool_):
            raise TypeError
        i = operator.index(key)
    except TypeError:
        raise ShapeError(f"{key!r} is not an index; expected integers, slices or an ellipsis") from None
    if not -n <= i < n:
        raise ShapeError(f"index {i} is out of range: axis {axis} has length {n}")
    return i + n if i < 0 else i


def broadcast_strides(shape: Shape, strides: Strides, to: Shape) -> Strides:
    """The strides with which an array of ``shape`` is seen as one of shape ``to``, by NumPy's rules.

    Raises:
        ShapeError: an axis is neither 1 nor as long as asked.
    """
    missing = len(to) - len(shape)
    if missing < 0 or any(n not in (1, m) for n, m in zip(shape, to[missing:], strict=True)):
        raise ShapeError(f"the shape {shape} cannot be broadcast to {to}")
    return (0,) * missing + tuple(
        stride if n == m else 0 for n, m, stride in zip(shape, to[missing:], strides, strict=True)
    )


def _listed(given: Any) -> tuple[int, ...]:
    """The integers of what may be one.

    Raises:
        ShapeError: there is something else. Arrays of no axes say that they can be iterated, and can't.
    """
    try:
        return tuple(operator.index(n) for n in (given if isinstance(given, Iterable) else (given,)))
    except TypeError:
        raise ShapeError(f"{given!r} is not a shape: expected integers") from None


def completed(shape: Shape, to: int | Iterable[int]) -> Shape:
    """The shape ``to`` for as many elements as ``shape`` has; one length may be -1: what is left.

    Raises:
        ShapeError: the sizes differ.
    """
    if _is_plain(to):
        return _of_size(shape, to)
    size, entries = prod(shape), _listed(to)
    if sum(n == -1 for n in entries) == 1:
        rest = prod(as_shape(n for n in entries if n != -1))
        if not rest or size % rest:
            raise ShapeError(f"{size} elements of shape {shape} don't fit the shape {entries}")
        entries = tuple(size // rest if n == -1 else n for n in entries)
    return _of_size(shape, as_shape(entries))


@lru_cache(maxsize=4096)  # a program makes the same views again and again
def _of_size(shape: Shape, to: Shape) -> Shape:
    """The shape ``to``. Raises ShapeError where it has not as many elements as ``shape``."""
    size, given = prod(shape), prod(to)
    if given != size:
        raise ShapeError(f"the shape {to} has {given} elements, the buffer of shape {shape} has {size}")
    return to


def bitcast(
    shape: Shape, strides: Strides, offset: int, dtype: ScalarType, to: ScalarType
) -> tuple[Shape, Strides, int]:
    """The view of the same bytes as elements of another type: the last axis grows or shrinks with their size.

    Raises:
        ShapeError: the sizes differ, and the last axis is not contiguous, or its bytes or the offset are not a
            multiple of the new size.
    """
    old, new = dtype.size, to.size
    if old == new:
        return shape, strides, offset
    if not shape or (strides[-1] != 1 and shape[-1] != 1):
        raise ShapeError(f"bitcast of {dtype} to {to} needs a contiguous last axis; the shape is {shape}")
    if any(place * old % new for place in (shape[-1], offset, *strides[:-1])):
        raise ShapeError(
            f"bitcast of {dtype} to {to}: the last axis of shape {shape}, the strides {strides} and the"
            f" offset {offset} must be multiples of {new // old} elements"
        )
    return (
        (*shape[:-1], shape[-1] * old // new),
        (*(s * old // new for s in strides[:-1]), 1),
        offset * old // new,
    )


@lru_cache(maxsize=4096)
def reshape_strides(shape: Shape, strides: Strides, to: Shape) -> Strides | None:
    """The strides with which the elements, in row-major order, are seen in the shape ``to`` (as many elements), or
    None where no strides do that."""
    if facts(shape, strides).contiguous:
        return contiguous_strides(to)
    # What can be merged is merged; each merged axis is then split anew.
    merged_shape, (merged_strides,) = collapse(shape, (strides,))
    result: list[int] = []
    axes = list(to)
    for n, stride in zip(merged_shape, merged_strides, strict=True):
        taken: list[int] = []
        while axes and prod(taken) < n:
            taken.append(axes.pop(0))
        if prod(taken) != n:
            return None
        result += (s * stride for s in contiguous_strides(tuple(taken)))
    return (*result, *(1 for _ in axes))


def transpose(shape: Shape, strides: Strides, axes: Sequence[int]) -> tuple[Shape, Strides]:
    """The axes in another order; in reverse order where none is given.

    Raises:
        ShapeError: ``axes`` is not a permutation.
    """
    ndim = len(shape)
    if not axes:
        return shape[::-1], strides[::-1]
    try:
        order = [a + ndim if a < 0 else a for a in map(operator.index, axes)]
    except TypeError:
        raise ShapeError(f"{tuple(axes)} are not axes; expected integers") from None
    if sorted(order) != list(range(ndim)):
        raise ShapeError(f"{tuple(axes)} is not a permutation of the {ndim} axes of shape {shape}")
    return tuple([shape[a] for a in order]), tuple([strides[a] for a in order])


def diagonal(shape: Shape, strides: Strides, offset: int, above: int) -> tuple[Shape, Strides, int]:
    """The view of a diagonal of each matrix that the last two axes hold.

    Raises:
        ShapeError: there are no two axes, or ``above`` is no integer.
    """
    if len(shape) < 2:
        raise ShapeError(f"diagonals are of the last two axes; the shape {shape} has fewer")
    try:
        k = operator.index(above)
    except TypeError:
        raise ShapeError(f"diagonal({above!r}): expected an integer") from None
    (rows, columns), (down, across) = shape[-2:], strides[-2:]
    count = max(0, min(rows + min(k, 0), columns - max(k, 0)))
    if count:  # else it may start outside the memory
        offset += k * across if k > 0 else -k * down
    return (*shape[:-2], count), (*strides[:-2], down + across), offset


@lru_cache(maxsize=4096)
def collapse(shape: Shape, strides: tuple[Strides, ...]) -> tuple[Shape, tuple[Strides, ...]]:
    """The fewest axes with which all views of one shape are walked in row-major order: axes of length 1 are dropped,
    and neighbours are merged where that suits every view.

    >>> collapse((2, 3, 4), ((12, 4, 1), (0, 4, 1)))
    ((2, 12), ((12, 1), (0, 1)))
    """
    merged: list[tuple[int, list[int]]] = []
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        steps = [s[axis] for s in strides]
        if merged and all(outer == inner * n for outer, inner in zip(merged[-1][1], steps, strict=True)):
            merged[-1] = (merged[-1][0] * n, steps)
        else:
            merged.append((n, steps))
    return tuple(n for n, _ in merged), tuple(tuple(s[i] for _, s in merged) for i in range(len(strides)))


class _Region:
    """Stands for memory that NumPy looks at the address of, and never touches."""

    def __init__(self, shape: Shape, strides: Strides, offset: int) -> None:
        self.__array_interface__ = {
            "version": 3,
            "typestr": "|u1",
            "data": (offset + 1, False),  # an address of 0 would mean no address
            "shape": shape,
            "strides": strides,
        }


def overlap(a: tuple[Shape, Strides, int], b: tuple[Shape, Strides, int]) -> bool:
    """Whether two views (shape, strides, offset) of one memory have an element in common. True also where that is
    too hard to find out."""
    (a_shape, a_strides, a_offset), (b_shape, b_strides, b_offset) = a, b
    a_facts, b_facts = facts(a_shape, a_strides), facts(b_shape, b_strides)
    if not a_facts.size or not b_facts.size:
        return False
    if a_offset + a_facts.high <= b_offset + b_facts.low or b_offset + b_facts.high <= a_offset + a_facts.low:
        return False
    try:
        return np.shares_memory(np.asarray(_Region(*a)), np.asarray(_Region(*b)), max_work=100_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True
