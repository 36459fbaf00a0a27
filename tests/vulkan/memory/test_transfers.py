"""Bytes to, from and within each target's memory."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from krnlpy.vulkan.memory.staging import CHUNK_BYTES

SIZES = (1, 3, 4, 16, 345, 4096, 100_003)


@pytest.fixture(params=["shared", "staged"])
def target(request: pytest.FixtureRequest, backend: Any) -> Any:
    """A target; and once more as one that does not share its memory with the host."""
    if request.param == "staged":
        allocate = backend._memory.allocate

        def allocate_unmapped(nbytes: int) -> Any:
            memory = allocate(nbytes)
            memory.block.mapped = None
            return memory

        backend._memory.allocate = allocate_unmapped
    return backend


def numbers(nbytes: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, nbytes, np.uint8)


def read(target: Any, memory: Any, offset: int, nbytes: int) -> np.ndarray[Any, Any]:
    out = np.zeros(nbytes, np.uint8)
    target.download(memory, offset, out)
    return out


@pytest.mark.parametrize("nbytes", [*SIZES, 2 * CHUNK_BYTES, 5 * CHUNK_BYTES + 17])
def test_round_trip(target: Any, nbytes: int) -> None:
    memory, data = target.allocate(nbytes), numbers(nbytes)
    assert memory.nbytes >= nbytes
    assert memory.nbytes % 16 == 0
    target.upload(memory, 0, data)
    assert np.array_equal(read(target, memory, 0, nbytes), data)


def test_parts(target: Any) -> None:
    size = 3 * CHUNK_BYTES + 1000
    memory, want = target.allocate(size), numbers(size)
    target.upload(memory, 0, want)
    for seed, (offset, nbytes) in enumerate([(1, 1), (5, 7), (333, 100_001), (13, 2 * CHUNK_BYTES + 3), (size - 1, 1)]):
        want[offset : offset + nbytes] = numbers(nbytes, seed)
        target.upload(memory, offset, want[offset : offset + nbytes])
        assert np.array_equal(read(target, memory, offset, nbytes), want[offset : offset + nbytes])
    assert np.array_equal(read(target, memory, 0, size), want)


def test_uploaded_data_may_be_changed_at_once(target: Any) -> None:
    memory, data = target.allocate(1 << 20), np.zeros(1 << 20, np.uint8)
    for value in range(40):
        data[:] = value
        target.upload(memory, 0, data)
        data[:] = 255
    assert (read(target, memory, 0, 1 << 20) == 39).all()


def test_many_uploads_go_round_the_ring(target: Any) -> None:
    memories = [target.allocate(700_001) for _ in range(8)]
    for round in range(10):
        for i, memory in enumerate(memories):
            target.upload(memory, 1, numbers(700_000, 8 * round + i))
    for i, memory in enumerate(memories):
        assert np.array_equal(read(target, memory, 1, 700_000), numbers(700_000, 72 + i))


@pytest.mark.parametrize("nbytes", SIZES)
def test_copy(target: Any, nbytes: int) -> None:
    source, to = target.allocate(nbytes + 40), target.allocate(nbytes + 40)
    data, want = numbers(nbytes + 40, 1), numbers(nbytes + 40, 2)
    target.upload(source, 0, data)
    target.upload(to, 0, want)
    target.copy(source, 7, to, 21, nbytes)
    target.copy(source, 0, to, 0, 0)
    want[21 : 21 + nbytes] = data[7 : 7 + nbytes]
    assert np.array_equal(read(target, to, 0, nbytes + 40), want)


def test_copy_within_one_memory(target: Any) -> None:
    memory, want = target.allocate(3000), numbers(3000)
    target.upload(memory, 0, want)
    target.copy(memory, 0, memory, 1000, 1000)
    target.copy(memory, 1000, memory, 2000, 1000)  # waits for the copy before
    target.copy(memory, 5, memory, 5, 1000)
    want[1000:2000] = want[2000:] = want[:1000]
    assert np.array_equal(read(target, memory, 0, 3000), want)


PATTERNS = [b"\x07", b"\x00", b"\x01\x02", b"\x05\x05", b"\x01\x02\x03\x04", b"\x01\x02\x03\x04" * 2, bytes(range(8))]


@pytest.mark.parametrize("pattern", PATTERNS, ids=[p.hex() for p in PATTERNS])
def test_fill(target: Any, pattern: bytes) -> None:
    size = len(pattern)
    total = 300 * 8
    memory = target.allocate(total)
    for first in (0, 1, 2, 3, 5):
        for count in (0, 1, 2, 3, 4, 5, 16, 67, 157):
            want = numbers(total, first + count)
            target.upload(memory, 0, want)
            target.fill(memory, first * size, count * size, pattern)
            want[first * size : (first + count) * size] = np.frombuffer(pattern * count, np.uint8)
            assert np.array_equal(read(target, memory, 0, total), want)


def test_long_fill_of_eight_bytes(target: Any) -> None:
    count = 500_001
    memory = target.allocate(8 * count + 16)
    target.fill(memory, 0, 8 * count + 16, bytes(8))
    target.fill(memory, 8, 8 * count, bytes(range(1, 9)))
    got = read(target, memory, 0, 8 * count + 16).view(np.uint64)
    assert (got[1:-1] == int.from_bytes(bytes(range(1, 9)), "little")).all()
    assert got[0] == got[-1] == 0


def test_calls_take_effect_in_order(target: Any) -> None:
    a, b = target.allocate(64), target.allocate(64)
    for value in range(100):
        target.fill(a, 0, 64, bytes([value]))
        target.copy(a, 0, b, 0, 64)
        target.upload(a, 3, np.full(5, 200, np.uint8))
        target.copy(a, 0, b, 0, 8)
    want = np.full(64, 99, np.uint8)
    want[3:8] = 200
    assert np.array_equal(read(target, b, 0, 64), want)


def test_the_host_copies_a_piece_while_the_device_copies_another(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is not shared: what is uploaded is submitted piece by piece, and of what is downloaded the next
    piece is under way before the host takes one."""
    size = 5 * CHUNK_BYTES
    memory, data = backend.allocate(size), numbers(size)
    memory.block.mapped = None
    events: list[str] = []
    queue, ring = backend._queue, backend._transfers.ring
    submit, wait, put = queue.submit, queue.wait, ring.put

    def noting(name: str, function: Any) -> Any:
        def noted(*arguments: Any) -> Any:
            events.append(name)
            return function(*arguments)

        return noted

    monkeypatch.setattr(queue, "submit", noting("submit", submit))
    monkeypatch.setattr(ring, "put", noting("put", put))
    backend.upload(memory, 0, data)
    assert events[:6] == ["put", "submit"] * 3
    assert events.count("submit") >= 4
    backend.wait()
    events.clear()
    monkeypatch.setattr(queue, "wait", noting("wait", wait))
    out = np.empty(size, np.uint8)
    backend.download(memory, 0, out)
    assert events == ["submit", "submit", "wait", "submit", "wait", "submit", "wait", "submit", "wait", "wait"]
    assert np.array_equal(out, data)


def test_an_upload_waits_for_what_still_reads(target: Any) -> None:
    size = 8 << 20
    source, to = target.allocate(size), target.allocate(size)
    data = numbers(size)
    for _ in range(5):
        target.upload(source, 0, data)
        target.copy(source, 0, to, 0, size)
        target.upload(source, 0, np.zeros(size, np.uint8))
        assert np.array_equal(read(target, to, 0, size), data)


def test_large_transfers_of_several_threads(target: Any) -> None:
    """Each needs more of the ring than there is."""
    size = 5 * CHUNK_BYTES + 3
    failures: list[Any] = []

    def work(seed: int) -> None:
        try:
            memory, data = target.allocate(size), numbers(size, seed)
            for _ in range(2):
                target.upload(memory, 0, data)
                assert np.array_equal(read(target, memory, 0, size), data)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []


def test_a_transfer_that_fails_loses_nothing(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of one: the next ones have all of the ring."""
    size = 3 * CHUNK_BYTES
    memory, data = backend.allocate(size), numbers(size)
    memory.block.mapped = None

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    for _ in range(5):
        backend.upload(memory, 0, data)
        with monkeypatch.context() as patch:
            patch.setattr(backend._queue, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                read(backend, memory, 0, size)
        assert np.array_equal(read(backend, memory, 0, size), data)
