"""Temporaries of a rewritten graph share memory, and nothing that anybody can see changes by it."""

from __future__ import annotations

import gc
import random
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, Out, config, f32, host_call, kernel, u8
from krnlpy.backend.commands import memories
from krnlpy.dsl import global_id
from krnlpy.graphs.fusion.sharing import ALIGNMENT, Lifetime, arranged
from krnlpy.graphs.temporaries import Temporary
from tests.graphs.fusion.programs import bits, stored_before_loaded, two

LENGTH = 1000
Array = np.ndarray[Any, Any]


@kernel(threads=64)
def rotated(x: Global[f32], o: Out[f32]) -> None:
    """Of no use to an item kernel: it reads others' elements."""
    if global_id() < o.shape[0]:
        o[global_id()] = x[(global_id() + 1) % x.shape[0]] + 1.0


@kernel(threads=64)
def rotated_by(rate: f32, x: Global[f32], o: Out[f32]) -> None:
    if global_id() < o.shape[0]:
        o[global_id()] = x[(global_id() + 1) % x.shape[0]] * rate


@kernel(threads=64)
def rotated_anywhere(x: Global[f32], o: GlobalMut[f32]) -> None:
    """Of no use as the first half of another kernel either."""
    if global_id() < o.shape[0]:
        o[global_id()] = x[(global_id() + 1) % x.shape[0]] + 1.0


@kernel
def gated(gate: Item[f32], x: Item[f32], o: ItemMut[f32]) -> None:
    o = 0.0 if gate <= 2.0 else x


def given(device: Device) -> Buffer:
    return Buffer.from_numpy(np.linspace(-2, 3, LENGTH, dtype=np.float32), device)


def new(x: Buffer) -> Buffer:
    return Buffer.empty(x.shape, x.dtype, x.device)


def turned(x: Buffer, launch: Any = rotated, *numbers: Any) -> Buffer:
    launch.with_global_threads(LENGTH)(*numbers, x, out := new(x))
    return out


def rounded(count: int) -> int:
    """Bytes that so many buffers take together."""
    return count * -(-LENGTH * 4 // ALIGNMENT) * ALIGNMENT


# ---------------------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize("limit", [1 << 40, 6000])
def test_what_lives_at_the_same_time_has_no_byte_in_common(limit: int) -> None:
    choice = random.Random(0)
    for _ in range(100):
        lifetimes = []
        for _ in range(choice.randrange(1, 40)):
            first = choice.randrange(50)
            lifetimes.append(Lifetime(choice.randrange(1, 5000), first, first + choice.randrange(12)))
        places, sizes = arranged(lifetimes, limit)
        spans = [(p.piece, p.offset, p.offset + t.nbytes) for p, t in zip(places, lifetimes, strict=True)]
        for (a, x), (b, y) in combinations(zip(lifetimes, spans, strict=True), 2):
            if a.first <= b.last and b.first <= a.last:
                assert x[0] != y[0] or x[2] <= y[1] or y[2] <= x[1], (a, b)
        assert all(end <= sizes[piece] <= limit and not first % ALIGNMENT for piece, first, end in spans)
        lengths = [-(-t.nbytes // ALIGNMENT) * ALIGNMENT for t in lifetimes]
        live = [sum(n for n, t in zip(lengths, lifetimes, strict=True) if t.first <= at <= t.last) for at in range(62)]
        assert max(live) <= sum(sizes) <= sum(lengths)


def test_one_after_the_other_needs_what_the_longest_needs() -> None:
    lifetimes = [Lifetime(1000 + n, 2 * n, 2 * n + 1) for n in range(50)]
    places, sizes = arranged(lifetimes, 1 << 40)
    assert {place.offset for place in places} == {0} and sizes == [1280]
    assert arranged([], 1 << 40) == ([], [])
    # What is longer than a piece should be gets one of its own.
    assert arranged([Lifetime(5000, 0, 0), Lifetime(10, 0, 0)], 1000)[1] == [5120, 256]


# ---------------------------------------------------------------------------------------------------------- graphs


def chain(x: Buffer, count: int) -> Buffer:
    for _ in range(count):
        x = turned(x)
    return x


def test_a_chain_needs_two(device: Device) -> None:
    x = given(device)
    with device.capture() as graph:
        result = chain(x, 12)
    nbytes = LENGTH * 4
    assert graph.memory_bytes >= 12 * nbytes
    graph.fuse()
    assert len(graph) == 12 and nbytes <= graph.memory_bytes - rounded(2) <= nbytes + 16
    assert f"memory: 11 temporaries of {11 * result.memory.nbytes} bytes in all share {rounded(2)}" in graph.explain()
    expected = bits([chain(x, 12)])
    for _ in range(3):
        graph.replay()
        assert bits([result]) == expected


def test_memory_of_capturing_is_given_back(device: Device) -> None:
    x = given(device)
    device.wait()
    gc.collect()
    before = device.memory_stats().in_use
    with device.capture() as graph:
        result = chain(x, 12)
    graph.fuse()
    taken = device.memory_stats().in_use - before
    # Beside it, Vulkan keeps the numbers of launches that don't fit in push constants.
    assert rounded(2) + result.nbytes <= taken <= rounded(4)
    graph.replay()
    assert bits([result]) == bits([chain(x, 12)])
    device.wait()
    device.backend.trim()
    stats = device.memory_stats()
    assert device.info.index is not None or stats.reserved == stats.in_use
    del graph, result, stats
    gc.collect()
    device.wait()
    assert device.memory_stats().in_use == before


def test_what_is_held_has_its_own(device: Device) -> None:
    x = given(device)

    def work() -> list[Buffer]:
        held = [turned(x)]
        for _ in range(8):
            held.append(turned(turned(held[-1])))
        return [held[0], held[3][::2], held[-1]]

    with device.capture() as graph:
        kept = work()
    graph.fuse()
    graph.replay()
    expected = bits(work())
    assert bits(kept) == expected
    noise = [Buffer.full(LENGTH, 99.0, f32, device) for _ in range(20)]
    graph.replay()
    assert bits(kept) == expected and all((n.numpy() == 99).all() for n in noise)


def test_an_item_kernel_writes_where_it_reads(device: Device) -> None:
    """Both of what it reads are read for the last time: it takes the place of one."""
    x = given(device)

    def work() -> Buffer:
        a, b = turned(x, rotated_anywhere), turned(turned(x), rotated_anywhere)
        gated(a, b, c := new(x))
        return turned(c)

    with device.capture() as graph:
        result = work()
    graph.fuse()
    graph.replay()
    assert bits([result]) == bits([work()])
    *_, gate, last = graph._content.commands
    addresses = [memory.address for memory in memories(gate)]
    assert len(set(addresses)) == 2 and addresses[2] in addresses[:2]
    assert next(memories(last)).address == addresses[2]


@pytest.mark.parametrize("kind", ["stored before", "two results", "longer", "still needed", "other strides"])
def test_not_where_an_element_is_read_after_it_was_written(device: Device, kind: str) -> None:
    x = given(device)

    def work() -> list[Buffer]:
        a, b = turned(x, rotated_anywhere), turned(turned(x), rotated_anywhere)
        c, d = new(x), new(x)
        if kind == "stored before":
            stored_before_loaded(a, b, c)
        elif kind == "two results":
            two(a, c, d)
        elif kind == "longer":
            gated(a[:500], b[:500], c[:500])
            c[500:].fill(3.0)
        elif kind == "still needed":
            gated(a, a, c)
            return [turned(c), turned(a)]
        else:
            gated(a[::-1], b[::-1], c)
        return [turned(c), turned(d) if kind == "two results" else turned(c)]

    with device.capture() as graph:
        kept = work()
    graph.fuse()
    for _ in range(2):
        graph.replay()
        assert bits(kept) == bits(work())


def test_numbers_and_buffers_change(device: Device) -> None:
    """A replay with a number places the commands anew that have it, one with a buffer all."""
    x = given(device)
    y = Buffer.from_numpy(x.numpy()[::-1].copy(), device)

    def work(x: Buffer, rate: Any) -> Buffer:
        a = turned(turned(x), rotated_by, rate)
        return turned(turned(turned(a), rotated_by, 2 * rate))

    with device.capture() as graph:
        result = work(graph.parameter("x", x), graph.parameter("rate", 0.5))
    graph.fuse()
    expected = {(name, rate): bits([work(b, rate)]) for name, b in (("x", x), ("y", y)) for rate in (0.5, 3.0)}
    graph.replay()
    assert bits([result]) == expected["x", 0.5]
    before = graph._content.commands
    graph.replay(rate=3.0)
    assert bits([result]) == expected["x", 3.0]
    after = graph._content.commands
    assert [a is b for a, b in zip(before, after, strict=True)] == [True, False, True, False, True]
    nbytes = graph.memory_bytes
    for name, buffer, rate in (("y", y, 3.0), ("x", x, 0.5), ("x", x, 0.5), ("y", y, 0.5)):
        graph.replay(x=buffer, rate=rate)
        assert bits([result]) == expected[name, rate]
        assert graph.memory_bytes == nbytes


def test_one_that_is_given_the_result_of_another(device: Device) -> None:
    """Two graphs share no memory, and one within another is as it is by itself."""
    x = given(device)
    with device.capture() as first:
        middle = chain(x, 5)
    first.fuse()
    with device.capture() as second:
        result = chain(middle, 5)
    second.fuse()
    with device.capture() as both:
        first.replay()
        second.replay()
        again = chain(result, 3)
    both.fuse()
    expected = bits([chain(x, 5), chain(x, 10)])
    for _ in range(2):
        first.replay()
        second.replay()
        assert bits([middle, result]) == expected
    for _ in range(2):
        middle.fill(0.0)
        both.replay()
        assert bits([middle, result, again]) == [*expected, *bits([chain(x, 13)])]


def test_narrow_and_empty_ones(device: Device) -> None:
    """Elements of a byte are written as parts of words where a device has no bytes."""

    @kernel
    def more(x: Item[u8], o: ItemMut[u8]) -> None:
        o = x + 1

    @kernel(threads=64)
    def shifted(x: Global[u8], nothing: Global[f32], o: Out[u8]) -> None:
        if global_id() < o.shape[0]:
            o[global_id()] = x[(global_id() + 1) % x.shape[0]] + u8(nothing.shape[0])

    x = Buffer.from_numpy(np.arange(37, dtype=np.uint8), device)
    empty = Buffer.empty(0, f32, device)

    def work() -> list[Buffer]:
        results = []
        for length in (37, 1, 3, 36):
            a = x[:length].copy()
            for _ in range(4):
                more(a, b := Buffer.empty(length, u8, device))
                shifted.with_global_threads(length)(b, empty, a := Buffer.empty(length, u8, device))
            results.append(a)
        return results

    with device.capture() as graph:
        kept = work()
    graph.fuse()
    for _ in range(2):
        graph.replay()
        assert bits(kept) == bits(work())


def test_pieces_are_no_longer_than_the_device_allows(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    from krnlpy.graphs.fusion import sharing

    def arranged_in_pieces(lifetimes: Any, limit: int) -> Any:
        assert limit == device.info.max_buffer_bytes
        return arranged(lifetimes, 5000)

    monkeypatch.setattr(sharing, "arranged", arranged_in_pieces)
    x = given(device)
    with device.capture() as graph:
        result = chain(x, 6)
    graph.fuse()
    graph.replay()
    assert bits([result]) == bits([chain(x, 6)])


def test_commands_that_use_the_same_bytes_are_ordered(device: Device) -> None:
    """Backends see hazards by addresses: those of two temporaries that share bytes are the same."""
    x = given(device)
    with device.capture() as graph:
        result = chain(x, 4)
    graph.fuse()
    assert result is not None
    written = [list(memories(command))[1] for command in graph._content.commands]
    assert written[0] is not written[2] and written[0].address == written[2].address
    assert abs(written[0].address - written[1].address) == rounded(1)
    assert not any(isinstance(m, Temporary) for command in graph._content.commands for m in memories(command))


def test_in_debug_mode_each_has_its_own(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "debug", True)
    x = given(device)
    with device.capture() as graph:
        result = chain(x, 4)
    graph.fuse()
    graph.replay()
    assert graph.memory_bytes >= 4 * x.nbytes and bits([result]) == bits([chain(x, 4)])


# ----------------------------------------------------------------------------------------------------- calls of Python


@pytest.fixture(params=["host", "interpreter"])
def near(request: pytest.FixtureRequest) -> Device:
    """A device whose memory is the process's own."""
    return Device(request.param)


def test_calls_of_python(near: Device) -> None:
    x = given(near)

    def work(x: Buffer, rate: Any) -> Buffer:
        for _ in range(4):
            host_call(lambda a, out: np.add(np.roll(a, 1), 1, out=out), x, y := new(x), outputs=1)
            x = turned(y, rotated_by, rate)
        return x

    with near.capture() as graph:
        result = work(graph.parameter("x", x), graph.parameter("rate", 1.0))
    graph.fuse()
    assert graph.memory_bytes == rounded(2) + LENGTH * 4
    y = Buffer.from_numpy(x.numpy() * 2, near)
    for given_x, rate in ((x, 1.0), (x, 2.0), (y, 2.0), (y, 2.0), (x, 0.5)):
        graph.replay(x=given_x, rate=rate)
        assert bits([result]) == bits([work(given_x, rate)])


def test_a_function_that_says_nothing_may_keep_its_arrays(near: Device) -> None:
    x, seen = given(near), []

    def look(a: Array) -> None:
        seen.append(a)

    with near.capture() as graph:
        a = turned(x)
        host_call(look, a)
        result = chain(a, 6)
        del a
    graph.fuse()
    graph.replay()
    np.testing.assert_array_equal(seen[0], np.roll(x.numpy(), -1) + 1)
    assert bits([result]) == bits([chain(x, 7)])


def test_a_function_that_fails_leaves_a_graph_that_works(near: Device) -> None:
    x, fails = given(near), [True]

    def work(x: Buffer) -> Buffer:
        host_call(maybe, chain(x, 3), out := new(x), outputs=1)
        return chain(out, 3)

    def maybe(a: Array, out: Array) -> None:
        if fails[0]:
            raise ZeroDivisionError
        out[...] = a

    with near.capture() as graph:
        result = work(x)
    graph.fuse()
    with pytest.raises(ZeroDivisionError):
        graph.replay()
    fails[0] = False
    graph.replay()
    assert bits([result]) == bits([work(x)])


@kernel
def told(x: Item[f32], o: ItemMut[f32]) -> None:
    if x > 1e6:
        print("too much", x)
    o = x + 1.0


def test_commands_that_run_one_by_one(device: Device) -> None:
    """A graph with a kernel that prints is not submitted as a whole; fills and copies reach parts of memory too."""
    x = given(device)

    def work() -> Buffer:
        told(turned(x), a := new(x))
        b = Buffer.full(LENGTH, 2.0, f32, device)
        c = Buffer.empty(2 * LENGTH, f32, device)
        c[:LENGTH].copy_from(turned(a))
        c[LENGTH:].copy_from(turned(b))
        told(turned(c[500 : 500 + LENGTH].copy()), d := new(x))
        return turned(turned(d))

    with device.capture() as graph:
        result = work()
    graph.fuse()
    assert "share" in graph.explain()
    for _ in range(2):
        graph.replay()
        assert bits([result]) == bits([work()])
