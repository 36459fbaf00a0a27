"""Blocks of memory that buffers gave back serve the next ones, unless somebody still looks at them."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, OutOfMemory, config
from krnlpy.host import memory

LENGTHS = (1, 700, 2_000_000)
"""Of f32: small ones, and one that is fresh from the system for each array of NumPy's."""


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory, "_kept", memory._KeptBlocks())
    yield


def address(buffer: Buffer) -> int:
    found: int = buffer.memory.address
    return found


@pytest.mark.parametrize("length", LENGTHS)
def test_a_block_is_used_again(length: int) -> None:
    before = Device.host().memory_stats()
    x = Buffer.full(length, 1.0)
    was = address(x)
    del x
    after = Device.host().memory_stats()
    assert after.in_use == before.in_use
    assert after.reserved - after.in_use == memory.kept_bytes() == memory.block_size(4 * length)
    y = Buffer.full(max(1, length - 10), 2.0)  # sizes that are nearly the same share blocks
    assert address(y) == was
    assert memory.kept_bytes() == 0


def test_zeros_are_zeros_and_memory_is_aligned() -> None:
    for length in (1, 3, 1000, 30_000, 1_000_000):
        buffers = [Buffer.full(length, np.nan) for _ in range(3)]
        buffers.clear()
        zeros = [Buffer.zeros(length) for _ in range(4)]
        assert not any(buffer.numpy().any() for buffer in zeros)
        assert not any(address(buffer) % memory.ALIGNMENT for buffer in zeros)


def test_large_blocks_begin_at_different_places_of_a_page() -> None:
    buffers = [Buffer.empty(1 << 18) for _ in range(16)]
    assert len({address(buffer) % 4096 for buffer in buffers}) >= 12


def test_memory_does_not_overlap() -> None:
    generator = np.random.default_rng(0)
    alive: list[Buffer] = []
    for _ in range(2000):
        if alive and generator.random() < 0.5:
            alive.pop(generator.integers(len(alive)))
        else:
            alive.append(Buffer.empty(int(2 ** generator.uniform(0, 14))))
        if len(alive) > 60:
            del alive[:30]
    alive.sort(key=address)
    for one, other in pairwise(alive):
        assert address(one) + one.nbytes <= address(other)


LOOKERS: dict[str, Callable[[Buffer], Any]] = {
    "an array": lambda x: x.numpy(copy=False),
    "a part": lambda x: x.numpy(copy=False)[10:20],
    "a view of a buffer": lambda x: x[5:],
    "a memoryview": lambda x: memoryview(x.numpy(copy=False)),
    "dlpack": np.from_dlpack,
    "a buffer of an array": lambda x: Buffer.from_numpy(x.numpy(copy=False), copy=False),
    "of another type": lambda x: np.frombuffer(x.numpy(copy=False), np.int32),
    "the array of a memory": lambda x: x.memory.array,
}


@pytest.mark.parametrize("length", LENGTHS[1:])
@pytest.mark.parametrize("name", LOOKERS)
def test_not_while_somebody_looks(name: str, length: int) -> None:
    x = Buffer.full(length, 1.0)
    was = address(x)
    looker = LOOKERS[name](x)
    del x
    y = Buffer.full(length, 2.0)
    assert address(y) != was
    values = looker.numpy() if isinstance(looker, Buffer) else np.asarray(looker)
    values = values.view(np.uint8).view(np.float32)
    np.testing.assert_array_equal(values, np.ones(values.size, np.float32))
    del looker, values, y


def test_not_while_a_weak_reference_could_bring_it_back() -> None:
    x = Buffer.full(100, 1.0)
    array: Any = x.numpy(copy=False)
    while array.base is not None:
        array = array.base
    reference = weakref.ref(array)
    del array
    del x  # nobody but the reference knows of the block now
    assert reference() is None and not memory.kept_bytes()


def test_adopted_arrays_are_never_kept() -> None:
    array = np.ones(1000, np.float32)
    x = Buffer.from_numpy(array, copy=False)
    del x
    assert not memory.kept_bytes() and array.all()


def test_windows_keep_their_memory() -> None:
    backend = Device.host().backend
    whole = backend.allocate(1 << 16)
    window, start = backend.window(whole, 4096, 8192)
    assert start == 4096 and window.address == whole.address + 4096 and window.nbytes == 4096
    block = weakref.ref(whole.array.base)
    del whole
    assert not memory.kept_bytes() and block() is not None
    del block, window
    assert memory.kept_bytes() == memory.block_size(1 << 16)


def test_in_debug_mode_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then tools that watch the process's allocator see each use of memory that was given back."""
    monkeypatch.setattr(config, "debug", True)
    x = Buffer.empty(1000)
    del x
    assert not memory.kept_bytes()


def test_no_more_is_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    length = 100_000
    monkeypatch.setattr(memory, "KEPT_BYTES", 10 * length)
    buffers = [Buffer.full(length, 1.0) for _ in range(4)]
    buffers.clear()
    assert 8 * length <= memory.kept_bytes() <= 10 * length
    # Blocks of a size that nobody wants any more go for those of another.
    for _ in range(3):
        buffers = [Buffer.full(length // 2, 1.0) for _ in range(5)]
        buffers.clear()
        assert memory.kept_bytes() <= 10 * length
    assert len(memory._kept.of_length[2 * length]) >= 4


def test_little_more_is_kept_than_was_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that follow each other, as those of a backward pass follow those of the forward pass."""
    monkeypatch.setattr(memory, "SPARE_BYTES", 1000)
    before = memory._kept.taken
    for _ in range(3):
        for length in (50_000, 60_000, 72_000, 90_000):
            buffers = [Buffer.empty(length) for _ in range(5)]
            buffers.clear()
            most = 5 * memory.block_size(4 * 90_000) + 1000
            assert memory.kept_bytes() <= memory._kept.taken - before <= most
    assert memory.kept_bytes() > most // 2


def test_what_is_kept_can_be_given_back() -> None:
    buffers = [Buffer.full(length, 1.0) for length in LENGTHS]
    buffers.clear()
    assert memory.kept_bytes()
    Device.host().backend.trim()
    stats = Device.host().memory_stats()
    assert not memory.kept_bytes() and stats.reserved == stats.in_use


def test_lengths_that_are_known_are_bounded() -> None:
    backend = Device.host().backend
    for nbytes in range(1, 6000):
        backend.allocate(nbytes)
    assert len(memory._kept.of_length) <= 4096
    assert memory.kept_bytes() == sum(memory.block_size(n) for n in {memory.block_size(n) for n in range(1, 6000)})


def test_what_is_kept_is_given_back_before_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    length = LENGTHS[-1]
    x = Buffer.full(length, 1.0)
    del x
    failed: list[int] = []

    def empty(size: Any, dtype: Any) -> Any:
        if isinstance(size, int) and (memory.kept_bytes() or size > 1 << 40):
            failed.append(size)
            raise MemoryError
        return original(size, dtype)

    original = np.empty
    monkeypatch.setattr(memory.np, "empty", empty)
    y = Buffer.full(3 * length, 1.0)
    assert len(failed) == 1 and y.numpy()[0] == 1 and not memory.kept_bytes()
    with pytest.raises(OutOfMemory, match="the host has no memory left for"):
        memory.BlockMemory(1 << 41)


def test_sizes_waste_little() -> None:
    for nbytes in (1, 300, 4097, 1 << 22, (1 << 22) + 1, 5_000_000, 12_345_678, 3 << 30):
        assert nbytes <= memory.block_size(nbytes) <= nbytes * 1.13 + 256


def test_threads() -> None:
    """Each buffer has its memory for itself, whichever thread makes and drops it."""
    wrong: list[str] = []

    def work(value: int) -> None:
        generator = np.random.default_rng(value)
        for _ in range(300):
            buffers = [Buffer.full(int(generator.integers(1, 3000)), value) for _ in range(4)]
            for buffer in buffers:
                if not (buffer.numpy() == value).all():
                    wrong.append(f"thread {value} found {buffer.numpy()}")

    before = Device.host().memory_stats().in_use
    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert Device.host().memory_stats().in_use == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_after_a_fork_each_process_has_its_own() -> None:
    kept = Buffer.full(5000, 1.0)
    dropped = Buffer.full(5000, 2.0)
    was = address(dropped)
    del dropped
    child = os.fork()
    if not child:
        x = Buffer.full(5000, 3.0)
        os._exit(0 if address(x) == was and (kept.numpy() == 1).all() and (x.numpy() == 3).all() else 1)
    y = Buffer.full(5000, 4.0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert address(y) == was and (y.numpy() == 4).all() and (kept.numpy() == 1).all()
