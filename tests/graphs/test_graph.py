"""Graphs, with one meaning on every device: what is captured, replayed, changed, refused."""

from __future__ import annotations

import gc
import re
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    CaptureError,
    Device,
    DtypeError,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    KernelIndexError,
    LaunchError,
    ShapeError,
    Spec,
    StructBuffer,
    config,
    f32,
    i32,
    kernel,
    u8,
    u16,
    u32,
)
from krnlpy.dsl import Vector, global_id, group_id
from tests.support.kernels import increment, saxpy
from tests.support.typed import instance, untyped


@kernel
def gather(x: Global[f32, 2], at: Item[i32], y: ItemMut[f32]) -> None:
    y = x[0, at]


@kernel
def scaled(x: ItemMut[f32], FACTOR: Spec[f32] = 2.0) -> None:
    x *= FACTOR


@kernel
def shifted(by: Vector[f32, 2], x: ItemMut[f32]) -> None:
    x += by.x * 10.0 + by.y


@kernel(threads=1)
def mark(x: GlobalMut[u32, 1]) -> None:
    x[group_id(0)] += u32(1)


@kernel(threads=1)
def put(at: i32, x: GlobalMut[u32, 1]) -> None:
    x[at] = u32(9)


@kernel
def printing(x: ItemMut[f32]) -> None:
    print(x)


@dataclass
class Particle:
    place: f32
    speed: f32


@kernel
def move(seconds: f32, particles: GlobalMut[Particle, 1]) -> None:
    i = global_id()
    if i < len(particles):
        particles[i].place += seconds * particles[i].speed


def full(device: Device, *values: float) -> Buffer:
    return Buffer.from_numpy(np.array(values, np.float32), device)


def values(buffer: Any) -> list[float]:
    return [float(v) for v in buffer.numpy().ravel()]


# ------------------------------------------------------------------------------------------------------------- replays


def test_nothing_runs_before_the_replay(device: Device) -> None:
    x, y = full(device, 1, 2), full(device, 10, 20)
    with device.capture() as graph:
        saxpy(2.0, x, y)
        x.copy_from(y)
        y.fill(0.5)
    assert (values(x), values(y)) == ([1, 2], [10, 20])
    graph.replay()
    assert (values(x), values(y)) == ([12, 24], [0.5, 0.5])
    graph.replay()
    assert (values(x), values(y)) == ([24.5, 48.5], [0.5, 0.5])
    assert len(graph) == 3


def test_replays_take_their_turn_among_other_work(device: Device) -> None:
    x, y = full(device, 1.0), full(device, 0.0)
    with device.capture() as graph:
        saxpy(1.0, x, y)  # y += x
    expected = 0.0
    for i in range(20):
        x.fill(float(i))
        graph.replay()
        graph.replay()
        expected += 2 * i
        saxpy(-0.5, x, y)
        expected -= i / 2
        x.copy_from(full(device, -1.0))
    assert values(y) == [expected]


def test_many_replays_of_many_commands(device: Device) -> None:
    """More than one submission takes: 150 kernels, each after the one before."""
    x = Buffer.zeros(3, u32, device)
    with device.capture() as graph:
        for _ in range(150):
            increment(x)
    for _ in range(3):
        graph.replay()
    assert values(x) == [450] * 3


def test_an_empty_graph(device: Device) -> None:
    with device.capture() as graph:
        increment(Buffer.empty(0, u32, device))
    graph.replay()
    assert len(graph) == 0 and graph.memory_bytes == 0


@pytest.mark.parametrize(("dtype", "start", "stop"), [(u8, 1, 10), (u8, 1, 3), (u16, 1, 6), (u32, 0, 7), (f32, 2, 3)])
def test_fills_of_every_width(device: Device, dtype: Any, start: int, stop: int) -> None:
    x = Buffer.from_numpy(np.arange(12).astype(dtype.dtype), device)
    with device.capture() as graph:
        x[start:stop].fill(77)
    x.fill(5)
    graph.replay()
    assert values(x) == [77 if start <= i < stop else 5 for i in range(12)]


def test_a_fill_with_two_words(device: Device) -> None:
    x = Buffer.zeros(40000, "f64", device)
    with device.capture() as graph:
        x[1:].fill(0.1)
    graph.replay()
    array = x.numpy()
    assert array[0] == 0 and (array[1:] == 0.1).all()


def test_strided_copies_and_casts(device: Device) -> None:
    x, y = full(device, 0, 1, 2, 3, 4, 5).reshape((2, 3)), Buffer.zeros((3, 2), f32, device)
    with device.capture() as graph:
        y.copy_from(x.transpose())
        y[:, 1].fill(9)
        z = y[::2].cast(i32)
        again = z.copy()
    x.copy_from(full(device, 5, 4, 3, 2, 1, 0).reshape((2, 3)))
    graph.replay()
    assert values(y) == [5, 9, 4, 9, 3, 9]
    assert values(again) == [5, 9, 3, 9]


def test_copies_that_overlap(device: Device) -> None:
    x = full(device, 1, 2, 3, 4)
    with device.capture() as graph:
        x[1:].copy_from(x[:-1])
    graph.replay()
    graph.replay()
    assert values(x) == [1, 1, 1, 2]


def test_large_parameter_blocks(device: Device) -> None:
    """Views of many axes and a buffer's shape and strides: more than push constants hold on some devices."""
    x = Buffer.from_numpy(np.arange(64, dtype=np.float32).reshape((2,) * 6), device)
    y = Buffer.zeros((2,) * 6, f32, device)
    with device.capture() as graph:
        saxpy(3.0, x.transpose(5, 4, 3, 2, 1, 0), y.transpose(0, 2, 4, 1, 3, 5))
    graph.replay()
    expected = np.zeros((2,) * 6, np.float32)
    expected.transpose(0, 2, 4, 1, 3, 5)[...] = 3 * np.arange(64).reshape((2,) * 6).transpose()
    assert np.array_equal(y.numpy(), expected)


def test_groups_that_memory_counts(device: Device) -> None:
    """What a kernel or a copy of the graph writes, and what was written before, says how many groups there are."""
    counts, marks = Buffer.zeros(3, u32, device), Buffer.zeros(8, u32, device)
    counts.fill(1)
    with device.capture() as graph:
        mark.with_groups_from(counts)(marks)
        increment(counts[:1])
    for _ in range(3):
        graph.replay()
    counts[:1].fill(7)
    graph.replay()
    mark.with_groups_from(counts)(marks)
    assert values(marks) == [5, 4, 3, 2, 2, 2, 2, 1]


def test_counts_of_groups_change(device: Device) -> None:
    marks = Buffer.zeros(4, u32, device)
    few, many = (Buffer.from_numpy(np.array([n, 1, 1], np.uint32), device) for n in (1, 3))
    with device.capture() as graph:
        mark.with_groups_from(graph.parameter("counts", few))(marks)
    graph.replay()
    graph.replay(counts=many)
    assert values(marks) == [2, 1, 1, 0]


def test_more_groups_than_the_device_has(device: Device) -> None:
    if device.info.index is None:
        pytest.skip("the device has no such limit")
    groups = device.info.max_groups_xyz[0] + 5
    marks = Buffer.zeros(groups, u32, device)
    with device.capture() as graph:
        mark.with_groups(groups)(marks)
    graph.replay()
    assert marks.numpy().tolist() == [1] * groups


# ---------------------------------------------------------------------------------------------------------- parameters


def test_numbers_change(device: Device) -> None:
    x, y = full(device, 1, 2), full(device, 0, 0)
    with device.capture() as graph:
        alpha = graph.parameter("alpha", 1.0)
        saxpy(alpha, x, y)
        saxpy(10.0, x, y)
        y[:1].fill(alpha)
    graph.replay()
    assert values(y) == [1, 22]
    graph.replay(alpha=3.0)
    assert values(y) == [3, 48]
    graph.replay()  # it stays
    assert values(y) == [3, 74]
    assert graph.parameters["alpha"] == 3.0


def test_zeros_of_either_sign_are_other_values(device: Device) -> None:
    x = full(device, 1.0)
    with device.capture() as graph:
        x.fill(graph.parameter("value", 0.0))
    for value in (0.0, -0.0, -0.0, 0.0):
        graph.replay(value=value)
        assert np.copysign(1.0, values(x)[0]) == np.copysign(1.0, value)
        assert np.copysign(1.0, graph.parameters["value"]) == np.copysign(1.0, value)


def test_many_changes_while_replays_are_under_way(device: Device) -> None:
    x, y = full(device, 1.0), full(device, 0.0)
    with device.capture() as graph:
        alpha = graph.parameter("alpha", 0.0)
        for _ in range(3):
            saxpy(alpha, x, y)
    for i in range(50):
        graph.replay(alpha=float(i))
    assert values(y) == [3 * sum(range(50))]


def test_buffers_change_and_their_views_follow(device: Device) -> None:
    first, second = full(device, 1, 2, 3, 4), full(device, 5, 6, 7, 8)
    out, halves = Buffer.zeros((2, 2), f32, device), Buffer.zeros(2, f32, device)
    with device.capture() as graph:
        x = graph.parameter("x", first)
        out.copy_from(x.reshape((2, 2)).transpose())
        saxpy(1.0, x[1::2], halves)
        x.bitcast(u32)[:1].fill(0)
    graph.replay()
    assert (values(out), values(halves), values(first)) == ([1, 3, 2, 4], [2, 4], [0, 2, 3, 4])
    graph.replay(x=second)
    assert (values(out), values(halves), values(second)) == ([5, 7, 6, 8], [8, 12], [0, 6, 7, 8])
    assert values(first) == [0, 2, 3, 4]


def test_a_part_of_a_buffer_takes_the_place_of_a_whole(device: Device) -> None:
    batches = full(device, *range(12)).reshape((3, 4))
    y = full(device, 0, 0)
    with device.capture() as graph:
        x = graph.parameter("x", batches[0])
        saxpy(1.0, x[2:], y)
    for batch in range(3):
        graph.replay(x=batches[batch])
    assert values(y) == [2 + 6 + 10, 3 + 7 + 11]


def test_buffers_of_globals_change(device: Device) -> None:
    tables = [full(device, *(10 * n + np.arange(3))).reshape((1, 3)) for n in range(2)]
    at, y = Buffer.from_numpy(np.array([2, 0], np.int32), device), full(device, 0, 0)
    with device.capture() as graph:
        gather(graph.parameter("table", tables[0]), at, y)
    graph.replay()
    assert values(y) == [2, 0]
    graph.replay(table=tables[1])
    assert values(y) == [12, 10]


def test_specs_vectors_and_structs_change(device: Device) -> None:
    x = full(device, 1.0)
    particles, others = (StructBuffer.zeros(3, Particle, device) for _ in range(2))
    instance(Buffer, particles["speed"]).fill(2.0)
    instance(Buffer, others["speed"]).fill(-1.0)
    with device.capture() as graph:
        scaled(x, FACTOR=graph.parameter("factor", 3.0))
        shifted(graph.parameter("by", (1, 2)), x)
        seconds = graph.parameter("seconds", 0.5)
        move.with_global_threads(3)(seconds, graph.parameter("particles", particles))
    graph.replay()
    assert values(x) == [15] and values(particles["place"]) == [1, 1, 1]
    graph.replay(factor=2.0, by=(0, 1), particles=others, seconds=4.0)
    assert values(x) == [31] and values(others["place"]) == [-4, -4, -4]


def test_parameters_by_name_and_before_the_block(device: Device) -> None:
    x, y = full(device, 2.0), full(device, 0.0)
    graph = device.capture()
    alpha = graph.parameter("alpha", 1)
    with graph:
        saxpy(y=y, x=x, alpha=alpha)
    graph.replay(alpha=4)
    assert values(y) == [8]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"beta": 1.0}, LaunchError, "no parameter beta; it has alpha, x"),
        ({"alpha": "much"}, LaunchError, "alpha is f32; got 'much'"),
        ({"alpha": 1e300}, LaunchError, "beyond its range"),
        ({"alpha": "a buffer"}, LaunchError, "is a number; got Buffer"),
        ({"x": 1.0}, LaunchError, "is a buffer; got float"),
        ({"x": "other type"}, DtypeError, "is a buffer of f32; got one of i32"),
        ({"x": "other shape"}, ShapeError, "the shape .4,.; got a buffer of shape .3,."),
        ({"x": "strided"}, ShapeError, r"the strides .1,.; got a buffer of strides .2,.: .contiguous\(\)"),
        ({"x": "elsewhere"}, LaunchError, "to_device"),
        ({"x": "overlapping"}, LaunchError, "shares elements with"),
        ({"alpha": 2.0, "x": "overlapping"}, LaunchError, "shares elements with"),
    ],
)
def test_what_does_not_fit_changes_nothing(device: Device, given: dict[str, Any], error: Any, says: str) -> None:
    elsewhere = Device.interpreter() if device.is_host else Device.host()
    x, y = full(device, 1, 2, 3, 4), Buffer.zeros(8, f32, device)
    wrong = {
        "a buffer": x,
        "other type": Buffer.zeros(4, i32, device),
        "other shape": Buffer.zeros(3, f32, device),
        "strided": Buffer.zeros(8, f32, device)[::2],
        "elsewhere": Buffer.zeros(4, f32, elsewhere),
        "overlapping": y[1:5],
    }
    with device.capture() as graph:
        alpha = graph.parameter("alpha", 1.0)
        saxpy(alpha, graph.parameter("x", x), y[:4])
    graph.replay()
    with pytest.raises(error, match=says):
        graph.replay(**{name: wrong.get(value, value) for name, value in given.items()})
    assert values(y) == [1, 2, 3, 4, 0, 0, 0, 0]
    graph.replay()
    assert values(y) == [2, 4, 6, 8, 0, 0, 0, 0]


def test_misuse_of_parameters(device: Device) -> None:
    x, y = full(device, 1.0), full(device, 1.0)
    with device.capture() as graph:
        alpha = graph.parameter("alpha", 1.0)
        with pytest.raises(CaptureError, match="'alpha'"):
            graph.parameter("alpha", 2.0)
        with pytest.raises(CaptureError, match="identifier"):
            graph.parameter("1st", 2.0)
        with pytest.raises(CaptureError, match="itself"):
            graph.parameter("beta", alpha)
        with pytest.raises(TypeError):
            alpha + "2"
        with pytest.raises(LaunchError, match="saxpy: alpha is f32"):
            saxpy(graph.parameter("wrong", "text"), x, y)
        saxpy(alpha, x, y)
    with pytest.raises(CaptureError, match="has ended"):
        graph.parameter("late", 1.0)
    with pytest.raises(LaunchError, match="alpha is f32; got <parameter alpha"):
        saxpy(alpha, x, y)
    with device.capture(), pytest.raises(LaunchError, match="alpha is f32; got <parameter alpha"):
        saxpy(alpha, x, y)


# ------------------------------------------------------------------------------------------------------------- refusals


def refused(device: Device) -> list[Any]:
    x = full(device, 1.0)
    other = Device.interpreter() if device.is_host else Device.host()
    return [
        lambda: x.numpy(),
        lambda: np.asarray(x),
        lambda: device.wait(),
        lambda: full(device, 2.0),
        lambda: x.copy_from(Buffer.ones(1, f32, other)),
        lambda: Buffer.ones(1, f32, other).copy_from(x),
    ]


def test_what_cannot_be_captured(device: Device) -> None:
    for call in refused(device):
        with pytest.raises(CaptureError, match=re.escape(device.info.name.split()[0])), device.capture():
            call()
        graph = device.capture()
        with graph:
            with pytest.raises(CaptureError):
                call()
            x = Buffer.ones(2, f32, device)
        graph.replay()  # the call alone was refused
        assert values(x) == [1, 1]


def test_kernels_that_print(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    """A replay is waited for then."""
    x, y, z = full(device, 1.0), full(device, 2.0), full(device, 0.0)
    with device.capture() as graph:
        given = graph.parameter("given", x)
        saxpy(1.0, y, given)
        printing(given)
        saxpy(1.0, y, given)
        z.copy_from(given)
    assert capsys.readouterr().out == ""
    graph.replay()
    assert capsys.readouterr().out == "3.0\n" and values(z) == [5]
    graph.replay(given=full(device, 10.0))
    assert capsys.readouterr().out == "12.0\n" and values(z) == [14] and values(x) == [5]
    with device.capture() as outer:
        graph.replay()
    outer.replay()
    assert capsys.readouterr().out == "16.0\n" and values(z) == [18]


def test_kernels_that_are_checked(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is told by the replay, after the commands before it and before those after."""
    monkeypatch.setattr(config, "debug", True)
    x = Buffer.zeros(2, u32, device)
    with device.capture() as graph:
        where = graph.parameter("where", 1)
        increment(x)
        put.with_groups(1)(where, x)
        increment(x)
    graph.replay()
    assert values(x) == [2, 10]
    with pytest.raises(KernelIndexError, match="index 2 "):
        graph.replay(where=2)
    assert values(x) == [3, 11]
    graph.replay(where=0)
    assert values(x) == [10, 13]


def test_an_exception_ends_the_capture(device: Device) -> None:
    x = Buffer.zeros(2, u32, device)
    with pytest.raises(ZeroDivisionError), device.capture() as graph:
        increment(x)
        1 / 0  # noqa: B018
    with pytest.raises(CaptureError, match="left by an exception"):
        graph.replay()
    with pytest.raises(CaptureError, match="captured once"), graph:
        pass
    increment(x)
    assert values(x) == [1, 1]


def test_mistakes_are_seen_at_capture(device: Device) -> None:
    x, y = full(device, 1, 2), full(device, 1, 2, 3)
    with device.capture() as graph:
        with pytest.raises(ShapeError):
            saxpy(1.0, x, y)
        with pytest.raises(LaunchError):
            saxpy(1.0, y[:2], y[1:])
        with pytest.raises(DtypeError):
            increment(x)
    assert len(graph) == 0


def test_the_wrong_time(device: Device) -> None:
    with pytest.raises(CaptureError, match="not captured yet"):
        device.capture().replay()
    with device.capture() as graph:
        with pytest.raises(CaptureError, match="is being captured"):
            graph.replay()
        with pytest.raises(CaptureError, match="already"), device.capture():
            pass
    graph.replay()


# ------------------------------------------------------------------------------------------- graphs in graphs, threads


def test_a_replay_within_a_capture_becomes_part_of_it(device: Device) -> None:
    x, y = full(device, 1.0), full(device, 0.0)
    with device.capture() as inner:
        saxpy(inner.parameter("alpha", 1.0), x, y)
    with device.capture() as outer:
        inner.replay(alpha=2.0)
        y.copy_from(y.copy())
        inner.replay(alpha=3.0)
    assert values(y) == [0]
    del inner
    outer.replay()
    assert values(y) == [5]


def test_two_devices_at_once() -> None:
    host, interpreter = Device.host(), Device.interpreter()
    x, y = full(host, 0.0), full(interpreter, 0.0)
    with host.capture() as one, interpreter.capture() as other:
        x.fill(1)
        y.fill(2)
    assert (values(x), values(y)) == ([0], [0])
    one.replay()
    other.replay()
    assert (values(x), values(y)) == ([1], [2])


def test_other_threads_are_not_captured(device: Device) -> None:
    x, y = (Buffer.zeros(4, u32, device) for _ in range(2))
    seen = []

    def work() -> None:
        increment(y)
        seen.append(values(y))

    with device.capture() as graph:
        increment(x)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        increment(x)
    assert seen == [[1] * 4] and len(graph) == 2
    graph.replay()
    assert (values(x), values(y)) == ([2] * 4, [1] * 4)


def test_threads_capture_and_replay_at_once(device: Device) -> None:
    failures: list[BaseException] = []
    shared = Buffer.zeros(8, u32, device)
    with device.capture() as common:
        for _ in range(5):
            increment(shared)

    def work() -> None:
        try:
            for _ in range(3):
                x = Buffer.zeros(8, u32, device)
                with device.capture() as graph:
                    for _ in range(4):
                        increment(x)
                for _ in range(5):
                    graph.replay()
                    common.replay()
                assert values(x) == [20] * 8
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert values(shared) == [4 * 3 * 5 * 5] * 8


def test_replays_with_parameters_from_several_threads_keep_together(device: Device) -> None:
    """A replay and what it changes are one: each sum is of equal terms."""
    x, y, log = full(device, 1.0), full(device, 0.0), Buffer.zeros(64, f32, device)
    with device.capture() as graph:
        alpha = graph.parameter("alpha", 0.0)
        y.fill(0)
        for _ in range(4):
            saxpy(alpha, x, y)
        slot = graph.parameter("slot", log[:1])
        slot.copy_from(y)

    def work(first: int) -> None:
        for i in range(first, 64, 4):
            graph.replay(alpha=float(i), slot=log[i : i + 1])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(log) == [4 * i for i in range(64)]


# --------------------------------------------------------------------------------------------------------------- memory


def test_memory_of_temporaries_is_kept_and_told(device: Device) -> None:
    x = full(device, 1, 2, 3, 4)
    with device.capture() as graph:
        temporary = Buffer.zeros(4, f32, device)
        saxpy(2.0, x, temporary)
        Buffer.empty(1000, f32, device)  # nothing uses it
        result = temporary.copy()
        del temporary
    assert graph.memory_bytes == 2 * 16
    assert "2 commands" not in repr(graph) and "3 commands" in repr(graph) and "32 bytes" in repr(graph)
    gc.collect()
    noise = [Buffer.full(4, 99, f32, device) for _ in range(20)]
    graph.replay()
    assert values(result) == [2, 4, 6, 8]
    assert all(values(n) == [99] * 4 for n in noise)


def test_buffers_live_as_long_as_the_graph(device: Device) -> None:
    x, y = full(device, 1.0), full(device, 0.0)
    with device.capture() as graph:
        saxpy(1.0, x, y)
    del x
    gc.collect()
    noise = [Buffer.full(1, 50, f32, device) for _ in range(20)]
    graph.replay()
    assert values(y) == [1]
    del noise


def test_graphs_go_while_their_replays_are_under_way(device: Device) -> None:
    y = Buffer.zeros(1000, u32, device)
    for _ in range(40):
        with device.capture() as graph:
            for _ in range(10):
                increment(y)
        graph.replay()
        del graph
    assert values(y[:2]) == [400, 400]


def test_what_it_is(device: Device) -> None:
    x, y = full(device, 1.0), full(device, 0.0)
    graph = device.capture()
    assert "not captured yet" in repr(graph)
    with graph:
        saxpy(graph.parameter("alpha", 1.0), x, y)
    assert graph.device == device
    assert "graph of 1 commands" in repr(graph) and "parameters alpha" in repr(graph)


def test_arithmetic_with_numbers(device: Device) -> None:
    """What is computed from parameters follows them, rounded as Python rounds."""
    x = Buffer.zeros(8, f32, device)
    with device.capture() as graph:
        a, b = graph.parameter("a", 2.0), graph.parameter("b", 3)
        results = (a + 1, 1 - a, b * a, 7 / b, 7 // b, b % 2, np.float32(2) ** b, abs(-a))
        for i, number in enumerate(results):
            x[i : i + 1].fill(number)
    for values in ({}, {"a": -0.3}, {"b": 5}, {"a": 1.5, "b": -2}):
        graph.replay(**values)
        one, two = graph.parameters["a"], graph.parameters["b"]
        expected = [one + 1, 1 - one, two * one, 7 / two, 7 // two, two % 2, np.float32(2) ** two, abs(-one)]
        np.testing.assert_array_equal(x.numpy(), np.array(expected, np.float32))


def test_numbers_are_not_known_while_captured(device: Device) -> None:
    with device.capture() as graph:
        rate = graph.parameter("rate", 1.0)
        for use in (float, int, bool, round, lambda x: x > 0, lambda x: x * 2 >= 2, np.sqrt):
            with pytest.raises(CaptureError if use is not np.sqrt else TypeError):
                use(rate)
        with pytest.raises(CaptureError, match="<number computed from rate of a graph> changes between replays"):
            float(2 * rate)
        with pytest.raises(TypeError):
            rate + "1"


def test_which_buffers_a_graph_uses_and_owns(device: Device) -> None:
    x, y, empty = Buffer.zeros(2, f32, device), Buffer.zeros(2, f32, device), Buffer.zeros(0, f32, device)
    with device.capture() as graph:
        z, unused = x.copy(), Buffer.empty(2, f32, device)
        assert graph.uses(x)
        assert [graph.owns(b) for b in (x, y, z, unused)] == [False, False, True, True]
    assert [graph.uses(b) for b in (x, x[1:], y, z, empty)] == [True, True, False, True, False]
    assert [graph.owns(b) for b in (x, y, z, z[:1], empty)] == [False, False, True, True, False]
    for method in (graph.uses, graph.owns):
        with pytest.raises(DtypeError, match="not int"):
            untyped(method)(3)
