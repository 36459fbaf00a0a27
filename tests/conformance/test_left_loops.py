"""What threads found out in loops that they leave before others: drivers for the CPU compute it again, without them."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, Feature, Global, GlobalMut, Item, ItemMut, f32, func, i32, kernel
from krnlpy.dsl import atomic_add, subgroup_add, subgroup_ballot, subgroup_elect, thread_id

THREADS = 64
PASSES = (np.arange(THREADS, dtype=np.int32) * 5 % 7 + 1).astype(np.int32)
VALUES = np.arange(1, THREADS + 1, dtype=np.float32)


@kernel
def of_items(x: Item[f32], n: Item[i32], y: ItemMut[f32]) -> None:
    v = 0.0
    k = 0
    while True:
        v = 2.0 * x
        k += 1
        if k >= n:
            break
    y = v


@func
def last_of(x, i: i32, passes: i32):
    for k in range(100):
        v = x[i]
        if k + 1 >= passes:
            return 2.0 * v
    return -1.0


def of_buffers(x: Global[f32], n: Global[i32], y: GlobalMut[f32]) -> None:
    i = thread_id()
    v = 0.0
    k = 0
    while True:
        v = 2.0 * x[i]
        k += 1
        if k >= n[i]:
            break
    y[i] = v


def by_functions(x: Global[f32], n: Global[i32], y: GlobalMut[f32]) -> None:
    i = thread_id()
    y[i] = last_of(x, i, n[i])


@pytest.mark.parametrize("unchecked", [False, True], ids=["checked", "unchecked"])
@pytest.mark.parametrize("function", [of_buffers, by_functions], ids=lambda f: f.__name__)
def test_elements(device: Device, function: Callable[..., None], unchecked: bool) -> None:
    x, n, y = _buffers(device)
    kernel(threads=THREADS, unchecked=unchecked)(function).with_groups(1)(x, n, y)
    np.testing.assert_array_equal(y.numpy(), 2 * VALUES)


def test_items(device: Device) -> None:
    x, n, y = _buffers(device)
    of_items(x, n, y)
    np.testing.assert_array_equal(y.numpy(), 2 * VALUES)


@pytest.mark.parametrize("unchecked", [False, True], ids=["checked", "unchecked"])
def test_atomics(device: Device, unchecked: bool) -> None:
    @kernel(threads=THREADS, unchecked=unchecked)
    def count(n: Global[i32], counts: GlobalMut[i32], y: GlobalMut[f32]) -> None:
        i = thread_id()
        before = 0
        while True:
            before = atomic_add(counts[i], 1)
            if before + 1 >= n[i]:
                break
        y[i] = f32(before)

    _, n, y = _buffers(device)
    counts = Buffer.zeros(THREADS, i32, device)
    count.with_groups(1)(n, counts, y)
    np.testing.assert_array_equal(y.numpy(), PASSES - 1)
    np.testing.assert_array_equal(counts.numpy(), PASSES)


def test_subgroups(device: Device) -> None:
    if Feature.SUBGROUP_BASIC not in device.info.features:
        pytest.skip("the device has no subgroups")

    @kernel(threads=THREADS)
    def active(n: Global[i32], y: GlobalMut[i32, 2]) -> None:
        i = thread_id()
        total = 0
        low = 0
        elected = False
        k = 0
        while True:
            total = subgroup_add(1)
            low = i32(subgroup_ballot(True).x)
            elected = subgroup_elect()
            k += 1
            if k >= n[i]:
                break
        y[0, i] = total
        y[1, i] = low
        y[2, i] = 1 if elected else 0

    lanes = device.info.subgroup_threads
    _, n, _ = _buffers(device)
    y = Buffer.zeros((3, THREADS), i32, device)
    active.with_groups(1)(n, y)
    last = PASSES.reshape(-1, lanes) if lanes <= THREADS else PASSES.reshape(1, -1)
    # Of each thread's last pass: who was still there.
    there = last[:, None, :] >= last[:, :, None]
    total = there.sum(axis=2).reshape(-1)
    bits = (there[:, :, :32] * (1 << np.arange(min(last.shape[1], 32), dtype=np.int64))).sum(axis=2).reshape(-1)
    elected = (there.argmax(axis=2) == np.arange(last.shape[1])).reshape(-1)
    np.testing.assert_array_equal(y.numpy(), np.stack([total, bits.astype(np.uint32).view(np.int32), elected]))


def test_numbers_beyond_push_constants(device: Device) -> None:
    """So many numbers that they lie in a buffer."""
    names = [f"a{i}" for i in range(80)]
    many = _defined(
        "def many(n: Global[i32], y: GlobalMut[f32], " + ", ".join(f"{name}: f32" for name in names) + "):\n"
        "    i = thread_id()\n"
        "    v = 0.0\n"
        "    k = 0\n"
        "    while True:\n"
        "        v = a79\n"
        "        k += 1\n"
        "        if k >= n[i]:\n"
        "            break\n"
        "    y[i] = v + a0\n"
    )
    _, n, y = _buffers(device)
    kernel(threads=THREADS)(many).with_groups(1)(n, y, *map(float, range(80)))
    np.testing.assert_array_equal(y.numpy(), np.full(THREADS, 79.0, np.float32))


def _buffers(device: Device) -> tuple[Buffer, Buffer, Buffer]:
    x, n = (Buffer.from_numpy(array).to_device(device) for array in (VALUES, PASSES))
    return x, n, Buffer.zeros(THREADS, f32, device)


def _defined(text: str) -> Callable[..., None]:
    """A function whose text is found."""
    name = "<test_left_loops>"
    linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    names: dict[str, Any] = {}
    exec(compile(text, name, "exec"), {**globals(), "__name__": "left_loops"}, names)
    function: Callable[..., None] = names["many"]
    return function
