"""Device memory: large blocks, each one VkBuffer, from which buffers are cut.

A block stays until nothing of it is used. What is given back while queued work may still use it is taken back only when
that work is done: the timeline's value says when.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from krnlpy.errors import LimitExceeded, OutOfMemory

from . import api

BLOCK_BYTES = 64 << 20
ALIGNMENT = 256
"""Of every buffer's first byte: the most that Vulkan lets a device ask for."""

_DEVICE_LOCAL, _HOST_VISIBLE, _HOST_COHERENT, _HOST_CACHED = 1, 2, 4, 8
_USAGE = 0x1 | 0x2 | 0x20  # transfer source, transfer destination, storage buffer


class FreeList:
    """The free ranges of a block: first fit by address, neighbours merged."""

    def __init__(self, size: int) -> None:
        self._free: list[tuple[int, int]] = [(0, size)]
        self.size = size

    def take(self, size: int) -> int | None:
        """The offset of a free range, or None."""
        for i, (start, length) in enumerate(self._free):
            if length >= size:
                if length == size:
                    del self._free[i]
                else:
                    self._free[i] = (start + size, length - size)
                return start
        return None

    def give(self, start: int, size: int) -> None:
        """Takes a range back."""
        insort(self._free, (start, size))
        i = self._free.index((start, size))
        if i + 1 < len(self._free) and start + size == self._free[i + 1][0]:
            self._free[i] = (start, size + self._free.pop(i + 1)[1])
        if i and sum(self._free[i - 1]) == start:
            before, length = self._free[i - 1]
            self._free[i - 1] = (before, length + self._free.pop(i)[1])

    @property
    def is_whole(self) -> bool:
        """Whether all of the block is free."""
        return self._free == [(0, self.size)]


@dataclass(eq=False)
class Block:
    """One allocation of device memory and the buffer that spans it."""

    buffer: Any
    memory: Any
    size: int
    mapped: np.ndarray[Any, np.dtype[np.uint8]] | None
    free: FreeList
    dedicated: bool


class Owner(Protocol):
    """What memory goes back to."""

    def release(self, memory: DeviceMemory) -> None: ...


@dataclass(eq=False)
class DeviceMemory:
    """A range of a block. ``last_use`` and ``last_write`` are the timeline values after which queued work has left it.

    ``reads`` and ``writes`` are the byte ranges used since the last barrier, which was number ``epoch``.
    """

    owner: Owner
    block: Block
    offset: int
    size: int
    nbytes: int
    last_use: int = 0
    last_write: int = 0
    epoch: int = -1
    reads: list[tuple[int, int]] = field(default_factory=list)
    writes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def mapped(self) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
        """The bytes as the host sees them, if it does."""
        block = self.block.mapped
        return None if block is None else block[self.offset : self.offset + self.size]

    def __del__(self) -> None:
        self.owner.release(self)


class Allocator:
    """Cuts buffers from blocks of one device. Not safe for threads; its backend has the lock."""

    def __init__(self, physical: Any, device: Any, max_bytes: int) -> None:
        self._device = device
        self._max_bytes = max_bytes
        self._properties = api.ffi().new("VkPhysicalDeviceMemoryProperties *")
        api.lib().vkGetPhysicalDeviceMemoryProperties(physical, self._properties)
        self._blocks: list[Block] = []
        self._returned: deque[tuple[Block, int, int, int]] = deque()
        self.destroyed = 0
        """Count of blocks given back to the driver; descriptor sets of before may name a buffer that is gone."""

    def allocate(self, owner: Owner, nbytes: int, completed: int) -> DeviceMemory:
        """A range of at least ``nbytes``.

        Raises:
            LimitExceeded: more than the device can allocate at once.
            OutOfMemory: the device has no more.
        """
        if nbytes > self._max_bytes:
            raise LimitExceeded(f"{nbytes} bytes are more than one buffer of this device holds: {self._max_bytes}")
        self.collect(completed)
        size = -(-nbytes // ALIGNMENT) * ALIGNMENT
        if size <= BLOCK_BYTES // 2:
            for block in self._blocks:
                if not block.dedicated:
                    start = block.free.take(size)
                    if start is not None:
                        return DeviceMemory(owner, block, start, size, nbytes)
            block = self._new_block(self._block_bytes(), dedicated=False)
        else:
            block = self._new_block(size, dedicated=True)
        self._blocks.append(block)
        start = block.free.take(size)
        assert start is not None
        return DeviceMemory(owner, block, start, size, nbytes)

    def _block_bytes(self) -> int:
        return min(BLOCK_BYTES, self._max_bytes // ALIGNMENT * ALIGNMENT)

    def give_back(self, memory: DeviceMemory) -> None:
        """Notes that a range is no longer used by the host. May be called at any time, by the garbage collector too."""
        self._returned.append((memory.block, memory.offset, memory.size, memory.last_use))

    def collect(self, completed: int) -> None:
        """Takes back what queued work has left too."""
        for _ in range(len(self._returned)):
            block, offset, size, last_use = self._returned.popleft()
            if last_use > completed:
                self._returned.append((block, offset, size, last_use))
                continue
            block.free.give(offset, size)
            # One empty block of the common kind is kept, so that a loop does not allocate and free it each time.
            if block.free.is_whole and (block.dedicated or self._empty_blocks() > 1):
                self._destroy(block)

    def _empty_blocks(self) -> int:
        return sum(1 for b in self._blocks if not b.dedicated and b.free.is_whole)

    def _new_block(self, size: int, dedicated: bool) -> Block:
        ffi, lib = api.ffi(), api.lib()
        info = api.struct("VkBufferCreateInfo", size=size, usage=_USAGE)
        buffer = api.create(lib.vkCreateBuffer, self._device, info, "VkBuffer", "vkCreateBuffer")
        requirements = ffi.new("VkMemoryRequirements *")
        lib.vkGetBufferMemoryRequirements(self._device, buffer, requirements)
        try:
            memory, visible = self._allocate_memory(requirements)
        except BaseException:
            lib.vkDestroyBuffer(self._device, buffer, ffi.NULL)
            raise
        api.check(lib.vkBindBufferMemory(self._device, buffer, memory, 0), "vkBindBufferMemory")
        return Block(buffer, memory, size, self._map(memory, size) if visible else None, FreeList(size), dedicated)

    def _allocate_memory(self, requirements: Any) -> tuple[Any, bool]:
        ffi, lib = api.ffi(), api.lib()
        for wanted in (_DEVICE_LOCAL | _HOST_VISIBLE | _HOST_COHERENT | _HOST_CACHED, _DEVICE_LOCAL, 0):
            for index, flags in self._types(requirements.memoryTypeBits):
                if flags & wanted != wanted:
                    continue
                info = api.struct("VkMemoryAllocateInfo", allocationSize=requirements.size, memoryTypeIndex=index)
                memory = ffi.new("VkDeviceMemory *")
                result = lib.vkAllocateMemory(self._device, info, ffi.NULL, memory)
                if result >= 0:
                    # Mapped memory that the host reads uncached would be slower than a copy; it is left unmapped.
                    fast = _HOST_VISIBLE | _HOST_COHERENT | _HOST_CACHED
                    return memory[0], flags & fast == fast
                if result not in (-1, -2):
                    api.check(result, "vkAllocateMemory")
        raise OutOfMemory(f"the device has no {requirements.size} bytes of memory left")

    def _types(self, allowed: int) -> list[tuple[int, int]]:
        types = self._properties.memoryTypes
        return [(i, types[i].propertyFlags) for i in range(self._properties.memoryTypeCount) if allowed >> i & 1]

    def staging_block(self, size: int) -> Block:
        """A block that the host sees, cached where there is such memory."""
        ffi, lib = api.ffi(), api.lib()
        info = api.struct("VkBufferCreateInfo", size=size, usage=_USAGE)
        buffer = api.create(lib.vkCreateBuffer, self._device, info, "VkBuffer", "vkCreateBuffer")
        requirements = ffi.new("VkMemoryRequirements *")
        lib.vkGetBufferMemoryRequirements(self._device, buffer, requirements)
        visible = _HOST_VISIBLE | _HOST_COHERENT
        types = [t for t in self._types(requirements.memoryTypeBits) if t[1] & visible == visible]
        types.sort(key=lambda t: not t[1] & _HOST_CACHED)
        for index, _ in types:
            allocation = api.struct("VkMemoryAllocateInfo", allocationSize=requirements.size, memoryTypeIndex=index)
            memory = ffi.new("VkDeviceMemory *")
            if lib.vkAllocateMemory(self._device, allocation, ffi.NULL, memory) >= 0:
                api.check(lib.vkBindBufferMemory(self._device, buffer, memory[0], 0), "vkBindBufferMemory")
                return Block(buffer, memory[0], size, self._map(memory[0], size), FreeList(size), True)
        lib.vkDestroyBuffer(self._device, buffer, ffi.NULL)
        raise OutOfMemory(f"no {size} bytes of memory that host and device share are left")

    def _map(self, memory: Any, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        ffi = api.ffi()
        pointer = ffi.new("void **")
        api.check(api.lib().vkMapMemory(self._device, memory, 0, api.WHOLE_SIZE, 0, pointer), "vkMapMemory")
        return np.frombuffer(ffi.buffer(pointer[0], size), np.uint8)

    def _destroy(self, block: Block) -> None:
        self._blocks.remove(block)
        self.destroyed += 1
        self.free_block(block)

    def free_block(self, block: Block) -> None:
        """Gives a block back to the driver."""
        api.lib().vkDestroyBuffer(self._device, block.buffer, api.ffi().NULL)
        api.lib().vkFreeMemory(self._device, block.memory, api.ffi().NULL)

    def close(self) -> None:
        """Gives everything back; the device is idle."""
        for block in self._blocks:
            self.free_block(block)
        self._blocks.clear()
        self._returned.clear()
