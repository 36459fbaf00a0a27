"""Which ranges of a block are free."""

from __future__ import annotations

import random

from krnlpy.vulkan.memory.allocator import RangeAllocator


def test_best_fit_takes_the_shortest_free_range_that_is_long_enough() -> None:
    ranges = RangeAllocator(1000)
    starts = [ranges.allocate(size) for size in (100, 50, 100, 20, 730)]
    assert starts == [0, 100, 150, 250, 270]
    ranges.free(0, 100)
    ranges.free(150, 100)
    ranges.free(250, 20)  # joins the range before
    assert ranges.allocate(90) == 0
    assert ranges.allocate(120) == 150


def test_full() -> None:
    ranges = RangeAllocator(64)
    assert ranges.allocate(65) is None
    assert ranges.allocate(64) == 0
    assert ranges.allocate(1) is None
    ranges.free(0, 64)
    assert ranges.is_empty
    assert ranges.allocate(64) == 0


def test_neighbours_join_in_every_order() -> None:
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        ranges = RangeAllocator(30)
        for start in (0, 10, 20):
            assert ranges.allocate(10) == start
        for place in order:
            assert not ranges.is_empty
            ranges.free(10 * place, 10)
        assert ranges.is_empty
        assert ranges.allocate(30) == 0


def test_nothing_overlaps_and_nothing_is_lost() -> None:
    chance = random.Random(1)
    size = 1 << 12
    ranges = RangeAllocator(size)
    taken: dict[int, int] = {}
    owner = [False] * size
    for _ in range(3000):
        if taken and (chance.random() < 0.45):
            start = chance.choice(list(taken))
            length = taken.pop(start)
            owner[start : start + length] = [False] * length
            ranges.free(start, length)
        else:
            length = chance.choice((1, 3, 16, 64, 200))
            place = ranges.allocate(length)
            if place is None:
                # Best fit fails only where no free range is long enough.
                longest = max(map(len, "".join(" #"[o] for o in owner).split("#")))
                assert longest < length
                continue
            assert not any(owner[place : place + length])
            owner[place : place + length] = [True] * length
            taken[place] = length
        assert ranges.is_empty == (not taken)
    for start, length in taken.items():
        ranges.free(start, length)
    assert ranges.is_empty
