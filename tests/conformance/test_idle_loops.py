"""Loops within loops that no thread of a subgroup runs: they reach nothing, and some drivers die of them."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, f32, func, i32, kernel, vulkan
from krnlpy.dsl import atomic_add, global_id

COUNT, THREADS = 40, 128
PASSES = (np.arange(COUNT, dtype=np.int32) * 5 % 7).astype(np.int32)
VALUES = np.arange(1, COUNT + 1, dtype=np.float32)


@pytest.fixture(params=["as found", "guarded"])
def device_of_any_driver(device: Device, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device; also as if its driver died of such loops."""
    if request.param == "guarded":
        if device.info.kind in ("host", "interpreter"):
            pytest.skip("a defect of drivers")
        known = vulkan.VulkanBackend._known_defects
        monkeypatch.setattr(vulkan.VulkanBackend, "_known_defects", lambda self: replace(known(self), stray_loops=True))
    return device


def items(x: Item[f32], n: Item[i32], y: ItemMut[f32]) -> None:
    v = 0.0
    k = 0
    while k < n:
        v += 2.0 * x
        k += 1
    y = v


def items_left(x: Item[f32], n: Item[i32], y: ItemMut[f32]) -> None:
    v = 0.0
    k = 0
    while True:
        if k >= n:
            break
        v += 2.0 * x
        k += 1
    y = v


def strides(x: Global[f32], n: Global[i32], y: GlobalMut[f32]) -> None:
    for i in range(global_id(), len(x), 1000):
        v = 0.0
        k = 0
        while k < n[i]:
            v += 2.0 * x[i]
            k += 1
        y[i] = v


def strides_skipped(x: Global[f32], n: Global[i32], y: GlobalMut[f32]) -> None:
    i = global_id() - 1000
    while i < len(x):
        i += 1000
        if i >= len(x):
            continue
        for k in range(n[i]):
            if k < n[i]:
                y[i] += 2.0 * x[i]


@func
def sum_of(x, n, i: i32):
    v = 0.0
    k = 0
    while k < n[i]:
        v += 2.0 * x[i]
        k += 1
    return v


def functions(x: Global[f32], n: Global[i32], y: GlobalMut[f32]) -> None:
    for i in range(global_id(), len(x), 1000):
        y[i] = sum_of(x, n, i)


def atomics(x: Global[f32], n: Global[i32], y: GlobalMut[f32]) -> None:
    for i in range(global_id(), len(x), 1000):
        k = 0
        while k < n[i]:
            atomic_add(y[i], 2.0 * x[i])
            k += 1


@pytest.mark.parametrize("unchecked", [False, True], ids=["checked", "unchecked"])
@pytest.mark.parametrize(
    "function", [items, items_left, strides, strides_skipped, functions, atomics], ids=lambda f: f.__name__
)
def test_values(device_of_any_driver: Device, function: Callable[..., None], unchecked: bool) -> None:
    x, n, y = _buffers(device_of_any_driver)
    made: Any = kernel(threads=THREADS, unchecked=unchecked)(function)
    (made if "items" in function.__name__ else made.with_groups(1))(x, n, y)
    np.testing.assert_array_equal(y.numpy(), 2 * VALUES * PASSES)


def test_parameters_beyond_push_constants(device_of_any_driver: Device) -> None:
    """So many numbers that they lie in a buffer, and the shapes with them."""
    names = [f"a{i}" for i in range(80)]
    many = _defined(
        "def many(x: Global[f32, 2], n: Global[i32], y: GlobalMut[f32], "
        + ", ".join(f"{name}: f32" for name in names)
        + "):\n"
        "    for i in range(global_id(), n.shape[0], 1000):\n"
        "        v = 0.0\n"
        "        k = 0\n"
        "        while True:\n"
        "            if k >= n[i]:\n"
        "                break\n"
        "            v += a79 * x[i, k % x.shape[1]]\n"
        "            k += 1\n"
        "        y[i] = v + a0\n"
    )
    x, n, y = _buffers(device_of_any_driver)
    x = x.reshape((COUNT, 1))
    kernel(threads=THREADS)(many).with_groups(1)(x, n, y, *map(float, range(80)))
    np.testing.assert_array_equal(y.numpy(), 79 * VALUES * PASSES)


def _buffers(device: Device) -> tuple[Buffer, Buffer, Buffer]:
    x, n = (Buffer.from_numpy(array).to_device(device) for array in (VALUES, PASSES))
    return x, n, Buffer.zeros(COUNT, f32, device)


def _defined(text: str) -> Callable[..., None]:
    """A function whose text is found."""
    name = "<test_idle_loops>"
    linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    names: dict[str, Any] = {}
    exec(compile(text, name, "exec"), {**globals(), "__name__": "idle_loops"}, names)
    function: Callable[..., None] = names["many"]
    return function
