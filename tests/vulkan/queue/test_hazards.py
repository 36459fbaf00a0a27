"""Which commands need a barrier before them."""

from __future__ import annotations

import random

import pytest

from krnlpy.vulkan.queue.hazards import ByteSet, HazardTracker

READ, WRITE = False, True


@pytest.mark.parametrize(
    ("first", "second", "barrier"),
    [
        ((0, 16, WRITE), (0, 16, READ), True),
        ((0, 16, READ), (0, 16, WRITE), True),
        ((0, 16, WRITE), (0, 16, WRITE), True),
        ((0, 16, READ), (0, 16, READ), False),
        ((0, 16, WRITE), (16, 32, WRITE), False),
        ((16, 32, WRITE), (0, 16, READ), False),
        ((0, 16, WRITE), (12, 32, READ), True),
        ((0, 100, WRITE), (40, 44, READ), True),
        ((40, 44, WRITE), (0, 100, READ), True),
        ((0, 1, WRITE), (1, 2, WRITE), True),  # bytes of one word
        ((0, 3, READ), (4, 5, WRITE), False),
    ],
)
def test_pairs(first: tuple[int, int, bool], second: tuple[int, int, bool], barrier: bool) -> None:
    tracker = HazardTracker()
    assert not tracker.record([first])
    assert tracker.record([second]) == barrier


def test_a_command_does_not_wait_for_itself() -> None:
    tracker = HazardTracker()
    assert not tracker.record([(0, 64, READ), (0, 64, WRITE), (32, 48, READ)])
    assert tracker.record([(32, 48, READ)])


def test_a_barrier_orders_all_that_was_before() -> None:
    tracker = HazardTracker()
    assert not tracker.record([(0, 16, WRITE)])
    assert not tracker.record([(100, 116, WRITE)])
    assert tracker.record([(0, 16, READ)])
    assert not tracker.record([(100, 116, READ)])
    assert tracker.record([(100, 116, WRITE)])


@pytest.mark.parametrize("first", [READ, WRITE])
@pytest.mark.parametrize("second", [READ, WRITE])
def test_commands_between_do_not_hide_a_hazard(first: bool, second: bool) -> None:
    tracker = HazardTracker()
    tracker.record([(0, 16, first)])
    assert not tracker.record([(100, 116, WRITE)])
    assert tracker.record([(8, 24, second)]) == (first is WRITE or second is WRITE)


def test_commands_between_do_not_hide_that_bytes_share_a_word() -> None:
    tracker = HazardTracker()
    tracker.record([(0, 1, WRITE)])
    assert not tracker.record([(100, 116, WRITE)])
    assert tracker.record([(2, 3, READ)])


def test_a_chain_has_a_barrier_a_link_and_independent_work_none() -> None:
    chain, independent = HazardTracker(), HazardTracker()
    links = [chain.record([(64 * i, 64 * i + 64, READ), (64 * i + 64, 64 * i + 128, WRITE)]) for i in range(50)]
    assert links == [False] + [True] * 49
    assert not any(independent.record([(0, 64, READ), (64 * i, 64 * i + 64, WRITE)]) for i in range(1, 200))


def test_clear() -> None:
    tracker = HazardTracker()
    tracker.record([(0, 16, WRITE)])
    tracker.clear()
    assert not tracker.record([(0, 16, WRITE)])


def test_ranges_that_touch_become_one() -> None:
    bytes = ByteSet()
    for first in (0, 20, 40, 10, 30):
        bytes.add(first, first + 10)
    assert len(bytes) == 1
    bytes.add(100, 110)
    bytes.add(45, 105)
    assert len(bytes) == 1
    assert bytes.overlaps(109, 200)
    assert not bytes.overlaps(110, 200)


def test_sets_of_bytes_against_plain_sets() -> None:
    chance = random.Random(2)
    for _ in range(50):
        bytes, plain = ByteSet(), set[int]()
        for _ in range(40):
            first = chance.randrange(200)
            end = first + chance.randrange(1, 20)
            assert bytes.overlaps(first, end) == bool(plain & set(range(first, end)))
            if chance.random() < 0.5:
                bytes.add(first, end)
                plain |= set(range(first, end))
