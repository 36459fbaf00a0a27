"""A device's memory, handed out in pieces of larger blocks.

What is freed may be handed out again at once, while queued work still uses it: the queue runs in order, and hazards
are tracked by bytes, so that the next user's work comes after. Only the host has to look (``last_use``), and a block
goes back to the driver only when its last use is done.
"""

from __future__ import annotations

import gc
import itertools
from collections import deque
from typing import Any

import numpy as np

from krnlpy.backend.memory_stats import MemoryStats, Usage
from krnlpy.errors import LimitExceeded, OutOfMemory
from krnlpy.log import logger
from krnlpy.vulkan.loading.device import DeviceBuffer, LogicalDevice
from krnlpy.vulkan.queue.commands import Queue

from .allocator import RangeAllocator
from .imported import ImportedBuffer

_ROUNDING = 16  # 8- and 16-bit elements are accessed in words of 32 bits where the device has no narrower ones
_PROCESS = 1 << 62
_APART = 1 << 63
"""Where blocks lie that are made while another method is interrupted, which may be about to place one: each at a
multiple, so that one call finds the place."""
_BLOCK_BYTES = 64 << 20
_KEPT_BYTES = 1 << 30


class Block:
    """Memory of the driver's, or of the process, with one buffer over all of it.

    Attributes:
        unique: its place among all blocks ever made, laid end to end; never used again.
        base: the same; but of memory of the process its address there, beyond all others, so that blocks over the same
            pages are seen to overlap.
        mapped: its bytes where the host shares them, else None.
        freed_use: the last use of any memory that was freed in it.
    """

    __slots__ = ("base", "buffer", "freed_use", "handle", "is_large", "mapped", "ranges", "unique")

    def __init__(
        self, device: LogicalDevice, buffer: DeviceBuffer | ImportedBuffer, unique: int, is_large: bool
    ) -> None:
        self.buffer = buffer
        self.handle = buffer.handle
        self.unique = unique
        self.base = _PROCESS + buffer.address if isinstance(buffer, ImportedBuffer) else unique
        self.is_large = is_large
        self.ranges = RangeAllocator(buffer.size)
        self.freed_use = 0
        self.mapped: np.ndarray[Any, Any] | None = None
        if buffer.pointer is not None:
            self.mapped = np.frombuffer(device.api.ffi.buffer(buffer.pointer, buffer.size), np.uint8)


class VulkanMemory:
    """A piece of a block.

    Attributes:
        buffer: the block's VkBuffer.
        offset: of the first byte in the buffer.
        address: ``offset`` plus the block's base, unique in the device.
        key: unique among all memory of the device but such as lies at the same place.
        last_use: the batch (see Queue) that last used it. ``last_write``: that last wrote it.
    """

    __slots__ = ("address", "block", "buffer", "freed", "key", "last_use", "last_write", "nbytes", "offset")

    is_shared = False

    def __init__(self, block: Block, offset: int, nbytes: int, freed: deque[tuple[Block, int, int, int]]) -> None:
        self.block = block
        self.buffer = block.handle
        self.offset = offset
        self.nbytes = nbytes
        self.address = block.base + offset
        self.key = ((block.unique + offset) << 64) | nbytes
        self.last_use = self.last_write = block.freed_use
        self.freed = freed

    def __del__(self) -> None:
        # May run at any time in any thread, even within the pool's own methods: so it only leaves a note.
        if hasattr(self, "freed"):  # Ctrl-C may have come before there was anything
            self.freed.append((self.block, self.offset, self.nbytes, self.last_use))


class _Uses:
    """The last use and the last write of any memory of the process."""

    last_use = last_write = 0


class ImportedMemory(VulkanMemory):
    """Memory of a foreign array. Others may lie on the same pages, so they all have each other's uses."""

    __slots__ = ("_uses",)

    is_shared = True

    def __init__(
        self, block: Block, offset: int, nbytes: int, freed: deque[tuple[Block, int, int, int]], uses: _Uses
    ) -> None:
        self._uses = uses
        super().__init__(block, offset, nbytes, freed)

    @property
    def last_use(self) -> int:
        return self._uses.last_use

    @last_use.setter
    def last_use(self, batch: int) -> None:
        self._uses.last_use = max(self._uses.last_use, batch)

    @property
    def last_write(self) -> int:
        return self._uses.last_write

    @last_write.setter
    def last_write(self, batch: int) -> None:
        self._uses.last_write = max(self._uses.last_write, batch)


class MemoryWindow:
    """A part of a memory, for kernels, which can't reach all of it; has the attributes of VulkanMemory."""

    __slots__ = ("address", "block", "buffer", "key", "nbytes", "offset", "whole")

    def __init__(self, whole: VulkanMemory, first: int, end: int) -> None:
        self.whole = whole
        self.block = whole.block
        self.buffer = whole.buffer
        self.offset = whole.offset + first
        self.nbytes = end - first
        self.address = whole.address + first
        self.key = ((self.block.unique + self.offset) << 64) | self.nbytes

    @property
    def is_shared(self) -> bool:
        return self.whole.is_shared

    @property
    def last_use(self) -> int:
        return self.whole.last_use

    @last_use.setter
    def last_use(self, batch: int) -> None:
        self.whole.last_use = batch

    @property
    def last_write(self) -> int:
        return self.whole.last_write

    @last_write.setter
    def last_write(self, batch: int) -> None:
        self.whole.last_write = batch


class MemoryPool:
    """Hands out a device's memory. The caller holds the backend's lock."""

    def __init__(self, device: LogicalDevice, queue: Queue) -> None:
        self._device = device
        self._queue = queue
        self._alignment = max(_ROUNDING, device.physical.storage_alignment)
        heap = device.info.memory_bytes
        self._block_bytes = min(_BLOCK_BYTES, self._round(heap // 16), self._floor(device.info.max_buffer_bytes))
        self._kept_bytes = min(_KEPT_BYTES, heap // 8)
        self._max_bytes = device.info.max_buffer_bytes
        self._blocks: list[Block] = []
        self._imported: list[Block] = []
        self._process_uses = _Uses()
        self._usage = Usage()
        self._next_base, self._next_apart = 0, itertools.count(_APART, _APART)
        self._freed: deque[tuple[Block, int, int, int]] = deque()

    def _round(self, size: int) -> int:
        return -(-size // self._alignment) * self._alignment

    def _floor(self, size: int) -> int:
        return size // self._alignment * self._alignment

    def allocate(self, nbytes: int) -> VulkanMemory:
        """Memory, its size rounded up to 16 bytes.

        Raises:
            LimitExceeded: more than one buffer can have.
            OutOfMemory: no memory is left, even after waiting for all work.
        """
        rounded = self._rounded(nbytes)
        freed = self._freed
        if freed:
            # What a loop makes and drops in each round is where it was in the last.
            block, offset, was, last_use = freed[0]
            if was == rounded and not isinstance(block.buffer, ImportedBuffer):
                freed.popleft()
                block.freed_use = max(block.freed_use, last_use)
                return VulkanMemory(block, offset, rounded, freed)
            self.collect()
        size = self._round(rounded)
        block, offset = self._find(size) or self._find_after_growth(size)
        self._usage.take(rounded)
        return VulkanMemory(block, offset, rounded, self._freed)

    def allocate_apart(self, nbytes: int) -> VulkanMemory:
        """As :meth:`allocate`, but for who interrupted another method: in a block of its own."""
        rounded = self._rounded(nbytes)
        block = self._apart_block(DeviceBuffer(self._device, self._round(rounded), for_host=False))
        block.ranges.allocate(block.ranges.size)
        self._blocks.append(block)
        self._usage.take(rounded)
        return VulkanMemory(block, 0, rounded, self._freed)

    def _rounded(self, nbytes: int) -> int:
        rounded = -(-nbytes // _ROUNDING) * _ROUNDING
        if rounded > self._max_bytes:
            raise LimitExceeded(
                f"a buffer of {nbytes} bytes; on {self._device.info.name} a buffer has at most {self._max_bytes} bytes"
            )
        return rounded

    def adopt(self, array: np.ndarray[Any, Any], apart: bool = False) -> tuple[VulkanMemory, int]:
        """Memory of the process, and where the array begins in it. ``apart``: as :meth:`allocate_apart`. Raises
        SharingError, OutOfMemory."""
        if not apart:
            self.collect()
        buffer = ImportedBuffer(self._device, array)
        block = self._apart_block(buffer) if apart else self._add_block(buffer, is_large=True)
        self._imported.append(block)
        first = self._floor(buffer.start)
        nbytes = -(-(buffer.start - first + array.nbytes) // _ROUNDING) * _ROUNDING
        return ImportedMemory(block, first, nbytes, self._freed, self._process_uses), buffer.start - first

    def window(self, memory: VulkanMemory, first: int, end: int) -> tuple[MemoryWindow, int] | None:
        """A part of memory that begins where kernels can be given it; None if it is longer than they reach."""
        start = self._floor(first)
        end = -(-end // _ROUNDING) * _ROUNDING
        if end - start > self._device.info.max_binding_bytes:
            return None
        return MemoryWindow(memory, start, end), start

    def stats(self) -> MemoryStats:
        """How much memory the buffers take; memory of the process is not counted."""
        self.collect()
        return self.counted()

    def counted(self) -> MemoryStats:
        """As :meth:`stats`, but for what was given back and not collected yet."""
        usage = self._usage.stats()
        return MemoryStats(usage.in_use, usage.peak, self._device.allocated_bytes())

    def collect(self) -> None:
        """Takes back memory whose last reference is gone."""
        freed = self._freed
        while freed:
            block, offset, nbytes, last_use = freed.popleft()
            block.freed_use = max(block.freed_use, last_use)
            if isinstance(block.buffer, ImportedBuffer):
                self._imported.remove(block)
                self._queue.retire(block.freed_use, block.buffer.close)
                continue
            self._usage.give_back(-nbytes)
            block.ranges.free(offset, block.ranges.size if block.is_large else self._round(nbytes))
            if block.is_large and not self._is_large(block.ranges.size):
                self._release(block)  # it would not be found
            elif block.ranges.is_empty:
                self._release_beyond(self._kept_bytes)

    def trim(self) -> None:
        """Gives empty blocks back to the driver, each when its last use is done."""
        self.collect()
        self._release_beyond(0)

    def repair(self) -> None:
        """Makes the pool consistent after any method was broken off."""
        for block in self._blocks:
            block.ranges.repair()

    def _find(self, size: int) -> tuple[Block, int] | None:
        if self._is_large(size):
            # A large block serves one piece at a time, of about its size.
            fitting = [
                b for b in self._blocks if b.is_large and b.ranges.is_empty and size <= b.ranges.size <= size * 5 // 4
            ]
            if not fitting:
                return None
            block = min(fitting, key=lambda b: b.ranges.size)
            block.ranges.allocate(block.ranges.size)
            return block, 0
        for block in self._blocks:
            if not block.is_large and (offset := block.ranges.allocate(size)) is not None:
                return block, offset
        return None

    def _find_after_growth(self, size: int) -> tuple[Block, int]:
        for collects_garbage in (False, True):
            try:
                return self._find(size) or self._new_block(size)
            except OutOfMemory:
                if collects_garbage:  # memory may hang on cycles of objects
                    gc.collect()
                self._reclaim()
        return self._find(size) or self._new_block(size, is_exact=True)

    def _new_block(self, size: int, is_exact: bool = False) -> tuple[Block, int]:
        is_large = is_exact or self._is_large(size)
        block_size = size if is_large else self._block_bytes
        block = self._add_block(DeviceBuffer(self._device, block_size, for_host=False), is_large)
        logger.debug("%s: a block of %d bytes, the %d. one", self._device.info.name, block_size, len(self._blocks) + 1)
        self._blocks.append(block)
        block.ranges.allocate(size)  # a new block is taken from its start
        return block, 0

    def _add_block(self, buffer: DeviceBuffer | ImportedBuffer, is_large: bool) -> Block:
        block = Block(self._device, buffer, self._next_base, is_large)
        self._next_base += buffer.size
        return block

    def _apart_block(self, buffer: DeviceBuffer | ImportedBuffer) -> Block:
        return Block(self._device, buffer, next(self._next_apart), is_large=True)

    def _is_large(self, size: int) -> bool:
        return size > self._block_bytes // 2

    def _reclaim(self) -> None:
        self.collect()
        self._queue.wait(self._queue.open_value)
        self._release_beyond(0)

    def _release_beyond(self, kept_bytes: int) -> None:
        """Gives empty blocks back to the driver, the oldest first, until no more than so many bytes are kept."""
        empty = [b for b in self._blocks if b.ranges.is_empty]
        excess = sum(b.ranges.size for b in empty) - kept_bytes
        for block in empty:
            if excess <= 0:
                return
            excess -= block.ranges.size
            self._release(block)

    def _release(self, block: Block) -> None:
        self._blocks.remove(block)
        self._queue.retire(block.freed_use, block.buffer.close)

    def close(self) -> None:
        """Gives all memory back. The queue is idle."""
        for block in (*self._blocks, *self._imported):
            block.buffer.close()
        self._blocks.clear()
        self._imported.clear()
