"""Which commands need a barrier before them. Knows nothing of Vulkan.

Addresses are those of a device's blocks laid end to end, so that one set of ranges serves all of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence


class ByteSet:
    """A set of bytes, held as disjoint ranges in order."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        """The count of ranges."""
        return len(self._starts)

    def overlaps(self, first: int, end: int) -> bool:
        """Whether any byte of ``first`` <= byte < ``end`` is in the set; ``first`` < ``end``."""
        place = bisect_right(self._ends, first)
        return place < len(self._starts) and self._starts[place] < end

    def add(self, first: int, end: int) -> None:
        """Adds the bytes ``first`` <= byte < ``end`` (``first`` < ``end``); ranges that touch become one."""
        starts, ends = self._starts, self._ends
        low, high = bisect_left(ends, first), bisect_right(starts, end)
        if low < high:
            first, end = min(first, starts[low]), max(end, ends[high - 1])
        starts[low:high] = [first]
        ends[low:high] = [end]

    def clear(self) -> None:
        """Removes all."""
        self._starts.clear()
        self._ends.clear()


Access = tuple[int, int, bool]
"""First byte, past-the-last byte, and whether a command may write there (else it only reads)."""


class HazardTracker:
    """What was read and written since the last barrier, which ordered all commands before it."""

    def __init__(self) -> None:
        self._read = ByteSet()
        self._written = ByteSet()

    def record(self, accesses: Sequence[Access]) -> bool:
        """Notes the accesses of the next command; True if a barrier must stand before it.

        It must where it reads or writes what was written, or writes what was read. Ranges are rounded out to
        words of 4 bytes, because kernels write narrow elements as parts of words where the device has none.
        """
        read, written = self._read, self._written
        needed = False
        for first, end, writes in accesses:
            if first < end:
                first, end = first & ~3, (end + 3) & ~3
                if written.overlaps(first, end) or (writes and read.overlaps(first, end)):
                    needed = True
                    self.clear()
                    break
        for first, end, writes in accesses:
            if first < end:
                (written if writes else read).add(first & ~3, (end + 3) & ~3)
        return needed

    def clear(self) -> None:
        """Forgets all: there was a barrier."""
        self._read.clear()
        self._written.clear()


def touches(commands: Iterable[Sequence[Access]], first: int, end: int, only_writes: bool) -> bool:
    """Whether any of the commands, each given by its accesses, may read or write (or only write) a word with one of
    the bytes ``first`` <= byte < ``end``."""
    if first >= end:
        return False
    first, end = first & ~3, (end + 3) & ~3
    return any(
        a < end and first < b and a < b and (writes or not only_writes)
        for accesses in commands
        for a, b, writes in accesses
    )
