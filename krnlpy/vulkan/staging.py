"""The staging ring: memory that host and device both see, through which bytes travel in chunks."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from .commands import Queue
from .memory import ALIGNMENT, Allocator, Block

RING_BYTES = 32 << 20
CHUNK_BYTES = RING_BYTES // 4
"""At most this much is copied at once, so that one chunk is filled while the last one travels."""


class StagingRing:
    """Ranges of one block, handed out in order; each comes back when the queue has passed its value."""

    def __init__(self, allocator: Allocator, queue: Queue) -> None:
        self._queue = queue
        self._allocator = allocator
        self.block: Block | None = None
        self._head = 0
        self._in_use: deque[tuple[int, int, int]] = deque()

    def take(self, size: int) -> tuple[Block, int, np.ndarray[Any, np.dtype[np.uint8]]]:
        """A range of at most CHUNK_BYTES that nobody uses: its block, offset and bytes. Waits for older chunks if
        the ring is full. It is free again when the batch that is being recorded is done."""
        if self.block is None:
            self.block = self._allocator.staging_block(RING_BYTES)
        span = -(-size // ALIGNMENT) * ALIGNMENT
        if self._head + span > RING_BYTES:
            self._head = 0
        start = self._head
        while self._in_use and self._overlaps(start, span):
            self._queue.wait(self._in_use.popleft()[2])
        self._head = start + span
        self._in_use.append((start, span, self._queue.submitted + 1))
        assert self.block.mapped is not None
        return self.block, start, self.block.mapped[start : start + size]

    def _overlaps(self, start: int, span: int) -> bool:
        return any(first < start + span and start < first + length for first, length, _ in self._in_use)

    def close(self) -> None:
        """Gives the block back; the device is idle."""
        if self.block is not None:
            self._allocator.free_block(self.block)
            self.block = None
