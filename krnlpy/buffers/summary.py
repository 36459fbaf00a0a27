"""Buffers as text: the values at the corners, without downloading what is not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.columns import as_html
from krnlpy.errors import KrnlpyError

from . import arrays, transfer

if TYPE_CHECKING:
    from .buffer import Buffer

_SHOWN_ELEMENTS = 100
"""Buffers of no more are shown whole."""


def summary(buffer: Buffer) -> str:
    """The values of a buffer as NumPy writes them, with ``...`` for what lies far from the ends of long axes."""
    if buffer.ndim > arrays.MOST_AXES:
        return f"{buffer.size} elements of {buffer.ndim} axes, more than an array of NumPy has"
    if buffer.size <= _SHOWN_ELEMENTS:
        array = np.empty(buffer.shape, buffer.dtype.dtype)
        _read(buffer, array)
        return np.array2string(array, separator=", ")
    edge = 3 if buffer.ndim <= 2 else 2 if buffer.ndim == 3 else 1
    # Of a long axis both ends are read; what stands between them is not shown.
    array = np.zeros([min(n, 2 * edge + 1) for n in buffer.shape], buffer.dtype.dtype)
    _read_ends(buffer, array, edge, 0)
    return np.array2string(array, separator=", ", threshold=0, edgeitems=edge)


def html(buffer: Buffer, kind: str) -> str:
    """What a buffer is and its summary, for notebooks."""
    nbytes = buffer.size * buffer.dtype.size
    title = f"{kind} {buffer.shape} of {buffer.dtype} on {buffer.device!r}, {nbytes:,} bytes"
    try:
        return as_html(title, text=summary(buffer) if buffer.size else "")
    except KrnlpyError as error:  # say of a lost device
        return as_html(title, text=str(error))


def _read_ends(buffer: Buffer, array: np.ndarray[Any, Any], edge: int, axis: int) -> None:
    if axis == buffer.ndim:
        _read(buffer, array)
    elif buffer.shape[axis] <= 2 * edge:
        _read_ends(buffer, array, edge, axis + 1)
    else:
        for end in (slice(None, edge), slice(-edge, None)):
            key = (*(slice(None),) * axis, end)
            _read_ends(buffer[key], array[key], edge, axis + 1)


def _read(buffer: Buffer, array: np.ndarray[Any, Any]) -> None:
    """The elements of a small buffer, without a kernel: those that lie together at a time."""
    if not buffer.size:
        return
    backend, memory = buffer.device.backend, buffer.memory
    if backend.planes(memory):
        array[...] = transfer.planes(buffer)[0]
    elif buffer.is_contiguous():
        values = np.empty(buffer.shape, array.dtype)
        backend.download(memory, buffer.offset * buffer.dtype.size, values.reshape(-1).view(np.uint8))
        array[...] = values
    else:
        for i in range(len(buffer)):
            _read(buffer[i], array[i, ...])
