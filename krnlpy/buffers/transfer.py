"""Moving elements: copies within a device and between devices, fills and casts. Arguments were checked by Buffer.

Memory that the process can see (the host's and the interpreter's) is moved by NumPy; on other devices contiguous
elements are moved by the backend, and strided ones by a kernel of this package (kernels.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.backend.recorder import capturable
from krnlpy.dsl.types.annotations import MAX_NDIM
from krnlpy.scalar import ScalarType, u8, u16, u32
from krnlpy.views import strides as views

if TYPE_CHECKING:
    from .buffer import Buffer

CHUNK_BYTES = 32 << 20
"""What is taken at a time from one device to another through the host."""

_WORDS: dict[int, tuple[ScalarType, int]] = {1: (u8, 1), 2: (u16, 1), 4: (u32, 1), 8: (u32, 2)}


@capturable
def copy(source: Buffer, to: Buffer) -> None:
    """Copies the elements of a buffer to another of the same shape and type; the two may overlap."""
    if not source.size:
        return
    if source.device.backend is to.device.backend:
        _copy_within(source, to)
    elif not to.is_contiguous():
        _copy_within(source.to_device(to.device), to)
    else:
        _copy_between(source.contiguous(), to)


def _copy_within(source: Buffer, to: Buffer) -> None:
    backend = to.device.backend
    if source.shares_memory(to):
        first, second = (b.memory.address + b.offset * b.dtype.size for b in (source, to))
        if first == second and source.strides == to.strides:
            return
        source = source.copy()
    if source.is_contiguous() and to.is_contiguous():
        size = source.dtype.size
        backend.copy(source.memory, source.offset * size, to.memory, to.offset * size, source.nbytes)
    elif targets := planes(to, is_written=True):
        for elements, values in zip(targets, planes(source), strict=True):
            elements[...] = values
    else:
        from . import copy_kernels  # kernels are made of buffers, so they come later

        _in_parts(copy_kernels.copy, _words(source), _words(to))


def _copy_between(source: Buffer, to: Buffer) -> None:
    """Both are contiguous."""
    size, nbytes = source.dtype.size, source.nbytes
    first, second = source.device.backend, to.device.backend
    start, target = source.offset * size, to.offset * size
    here, there = first.planes(source.memory), second.planes(to.memory, True)
    if len(here) > 1 and len(there) > 1:
        for a, b in zip(here, there, strict=True):
            b[target : target + nbytes] = a[start : start + nbytes]
        return
    if here:
        second.upload(to.memory, target, here[0][start : start + nbytes])
        return
    if len(there) == 1:
        first.download(source.memory, start, there[0][target : target + nbytes])
        return
    staging = np.empty(min(nbytes, CHUNK_BYTES), np.uint8)
    for done in range(0, nbytes, CHUNK_BYTES):
        chunk = staging[: min(CHUNK_BYTES, nbytes - done)]
        first.download(source.memory, start + done, chunk)
        second.upload(to.memory, target + done, chunk)


def fill(to: Buffer, pattern: bytes) -> None:
    """Sets every element to the bytes of ``pattern``."""
    if not to.size:
        return
    backend = to.device.backend
    if to.is_contiguous():
        backend.fill(to.memory, to.offset * to.dtype.size, to.nbytes, pattern)
    elif targets := planes(to, is_written=True):
        for elements, content in zip(targets, (pattern, b"\1" * len(pattern)), strict=False):
            elements[...] = np.frombuffer(content, to.dtype.dtype)[0]
    else:
        from . import copy_kernels

        words = _words(to)
        values: list[int] = np.frombuffer(pattern, words.dtype.dtype).tolist()
        for i, value in enumerate(values):
            _in_parts(partial(copy_kernels.fill, value), words if len(values) == 1 else words[..., i])


def planes(buffer: Buffer, is_written: bool = False) -> list[np.ndarray[Any, Any]]:
    """The buffer's elements, and with the same strides what is known of their bytes; none where NumPy can't read them,
    or may not write them."""
    size = buffer.dtype.size
    strides = tuple(stride * size for stride in buffer.strides)
    return [
        np.ndarray(buffer.shape, buffer.dtype.dtype, plane, buffer.offset * size, strides)
        for plane in buffer.device.backend.planes(buffer.memory, is_written)
    ]


def cast(source: Buffer, to: Buffer) -> None:
    """Converts the elements of a buffer to another type."""
    if source.size:
        from . import copy_kernels

        _in_parts(copy_kernels.cast, source, to)


def _in_parts(launch: Callable[..., None], *items: Buffer) -> None:
    """Launches a kernel, over parts by themselves where there are more axes than kernels have."""
    shape = items[0].shape
    axes, _ = views.collapse(shape, tuple(item.strides for item in items))
    if len(axes) <= MAX_NDIM:
        launch(*items)
        return
    for i in range(shape[0]):
        _in_parts(launch, *(item[i] for item in items))


def _words(buffer: Buffer) -> Buffer:
    """The same bytes as unsigned integers of at most 32 bits, which every device can move: a new last axis of two
    where the elements have 64."""
    from .buffer import Buffer

    word, count = _WORDS[buffer.dtype.size]
    shape, strides = buffer.shape, buffer.strides
    if count > 1:
        shape, strides = (*shape, count), (*(s * count for s in strides), 1)
    return Buffer(buffer.device, word, buffer.memory, shape, strides, buffer.offset * count)
