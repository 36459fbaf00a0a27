"""Memory of the host backend: NumPy arrays of bytes."""

from __future__ import annotations

import ctypes
from sys import getrefcount
from typing import Any

import numpy as np

from krnlpy.backend.memory_stats import Usage
from krnlpy.errors import OutOfMemory

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""

KEPT_BYTES = 256 << 20
"""The most that is kept for the next buffers."""
_LEAST_KEPT = 4 << 20
"""Bytes of a block that is worth keeping. The process's allocator keeps smaller ones itself; a training step of LeNet5
took 40 % longer where they were kept here, perhaps since kept blocks all begin at the same place within a page."""

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


class KeptMemory(HostMemory):
    """Memory whose block is kept for the next buffer once nobody looks at it."""

    __slots__ = ()

    def __del__(self) -> None:
        super().__del__()
        try:
            is_alone = _references(self) == _ALONE
        except AttributeError:  # Ctrl-C broke off the constructor
            return
        if is_alone and self.array.base is not None:
            _kept.put(self.array.base)


def _references(memory: HostMemory) -> tuple[int, int]:
    """How many look at a memory's block, and at its array: arrays that share the memory refer to one of them."""
    return getrefcount(memory.array.base), getrefcount(memory.array)


class _KeptBlocks:
    """Blocks that buffers gave back, by size: a new one costs a call and, page by page, the system's work.

    Its methods may run at any time, in any thread, also within one another: each changes one list by one call.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, list[Array]] = {}
        self.nbytes = 0

    def put(self, block: Array) -> None:
        """Keeps a block, if there are not too many."""
        size = block.nbytes
        if self.nbytes + size > KEPT_BYTES:
            return
        self._blocks.setdefault(size, []).append(block)
        self.nbytes += size  # a change that gets lost here makes the limit a little greater or smaller

    def take(self, size: int) -> Array | None:
        """A block of a size, or None."""
        try:
            block = self._blocks[size].pop()
        except (KeyError, IndexError):
            return None
        self.nbytes -= size
        return block

    def clear(self) -> None:
        """Gives all back to the system."""
        self._blocks = {}
        self.nbytes = 0


_kept = _KeptBlocks()


def kept_bytes() -> int:
    """What is kept for the next buffers."""
    return max(0, _kept.nbytes)


def allocate(nbytes: int, usage: Usage | None = None) -> HostMemory:
    """Aligned memory of undefined content, counted where ``usage`` is given.

    Raises:
        OutOfMemory: the system has none left.
    """
    kind: type[HostMemory] = HostMemory
    if nbytes < _LEAST_KEPT:
        block = _new_block(nbytes + ALIGNMENT)
    else:
        kind, size = KeptMemory, _block_size(nbytes)
        kept = _kept.take(size)
        block = _new_block(size) if kept is None else kept
    address = ctypes.addressof(ctypes.c_char.from_buffer(block.data))  # the quickest of all ways
    start = -address % ALIGNMENT
    return kind(block[start : start + nbytes], address + start, usage)


def _new_block(size: int) -> Array:
    try:
        return np.empty(size, np.uint8)
    except MemoryError:
        _kept.clear()
    try:
        return np.empty(size, np.uint8)
    except MemoryError as error:
        raise OutOfMemory(f"the host has no memory left for {size} bytes") from error


def _block_size(nbytes: int) -> int:
    """The next of eight sizes an octave, so that few blocks serve many lengths, with place to align in."""
    step = max(ALIGNMENT, 1 << max(0, nbytes.bit_length() - 4))
    return -(-nbytes // step) * step + ALIGNMENT


def address_of(array: Array) -> int:
    """Where an array of bytes begins in the process."""
    address: int = array.__array_interface__["data"][0]
    return address


_ALONE = _references(HostMemory(np.empty(1, np.uint8)[:], 0))
"""What is counted where nobody else looks: how many references a call itself makes differs with Python's version."""
