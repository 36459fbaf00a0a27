"""Memory of the host backend: NumPy arrays of bytes, which serve again once nobody looks at them.

A fresh page of memory costs the system's work when it is first touched, more than most kernels take for it. So blocks
that buffers gave back are kept by size for the next ones, the last first, since it is still in caches.
"""

from __future__ import annotations

import ctypes
import itertools
from sys import getrefcount
from typing import Any
from weakref import getweakrefcount

import numpy as np

from krnlpy import config
from krnlpy.backend.memory_stats import Usage
from krnlpy.errors import OutOfMemory

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""
KEPT_BYTES = 256 << 20
"""The most that is kept for the next buffers."""
SPARE_BYTES = 8 << 20
"""The most that is kept beyond what was in use at a time: blocks of one size are of no use for another."""

_LEAST = 256
"""Bytes of a block. What Python keeps for it takes half as much."""
_PAGE = 4096
_SPREAD = 1 << 16
"""Bytes of blocks that begin at changing places within a page. The system has all large ones begin at the same place:
then the elements that a kernel touches at a time would all lie in the same few sets of a cache."""
_MAX_LENGTHS = 4096
"""Lengths whose sizes of blocks are known by heart."""

Array = np.ndarray[Any, Any]
_Piece = tuple[Array, int, int]
"""A block, the aligned byte with which memory begins in it, and the address of that byte."""


class HostMemory:
    """Bytes at a fixed address, kept by the array that they belong to."""

    __slots__ = ("__weakref__", "address", "array", "nbytes")

    is_shared = False

    def __init__(self, array: Array, address: int) -> None:
        self.array = array
        self.address = address
        self.nbytes: int = array.nbytes


class ArrayMemory(HostMemory):
    """Memory of a foreign array."""

    __slots__ = ()

    is_shared = True


class MemoryWindow(HostMemory):
    """A part of a memory, which it keeps."""

    __slots__ = ("whole",)

    def __init__(self, whole: HostMemory, first: int, end: int) -> None:
        super().__init__(whole.array[first:end], whole.address + first)
        self.whole = whole

    def __del__(self) -> None:
        if hasattr(self, "array"):  # Ctrl-C may have broken off the constructor
            del self.array  # first: whoever looks at a block when it is given back is its user


class BlockMemory(HostMemory):
    """Aligned memory of undefined content in a block, which serves the next buffer once nobody looks at it.

    Args:
        nbytes: its length.
        usage: what counts it, if anything.

    Attributes:
        piece: what of which block it is.

    Raises:
        OutOfMemory: the system has none left.
    """

    __slots__ = ("_blocks", "_usage", "piece")

    def __init__(self, nbytes: int, usage: Usage | None = None) -> None:
        blocks = _kept.of_length.get(nbytes)
        if blocks is None:
            blocks = _kept.for_length(nbytes)
        try:
            piece = blocks.pop()
            _kept.nbytes -= blocks.size
        except IndexError:
            piece = _kept.fresh(blocks)
        block, begin, self.address = self.piece = piece
        self.array = block[begin : begin + nbytes]
        self.nbytes = nbytes
        self._blocks = blocks
        self._usage = usage  # the last attribute: all are there where it is
        if usage is not None:
            usage.take(nbytes)

    def __del__(self) -> None:
        try:
            usage = self._usage
        except AttributeError:  # Ctrl-C broke off the constructor
            return
        if usage is not None:
            usage.give_back(-self.nbytes)
        block = self.piece[0]
        # Arrays that share the memory refer to its array or to the block.
        if getrefcount(self.array) + getrefcount(block) == _ALONE and not getweakrefcount(block) and not config.debug:
            blocks = self._blocks
            if _kept.nbytes + blocks.size <= KEPT_BYTES or _kept.make_room(blocks):
                blocks.append(self.piece)
                _kept.nbytes += blocks.size
                return
        _kept.taken -= self._blocks.size


def _references(memory: BlockMemory) -> int:
    """What is counted where nobody else looks: how many references Python itself has differs with its version."""
    block = memory.piece[0]
    return getrefcount(memory.array) + getrefcount(block)


class _Blocks(list[_Piece]):
    """Blocks of one size that nobody uses."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size


class _KeptBlocks:
    """Blocks that buffers gave back.

    Its methods may run at any time, in any thread, also within one another: each changes one list by one call.
    """

    def __init__(self) -> None:
        self._of_size: dict[int, _Blocks] = {}
        self.of_length: dict[int, _Blocks] = {}
        self._turn = itertools.count()
        # Roughly: a change may get lost where threads really run at once.
        self.nbytes = 0
        self.taken = 0
        """From the system: what is in use, and what is kept."""
        self._most = 0

    def for_length(self, nbytes: int) -> _Blocks:
        """Those that memory of a length can be in."""
        if len(self.of_length) >= _MAX_LENGTHS:
            self.of_length.clear()
        size = block_size(nbytes)
        blocks = self.of_length[nbytes] = self._of_size.setdefault(size, _Blocks(size))
        return blocks

    def fresh(self, of: _Blocks) -> _Piece:
        """A new block. Kept ones of other sizes go for it where there is more than was ever in use at a time."""
        self._most = max(self._most, self.taken - self.nbytes + of.size)
        self._drop(self.taken + of.size - self._most - SPARE_BYTES, of)
        piece = _new_piece(of.size)
        self.taken += of.size
        return piece

    def make_room(self, of: _Blocks) -> bool:
        """Whether one more block may be kept: those of other sizes go for it."""
        self._drop(self.count() + of.size - KEPT_BYTES, of)
        return self.nbytes + of.size <= KEPT_BYTES

    def _drop(self, excess: int, other_than: _Blocks) -> None:
        """Gives so many bytes back, of one size after the other, the oldest blocks first."""
        if excess <= 0:
            return
        sizes = list(self._of_size.values())
        for _ in sizes:
            blocks = sizes[next(self._turn) % len(sizes)]
            while blocks is not other_than and blocks:
                if excess <= 0:
                    return
                try:
                    blocks.pop(0)
                except IndexError:  # another thread was quicker
                    break
                excess -= blocks.size
                self.nbytes -= blocks.size
                self.taken -= blocks.size

    def count(self) -> int:
        """The bytes that are kept."""
        self.nbytes = sum(len(blocks) * blocks.size for blocks in list(self._of_size.values()))
        return self.nbytes

    def clear(self) -> None:
        """Gives all back to the system."""
        for blocks in list(self._of_size.values()):
            blocks.clear()
        self.taken -= self.nbytes
        self.nbytes = 0
        self._most = self.taken


_kept = _KeptBlocks()
_places = itertools.count()


def kept_bytes() -> int:
    """What is kept for the next buffers."""
    return _kept.count()


def give_back() -> None:
    """Gives the system what is kept."""
    _kept.clear()


def _new_piece(size: int) -> _Piece:
    spread = 23 * ALIGNMENT * next(_places) % _PAGE if size >= _SPREAD else 0
    block = _new_block(size + ALIGNMENT + spread)
    address = ctypes.addressof(ctypes.c_char.from_buffer(block.data))  # the quickest of all ways
    begin = -address % ALIGNMENT + spread
    return block, begin, address + begin


def _new_block(size: int) -> Array:
    try:
        return np.empty(size, np.uint8)
    except MemoryError:
        _kept.clear()
    try:
        return np.empty(size, np.uint8)
    except MemoryError as error:
        raise OutOfMemory(f"the host has no memory left for {size} bytes") from error


def block_size(nbytes: int) -> int:
    """Bytes of the block that memory of a length is in: the next of eight sizes an octave, so that few blocks serve
    many lengths."""
    step = max(_LEAST, 1 << max(0, nbytes.bit_length() - 4))
    return -(-nbytes // step) * step


def address_of(array: Array) -> int:
    """Where an array of bytes begins in the process."""
    address: int = array.__array_interface__["data"][0]
    return address


_ALONE = -1
_ALONE = _references(BlockMemory(1))
