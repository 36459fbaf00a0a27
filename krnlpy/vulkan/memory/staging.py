"""The staging ring: memory that host and device both see, through which bytes travel."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from krnlpy.vulkan.loading.device import DeviceBuffer, LogicalDevice
from krnlpy.vulkan.queue.commands import Queue

CHUNK_BYTES = 4 << 20
"""Longer transfers go in pieces, so that host and device work at the same time."""

_RING_BYTES = 4 * CHUNK_BYTES
"""Room for two chunks that a download waits for, the next one, and what is lost at the ring's end."""


class StagingRing:
    """Memory handed out in a ring, and taken back when the batch that uses it is done.

    Attributes:
        handle: the VkBuffer.
        bytes: what is in it, for the host.
    """

    def __init__(self, device: LogicalDevice, queue: Queue) -> None:
        self._queue = queue
        self._buffer = DeviceBuffer(device, _RING_BYTES, for_host=True)
        self.handle = self._buffer.handle
        self.bytes = np.frombuffer(device.api.ffi.buffer(self._buffer.pointer, _RING_BYTES), np.uint8)
        self._alignment = max(16, device.physical.storage_alignment)
        # Positions count on for ever; the place in the ring is the remainder.
        self._begin = self._end = 0
        self._used: deque[tuple[int, int]] = deque()

    def reserve(self, nbytes: int) -> int:
        """The place of ``nbytes`` <= CHUNK_BYTES for the next command of the queue's open batch.

        May wait for older batches, and may submit the open one and so open another.
        """
        start = -(-self._end // self._alignment) * self._alignment
        if start % _RING_BYTES + nbytes > _RING_BYTES:
            start = -(-start // _RING_BYTES) * _RING_BYTES
        while start + nbytes - self._begin > _RING_BYTES:
            end, value = self._used[0]
            if value > self._queue.completed:
                self._queue.wait(value)
            self._begin = end
            self._used.popleft()
        self._end = start + nbytes
        self._used.append((self._end, self._queue.open_value))
        return start % _RING_BYTES

    def put(self, data: np.ndarray[Any, Any] | bytes) -> int:
        """Copies bytes into the ring, for the next command; returns their place."""
        place = self.reserve(len(data))
        source = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
        self.bytes[place : place + len(source)] = source
        return place

    def close(self) -> None:
        """Gives the memory back."""
        self._buffer.close()
