"""Memory of the host backend: NumPy arrays of bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from krnlpy.errors import OutOfMemory

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""

Array = np.ndarray[Any, Any]


class HostMemory:
    """Bytes at a fixed address, kept by the array that they belong to."""

    __slots__ = ("__weakref__", "address", "array", "nbytes")

    def __init__(self, array: Array) -> None:
        self.array = array
        self.address: int = array.ctypes.data
        self.nbytes: int = array.nbytes


def allocate(nbytes: int) -> HostMemory:
    """Aligned memory of undefined content.

    Raises:
        OutOfMemory: the system has none left.
    """
    try:
        block = np.empty(nbytes + ALIGNMENT, np.uint8)
    except MemoryError as error:
        raise OutOfMemory(f"the host has no memory left for {nbytes} bytes") from error
    start = -block.ctypes.data % ALIGNMENT
    return HostMemory(block[start : start + nbytes])


def adopt(array: Array) -> HostMemory | None:
    """The memory of an array; None where kernels could not read and write it as it is."""
    flags = array.flags
    if not (flags.c_contiguous and flags.aligned and flags.writeable and array.dtype.isnative and array.nbytes):
        return None
    return HostMemory(array.reshape(-1).view(np.uint8))
