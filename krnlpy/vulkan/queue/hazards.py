"""Which commands need a barrier before them. Knows nothing of Vulkan.

Addresses are those of a device's blocks laid end to end, so that one set of ranges serves all of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence


class ByteSet:
    """A set of bytes, held as disjoint ranges in order."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def __len__(self) -> int:
        """The count of ranges."""
        return len(self.starts)

    def overlaps(self, first: int, end: int) -> bool:
        """Whether any byte of ``first`` <= byte < ``end`` is in the set; ``first`` < ``end``."""
        place = bisect_right(self.ends, first)
        return place < len(self.starts) and self.starts[place] < end

    def add(self, first: int, end: int) -> None:
        """Adds the bytes ``first`` <= byte < ``end`` (``first`` < ``end``); ranges that touch become one."""
        starts, ends = self.starts, self.ends
        low, high = bisect_left(ends, first), bisect_right(starts, end)
        if low < high:
            if starts[low] <= first and end <= ends[low]:
                return
            first, end = min(first, starts[low]), max(end, ends[high - 1])
        starts[low:high] = [first]
        ends[low:high] = [end]

    def clear(self) -> None:
        """Removes all."""
        self.starts.clear()
        self.ends.clear()


Access = tuple[int, int, bool]
"""First byte, past-the-last byte (at least one byte), and whether a command may write there (else it only reads)."""


class HazardTracker:
    """What was read and written since the last barrier, which ordered all commands before it.

    What overlaps is counted in words of 4 bytes, because kernels write narrow elements as parts of words where the
    device has none. (It is enough to round one of two ranges outwards.)
    """

    def __init__(self) -> None:
        # The last command is in neither set yet: most commands depend on it, and the barrier clears them all.
        self._last: Sequence[Access] = ()
        self._read = ByteSet()
        self._written = ByteSet()

    def record(self, accesses: Sequence[Access]) -> bool:
        """Notes the accesses of the next command; True if a barrier must stand before it."""
        last, self._last = self._last, accesses
        if self._conflicts(last, accesses):
            self._read.clear()
            self._written.clear()
            return True
        for first, end, writes in last:
            (self._written if writes else self._read).add(first & ~3, (end + 3) & ~3)
        return False

    def _conflicts(self, last: Sequence[Access], accesses: Sequence[Access]) -> bool:
        """Whether a command reads or writes what was written since the last barrier, or writes what was read."""
        read, written = self._read, self._written
        is_single = not read.ends and not written.ends
        for first, end, writes in accesses:
            if (first | end) & 3:
                first, end = first & ~3, (end + 3) & ~3
            for begin, past, wrote in last:
                if begin < end and first < past and (writes or wrote):
                    return True
            if not is_single and (written.overlaps(first, end) or (writes and read.overlaps(first, end))):
                return True
        return False

    def clear(self) -> None:
        """Forgets all: there was a barrier."""
        self._last = ()
        for ranges in (self._read, self._written):
            if ranges.starts:
                ranges.clear()


def touches(commands: Iterable[Sequence[Access]], first: int, end: int, only_writes: bool) -> bool:
    """Whether any of the commands, each given by its accesses, may read or write (or only write) a word with one of
    the bytes ``first`` <= byte < ``end``."""
    first, end = first & ~3, (end + 3) & ~3
    for accesses in commands:
        for begin, past, writes in accesses:
            if begin < end and first < past and (writes or not only_writes):
                return True
    return False
