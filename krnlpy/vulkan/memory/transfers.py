"""Bytes to and from a device's memory, and within it."""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import Any

import numpy as np

from krnlpy.vulkan.loading.device import LogicalDevice
from krnlpy.vulkan.queue.commands import Queue

from .blocks import VulkanMemory
from .staging import CHUNK_BYTES, StagingRing

_PATTERN_BYTES = 1 << 20

Array = np.ndarray[Any, Any]


class Transfers:
    """Uploads, downloads, copies and fills. The caller holds the backend's lock.

    Where host and device share the memory, the host copies directly: at once into bytes that no queued work uses,
    and from bytes when the last work that writes them is done. Everything else goes through the staging ring.
    """

    def __init__(self, device: LogicalDevice, queue: Queue) -> None:
        self._device = device
        self._queue = queue
        self._region = device.api.new("VkBufferCopy[1]")
        self._copy = device.functions.vkCmdCopyBuffer
        self._fill = device.functions.vkCmdFillBuffer

    @cached_property
    def ring(self) -> StagingRing:
        """The staging ring, made when it is first needed."""
        return StagingRing(self._device, self._queue)

    def upload(self, memory: VulkanMemory, offset: int, data: Array) -> None:
        """Copies bytes into memory."""
        mapped = memory.block.mapped
        if mapped is not None and (
            memory.last_use <= self._queue.completed or not self._is_used(memory, offset, data.nbytes)
        ):
            start = memory.offset + offset
            mapped[start : start + data.nbytes] = data
            return
        for begin in range(0, data.nbytes, CHUNK_BYTES):
            chunk = data[begin : begin + CHUNK_BYTES]
            place = self.ring.put(chunk)
            self._record_copy(None, place, memory, offset + begin, chunk.nbytes)
            if begin + CHUNK_BYTES < data.nbytes:
                self._queue.submit()  # the device copies this piece while the host copies the next

    def _is_used(self, memory: VulkanMemory, offset: int, nbytes: int) -> bool:
        """Whether queued work may access these bytes of memory that is in use."""
        queue, first = self._queue, memory.address + offset
        batch = queue.last_access(first, first + nbytes)
        return batch > 0 and (batch >= queue.open_value or batch > queue.poll())

    def download(self, memory: VulkanMemory, offset: int, out: Array) -> None:
        """Copies memory that the host does not share into an array, after all work queued before."""
        waiting: deque[tuple[int, int, Array]] = deque()
        for begin in range(0, out.nbytes, CHUNK_BYTES):
            if len(waiting) == 2:
                self._take(*waiting.popleft())
            chunk = out[begin : begin + CHUNK_BYTES]
            place = self.ring.reserve(chunk.nbytes)
            self._record_copy(memory, offset + begin, None, place, chunk.nbytes)
            waiting.append((self._queue.submit(), place, chunk))
        for entry in waiting:
            self._take(*entry)

    def _take(self, value: int, place: int, out: Array) -> None:
        self._queue.wait(value)
        out[...] = self.ring.bytes[place : place + out.nbytes]

    def copy(self, source: VulkanMemory, source_offset: int, to: VulkanMemory, to_offset: int, nbytes: int) -> None:
        """Copies bytes within the device."""
        if nbytes and source.address + source_offset != to.address + to_offset:
            self._record_copy(source, source_offset, to, to_offset, nbytes)

    def fill(self, memory: VulkanMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        """Repeats a pattern of 1, 2, 4 or 8 bytes, to which ``offset`` and ``nbytes`` are aligned."""
        if len(pattern) == 8 and pattern[:4] != pattern[4:]:
            self._fill_from_ring(memory, offset, nbytes, pattern)
            return
        word = (pattern * 4)[:4]
        # vkCmdFillBuffer takes whole words; what a shorter element leaves at the edges is uploaded.
        first = min(-(-offset // 4) * 4, offset + nbytes)
        last = max((offset + nbytes) // 4 * 4, first)
        for begin, end in ((offset, first), (last, offset + nbytes)):
            if begin < end:
                self.upload(memory, begin, np.frombuffer((word * 2)[: end - begin], np.uint8))
        if first < last:
            address = memory.address
            commands = self._queue.begin([(address + first, address + last, True)])
            memory.last_use = memory.last_write = self._queue.open_value
            value = int.from_bytes(word, "little")
            arguments = memory.buffer, memory.offset + first, last - first, value
            self._fill(commands, *arguments)
            self._queue.log.append((self._fill, *arguments))
            self._queue.end((last - first) // 4)

    def _fill_from_ring(self, memory: VulkanMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        if not nbytes:
            return
        length = min(nbytes, _PATTERN_BYTES)
        place = self.ring.put(np.resize(np.frombuffer(pattern, np.uint8), length))
        api, start = self._device.api, memory.offset + offset
        regions = [
            {"srcOffset": place, "dstOffset": start + begin, "size": min(length, nbytes - begin)}
            for begin in range(0, nbytes, length)
        ]
        address = memory.address + offset
        commands = self._queue.begin([(address, address + nbytes, True)])
        memory.last_use = memory.last_write = self._queue.open_value
        arguments = self.ring.handle, memory.buffer, len(regions), api.new("VkBufferCopy[]", regions)
        self._copy(commands, *arguments)
        self._queue.log.append((self._copy, *arguments))
        self._queue.end(nbytes // 4)

    def _record_copy(
        self,
        source: VulkanMemory | None,
        source_offset: int,
        to: VulkanMemory | None,
        to_offset: int,
        nbytes: int,
    ) -> None:
        """Records a copy; None is the staging ring, which has no hazards: its places are used once a batch."""
        queue, region = self._queue, self._region[0]
        accesses = []
        if source is not None:
            accesses.append((source.address + source_offset, source.address + source_offset + nbytes, False))
        if to is not None:
            accesses.append((to.address + to_offset, to.address + to_offset + nbytes, True))
        commands = queue.begin(accesses)
        from_buffer = to_buffer = self.ring.handle if source is None or to is None else None
        if source is not None:
            source.last_use = queue.open_value
            from_buffer = source.buffer
            source_offset += source.offset
        if to is not None:
            to.last_use = to.last_write = queue.open_value
            to_buffer = to.buffer
            to_offset += to.offset
        region.srcOffset, region.dstOffset, region.size = source_offset, to_offset, nbytes
        self._copy(commands, from_buffer, to_buffer, 1, self._region)
        queue.log.append((_copy_anew, self._copy, from_buffer, to_buffer, (source_offset, to_offset, nbytes)))
        queue.end(nbytes // 4)

    def close(self) -> None:
        """Gives the staging ring back."""
        if "ring" in self.__dict__:
            self.ring.close()


def _copy_anew(commands: Any, copy: Any, source: Any, to: Any, region: tuple[int, int, int]) -> None:
    """Records a copy once more. (Most are recorded once, with one region that all of them use.)"""
    copy(commands, source, to, 1, [region])
