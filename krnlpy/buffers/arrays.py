"""NumPy arrays and buffers: which memory of an array a buffer can be, and how its elements travel where it can't."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.errors import DtypeError, OutOfMemory, ShapeError, SharingError
from krnlpy.scalar import ScalarType, scalar_type
from krnlpy.views import strides as views

if TYPE_CHECKING:
    from krnlpy.device import Device
    from krnlpy.views.strides import Shape, Strides

    from .buffer import Buffer

Array = np.ndarray[Any, Any]

PIECE_BYTES = 16 << 20
"""Arrays that must be rearranged before they are uploaded are so in pieces of about this size."""


def as_array(value: Any) -> Array:
    """What NumPy makes of a value: an array, a number, a list of these. Its rules decide about the dtype.

    Raises:
        DtypeError: it makes nothing of it. OutOfMemory: the host has no memory for the array.
    """
    try:
        array = np.asarray(value)
    except MemoryError as error:
        raise OutOfMemory(f"the host has no memory left for an array of a {type(value).__name__}") from error
    except Exception as error:  # whatever NumPy says, or the object that it asks
        raise DtypeError(f"NumPy makes no array of this {type(value).__name__}: {error}") from error
    if array.dtype == object and array is not value:
        raise DtypeError(f"NumPy makes no array of numbers of this {type(value).__name__}")
    return array


class _Span:
    """The bytes of an array from the first to the last, whatever lies between; keeps the array."""

    def __init__(self, array: Array, start: int, nbytes: int) -> None:
        self.array = array
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "data": (start, False), "shape": (nbytes,)}


def shared(array: Any, device: Device) -> tuple[Any, Strides, int] | None:
    """The memory of an array as memory of a device, and the strides and offset of its elements there; None of an empty
    array.

    Raises:
        SharingError: it is not an array, or is read-only, not aligned or of foreign byte order; or the device can't use
            it.
    """
    if not isinstance(array, np.ndarray):
        raise SharingError(
            f"a {type(array).__name__} is not a NumPy array, whose memory is shared; copy=True copies it"
        )
    if not array.size:
        return None
    reason = _obstacle(array) or ("" if array.flags.writeable else "it is read-only")
    if reason:
        raise SharingError(
            f"an array of shape {array.shape} and type {array.dtype} can't be shared: {reason}; copy=True copies it"
        )
    span, strides, offset = _span(array)
    memory, start = device.backend.adopt(span)
    return memory, strides, start // array.itemsize + offset


MOST_AXES = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32
"""Of an array of NumPy."""


def empty(shape: Shape, dtype: ScalarType) -> Array:
    """An array of undefined content.

    Raises:
        OutOfMemory: the host has no memory for it.
    """
    try:
        return np.empty(shape, dtype.dtype)
    except MemoryError as error:
        raise OutOfMemory(f"the host has no memory left for an array of shape {shape} of {dtype}") from error


def check_out(out: Any, shape: Shape) -> None:
    """Checks what a buffer of this shape is downloaded to: an array or None. Arrays have fewer axes than buffers.

    Raises:
        DtypeError: it is something else. ShapeError: arrays can't have as many axes.
    """
    if not (out is None or isinstance(out, np.ndarray)):
        raise DtypeError(f"numpy(out=) of a {type(out).__name__}: expected an array of NumPy")
    if len(shape) > MOST_AXES:
        raise ShapeError(f"{len(shape)} axes: an array of NumPy has at most {MOST_AXES}; reshape to fewer first")


def is_plain(array: Array, shape: Shape, dtype: np.dtype[Any]) -> bool:
    """Whether the bytes of an array are those of a contiguous buffer of this shape and type."""
    return array.flags.c_contiguous and array.shape == shape and array.dtype == dtype


def reading(array: Array) -> Buffer:
    """An array as a buffer of the host that is only read: the array itself where it can be, else a copy.

    Raises:
        DtypeError: the array's dtype is not one of the 13.
    """
    from krnlpy.device import Device

    from .buffer import Buffer

    dtype, host = scalar_type(array.dtype), Device.host()
    if not array.size:
        return Buffer.empty(array.shape, dtype, host)
    span, strides, offset = _span(array.astype(dtype.dtype) if _obstacle(array) else array)
    memory, start = host.backend.adopt(span)
    return Buffer(host, dtype, memory, array.shape, strides, start // dtype.size + offset)


def pieces(array: Array, dtype: np.dtype[Any]) -> Iterator[Array]:
    """The elements of an array in row-major order, as contiguous arrays of bytes, none of them empty."""
    if not array.size:
        return
    if array.flags.c_contiguous and array.dtype == dtype:
        yield array.reshape(-1).view(np.uint8)
    elif array.nbytes <= PIECE_BYTES or not array.ndim:
        yield np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8)
    else:
        rows = PIECE_BYTES * len(array) // array.nbytes
        for begin in range(0, len(array), max(rows, 1)):
            yield from pieces(array[begin : begin + rows] if rows else array[begin], dtype)


def _obstacle(array: Array) -> str:
    """Why the elements of an array can't be used where they lie; "" if they can."""
    if not array.dtype.isnative:
        return "its byte order is not the machine's"
    if not array.flags.aligned or any(stride % array.itemsize for stride in array.strides):
        return "its elements are not aligned"
    return ""


def _span(array: Array) -> tuple[Array, Strides, int]:
    if array.flags.c_contiguous:
        return array.reshape(-1).view(np.uint8), views.contiguous_strides(array.shape), 0
    size = array.itemsize
    strides = tuple(stride // size for stride in array.strides)
    facts = views.facts(array.shape, strides)
    start = array.__array_interface__["data"][0] + facts.low * size
    span = np.asarray(_Span(array, start, (facts.high - facts.low) * size))
    return span, strides, -facts.low
