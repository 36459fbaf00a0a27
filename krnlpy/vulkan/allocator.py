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
        del self._end_of[start], self._start_of[start + found]
        if found > size:
            self._add(start + size, start + found)
        return start

    def free(self, start: int, size: int) -> None:
        """Gives back a range that ``allocate`` returned."""
        end = start + size
        if (before := self._start_of.pop(start, None)) is not None:
            self._remove(before, start)
            start = before
        if (after := self._end_of.get(end)) is not None:
            del self._start_of[after]
            self._remove(end, after)
            end = after
        self._add(start, end)

    def _add(self, start: int, end: int) -> None:
        self._end_of[start] = end
        self._start_of[end] = start
        insort(self._by_size, (end - start, start))

    def _remove(self, start: int, end: int) -> None:
        del self._end_of[start]
        del self._by_size[bisect_left(self._by_size, (end - start, start))]
