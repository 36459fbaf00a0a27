"""Blocks, large pieces and what happens when memory runs out."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from krnlpy.errors import OutOfMemory


def test_small_pieces_share_a_block_and_do_not_overlap(backend: Any) -> None:
    pieces = [backend.allocate(size) for size in (1, 15, 16, 17, 1000, 100_000)]
    assert len({id(piece.block) for piece in pieces}) == 1
    spans = sorted((piece.offset, piece.offset + piece.nbytes) for piece in pieces)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    alignment = backend.info.extra["storage_buffer_alignment"]
    assert all(piece.offset % alignment == 0 for piece in pieces)


def test_a_large_piece_has_its_own_block_which_serves_again(backend: Any) -> None:
    size = backend._memory._block_bytes
    large = backend.allocate(size)
    small = backend.allocate(100)
    assert large.block is not small.block
    base = large.block.base
    del large
    again = backend.allocate(size * 9 // 10)
    assert again.block.base == base


def test_empty_blocks_go_back_beyond_what_is_kept(backend: Any) -> None:
    backend._memory._kept_bytes = 0
    size = backend._memory._block_bytes
    pieces = [backend.allocate(size) for _ in range(3)]
    backend.fill(pieces[0], 0, size, bytes(4))  # is still used when it is freed
    pieces.clear()
    backend._memory.collect()
    assert not backend._memory._blocks
    assert len(backend._queue._retired) == 1
    backend.wait()
    assert not backend._queue._retired
    assert backend._device.allocated_bytes() == 0


def test_what_is_kept_goes_back_when_that_is_asked_for(backend: Any) -> None:
    size = backend._memory._block_bytes
    large, small = backend.allocate(size), backend.allocate(100)
    backend.fill(large, 0, size, bytes(4))  # is still used when it is freed
    del large
    backend.trim()
    backend.wait()
    assert backend._memory._blocks == [small.block]
    assert backend.memory_stats().reserved == small.block.ranges.size
    del small
    backend.trim()
    backend.wait()
    assert backend._device.allocated_bytes() == 0


def test_out_of_memory(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    block = backend._memory._block_bytes
    backend._device.heap_bytes = [3 * block] * len(backend._device.heap_bytes)
    pieces = [backend.allocate(block) for _ in range(3)]
    with pytest.raises(OutOfMemory, match=f"no memory is left for {block}"):
        backend.allocate(block)
    # Memory that hangs on a cycle, or is in use by queued work, is found.
    backend.fill(pieces[0], 0, block, b"\x01")
    cycle: list[Any] = [pieces.pop(0)]
    cycle.append(cycle)
    del cycle
    # Kept blocks that are of no use for this size make room too.
    piece = backend.allocate(block // 8 * 6)
    backend.upload(piece, 0, np.arange(256, dtype=np.uint8))
    out = np.empty(256, np.uint8)
    backend.download(piece, 0, out)
    assert np.array_equal(out, np.arange(256))


def test_a_small_piece_fits_where_no_block_does(backend: Any) -> None:
    block = backend._memory._block_bytes
    backend._device.heap_bytes = [block + (block // 4)] * len(backend._device.heap_bytes)
    first = backend.allocate(block)
    second = backend.allocate(1000)
    assert first.block is not second.block
    assert backend._device.allocated_bytes() < block + 10_000


def test_freed_from_anywhere(backend: Any) -> None:
    """The last reference may go while the pool itself is at work."""
    pool = backend._memory
    kept = [backend.allocate(100) for _ in range(10)]
    find = pool._find

    def find_and_free(size: int) -> Any:
        kept.clear()
        return find(size)

    pool._find = find_and_free
    pieces = [backend.allocate(100) for _ in range(12)]
    assert len({piece.offset for piece in pieces}) == 12
    block = pieces[0].block
    pieces.clear()
    backend._memory.collect()
    assert block.ranges.is_empty
