"""Rewritten graphs leave the bits that the launches themselves leave; of what stays apart, the reason is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    LimitExceeded,
    Out,
    bf16,
    config,
    f16,
    f32,
    kernel,
)
from krnlpy.backend.commands import Launch
from krnlpy.dsl import global_id
from tests.graphs.fusion.programs import add, bits, mul, ratio, relu, sometimes, sub, two

T = TypeVar("T")


@kernel
def increment(x: Item[f32], o: ItemMut[f32]) -> None:
    o = x + 1.0


@kernel
def double(w: ItemMut[f32]) -> None:
    w = w * 2.0


@kernel
def scaled_down(rate: f32, g: Item[f32], w: ItemMut[f32]) -> None:
    w -= rate * g


@kernel(threads=8)
def tripled(x: Global[f32], o: Out[f32]) -> None:
    if global_id() < o.shape[0]:
        o[global_id()] = x[global_id()] * 3.0


@kernel(threads=8)
def tripled_anywhere(x: Global[f32], o: GlobalMut[f32]) -> None:
    if global_id() < o.shape[0]:
        o[global_id()] = x[global_id()] * 3.0


@kernel
def turned(x: Global[f32, Literal[2]], o: Out[f32, Literal[2]]) -> None:
    if global_id() < o.size:
        row, column = global_id() // o.shape[1], global_id() % o.shape[1]
        o[row, column] = x[column, row] + 0.5


@kernel
def shown(x: Item[f32], o: ItemMut[f32]) -> None:
    if x > 100.0:
        print("large", x)
    o = x * 2.0


@kernel
def positive(x: Item[f32], o: ItemMut[f32]) -> None:
    assert x > 0.0, "not positive"
    o = x * 2.0


@kernel
def stopped(x: Item[f32], o: ItemMut[f32]) -> None:
    o = x
    if x < 4.0:
        return
    o = x * 2.0


Work = Callable[..., Any]


def buffers(device: Device, *shapes: Any, seed: int = 0, dtype: Any = f32) -> list[Buffer]:
    generator = np.random.default_rng(seed)
    arrays = [generator.standard_normal(shape).astype(np.float32) for shape in shapes]
    return [Buffer.from_numpy(array, device, copy=True).cast(dtype) for array in arrays]


def check(work: Work, given: Callable[[], list[Buffer]], count: int, refused: str = "") -> Any:
    """Three replays of the rewritten work leave the bits that the work itself leaves, and have so many commands."""
    expected, found = [], []
    inputs = given()
    for _ in range(3):
        expected.append(bits([*work(*inputs), *inputs]))
    inputs = given()
    with inputs[0].device.capture() as graph:
        results = work(*inputs)
    graph.fuse()
    for _ in range(3):
        graph.replay()
        found.append(bits([*results, *inputs]))
    assert found == expected
    assert len(graph) == count, graph.explain()
    assert re.search(refused, graph.explain()), graph.explain()
    return graph


def new(x: Buffer, dtype: Any = None) -> Buffer:
    return Buffer.empty(x.shape, dtype or x.dtype, x.device)


def applied(launch: Any, *arguments: Any) -> Buffer:
    launch(*arguments, out := new(arguments[0]))
    return out


def test_a_chain_of_items_is_one_kernel(device: Device) -> None:
    def work(x: Buffer, y: Buffer, bias: Buffer) -> list[Buffer]:
        a = applied(add, x, bias.broadcast_to(x.shape))
        for _ in range(3):
            a = applied(relu, applied(mul, applied(sub, a, y), x))
        return [a]

    graph = check(work, lambda: buffers(device, (5, 7), (5, 7), (1, 7)), 1)
    assert graph.explain().splitlines()[1] == "  1 add_f32 + 8 more + relu_f32"


def test_what_somebody_holds_is_stored(device: Device) -> None:
    def work(x: Buffer) -> list[Buffer]:
        a = applied(increment, x)
        b = applied(ratio_of_two, a)
        return [b, a[::2], applied(increment, b)]

    def ratio_of_two(x: Buffer, out: Buffer) -> None:
        ratio(x, 2.0, out)

    check(work, lambda: buffers(device, 9), 1)


def test_epilogues_stand_where_the_element_is_stored(device: Device) -> None:
    def work(x: Buffer, bias: Buffer, w: Buffer) -> list[Buffer]:
        tripled.with_groups(2)(x, t := new(x))
        o = applied(relu, applied(add, t, bias.broadcast_to(x.shape)))
        turned.with_global_threads(w.size)(w, g := Buffer.empty(w.shape[::-1], f32, device))
        return [o, applied(increment, g)]

    graph = check(work, lambda: buffers(device, 12, 1, (3, 5)), 2)
    assert graph.explain().splitlines()[1:3] == ["  1 tripled + add_f32 + relu_f32", "  2 turned + increment"]


def test_an_update_in_place_is_no_epilogue_of_what_reads_the_same(device: Device) -> None:
    def work(w: Buffer, v: Buffer) -> list[Buffer]:
        turned.with_global_threads(w.size)(w, g := new(w))
        scaled_down(0.5, g, w)
        turned.with_global_threads(w.size)(w, g := new(w))
        scaled_down(0.5, g, v)
        return []

    check(work, lambda: buffers(device, (4, 4), (4, 4)), 3, "turned touches x, which the epilogue touches")


def test_what_may_be_written_twice_has_no_epilogue(device: Device) -> None:
    def work(x: Buffer) -> list[Buffer]:
        tripled_anywhere.with_groups(2)(x, t := new(x))
        return [applied(increment, t)]

    check(work, lambda: buffers(device, 12), 2, "no Out")


def test_views_in_another_order_are_refused(device: Device) -> None:
    def work(x: Buffer) -> list[Buffer]:
        a = applied(increment, x)
        return [applied(increment, a[::-1]), applied(add, a.transpose(), x)]

    check(work, lambda: buffers(device, (4, 4)), 3, "share elements at other indices")


def test_shapes_that_are_views_of_each_other_are_the_same_items(device: Device) -> None:
    def work(x: Buffer, row: Buffer, column: Buffer) -> list[Buffer]:
        a = applied(add, x, row.broadcast_to(x.shape))
        b = applied(add, a, column.broadcast_to(x.shape)).reshape((x.size,))
        return [applied(relu, b)]

    check(work, lambda: buffers(device, (2, 3, 4), (4,), (2, 1, 1)), 1)


def test_a_launch_in_between_keeps_its_place(device: Device) -> None:
    def work(x: Buffer, w: Buffer) -> list[Buffer]:
        a = applied(add, x, w)
        double(w)
        b = applied(add, a, w)
        double(w)
        return [b]

    check(work, lambda: buffers(device, 8, 8), 1)

    def crossed(x: Buffer, w: Buffer) -> list[Buffer]:
        a = applied(add, x, w)
        tripled.with_groups(1)(w, x)
        turned.with_global_threads(8)(x.reshape((2, 4)), w.reshape((4, 2)))
        return [applied(add, a, w)]

    check(crossed, lambda: buffers(device, 8, 8), 3, "commands between them")


def test_what_a_kernel_stores_and_reads_again_is_not_loaded(device: Device) -> None:
    def work(x: Buffer) -> list[Buffer]:
        two(x, a := new(x), b := new(x))
        return [applied(add, a, b)]

    check(work, lambda: buffers(device, 8), 1)


def test_what_may_stay_as_it_was_is_refused(device: Device) -> None:
    def work(x: Buffer) -> list[Buffer]:
        out = Buffer.zeros(x.shape, f32, device)
        sometimes(applied(increment, x), out)
        return [out]

    check(work, lambda: buffers(device, 8), 3, "may be left as it was")


@pytest.mark.parametrize("dtype", [f16, bf16])
def test_narrow_floats_are_rounded_at_each_store(device: Device, dtype: Any) -> None:
    def work(x: Buffer, y: Buffer) -> list[Buffer]:
        return [applied(add, applied(mul, x, y), x)]

    check(work, lambda: buffers(device, 300, 300, dtype=dtype), 1)


@pytest.mark.parametrize("first", [add, tripled])
def test_kernels_that_differ_in_order_only_are_other_kernels(device: Device, first: Any) -> None:
    def work(x: Buffer, y: Buffer) -> list[Buffer]:
        results = []
        for is_turned in (False, True):
            t = new(x)
            if first is add:
                add(x, y, t)
            else:
                tripled.with_groups(1)(x, t)
            w = x if first is add else y
            results.append(applied(sub, w, t) if is_turned else applied(sub, t, w))
        return results

    check(work, lambda: buffers(device, 4, 4), 2)


@pytest.mark.parametrize(
    ("launch", "why"), [(shown, "prints or checks"), (positive, "prints or checks"), (stopped, "returns early")]
)
def test_bodies_that_are_no_part_of_others(device: Device, launch: Any, why: str) -> None:
    def work(x: Buffer) -> list[Buffer]:
        return [applied(launch, applied(increment, x))]

    check(work, lambda: [Buffer.full(6, 3.0, f32, device)], 2, why)


def test_nothing_is_rewritten_in_debug_mode(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "debug", True)
    check(lambda x: [applied(increment, applied(increment, x))], lambda: buffers(device, 4), 2, "as captured")


def test_copies_of_results_go(device: Device) -> None:
    def work(x: Buffer, target: Buffer) -> list[Buffer]:
        target.copy_from(applied(increment, x))
        kept = applied(increment, x)
        target[:4].copy_from(kept[:4])
        return [kept]

    check(work, lambda: buffers(device, 8, 8), 3)

    def whole(x: Buffer, target: Buffer) -> list[Buffer]:
        target.copy_from(applied(increment, x))
        return []

    def part(x: Buffer, target: Buffer) -> list[Buffer]:
        target[:4].copy_from(applied(increment, x)[:4])
        return []

    check(whole, lambda: buffers(device, 8, 8), 1, "writes to where it")
    check(part, lambda: buffers(device, 8, 8), 2, "all that is copied")


def test_fills_that_are_overwritten_go(device: Device) -> None:
    def whole(x: Buffer) -> list[Buffer]:
        increment(x, out := Buffer.zeros(x.shape, f32, device))
        return [out]

    def part(x: Buffer) -> list[Buffer]:
        increment(x[1:], (out := Buffer.zeros(x.shape, f32, device))[1:])
        return [out]

    check(whole, lambda: buffers(device, 8), 1, "fill is gone")
    check(part, lambda: buffers(device, 8), 2)


def test_what_nobody_reads_is_not_done(device: Device) -> None:
    def work(x: Buffer) -> list[Buffer]:
        increment(x, new(x))
        return [applied(increment, x)]

    check(work, lambda: buffers(device, 8), 1, "nobody reads")


def test_numbers_change_without_another_rewrite(device: Device) -> None:
    x, w = buffers(device, 8, 8)
    start = w.copy()
    with device.capture() as graph:
        rate = graph.parameter("rate", 0.5)
        ratio(x, rate, g := new(x))
        scaled_down(2 * rate, g, w)
        del g
    graph.fuse()
    made = [c.executable for c in graph._content.commands if isinstance(c, Launch)]
    assert len(graph) == 1
    for rate in (0.5, 0.25, 0.25, 3.0):
        w.copy_from(start)
        graph.replay(rate=rate)
        expected = start.copy()
        scaled_down(2 * rate, applied(lambda x, o, rate=rate: ratio(x, rate, o), x), expected)
        assert bits([w]) == bits([expected])
    assert [c.executable for c in graph._content.commands if isinstance(c, Launch)] == made


def test_a_buffer_that_may_be_replaced_may_be_any(device: Device) -> None:
    x, w, z = (Buffer.full(8, value, f32, device) for value in (3.0, 5.0, 7.0))
    with device.capture() as graph:
        a = applied(increment, graph.parameter("x", x))
        double(w)
        o = applied(add, a, w)
        del a
    graph.fuse()
    results = []
    for value in (x, z, w, z):
        graph.replay(x=value)
        results.append((o.numpy()[0], w.numpy()[0]))
    assert results == [(14.0, 10.0), (28.0, 20.0), (61.0, 40.0), (88.0, 80.0)]
    assert "parameter of the graph" in graph.explain()


def test_kernels_of_too_many_buffers_stay_apart(device: Device) -> None:
    def work(x: Buffer, *others: Buffer) -> list[Buffer]:
        for other in others:
            x = applied(add, x, other)
        return [x]

    check(work, lambda: buffers(device, *[4] * 20), 2, "a kernel made of others has 16")


def test_what_the_device_can_not_run_stays_apart(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = buffers(device, 33, 33)
    o = new(x)
    with device.capture() as graph:
        add(applied(mul, x, y), y, o)

    def build(request: Any) -> Any:
        raise LimitExceeded(f"{request.program.name} has too much")

    monkeypatch.setattr(device.backend, "build", build)
    monkeypatch.setattr("krnlpy.graphs.fusion.source._executables", {})
    graph.fuse()
    assert len(graph) == 2 and "mul_f32_then_add_f32 has too much" in graph.explain()
    graph.replay()
    assert bits([o]) == bits([applied(add, applied(mul, x, y), y)])
