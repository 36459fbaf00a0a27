"""Loops of many passes: the right value, or DriverDefect where the driver ends loops early; never a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    DriverDefect,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    Spec,
    f32,
    func,
    i32,
    kernel,
    u32,
)
from krnlpy.dsl import atomic_add, atomic_max, global_id, global_threads, local_array

MANY = 100_000


@kernel(threads=1)
def count_up(n: i32, y: GlobalMut[i32]) -> None:
    k = 0
    while k < n:
        k += 1
    y[0] = k


@kernel(threads=1)
def count_to_a_constant(y: GlobalMut[i32]) -> None:
    k = 0
    while k < 100_000:
        k += 1
    y[0] = k


@kernel(threads=1)
def count_to_a_spec(y: GlobalMut[i32], N: Spec[i32]) -> None:
    k = 0
    for _ in range(N):
        k += 1
    y[0] = k


@kernel(threads=1)
def sum_of_a_matrix(x: Global[f32, 2], y: GlobalMut[f32]) -> None:
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total += x[i, j]
    y[0] = total


@func
def counted(n: i32) -> i32:
    k = 0
    for _ in range(n):
        k += 1
    return k


@kernel(threads=1)
def count_in_a_function(n: i32, y: GlobalMut[i32]) -> None:
    y[0] = counted(n) + counted(n)


@kernel(threads=1)
def count_by_data(x: Global[i32], y: GlobalMut[i32]) -> None:
    k = 0
    while k < x[0]:
        k += 1
    y[0] = k


@kernel(threads=1)
def count_by_data_and_return(x: Global[i32], y: GlobalMut[i32]) -> None:
    for k in range(x[0] + 1):
        y[0] = k
        if k == x[0]:
            return


@kernel(threads=1)
def add_one(x: ItemMut[i32]) -> None:
    x += 1


@kernel(threads=1)
def add_many(n: i32, x: ItemMut[i32]) -> None:
    for _ in range(n):
        x += 1


@func
def through_an_array(n: i32, value: i32) -> i32:
    """An array of zeros but for one value, and their sum: two loops."""
    cells = local_array(i32, 40)
    cells[39] = value
    total = 0
    for i in range(n):
        total += cells[i]
    return total


@kernel(threads=1)
def spend_all_but_few(x: Global[i32], y: GlobalMut[i32]) -> None:
    """What follows a loop that ends rightly has few passes left: the array's are the first that the driver ends."""
    k = 0
    while k < x[0]:
        k += 1
    for round in range(2):
        y[round] = through_an_array(x[1], round + k)


def right_or_refused(device: Device, launch: Callable[[], Any], passes: int) -> bool:
    """Whether a launch runs to its end. One of few passes does on every device; one of many may be refused only where
    the driver is known to end loops."""
    try:
        launch()
        device.backend.wait()
    except DriverDefect as error:
        assert passes > 60_000
        assert any("ends the loops" in sentence for sentence in device.defects)
        assert "passes" in str(error) and "Device.host()" in str(error)
        return False
    return True


def zeros(device: Device, count: int = 4, dtype: Any = i32) -> Buffer:
    return Buffer.full(count, -1, dtype, device)


@pytest.mark.parametrize("n", [0, 1, 60_000, 65_534, 65_535, 65_536, MANY])
def test_loops_that_numbers_bound(device: Device, n: int) -> None:
    for made in (count_up.with_groups(1), count_in_a_function.with_groups(1)):
        y = zeros(device)
        twice = 2 if made.name == "count_in_a_function" else 1
        if right_or_refused(device, lambda: made(n, y), twice * n):  # noqa: B023
            assert y.numpy()[0] == twice * n
        else:
            assert y.numpy()[0] == -1, "nothing is touched"


def test_loops_that_constants_bound(device: Device) -> None:
    for made in (count_to_a_constant, count_to_a_spec.specialize(N=MANY)):
        y = zeros(device)
        if right_or_refused(device, lambda: made.with_groups(1)(y), MANY):  # noqa: B023
            assert y.numpy()[0] == MANY
        else:
            assert y.numpy()[0] == -1
    y = zeros(device)
    count_to_a_spec.specialize(N=50_000).with_groups(1)(y)
    assert y.numpy()[0] == 50_000


@pytest.mark.parametrize("shape", [(400, 300), (300, 200)])
def test_loops_that_shapes_bound(device: Device, shape: tuple[int, int]) -> None:
    x, y = Buffer.ones(shape, f32, device), zeros(device, 1, f32)
    if right_or_refused(device, lambda: sum_of_a_matrix.with_groups(1)(x, y), shape[0] * shape[1]):
        assert y.numpy()[0] == shape[0] * shape[1]
    else:
        assert y.numpy()[0] == -1


@pytest.mark.parametrize("n", [0, 1000, 60_000, 65_534, 65_535, 65_536, MANY])
def test_loops_that_data_bounds(device: Device, n: int) -> None:
    x = Buffer.from_numpy(np.array([n], np.int32), device)
    for made in (count_by_data, count_by_data_and_return):
        y = zeros(device)
        if right_or_refused(device, lambda: made.with_groups(1)(x, y), n + 1):  # noqa: B023
            assert y.numpy()[0] == n


@pytest.mark.parametrize("n", [65_400, 65_440, 65_450, 65_460, 65_480, 65_500, 65_520, 65_530])
def test_what_follows_a_long_loop(device: Device, n: int) -> None:
    x = Buffer.from_numpy(np.array([n, 40], np.int32), device)
    y = zeros(device)
    if right_or_refused(device, lambda: spend_all_but_few.with_groups(1)(x, y), n + 160):
        assert y.numpy().tolist() == [n, n + 1, -1, -1]


@pytest.mark.parametrize("count", [60_000, 70_000])
def test_items_of_one_thread(device: Device, count: int) -> None:
    x = Buffer.zeros(count, i32, device)
    if right_or_refused(device, lambda: add_one.with_groups(1)(x), count):
        assert (x.numpy() == 1).all()
    else:
        assert (x.numpy() == 0).all()
    add_one(x)
    assert len(set(x.numpy().tolist())) == 1, "as many groups as there are items"


def test_loops_in_items(device: Device) -> None:
    x = Buffer.zeros(30, i32, device)
    if right_or_refused(device, lambda: add_many.with_groups(10)(30_000, x), 90_000):
        assert (x.numpy() == 30_000).all()
    x = Buffer.zeros(30, i32, device)
    add_many(30_000, x)
    assert (x.numpy() == 30_000).all()


@kernel(threads=8)
def both_atomics(n: i32, total: GlobalMut[f32], most: GlobalMut[f32]) -> None:
    for k in range(n):
        atomic_add(total[0], 1.0)
        atomic_max(most[0], f32(k))


@pytest.mark.parametrize("n", [100, 20_000])
def test_loops_of_compare_and_exchange(device: Device, n: int) -> None:
    """Those that krnlpy writes count too: of 20,000 passes with two atomics in each, 43,689 of 80,000 were seen."""
    if device.info.kind == "interpreter" and n > 1000:
        pytest.skip("takes its time, and has no such loops")
    total, most = Buffer.zeros(1, f32, device), Buffer.zeros(1, f32, device)
    if right_or_refused(device, lambda: both_atomics.with_groups(1)(n, total, most), 9 * n):
        assert (total.numpy()[0], most.numpy()[0]) == (8 * n, n - 1)


def test_in_a_graph(device: Device) -> None:
    """What is watched is waited for at each replay; what is refused is refused when it is captured."""
    x, y = Buffer.from_numpy(np.array([1000], np.int32), device), zeros(device)
    with device.capture() as graph:
        count_by_data.with_groups(1)(x, y)
    graph.replay()
    assert y.numpy()[0] == 1000
    x.copy_from(Buffer.from_numpy(np.array([MANY], np.int32), device))
    if right_or_refused(device, graph.replay, MANY):
        assert y.numpy()[0] == MANY

    def captured() -> None:
        with device.capture():
            count_up.with_groups(1)(MANY, y)

    right_or_refused(device, captured, MANY)


def test_with_groups_from_memory(device: Device) -> None:
    counts = Buffer.from_numpy(np.array([1, 1, 1], np.uint32), device)
    y = zeros(device)
    count_up.with_groups_from(counts)(1000, y)
    assert y.numpy()[0] == 1000
    if right_or_refused(device, lambda: count_up.with_groups_from(counts)(MANY, y), MANY):
        assert y.numpy()[0] == MANY


@kernel
def strided(x: Global[f32], y: GlobalMut[f32]) -> None:
    """A loop over ids: its passes follow from the threads of the launch."""
    total = 0.0
    for i in range(global_id(), x.size, global_threads()):
        total += x[i]
    y[global_id()] = total


def test_strides_of_the_dispatch(device: Device) -> None:
    x, y = Buffer.ones(200_000, f32, device), Buffer.zeros(256, f32, device)
    strided.with_groups(1)(x, y)
    assert y.numpy().sum() == 200_000


@kernel
def halved(x: Item[u32], y: ItemMut[u32]) -> None:
    """A loop that ends by itself, of whatever data."""
    n = x
    k = u32(0)
    while n > 0:
        n //= u32(2)
        k += u32(1)
    y = k


def test_loops_over_bits_are_not_watched(device: Device) -> None:
    x = Buffer.from_numpy(np.array([0, 1, 2, 255, 2**32 - 1], np.uint32), device)
    y = Buffer.zeros(5, u32, device)
    halved(x, y)
    assert y.numpy().tolist() == [0, 1, 2, 8, 32]
    with device.capture() as graph:
        halved(x, y)
    graph.replay()
    assert y.numpy().tolist() == [0, 1, 2, 8, 32]
