"""Descriptor sets: which buffers a kernel sees.

One way for all devices: sets come from pools, are written once for each combination of buffers, and found again by
it. (Push descriptors, the other way, are not everywhere.) Since freed memory is handed out again, a loop that
allocates the same sizes in the same order sees the same combinations.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from krnlpy.vulkan.loading.device import LogicalDevice
from krnlpy.vulkan.queue.commands import Queue

_POOL_SETS = 256
_POOL_DESCRIPTORS = 2048
_MAX_SETS = 8192
"""Sets kept; when there are more, all are forgotten and written anew as they are needed."""

Place = tuple[Any, int, int]
"""A VkBuffer, the first byte in it, and the count of bytes."""


class SetLayout:
    """The layout of sets of ``count`` storage buffers; that at ``dynamic`` gets its offset with each launch.

    Attributes:
        sets: those written so far, by what they bind.
    """

    def __init__(self, device: LogicalDevice, count: int, dynamic: int | None) -> None:
        api = device.api
        storage = api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
        storage_dynamic = api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC
        self.sets: dict[tuple[int, ...], Any] = {}
        self.count = count
        types = [storage_dynamic if i == dynamic else storage for i in range(count)]
        bindings = api.new("VkDescriptorSetLayoutBinding[]", count)
        for i, type in enumerate(types):
            bindings[i].binding = i
            bindings[i].descriptorType = type
            bindings[i].descriptorCount = 1
            bindings[i].stageFlags = api.VK_SHADER_STAGE_COMPUTE_BIT
        info = api.struct("VkDescriptorSetLayoutCreateInfo", bindingCount=count, pBindings=bindings)
        self.handle = device.create("vkCreateDescriptorSetLayout", "VkDescriptorSetLayout", info)
        # What writes a set, made once: only buffers, offsets and ranges change.
        self.buffers = api.new("VkDescriptorBufferInfo[]", count)
        self.writes = api.new("VkWriteDescriptorSet[]", count)
        for i, type in enumerate(types):
            self.writes[i].dstBinding = i
            self.writes[i].descriptorCount = 1
            self.writes[i].descriptorType = type
            self.writes[i].pBufferInfo = self.buffers + i


def new_sets(device: LogicalDevice, wanted: Sequence[tuple[SetLayout, list[Place]]]) -> tuple[Any, list[Any]]:
    """A pool with as many sets as are wanted, each of a layout and binding places; all made at once. The sets are gone
    with the pool."""
    api, functions = device.api, device.functions
    count = sum(layout.count for layout, _ in wanted)
    sizes = api.new("VkDescriptorPoolSize[2]")
    sizes[0].type = api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
    sizes[1].type = api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC
    sizes[0].descriptorCount = sizes[1].descriptorCount = count
    info = api.struct("VkDescriptorPoolCreateInfo", maxSets=len(wanted), poolSizeCount=len(sizes), pPoolSizes=sizes)
    pool = device.create("vkCreateDescriptorPool", "VkDescriptorPool", info)
    try:
        found = api.new("VkDescriptorSet[]", len(wanted))
        info = api.struct(
            "VkDescriptorSetAllocateInfo",
            descriptorPool=pool,
            descriptorSetCount=len(wanted),
            pSetLayouts=[layout.handle for layout, _ in wanted],
        )
        api.check(functions.vkAllocateDescriptorSets(device.handle, info, found), "allocate descriptor sets")
    except BaseException:
        device.destroy("vkDestroyDescriptorPool", pool)
        raise
    buffers = api.new("VkDescriptorBufferInfo[]", [place for _, places in wanted for place in places])
    writes = api.new("VkWriteDescriptorSet[]", count)
    first = 0
    for descriptor_set, (layout, _) in zip(found, wanted, strict=True):
        api.ffi.memmove(writes + first, layout.writes, layout.count * api.ffi.sizeof("VkWriteDescriptorSet"))
        for i in range(first, first + layout.count):
            writes[i].dstSet = descriptor_set
            writes[i].pBufferInfo = buffers + i
        first += layout.count
    functions.vkUpdateDescriptorSets(device.handle, count, writes, 0, api.ffi.NULL)
    return pool, list(found)


class Descriptors:
    """The set layouts, pools and sets of a device. The caller holds the backend's lock."""

    def __init__(self, device: LogicalDevice, queue: Queue) -> None:
        self._device = device
        self._queue = queue
        self._layouts: dict[tuple[int, int | None], SetLayout] = {}
        self._pools: list[Any] = []
        self._sets_left = self._descriptors_left = self._count = 0

    def layout(self, count: int, dynamic: int | None) -> SetLayout:
        """The layout of sets of so many storage buffers; see SetLayout."""
        key = (count, dynamic)
        if key not in self._layouts:
            new = SetLayout(self._device, count, dynamic)
            if self._layouts.setdefault(key, new) is not new:  # who interrupted this was quicker
                self._device.destroy("vkDestroyDescriptorSetLayout", new.handle)
        return self._layouts[key]

    def write(self, layout: SetLayout, key: tuple[int, ...], places: list[Place]) -> Any:
        """A new set that binds the places, in order of bindings; kept in ``layout.sets``."""
        if self._count >= _MAX_SETS:
            self._forget()
        api, functions = self._device.api, self._device.functions
        if not self._sets_left or self._descriptors_left < layout.count:
            self._add_pool(layout.count)
        found = api.new("VkDescriptorSet[1]")
        result = self._allocate(layout, found)
        if result in (api.VK_ERROR_OUT_OF_POOL_MEMORY, api.VK_ERROR_FRAGMENTED_POOL):  # drivers may count otherwise
            self._add_pool(layout.count)
            result = self._allocate(layout, found)
        api.check(result, "allocate a descriptor set")
        self._sets_left -= 1
        self._descriptors_left -= layout.count
        self._count += 1
        for i, (buffer, offset, nbytes) in enumerate(places):
            layout.buffers[i].buffer = buffer
            layout.buffers[i].offset = offset
            layout.buffers[i].range = nbytes
            layout.writes[i].dstSet = found[0]
        functions.vkUpdateDescriptorSets(self._device.handle, len(places), layout.writes, 0, api.ffi.NULL)
        layout.sets[key] = found
        return found

    def _allocate(self, layout: SetLayout, found: Any) -> int:
        info = self._device.api.struct(
            "VkDescriptorSetAllocateInfo",
            descriptorPool=self._pools[-1],
            descriptorSetCount=1,
            pSetLayouts=[layout.handle],
        )
        result: int = self._device.functions.vkAllocateDescriptorSets(self._device.handle, info, found)
        return result

    def _add_pool(self, count: int) -> None:
        api = self._device.api
        descriptors = max(_POOL_DESCRIPTORS, count)
        sizes = api.new("VkDescriptorPoolSize[2]")
        sizes[0].type = api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
        sizes[0].descriptorCount = descriptors
        sizes[1].type = api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC
        sizes[1].descriptorCount = _POOL_SETS
        info = api.struct("VkDescriptorPoolCreateInfo", maxSets=_POOL_SETS, poolSizeCount=len(sizes), pPoolSizes=sizes)
        self._pools.append(self._device.create("vkCreateDescriptorPool", "VkDescriptorPool", info))
        self._sets_left, self._descriptors_left = _POOL_SETS, descriptors

    def _forget(self) -> None:
        for layout in self._layouts.values():
            layout.sets.clear()
        for pool in self._pools:
            self._queue.retire(self._queue.open_value, partial(self._destroy, pool))
        self._pools.clear()
        self._sets_left = self._descriptors_left = self._count = 0

    def _destroy(self, pool: Any) -> None:
        self._device.destroy("vkDestroyDescriptorPool", pool)

    def close(self) -> None:
        """Destroys all. The queue is idle."""
        for pool in self._pools:
            self._destroy(pool)
        for layout in self._layouts.values():
            self._device.destroy("vkDestroyDescriptorSetLayout", layout.handle)
