"""How much memory a device's buffers take."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from krnlpy.locks import is_mine, renew_after_fork

_MAX_NOTES = 4096
"""More are added up at once, so that they don't pile up where nobody asks for stats."""


@dataclass(frozen=True)
class MemoryStats:
    """The memory of a device at one moment, in bytes.

    Attributes:
        in_use: of buffers that are alive.
        peak: the most that ever was in use.
        reserved: taken from the driver or the system: what is in use, what is kept for the next buffers, and the
            memory through which bytes travel to the device and back.

    >>> from krnlpy import Buffer, Device
    >>> x = Buffer.zeros(1000)
    >>> stats = Device.host().memory_stats()
    >>> x.nbytes <= stats.in_use <= stats.peak
    True
    """

    in_use: int
    peak: int
    reserved: int


class Usage:
    """Counts bytes that are taken and given back, in any thread: each is a note, and notes are added up in order."""

    __slots__ = ("__weakref__", "_in_use", "_lock", "_notes", "_peak", "give_back")

    give_back: Callable[[int], None]
    """Counts minus so many bytes. For finalizers, which run at any time: only leaves a note."""

    def __init__(self) -> None:
        self._in_use = self._peak = 0
        self._lock = threading.RLock()
        renew_after_fork(self, "_lock")
        self._notes: deque[int] = deque()
        self.give_back = self._notes.append

    def take(self, nbytes: int) -> None:
        """Counts bytes that were taken."""
        self._notes.append(nbytes)
        if len(self._notes) > _MAX_NOTES:
            self.stats()

    def stats(self) -> MemoryStats:
        """What is counted now; nothing is kept beyond what is in use."""
        if is_mine(self._lock):  # asked by who interrupted this very method
            in_use = self._in_use + sum(self._notes)
            return MemoryStats(in_use, max(self._peak, in_use), in_use)
        with self._lock:
            while self._notes:
                self._in_use += self._notes.popleft()
                if self._in_use > self._peak:  # each time, for each buffer that was ever made
                    self._peak = self._in_use
            return MemoryStats(self._in_use, self._peak, self._in_use)
