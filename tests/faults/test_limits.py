"""Limits are checked here, before Vulkan hears of anything: the drivers that tests run on enforce none.

Each test opens a device that claims to have less than it has, and asks for one more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import krnlpy
from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, Spec, kernel, u8, u32
from krnlpy.dsl import barrier, group_array, group_id, thread_id
from krnlpy.errors import LimitExceeded, OutOfMemory
from krnlpy.vulkan import VulkanBackend
from krnlpy.vulkan.loading.instance import instance

from .layer import Layer, injected

pytestmark = pytest.mark.skipif(not krnlpy.devices(), reason="no Vulkan device")

Open = Callable[..., Device]


@kernel
def add(a: Item[u32], b: Item[u32], c: ItemMut[u32]) -> None:
    c = a + b


@kernel
def four_numbers(a: u32, b: u32, c: u32, d: u32, x: ItemMut[u32]) -> None:
    x += a + b + c + d


@kernel
def mark(x: GlobalMut[u32, 1]) -> None:
    x[group_id(0)] = u32(1)


@kernel(threads=64)
def turn(x: GlobalMut[u32, 1], LENGTH: Spec[u32] = 64) -> None:
    values = group_array(u32, (LENGTH,))
    values[thread_id(0)] = x[thread_id(0)]
    barrier()
    x[thread_id(0)] = values[63 - thread_id(0)]


@pytest.fixture
def layer() -> Iterator[Layer]:
    """A layer that counts calls."""
    layer = Layer()
    with injected(layer):
        yield layer
        for known in (add, four_numbers, mark, turn):
            known.definition.forget()
    assert not layer.alive


@pytest.fixture
def lowered(layer: Layer) -> Open:
    """Opens the first device with other limits: of DeviceInfo, or of PhysicalDevice."""

    def lowered(extra: dict[str, Any] | None = None, physical: dict[str, Any] | None = None, **info: Any) -> Device:
        found = instance().devices[0]
        info["extra"] = {**found.info.extra, **(extra or {})}
        device = object.__new__(Device)
        device.backend = VulkanBackend(instance(), replace(found, info=replace(found.info, **info), **(physical or {})))
        return device

    return lowered


def _refuses(layer: Layer, error: type[Exception], match: str, attempt: Callable[[], Any]) -> None:
    """The attempt raises, and no call was made."""
    before = layer.calls.copy()
    with pytest.raises(error, match=match):
        attempt()
    made = layer.calls - before
    del made["vkGetSemaphoreCounterValue"]  # looks whether work is done
    assert not made


def test_threads_of_a_group(lowered: Open, layer: Layer) -> None:
    device = lowered(max_threads=64, max_threads_xyz=(64, 32, 16))
    x = Buffer.zeros(256, u32, device)
    kernel = mark.with_groups(4)
    _refuses(layer, LimitExceeded, "65", lambda: kernel.with_threads(65)(x))
    _refuses(layer, LimitExceeded, "33", lambda: kernel.with_threads(1, 33)(x))
    _refuses(layer, LimitExceeded, "17", lambda: kernel.with_threads(1, 1, 17)(x))
    _refuses(layer, LimitExceeded, "128 threads", lambda: kernel.with_threads(8, 8, 2)(x))
    kernel.with_threads(64)(x)
    kernel.with_threads(2, 2, 16)(x)
    assert x.numpy().sum() == 4
    # Where nobody chose, groups are as small as the device needs them.
    add(x, x, x)
    assert x.numpy().sum() == 8


def test_groups(lowered: Open) -> None:
    """More groups than the device has are launched in parts: never sent as they are."""
    device = lowered(max_groups_xyz=(5, 3, 2))
    x = Buffer.zeros(16, u32, device)
    dispatched = []
    backend: Any = device.backend
    dispatch = backend._launches.dispatch

    def watch(commands: Any, *groups: int) -> None:
        dispatched.append(groups)
        dispatch(commands, *groups)

    backend._launches.dispatch = watch
    for groups in ((6, 1, 1), (1, 4, 1), (1, 1, 3), (16, 3, 3), (5, 3, 2)):
        x.fill(0)
        mark.with_groups(*groups)(x)
        assert x.numpy().sum() == groups[0]
    items = Buffer.ones(100_000, u32, device)
    add(items, items, items)
    assert (items.numpy() == 2).all()
    assert (5, 3, 2) in dispatched
    assert all(x <= 5 and y <= 3 and z <= 2 for x, y, z in dispatched)


def test_group_memory(lowered: Open, layer: Layer) -> None:
    device = lowered(max_group_memory=1024)
    x = Buffer.from_numpy(np.arange(64, dtype=np.uint32), device)
    kernel = turn.with_groups(1)
    _refuses(layer, LimitExceeded, "1028 bytes.*1024", lambda: kernel.specialize(LENGTH=257)(x))
    kernel.specialize(LENGTH=256)(x)
    assert x.numpy().tolist() == list(range(63, -1, -1))


def test_the_size_of_a_buffer(lowered: Open, layer: Layer) -> None:
    device = lowered(max_buffer_bytes=4096)
    _refuses(layer, LimitExceeded, "4096", lambda: Buffer.zeros(1025, u32, device))
    _refuses(layer, LimitExceeded, "4096", lambda: Buffer.from_numpy(np.zeros(4097, np.uint8), device))
    x = Buffer.zeros(1024, u32, device)
    _refuses(layer, LimitExceeded, "4096", lambda: x.cast(krnlpy.u64))
    assert x.numpy().sum() == 0


def test_push_constants(lowered: Open, layer: Layer) -> None:
    """What does not fit travels in a buffer."""
    for limit, pushes in ((4, 0), (128, 1)):
        device = lowered(max_parameter_bytes=limit)
        x = Buffer.zeros(100, u32, device)
        before = layer.calls["vkCmdPushConstants"]
        four_numbers(1, 2, 3, 4, x)
        assert layer.calls["vkCmdPushConstants"] - before == pushes
        assert (x.numpy() == 10).all()


def test_buffers_of_a_kernel(lowered: Open, layer: Layer) -> None:
    device = lowered(physical={"max_storage_bindings": 2})
    x = Buffer.ones(10, u32, device)
    _refuses(layer, LimitExceeded, "3 buffers.*grants 2", lambda: add(x, x, x))
    device = lowered(physical={"max_storage_bindings": 3})
    x = Buffer.ones(10, u32, device)
    add(x, x, x)
    assert (x.numpy() == 2).all()


def test_the_buffer_of_parameters_counts(lowered: Open, layer: Layer) -> None:
    device = lowered(physical={"max_storage_bindings": 3}, max_parameter_bytes=4)
    x = Buffer.ones(10, u32, device)
    _refuses(layer, LimitExceeded, "4 buffers .with krnlpy's own.*grants 3", lambda: add(x, x, x))


@pytest.mark.parametrize("times", [1, 4, 16])
def test_alignment(lowered: Open, times: int) -> None:
    """Every range that a descriptor names begins at a multiple: of the device's own alignment, and of larger ones."""
    alignment = times * instance().devices[0].storage_alignment
    device = lowered(physical={"storage_alignment": alignment})
    backend: Any = device.backend
    offsets: list[Any] = []
    write = backend._descriptors.write

    def watch(layout: Any, key: Any, places: Any) -> Any:
        offsets.extend(offset for _, offset, _ in places)
        return write(layout, key, places)

    backend._descriptors.write = watch
    buffers = [Buffer.ones(n, u8, device).cast(u32) for n in (1, 7, 100, 300, 5000)]
    for x in buffers:
        add(x, x, x)
        add(x[-1:], x[-1:], x[-1:])
    for x in buffers:
        assert x.numpy().tolist() == [2] * (len(x) - 1) + [4]
    assert len(set(offsets)) > 3
    assert all(offset % alignment == 0 for offset in offsets)


def test_the_count_of_allocations(lowered: Open, layer: Layer) -> None:
    """Blocks make few; what is not used makes room."""
    device = lowered(extra={"max_memory_allocations": 3})
    backend: Any = device.backend
    block = backend._memory._block_bytes
    large = [Buffer.empty(block, u8, device) for _ in range(3)]
    before = layer.calls["vkAllocateMemory"]
    with pytest.raises(OutOfMemory, match="grants 3 allocations"):
        Buffer.empty(2 * block, u8, device)
    assert layer.calls["vkAllocateMemory"] == before
    assert layer.counts()["VkDeviceMemory"] == 3
    large.pop()
    large.append(Buffer.empty(block * 7 // 10, u8, device))  # for which the freed block is too large
    assert layer.counts()["VkDeviceMemory"] == 3


def test_the_size_of_the_heap(lowered: Open, layer: Layer) -> None:
    device = lowered()
    backend: Any = device.backend
    block = backend._memory._block_bytes
    backend._device.heap_bytes = [2 * block] * len(backend._device.heap_bytes)
    kept = [Buffer.empty(block, u8, device) for _ in range(2)]
    before = layer.calls["vkAllocateMemory"]
    with pytest.raises(OutOfMemory, match=f"no memory is left for {block}"):
        Buffer.empty(block, u8, device)
    assert layer.calls["vkAllocateMemory"] == before
    kept.clear()
    kept.append(Buffer.empty(block, u8, device))


def test_elements_that_kernels_cannot_count(lowered: Open, layer: Layer) -> None:
    device = lowered(max_buffer_bytes=1 << 40)
    x = Buffer.zeros(1, u8, device).broadcast_to((1 << 31,))
    y = Buffer.zeros(1, u8, device)

    @kernel
    def look(x: Global[u8, 1], y: ItemMut[u8]) -> None:
        y = x[0]

    _refuses(layer, LimitExceeded, "kernels count to", lambda: look(x, y))
