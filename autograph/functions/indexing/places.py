"""Places on an axis: whole numbers that are given, where they lie among rows and columns, and what is out of range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import AxisError, DeviceError, DtypeError
from autograph.functions.launch import reshape_or_copy
from autograph.functions.sequences import arange
from autograph.functions.type_variables import C
from autograph.tensor.base import Shape, TensorBase
from krnlpy import Buffer, Device, LimitExceeded, func, host_call, i32, i64, u32, u64

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Array = np.ndarray[Any, Any]
Form = tuple[int, int, int]
"""``[outer, n, inner]``: rows, places and columns."""
Part = tuple[slice, slice, slice]

WORDS = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}
"""By their sizes in bytes, as what elements are moved: kernels that only move them know nothing of what they mean."""
MOST_PLACES = (1 << 31) - 1
WHOLE: Part = (slice(None), slice(None), slice(None))


@dataclass(frozen=True)
class Places:
    """Places on the middle axis of ``[outer, count, inner]``.

    Attributes:
        index: whole numbers; in row-major order ``[outer, m, inner]``, or ``[m]`` where all rows and columns share
            them. Below 0 they count from the end. On a device some may be out of range.
        count: the length of the axis.
        are_shared: all rows and columns have the same places.
        are_distinct: none is there twice.
        check: the operation and the axis, for messages, if places that lie on the host are still to be checked.
    """

    index: Tensor
    count: int
    are_shared: bool = True
    are_distinct: bool = False
    check: tuple[str, int] | None = None

    def number(self, outer: int, inner: int) -> int:
        """How many places a row and a column have: m."""
        return self.index.size if self.are_shared else self.index.size // max(1, outer * inner)

    def form(self, outer: int, inner: int) -> Buffer:
        """The whole numbers as ``[outer, m, inner]``, or as ``[1, m, 1]`` where all rows and columns share them."""
        m = self.number(outer, inner)
        return in_form(self.index.buffer, (1, m, 1) if self.are_shared else (outer, m, inner))

    @property
    def checked(self) -> Places:
        """The same, known to be in range."""
        return self if self.check is None else replace(self, check=None)

    def require_range(self) -> None:
        """Raises ShapeError if a place is out of range and this is the host."""
        if self.check is not None and self.index.device.is_host:
            host_call(partial(check_range, *self.check, self.count), self.index.buffer, outputs=0)

    def require_unflagged(self, flag: Buffer) -> None:
        """As :meth:`require_range`, where a kernel has looked, and set a flag."""
        if self.check is not None:
            host_call(partial(_check_flagged, *self.check, self.count), flag, self.index.buffer, outputs=0)


@func
def outside(given: Any, count: Any) -> Any:
    """Below 0 where a whole number is below 0 or not below a count."""
    if C is i64 or C is u64 or C is u32:
        wide = i64(given)
        return wide | (i64(count) - 1 - wide)
    place = i32(given)
    return place | (count - 1 - place)


@func
def place_of(given: Any, count: Any) -> Any:
    """A whole number as a place on an axis of some length; -1 where it is out of range, which no width may hide."""
    if C is i64:
        wide = given + count if given < 0 else given
        return i32(wide) if 0 <= wide < count else -1
    if C is u64:
        return i32(given) if given < u64(count) else -1
    if C is u32:
        return i32(given) if given < u32(count) else -1
    place = i32(given)
    if place < 0:
        place += count
    return place if 0 <= place < count else -1


def in_form(buffer: Buffer, shape: Shape) -> Buffer:
    """The buffer in another shape of the same size: a view if its strides allow one, else a copy."""
    return buffer if buffer.shape == shape else reshape_or_copy(buffer, shape)


def coordinates(shape: Shape, device: Device) -> tuple[Buffer, Buffer]:
    """For each element of ``[outer, m, inner]`` its row and its column."""
    rows, columns = (arange(n, device=device).buffer for n in (shape[0], shape[2]))
    return (
        rows.reshape((shape[0], 1, 1)).broadcast_to(shape),
        columns.reshape((1, 1, shape[2])).broadcast_to(shape),
    )


def is_in_reach(x: Buffer) -> bool:
    """Whether kernels reach all elements of a buffer, and of one that has an i32 for each and some more."""
    return x.size < 2 or (x.can_be_indexed and (x.size + 1) * 4 <= x.device.info.max_binding_bytes)


def parts(x: Buffer) -> Iterator[Part]:
    """Parts of ``[outer, n, inner]`` of which kernels reach all: rows, then columns, and only then of the axis that is
    indexed."""
    if is_in_reach(x):
        yield WHOLE
        return
    axis = 0 if x.shape[0] > 1 else 2 if x.shape[2] > 1 else 1
    middle = x.shape[axis] // 2
    for start, stop in ((0, middle), (middle, x.shape[axis])):
        for part in parts(x[(*WHOLE[:axis], slice(start, stop))]):
            bounds = list(part)
            inner = part[axis]
            bounds[axis] = slice(start + (inner.start or 0), stop if inner.stop is None else start + inner.stop)
            yield bounds[0], bounds[1], bounds[2]


def beside(part: Part, shape: Shape) -> Part:
    """What lies beside a part: the same rows and columns of ``[outer, m, inner]``, or of what all of them share."""
    rows, _, columns = part
    return rows if shape[0] > 1 else WHOLE[0], WHOLE[1], columns if shape[2] > 1 else WHOLE[2]


def require_countable(operation: str, count: int) -> None:
    """Raises LimitExceeded if there are more places than 32 bits count."""
    if count > MOST_PLACES:
        raise LimitExceeded(f"{operation}: {count} places; at most {MOST_PLACES} can be indexed, so do it in parts")


def index_tensor(operation: str, given: Any, x: Tensor, axis: int, axis_length: int) -> Tensor:
    """Whole numbers that are given as a tensor, an array or a list, as a tensor on the device of ``x``.

    Raises:
        DtypeError: they are not whole numbers.
        DeviceError: a tensor on another device.
        ShapeError: one in an array or a list is out of range; those of tensors are not looked at.
        LimitExceeded: the axis has more than 2**31 - 1 places.
    """
    require_countable(operation, axis_length)
    if isinstance(given, TensorBase):
        if not given.dtype.is_integer:
            raise DtypeError(f"{operation} takes indices as whole numbers, not {given.dtype}; see tensor.cast(dtype)")
        if given.device != x.device:
            raise DeviceError(
                f"{operation}: indices on {given.device.name}, the tensor on {x.device.name}; move them with"
                " tensor.to_device(device), or pass a NumPy array"
            )
        return given.detach()
    array = index_array(operation, given)
    return x.result(Buffer.from_numpy(host_places(operation, axis, axis_length, array), x.device))


def index_array(operation: str, given: Any) -> Array:
    """Whole numbers or truth values that NumPy makes of an array, a list or a number.

    Raises:
        DtypeError: it makes something else of it.
    """
    try:
        array = np.asarray(given)
    except Exception as error:  # whatever NumPy raises, or the object itself
        raise DtypeError(f"{operation} takes indices as whole numbers: {error}") from error
    if not array.size and array.dtype.kind == "f":  # NumPy's dtype of an empty list
        array = array.astype(np.int32)
    if array.dtype.kind not in "iub":
        raise DtypeError(f"{operation} takes indices as whole numbers, not {array.dtype}")
    return array


def host_places(operation: str, axis: int, count: int, given: Array) -> Array:
    """Whole numbers as places: those below 0 are counted from the end, and 32 bits serve devices that have no 64.

    Raises:
        ShapeError: one is out of range.
        DtypeError: they are truth values.
    """
    if given.dtype.kind == "b":
        raise DtypeError(f"{operation} takes indices as whole numbers, not bool; x[mask] selects by truth values")
    check_range(operation, axis, count, given)
    places = given.astype(np.int32)
    if given.dtype.kind == "i":
        places += np.where(given < 0, np.int32(count), np.int32(0))
    return places


def check_range(operation: str, axis: int, count: int, given: Array) -> None:
    """Indices must be from ``-count`` to ``count - 1``. Raises ShapeError."""
    if not given.size or int(given.view(f"u{given.itemsize}").max()) < count:  # as such, those below 0 are great
        return
    low, high = int(given.min()), int(given.max())
    if -count <= low and high < count:
        return
    wrong = high if high >= count else low
    raise AxisError(f"{operation}: index {wrong} is out of range: axis {axis} has length {count}")


def _check_flagged(operation: str, axis: int, count: int, flag: Array, given: Array) -> None:
    if flag[0]:
        check_range(operation, axis, count, given)
