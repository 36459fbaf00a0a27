"""Which ranges of a block are free. Knows nothing of Vulkan."""

from __future__ import annotations

from bisect import bisect_left, insort


class RangeAllocator:
    """Best fit over one block, neighbouring free ranges joined at once.

    Args:
        size: of the block. Everything stays a multiple of the granularity that callers round to.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._end_of = {0: size}  # of each free range, by its start
        self._start_of = {size: 0}  # and by its end
        self._by_size = [(size, 0)]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is allocated."""
        return self._end_of.get(0) == self.size

    def allocate(self, size: int) -> int | None:
        """The start of ``size`` > 0 bytes that now are taken, or None where no free range is long enough."""
        place = bisect_left(self._by_size, (size, 0))
        if place == len(self._by_size):
            return None
        found, start = self._by_size.pop(place)
        end = start + found
        if found > size:
            self._add(start + size, end)
        else:
            del self._start_of[end]
        del self._end_of[start]
        return start

    def free(self, start: int, size: int) -> None:
        """Gives back a range that ``allocate`` returned."""
        end = start + size
        low = self._start_of.pop(start, start)
        high = self._end_of.get(end, end)
        if low < start:
            self._forget_size(low, start)
        if end < high:
            self._forget_size(end, high)
        self._add(low, high)
        if end < high:
            del self._end_of[end]

    def repair(self) -> None:
        """Makes the free ranges consistent after ``allocate`` or ``free`` was broken off: what it was about is free or
        taken. In between ranges overlap, but what is taken is never among those by their start."""
        starts = sorted(self._end_of)
        ends = [self._end_of[start] for start in starts]
        self._end_of, self._start_of, self._by_size = {}, {}, []
        low = high = -1
        for start, end in zip(starts, ends, strict=True):
            if start > high:
                if high > low:
                    self._add(low, high)
                low, high = start, end
            high = max(high, end)
        if high > low:
            self._add(low, high)

    def _add(self, start: int, end: int) -> None:
        self._end_of[start] = end
        self._start_of[end] = start
        insort(self._by_size, (end - start, start))

    def _forget_size(self, start: int, end: int) -> None:
        del self._by_size[bisect_left(self._by_size, (end - start, start))]
