"""Launches of more groups than a device has along an axis: its limits are lowered, and the host says what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, ItemMut, KernelIndexError, Spec, config, f32, kernel, u32, vulkan
from krnlpy.dsl import (
    atomic_add,
    barrier,
    global_id,
    global_threads,
    group_array,
    group_id,
    groups,
    subgroup_add,
    thread_id,
    threads,
)
from krnlpy.vulkan.loading.instance import instance

Limited = Callable[..., Device]


@pytest.fixture(params=range(len(vulkan.enumerate_devices()[0])))
def limited(request: pytest.FixtureRequest) -> Iterator[Limited]:
    """A Vulkan device whose description is another than its own."""
    opened = []

    def limited(*most: int, **changes: Any) -> Device:
        physical = instance().devices[request.param]
        info = replace(physical.info, max_groups_xyz=most, **changes)
        device: Device = object.__new__(Device)
        device.backend = vulkan.VulkanBackend(instance(), replace(physical, info=info))
        opened.append(device.backend)
        return device

    yield limited
    for backend in opened:
        backend.close()


@kernel
def ids(out: GlobalMut[u32, 4], where: GlobalMut[u32, 1]) -> None:
    """Each thread of each group writes all that it knows of where it is, at its own place."""
    x, y, z = global_id(0), global_id(1), global_id(2)
    out[z, y, x, 0] += u32(group_id(0) + 100 * group_id(1) + 10000 * group_id(2))
    out[z, y, x, 1] += u32(groups(0) + 100 * groups(1) + 10000 * groups(2))
    out[z, y, x, 2] += u32(global_threads(0) + 100 * global_threads(1) + 10000 * global_threads(2))
    out[z, y, x, 3] += u32(thread_id(0) + 10 * thread_id(1) + 100 * thread_id(2) + 1000 * threads(0))
    atomic_add(where[0], u32(1))


def run_ids(device: Device, counts: tuple[int, int, int], size: tuple[int, int, int]) -> Any:
    shape = tuple(c * s for c, s in zip(counts[::-1], size[::-1], strict=True))
    out, where = Buffer.zeros((*shape, 4), u32, device), Buffer.zeros(1, u32, device)
    ids.with_threads(*size).with_groups(*counts)(out, where)
    return out.numpy(), int(where.numpy()[0])


@pytest.mark.parametrize(
    ("most", "counts", "size"),
    [
        ((5, 9, 9), (13, 1, 1), (8, 1, 1)),
        ((5, 9, 9), (5, 9, 1), (8, 1, 1)),  # just what there is
        ((9, 3, 9), (4, 7, 1), (4, 2, 1)),
        ((9, 9, 2), (2, 3, 5), (2, 2, 2)),
        ((2, 3, 2), (5, 7, 3), (2, 2, 2)),
        ((1, 1, 1), (3, 2, 2), (4, 1, 1)),
    ],
)
def test_ids_are_those_of_the_whole(limited: Limited, most: Any, counts: Any, size: Any) -> None:
    got, runs = run_ids(limited(*most), counts, size)
    expected, wanted = run_ids(Device.host(), counts, size)
    assert runs == wanted == expected.size // 4
    assert np.array_equal(got, expected)


@kernel(threads=16)
def group_sums(x: Global[f32, 1], sums: GlobalMut[f32, 1], subgroups: GlobalMut[f32, 1], SCALE: Spec[u32] = 1) -> None:
    """Group memory, barriers and subgroups, in a grid of two axes."""
    shared = group_array(f32, 16)
    group = group_id(1) * groups(0) + group_id(0)
    at = group * 16 + thread_id(0)
    shared[thread_id(0)] = x[at]
    barrier()
    total = 0.0
    for i in range(16):
        total += shared[i]
    whole = subgroup_add(x[at])
    if thread_id(0) == 0:
        sums[group] = total * f32(SCALE)
    subgroups[at] = whole * 0.0 + total


def test_group_memory_barriers_and_subgroups(limited: Limited) -> None:
    counts = (7, 5)
    values = np.random.default_rng(0).integers(0, 100, 16 * 35).astype(np.float32)  # sums are exact

    def sums(device: Device) -> list[Any]:
        x, out = Buffer.from_numpy(values, device), Buffer.zeros(35, f32, device)
        each = Buffer.zeros(values.size, f32, device)
        group_sums.specialize(SCALE=3).with_groups(*counts)(x, out, each)
        return [out.numpy(), each.numpy()]

    for got, expected in zip(sums(limited(3, 2, 1)), sums(Device.host()), strict=True):
        assert np.array_equal(got, expected)


@kernel(threads=32)
def count(x: ItemMut[u32]) -> None:
    x += u32(1)


def test_items_in_groups_that_were_asked_for(limited: Limited) -> None:
    device = limited(4, 1, 1)
    for size in (1, 100, 32 * 4, 32 * 9 + 5, 5000):
        x = Buffer.zeros(size, u32, device)
        count.with_groups(9)(x)  # more than there are
        count(x)  # as many as there are, each thread taking several items
        assert (x.numpy() == 2).all()


def test_a_parameter_block_in_memory(limited: Limited) -> None:
    """With what a part needs to know, the block fits the push constants no longer."""
    device = limited(2, 2, 2, max_parameter_bytes=40)
    got, runs = run_ids(device, (5, 3, 1), (4, 2, 1))
    expected, wanted = run_ids(Device.host(), (5, 3, 1), (4, 2, 1))
    assert runs == wanted
    assert np.array_equal(got, expected)


def test_work_before_and_after(limited: Limited) -> None:
    """Parts don't wait for one another, but all of them for what was before; what is after waits for all of them."""
    device = limited(2, 1, 1)
    x, where = Buffer.zeros((1, 1, 16 * 20, 4), u32, device), Buffer.zeros(1, u32, device)
    launch = ids.with_threads(16).with_groups(20)
    backend: Any = device.backend
    queue = backend._queue
    barriers = []
    original, arguments = queue._cmd_barrier, queue._barrier_arguments

    def barrier(commands: Any, *given: Any) -> None:
        barriers.append(given == arguments)
        original(commands, *given)

    queue._cmd_barrier = barrier
    device.wait()
    queue._limit = 1000
    for _ in range(3):
        launch(x, where)
    if not config.validate:  # which takes parts for launches of their own
        assert sum(barriers) == 2
    device.wait()
    assert where.numpy().tolist() == [3 * 320]
    host, whole = Buffer.zeros((1, 1, 16 * 20, 4), u32), Buffer.zeros(1, u32)
    for _ in range(3):
        launch(host, whole)
    assert np.array_equal(x.numpy(), host.numpy())


def test_debug_mode_names_threads_of_the_whole(limited: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    @kernel(threads=4)
    def beyond(x: GlobalMut[u32, 1]) -> None:
        x[global_id(0)] = u32(1)

    device = limited(2, 1, 1)
    x = Buffer.zeros(39, u32, device)
    with monkeypatch.context() as debugging:
        debugging.setattr(config, "debug", True)
        with pytest.raises(KernelIndexError, match=r"39.*length 39") as caught:
            beyond.with_groups(10)(x)
    assert "x[global_id(0)] = u32(1)" in str(caught.value)
    assert "(39, 0, 0)" in str(caught.value)
    beyond.with_groups(10)(x)
    assert x.numpy().tolist() == [1] * 39


def test_only_what_needs_it_is_compiled_again(limited: Limited) -> None:
    device = limited(2, 1, 1)
    x = Buffer.zeros(64, u32, device)

    @kernel(threads=4)
    def mark(x: GlobalMut[u32, 1]) -> None:
        x[global_id(0)] += u32(1)

    backend: Any = device.backend
    pipelines = backend._builder._pipelines
    mark.with_groups(2)(x)
    assert len(pipelines) == 1
    for _ in range(3):
        mark.with_groups(10)(x)
    assert len(pipelines) == 2
    assert x.numpy().tolist() == [4] * 8 + [3] * 32 + [0] * 24


def test_names_of_the_kernels_own(limited: Limited) -> None:
    """What the shader calls its own ids and fields, kernels may call theirs."""

    @kernel(threads=2)
    def named(first_group: u32, all_groups: u32, out: GlobalMut[u32, 1]) -> None:
        whole_groups = first_group + u32(1)
        whole_group_id = all_groups * u32(2)
        whole_global_id = whole_groups + whole_group_id
        out[global_id(0)] = whole_global_id + u32(group_id(0))

    device = limited(2, 1, 1)
    out = Buffer.zeros(10, u32, device)
    named.with_groups(5)(3, 4, out)
    assert out.numpy().tolist() == [12, 12, 13, 13, 14, 14, 15, 15, 16, 16]


def test_kernels_that_print(limited: Limited, capsys: pytest.CaptureFixture[str]) -> None:
    @kernel(threads=1)
    def speak(x: GlobalMut[u32, 1]) -> None:
        print("group", group_id(0), "of", groups(0))
        x[group_id(0)] = u32(1)

    speak.with_groups(5)(Buffer.zeros(5, u32, limited(2, 1, 1)))
    assert capsys.readouterr().out == "".join(f"group {i} of 5\n" for i in range(5))
