"""Barriers on each Vulkan device: where a hazard is, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, config, f32, kernel, u32
from krnlpy.vulkan.queue.hazards import Access, HazardTracker, touches


def add(x: Item[u32], y: ItemMut[u32]) -> None:
    y += x


def three(x: Item[u32], y: ItemMut[u32], z: ItemMut[u32]) -> None:
    y += x
    z += x


def fill_group(x: GlobalMut[u32, 1]) -> None:
    x[0] = u32(1)


N = 64
Launch = Callable[..., None]


class Barriers:
    """Counts the barriers that are recorded before commands, by what the driver is called with."""

    def __init__(self, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        queue = backend._queue
        original = queue._cmd_barrier

        def barrier(commands: Any, *arguments: Any) -> None:
            self.count += arguments == queue._barrier_arguments  # those at the end of a batch are others
            original(commands, *arguments)

        monkeypatch.setattr(queue, "_cmd_barrier", barrier)

    def during(self, work: Callable[[], object]) -> int:
        before = self.count
        work()
        return self.count - before


@pytest.fixture
def barriers(backend: Any, monkeypatch: pytest.MonkeyPatch) -> Barriers:
    return Barriers(backend, monkeypatch)


@pytest.fixture(params=["memories", "parts"])
def parts(request: pytest.FixtureRequest, backend: Any, store: Any) -> Any:
    """8 times N elements, each in a memory of its own, or all in one; and nothing queued."""
    if request.param == "parts":
        if config.validate:
            pytest.skip("the validation layer takes all that a descriptor covers for accessed")
        memory = store(np.ones(8 * N, np.uint32))
        found = [(memory, i * N, N) for i in range(8)]
    else:
        found = [(store(np.ones(N, np.uint32)), 0, N) for _ in range(8)]
    backend.wait()
    return lambda i: found[i]


def test_kernels(build: Any, parts: Any, barriers: Barriers) -> None:
    kernel = build(add)
    cases: list[tuple[list[tuple[int, int]], int]] = [
        ([(0, 1), (2, 3), (4, 5)], 0),  # independent parts of one memory
        ([(0, 1), (0, 2), (0, 3)], 0),  # all read the same
        ([(0, 1), (1, 2)], 1),  # read after write
        ([(0, 1), (2, 0)], 1),  # write after read
        ([(0, 1), (2, 1)], 1),  # write after write
        ([(0, 1), (1, 2), (2, 3), (3, 4)], 3),  # a chain
        ([(0, 1), (2, 3), (1, 4), (3, 5)], 1),  # two chains share the barrier
        ([(0, 1)] * 5, 4),
    ]
    for launches, expected in cases:

        def work(launches: list[tuple[int, int]] = launches) -> None:
            for source, to in launches:
                kernel(parts(source), parts(to))

        assert barriers.during(work) == expected, launches
        kernel.backend.wait()


def test_kernels_of_several_buffers(build: Any, parts: Any, barriers: Barriers) -> None:
    kernel = build(three)
    assert barriers.during(lambda: kernel(parts(0), parts(1), parts(2))) == 0
    assert barriers.during(lambda: kernel(parts(0), parts(3), parts(4))) == 0
    assert barriers.during(lambda: kernel(parts(5), parts(6), parts(2))) == 1  # the last of three
    assert barriers.during(lambda: kernel(parts(2), parts(0), parts(7))) == 1
    assert barriers.during(lambda: kernel(parts(1), parts(3), parts(4))) == 0  # ordered by the barriers before


def test_copies_and_fills(build: Any, parts: Any, backend: Any, barriers: Barriers) -> None:
    kernel = build(add)

    def copy(source: int, to: int) -> None:
        (a, first, _), (b, to_first, _) = parts(source), parts(to)
        backend.copy(a, 4 * first, b, 4 * to_first, 4 * N)

    def fill(part: int) -> None:
        memory, first, _ = parts(part)
        backend.fill(memory, 4 * first, 4 * N, b"\x05\0\0\0")

    def several() -> None:
        copy(0, 1)
        copy(0, 2)
        fill(3)
        kernel(parts(0), parts(4))

    def others() -> None:
        copy(1, 7)
        copy(2, 5)

    assert barriers.during(several) == 0
    assert barriers.during(lambda: copy(3, 5)) == 1  # of what was filled
    assert barriers.during(lambda: fill(3)) == 1  # over what is read
    assert barriers.during(lambda: kernel(parts(3), parts(6))) == 1
    assert barriers.during(others) == 0


def test_bytes_of_one_word(backend: Any, store: Any, barriers: Barriers) -> None:
    """Kernels may write narrow elements as parts of words, so that neighbours in a word are no strangers."""
    device_memory = store(np.zeros(64, np.uint8))
    backend.wait()

    def fill(first: int, end: int) -> None:
        backend.fill(device_memory, first, end - first, b"\x01\0\0\0")

    def neighbours() -> None:
        fill(0, 4)
        fill(4, 8)

    assert barriers.during(neighbours) == 0
    queue = backend._queue
    address = device_memory.address
    assert barriers.during(lambda: queue.begin([(address + 8, address + 9, True)])) == 0
    assert barriers.during(lambda: queue.begin([(address + 9, address + 10, False)])) == 1


def test_rows_of_a_matrix_are_independent(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the public API: views of one buffer, empty ones among them."""
    if config.validate:
        pytest.skip("the validation layer takes all that a descriptor covers for accessed")
    device = Device(backend.info.index)
    barriers = Barriers(device.backend, monkeypatch)

    @kernel
    def scale(x: Item[f32], y: ItemMut[f32]) -> None:
        y = 2.0 * x

    x, y = Buffer.ones((8, 100), f32, device), Buffer.zeros((8, 100), f32, device)
    device.wait()
    assert barriers.during(lambda: [scale(x[i], y[i]) for i in range(6)]) == 0
    assert barriers.during(lambda: scale(y[0], y[1])) == 1

    @kernel
    def first_of(x: Global[f32, 1], nothing: GlobalMut[f32, 1], y: GlobalMut[f32, 1]) -> None:
        y[0] = x[0]

    nothing = Buffer.empty(0, f32, device)
    first_of = first_of.with_groups(1)
    device.wait()
    assert barriers.during(lambda: [first_of(x[i], nothing, y[i]) for i in range(6)]) == 0
    assert np.array_equal(y.numpy()[:6, 0], [1] * 6)
    # Columns lie within each other's extents: ranges are what counts, so they wait.
    assert barriers.during(lambda: [scale(x[:, i], y[:, i]) for i in range(3)]) >= 2


def test_reading_a_part_waits_for_its_writers_only(backend: Any, build: Any, parts: Any, load: Any) -> None:
    """Where the host shares the memory, it takes what nobody is going to write without submitting what is open."""
    kernel = build(add)
    if parts(0)[0].block.mapped is None:
        pytest.skip("the host does not share this device's memory")

    def read(part: int) -> list[int]:
        memory, first, _ = parts(part)
        found: list[int] = np.unique(load(memory, np.uint32, N, 4 * first)).tolist()
        return found

    kernel(parts(0), parts(1))
    batch = backend._queue.open_value
    assert read(2) == [1]
    assert read(0) == [1]  # the kernel only reads it
    memory, first, _ = parts(3)
    backend.upload(memory, 4 * first, np.full(N, 7, np.uint32).view(np.uint8))  # nobody uses it
    assert backend._queue.open_value == batch
    assert read(1) == [2]
    assert backend._queue.open_value == batch + 1
    assert read(3) == [7]


def test_writing_over_what_is_read_waits(backend: Any, build: Any, parts: Any, load: Any) -> None:
    kernel, (source, first, _), (to, to_first, _) = build(add), parts(0), parts(1)
    kernel(parts(0), parts(1))
    backend.upload(source, 4 * first, np.full(N, 100, np.uint32).view(np.uint8))
    kernel(parts(0), parts(1))
    assert (load(to, np.uint32, N, 4 * to_first) == 102).all()


ranges = st.tuples(st.integers(0, 40), st.integers(1, 12), st.booleans()).map(lambda r: (r[0], r[0] + r[1], r[2]))
commands = st.lists(st.lists(ranges, min_size=1, max_size=4), max_size=30)


def words(access: Access) -> set[int]:
    first, end, _ = access
    return set(range(first // 4, -(-end // 4)))


def conflict(before: list[Access], after: list[Access]) -> bool:
    return any((a[2] or b[2]) and words(a) & words(b) for a in before for b in after)


@settings(deadline=None, max_examples=300)
@given(commands)
def test_every_hazard_has_a_barrier_and_nothing_else(sequence: list[list[Access]]) -> None:
    tracker = HazardTracker()
    since: list[list[Access]] = []  # the commands since the last barrier
    for command in sequence:
        needed = any(conflict(before, command) for before in since)
        assert tracker.record(command) == needed
        since = [command] if needed else [*since, command]


@settings(deadline=None, max_examples=200)
@given(commands, ranges)
def test_who_touches_a_range(sequence: list[list[Access]], asked: Access) -> None:
    accesses = [access for command in sequence for access in command if words(access) & words(asked)]
    assert touches(sequence, asked[0], asked[1], only_writes=False) == bool(accesses)
    assert touches(sequence, asked[0], asked[1], only_writes=True) == any(writes for _, _, writes in accesses)


steps = st.lists(st.tuples(st.sampled_from(["add", "copy", "fill"]), st.integers(0, 5), st.integers(0, 5)), max_size=12)


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps)
def test_random_work_against_numpy(build: Any, backend: Any, store: Any, load: Any, sequence: Any) -> None:
    kernel, memory, expected = build(add), store(np.arange(6 * N, dtype=np.uint32)), np.arange(6 * N, dtype=np.uint32)
    rows = expected.reshape(6, N)
    for what, a, b in sequence:
        if what == "fill":
            backend.fill(memory, 4 * N * a, 4 * N, bytes([b, 0, 0, 0]))
            rows[a] = b
        elif a != b and what == "copy":
            backend.copy(memory, 4 * N * a, memory, 4 * N * b, 4 * N)
            rows[b] = rows[a]
        elif a != b:
            kernel((memory, a * N, N), (memory, b * N, N))
            rows[b] += rows[a]
    assert np.array_equal(load(memory, np.uint32, 6 * N), expected)


def test_counts_of_groups_are_read(build: Any, backend: Any, store: Any, barriers: Barriers) -> None:
    """By the dispatch itself, before any of its threads runs."""
    kernel = build(fill_group, threads=1)
    counts, x, other = (store(np.array([1, 1, 1, 1], np.uint32)) for _ in range(3))
    one = [(x, 0, 4)]
    block = kernel.layout.format.pack(0, 1)

    def launch(to: Any) -> None:
        backend.launch(kernel.executable, (1, 1, 1), [(to, 0, 4)], block)

    def launch_indirect() -> None:
        backend.launch_indirect(kernel.executable, (counts, 0, 12), one, block)

    backend.wait()
    assert barriers.during(launch_indirect) == 1  # from now on barriers order such dispatches too
    assert barriers.during(lambda: launch(other)) == 0
    assert barriers.during(lambda: launch(counts)) == 1  # write after read
    assert barriers.during(launch_indirect) == 1  # read after write
    backend.wait()
    assert barriers.during(launch_indirect) == 0
    assert barriers.during(lambda: backend.fill(counts, 0, 16, b"\1\0\0\0")) == 1
