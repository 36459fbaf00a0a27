"""Launches of as many groups as a buffer says (indirect dispatch)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    DtypeError,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    KernelUninitializedError,
    LaunchError,
    LimitExceeded,
    ShapeError,
    config,
    f32,
    i32,
    kernel,
    u32,
)
from krnlpy.dsl import global_id, group_id, groups


@kernel(threads=(4, 2, 1))
def mark(out: GlobalMut[u32, 3]) -> None:
    x, y, z = global_id(0), global_id(1), global_id(2)
    out[z, y, x] += u32(1 + groups(0) + 10 * groups(1) + 100 * groups(2))


@kernel(threads=1)
def choose(n: u32, counts: GlobalMut[u32, 1]) -> None:
    """What a kernel before it may do: say how many groups are worth it."""
    counts[0] = n
    counts[1] = n + u32(1)
    counts[2] = u32(1)


@kernel(threads=1)
def first(x: Global[u32, 1], y: GlobalMut[u32, 1]) -> None:
    y[group_id(0)] = x[0]


def counts_on(device: Device, *numbers: int) -> Buffer:
    return Buffer.from_numpy(np.array(numbers, np.uint32), device)


def expected(x: int, y: int, z: int) -> Any:
    out = np.zeros((3, 8, 12), np.uint32)
    out[:z, : 2 * y, : 4 * x] = 1 + x + 10 * y + 100 * z
    return out


@pytest.mark.parametrize("numbers", [(3, 4, 3), (2, 1, 1), (1, 3, 2), (0, 1, 1), (1, 1, 0)])
def test_groups_are_those_in_the_buffer(device: Device, numbers: tuple[int, int, int]) -> None:
    out = Buffer.zeros((3, 8, 12), u32, device)
    mark.with_groups_from(counts_on(device, *numbers))(out)
    assert np.array_equal(out.numpy(), expected(*numbers) if 0 not in numbers else np.zeros((3, 8, 12)))


def test_a_kernel_before_it_chooses(device: Device) -> None:
    """Counts are read when the launch runs, from where they are in a larger buffer."""
    table = Buffer.zeros(10, u32, device)
    out = Buffer.zeros((3, 8, 12), u32, device)
    counts = table[5:8]
    launch, total = mark.with_groups_from(counts), np.zeros((3, 8, 12), np.uint32)
    for n in (3, 1, 2, 0, 2):
        choose.with_groups(1)(n, counts)
        launch(out)
        if n:
            total += expected(n, n + 1, 1)
    assert np.array_equal(out.numpy(), total)
    counts.fill(1)
    launch(out)
    counts.fill(2)  # after it was read
    launch(out)
    assert np.array_equal(out.numpy(), total + expected(1, 1, 1) + expected(2, 2, 2))
    counts.copy_from(counts_on(device, 3, 1, 2))
    launch(out)
    assert np.array_equal(out.numpy(), total + expected(1, 1, 1) + expected(2, 2, 2) + expected(3, 1, 2))


def test_the_last_choice_of_groups_counts(device: Device) -> None:
    out = Buffer.zeros((3, 8, 12), u32, device)
    launch = mark.with_groups_from(counts_on(device, 3, 4, 3))
    launch.with_groups(1, 1, 1)(out)
    launch.with_global_threads(4, 4, 1)(out)
    assert np.array_equal(out.numpy(), expected(1, 1, 1) + expected(1, 2, 1))
    mark.with_groups(1).with_groups_from(counts_on(device, 2, 2, 2))(out)
    assert np.array_equal(out.numpy(), expected(1, 1, 1) + expected(1, 2, 1) + expected(2, 2, 2))


def test_many_launches(device: Device) -> None:
    """Over several batches, chained through the counts."""
    counts, out = counts_on(device, 1, 1, 1), Buffer.zeros(4, u32, device)
    source = counts_on(device, 7, 0, 0)

    @kernel(threads=1)
    def step(x: Global[u32, 1], y: GlobalMut[u32, 1]) -> None:
        y[group_id(0)] += x[0]

    for _ in range(100):
        step.with_groups_from(counts)(source, out)
        choose.with_groups(1)(2, counts[:])
        counts[1:].fill(1)
    assert out.numpy().tolist() == [700, 693, 0, 0]


def test_wrong_counts(device: Device) -> None:
    good = counts_on(device, 1, 1, 1)
    with pytest.raises(DtypeError, match="mark: counts of groups are u32; got a buffer of i32"):
        mark.with_groups_from(Buffer.zeros(3, i32, device))
    for shape in (2, 4, (3, 1), ()):
        with pytest.raises(ShapeError, match="are 3, along x, y and z; got a buffer of"):
            mark.with_groups_from(Buffer.zeros(shape, u32, device))
    with pytest.raises(LaunchError, match=r"contiguous; got strides \(2,\)"):
        mark.with_groups_from(Buffer.zeros(6, u32, device)[::2])
    with pytest.raises(LaunchError, match="expected a Buffer, got tuple"):
        mark.with_groups_from((1, 2, 3))
    with pytest.raises(LaunchError, match=r"first: y is written to and holds the counts of groups"):
        first.with_groups_from(good)(Buffer.zeros(1, u32, device), good)
    first.with_groups_from(good)(good, Buffer.zeros(1, u32, device))  # reading them is fine

    @kernel
    def items(x: Item[f32], y: ItemMut[f32]) -> None:
        y = x

    with pytest.raises(LaunchError, match="items: a kernel with items takes no counts of groups"):
        items.with_groups_from(good)


def test_counts_on_another_device(device: Device) -> None:
    other = Device.host() if device != Device.host() else Device.interpreter()
    with pytest.raises(LaunchError, match=r"the counts of groups are on .*, out on .*: \.to_device\(\) moves them"):
        mark.with_groups_from(counts_on(other, 1, 1, 1))(Buffer.zeros((1, 1, 1), u32, device))


def test_debug_mode_checks_the_counts(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Buffer.zeros((3, 8, 12), u32, device)
    monkeypatch.setattr(config, "debug", True)
    mark.with_groups_from(counts_on(device, 3, 4, 3))(out)
    assert np.array_equal(out.numpy(), expected(3, 4, 3))
    with pytest.raises(LimitExceeded, match=r"mark: \(4294967295, 1, 1\) groups of"):
        mark.with_groups_from(counts_on(device, 2**32 - 1, 1, 1))(out)
    assert np.array_equal(out.numpy(), expected(3, 4, 3))


@pytest.mark.parametrize("name", ["host", "interpreter"])
def test_too_many_groups_where_they_are_read_at_once(name: str) -> None:
    device = Device(name)
    with pytest.raises(LimitExceeded):
        mark.with_groups_from(counts_on(device, 2**31, 1, 1))(Buffer.zeros((1, 1, 1), u32, device))


def test_counts_that_were_never_written() -> None:
    device = Device.interpreter()
    with pytest.raises(KernelUninitializedError, match="the counts of groups of mark are read, but nothing was ever"):
        mark.with_groups_from(Buffer.empty(3, u32, device))(Buffer.zeros((1, 1, 1), u32, device))


def test_what_prints_in_counted_groups(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    @kernel(threads=1)
    def speak(x: GlobalMut[u32, 1]) -> None:
        print("group", group_id(0), "of", groups(0))
        x[0] = u32(1)

    speak.with_groups_from(counts_on(device, 1, 1, 1))(Buffer.zeros(1, u32, device))
    assert capsys.readouterr().out == "group 0 of 1\n"
    speak.with_groups_from(counts_on(device, 0, 1, 1))(Buffer.zeros(1, u32, device))
    assert capsys.readouterr().out == ""
