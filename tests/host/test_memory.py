"""Blocks of memory that buffers gave back serve the next ones, unless somebody still looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, OutOfMemory
from krnlpy.host import memory

LENGTH = 2_000_000  # f32: more than what the process's allocator keeps by itself


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory, "_kept", memory._KeptBlocks())
    yield


def address(buffer: Buffer) -> int:
    found: int = buffer.memory.address
    return found


def test_a_block_is_used_again() -> None:
    before = Device.host().memory_stats()
    x = Buffer.full(LENGTH, 1.0)
    was = address(x)
    del x
    after = Device.host().memory_stats()
    assert after.in_use == before.in_use and after.reserved - after.in_use >= 4 * LENGTH
    y = Buffer.full(LENGTH - 10, 2.0)  # sizes that are nearly the same share blocks
    assert address(y) == was
    assert memory.kept_bytes() == 0


LOOKERS: dict[str, Callable[[Buffer], Any]] = {
    "an array": lambda x: x.numpy(copy=False),
    "a part": lambda x: x.numpy(copy=False)[10:20],
    "a view of a buffer": lambda x: x[5:],
    "a memoryview": lambda x: memoryview(x.numpy(copy=False)),
    "dlpack": np.from_dlpack,
    "a buffer of an array": lambda x: Buffer.from_numpy(x.numpy(copy=False), copy=False),
    "of another type": lambda x: np.frombuffer(x.numpy(copy=False), np.int32),
}


@pytest.mark.parametrize("name", LOOKERS)
def test_not_while_somebody_looks(name: str) -> None:
    x = Buffer.full(LENGTH, 1.0)
    was = address(x)
    looker = LOOKERS[name](x)
    del x
    y = Buffer.full(LENGTH, 2.0)
    assert address(y) != was
    values = looker.numpy() if isinstance(looker, Buffer) else np.asarray(looker)
    np.testing.assert_array_equal(values.view(np.float32), np.ones(values.size, np.float32))
    del looker, values, y


def test_no_more_is_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_BYTES", 10 * LENGTH)
    buffers = [Buffer.full(LENGTH, 1.0) for _ in range(4)]
    buffers.clear()
    assert 8 * LENGTH <= memory.kept_bytes() <= 10 * LENGTH


def test_what_is_kept_is_given_back_before_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Buffer.full(LENGTH, 1.0)
    del x
    failed: list[int] = []

    def empty(size: Any, dtype: Any) -> Any:
        if isinstance(size, int) and (memory.kept_bytes() or size > 1 << 40):
            failed.append(size)
            raise MemoryError
        return original(size, dtype)

    original = np.empty
    monkeypatch.setattr(memory.np, "empty", empty)
    y = Buffer.full(3 * LENGTH, 1.0)
    assert len(failed) == 1 and y.numpy()[0] == 1 and not memory.kept_bytes()
    with pytest.raises(OutOfMemory, match="the host has no memory left for"):
        memory.allocate(1 << 41)


def test_sizes_waste_little() -> None:
    for nbytes in (1 << 22, (1 << 22) + 1, 5_000_000, 12_345_678, 3 << 30):
        assert nbytes + 64 <= memory._block_size(nbytes) <= nbytes * 1.13 + 128
