"""Memory of the host backend: NumPy arrays of bytes."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from krnlpy.backend.memory_stats import Usage
from krnlpy.errors import OutOfMemory

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""

Array = np.ndarray[Any, Any]


class HostMemory:
    """Bytes at a fixed address, kept by the array that they belong to."""

    __slots__ = ("__weakref__", "address", "array", "nbytes", "usage")

    is_shared = False

    def __init__(self, array: Array, address: int, usage: Usage | None = None) -> None:
        self.array = array
        self.address = address
        self.nbytes: int = array.nbytes
        self.usage = usage
        if usage is not None:
            usage.take(self.nbytes)

    def __del__(self) -> None:
        try:
            usage = self.usage
        except AttributeError:  # Ctrl-C broke off the constructor
            return
        if usage is not None:
            usage.give_back(-self.nbytes)


class ArrayMemory(HostMemory):
    """Memory of a foreign array."""

    __slots__ = ()

    is_shared = True


def allocate(nbytes: int, usage: Usage | None = None) -> HostMemory:
    """Aligned memory of undefined content, counted where ``usage`` is given.

    Raises:
        OutOfMemory: the system has none left.
    """
    try:
        block = np.empty(nbytes + ALIGNMENT, np.uint8)
    except MemoryError as error:
        raise OutOfMemory(f"the host has no memory left for {nbytes} bytes") from error
    address = ctypes.addressof(ctypes.c_char.from_buffer(block.data))  # the quickest of all ways
    start = -address % ALIGNMENT
    return HostMemory(block[start : start + nbytes], address + start, usage)


def address_of(array: Array) -> int:
    """Where an array of bytes begins in the process."""
    address: int = array.__array_interface__["data"][0]
    return address
