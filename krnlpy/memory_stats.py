"""How much memory a device's buffers take."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class MemoryStats:
    """The memory of a device at one moment, in bytes.

    Attributes:
        in_use: of buffers that are alive.
        peak: the most that ever was in use.
        reserved: taken from the driver or the system: what is in use, what is kept for the next buffers, and the
            memory through which bytes travel to the device and back.
    """

    in_use: int
    peak: int
    reserved: int


class Usage:
    """Counts bytes that are taken and given back, in any thread."""

    __slots__ = ("_freed", "_lock", "in_use", "peak")

    def __init__(self) -> None:
        self.in_use = self.peak = 0
        self._lock = threading.Lock()
        self._freed: deque[int] = deque()

    def take(self, nbytes: int) -> None:
        """Counts bytes that were taken."""
        with self._lock:
            if self._freed:
                self._settle()
            self.in_use += nbytes
            if self.in_use > self.peak:
                self.peak = self.in_use

    def give_back(self, nbytes: int) -> None:
        """Counts bytes that were given back. For finalizers, which run at any time: only leaves a note."""
        self._freed.append(nbytes)

    def _settle(self) -> None:
        while self._freed:
            self.in_use -= self._freed.popleft()

    def stats(self) -> MemoryStats:
        """What is counted now; nothing is kept beyond what is in use."""
        with self._lock:
            self._settle()
            return MemoryStats(self.in_use, self.peak, self.in_use)
