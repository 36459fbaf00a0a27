"""An opened device: its functions, its queue, and where its memory comes from."""

from __future__ import annotations

from typing import Any

from krnlpy.errors import DeviceUnavailable, OutOfMemory

from . import cooperative, host_memory, subgroup_sizes
from .api import Api
from .debug_labels import DebugLabels
from .description import ATOMIC_FLOAT, ATOMIC_FLOAT_FEATURES, PhysicalDevice
from .instance import Instance

_FUNCTIONS = (
    *("vkAllocateCommandBuffers", "vkAllocateDescriptorSets", "vkAllocateMemory", "vkBeginCommandBuffer"),
    *("vkBindBufferMemory", "vkCmdBindDescriptorSets", "vkCmdBindPipeline", "vkCmdCopyBuffer", "vkCmdDispatch"),
    *("vkCmdDispatchIndirect",),
    *("vkCmdFillBuffer", "vkCmdPipelineBarrier", "vkCmdPushConstants", "vkCreateBuffer", "vkCreateCommandPool"),
    *("vkCreateComputePipelines", "vkCreateDescriptorPool", "vkCreateDescriptorSetLayout"),
    *("vkCreatePipelineLayout", "vkCreateSemaphore", "vkCreateShaderModule", "vkDestroyBuffer"),
    *("vkDestroyCommandPool", "vkDestroyDescriptorPool", "vkDestroyDescriptorSetLayout", "vkDestroyDevice"),
    *("vkDestroyPipeline", "vkDestroyPipelineLayout", "vkDestroySemaphore", "vkDestroyShaderModule"),
    *("vkDeviceWaitIdle", "vkEndCommandBuffer", "vkFreeMemory", "vkGetBufferMemoryRequirements"),
    *("vkGetDeviceQueue", "vkGetSemaphoreCounterValue", "vkMapMemory", "vkQueueSubmit", "vkResetCommandPool"),
    *("vkUpdateDescriptorSets", "vkWaitSemaphores"),
    *("vkCmdResetQueryPool", "vkCmdWriteTimestamp", "vkCreateQueryPool", "vkDestroyQueryPool", "vkGetQueryPoolResults"),
)

BUFFER_USAGE = 0x20 | 0x1 | 0x2 | 0x100
"""For kernels (storage buffers), as source and target of transfers, and for the group counts of launches."""

_DEVICE_LOCAL, _HOST_VISIBLE, _HOST_COHERENT, _HOST_CACHED = 1, 2, 4, 8
HOST_MEMORY = _HOST_VISIBLE | _HOST_COHERENT
"""What memory is that the host reads and writes through a pointer."""
_AVOIDED = 0x20 | 0x40 | 0x80 | 0x100  # protected memory, and kinds that must be enabled to be used


class LogicalDevice:
    """A VkDevice with one queue. Raises DeviceUnavailable, OutOfMemory."""

    def __init__(self, instance: Instance, physical: PhysicalDevice) -> None:
        api = self.api = instance.api
        self.physical = physical
        self.info = physical.info
        self.handle = _create(api, instance, physical)
        names: tuple[str, ...] = (*_FUNCTIONS, *(host_memory.FUNCTIONS if physical.import_alignment else ()))
        try:
            self.functions = api.functions(names, instance.functions.vkGetDeviceProcAddr, self.handle)
        except DeviceUnavailable:
            names = ("vkDestroyDevice",)
            self.functions = api.functions(names, instance.functions.vkGetDeviceProcAddr, self.handle)
            self.close()
            raise
        self.labels: DebugLabels | None = None
        if instance.has_debug_labels:
            self.labels = DebugLabels(api, instance.functions.vkGetDeviceProcAddr, self.handle)
        queue = api.new("VkQueue *")
        self.functions.vkGetDeviceQueue(self.handle, physical.queue_family, 0, queue)
        self.queue = queue[0]
        memory = api.new("VkPhysicalDeviceMemoryProperties *")
        instance.functions.vkGetPhysicalDeviceMemoryProperties(physical.handle, memory)
        self.memory_types = [(t.propertyFlags, t.heapIndex) for t in memory.memoryTypes[0 : memory.memoryTypeCount]]
        self.heap_bytes = [heap.size for heap in memory.memoryHeaps[0 : memory.memoryHeapCount]]
        # By what has it: heap and bytes. (No counts, between whose reading and writing a signal handler may count.)
        self.allocations: dict[Any, tuple[int, int]] = {}

    def allocated_bytes(self, heap: int | None = None) -> int:
        """What is taken of a heap, or of all heaps."""
        return sum(nbytes for which, nbytes in list(self.allocations.values()) if heap is None or which == heap)

    def check_allocations(self) -> None:
        """Raises OutOfMemory where no further allocation is granted, of whatever size."""
        if len(self.allocations) >= (most := self.info.extra["max_memory_allocations"]):
            raise OutOfMemory(f"{self.info.name}: it grants {most} allocations of memory, and all are taken")

    def create(self, function: str, type: str, info: Any) -> Any:
        """A new object of the device, by one of the functions ``vkCreate...``."""
        handle = self.api.new(f"{type} *")
        result = getattr(self.functions, function)(self.handle, info, self.api.ffi.NULL, handle)
        self.api.check(result, f"create a {type}")
        return handle[0]

    def destroy(self, function: str, handle: Any) -> None:
        """Destroys an object, by one of the functions ``vkDestroy...``."""
        getattr(self.functions, function)(self.handle, handle, self.api.ffi.NULL)

    def close(self) -> None:
        """Destroys the device, whose objects were destroyed before."""
        self.functions.vkDestroyDevice(self.handle, self.api.ffi.NULL)


class DeviceBuffer:
    """A VkBuffer with memory of its own, mapped where the host can see it coherently.

    Args:
        for_host: whether the memory is a way to the host, rather than the device's own.

    Raises:
        OutOfMemory: no memory is left.
    """

    def __init__(self, device: LogicalDevice, size: int, for_host: bool) -> None:
        api = device.api
        self._device = device
        self.size = size
        self.handle = device.create(
            "vkCreateBuffer",
            "VkBuffer",
            api.struct(
                "VkBufferCreateInfo",
                size=size,
                usage=BUFFER_USAGE,
            ),
        )
        self._memory: Any = None
        self._bytes = 0
        self.pointer: Any = None
        """The start of the memory where the host can see it, else None."""
        try:
            self._add_memory(for_host)
        except BaseException:
            self.close()
            raise

    def _add_memory(self, for_host: bool) -> None:
        device = self._device
        api, functions = device.api, device.functions
        requirements = api.new("VkMemoryRequirements *")
        functions.vkGetBufferMemoryRequirements(device.handle, self.handle, requirements)
        self._bytes = int(requirements.size)
        kind = _memory_type(device.memory_types, requirements.memoryTypeBits, for_host)
        flags, heap = device.memory_types[kind]
        self._memory = self._allocate(kind, heap)
        device.allocations[self] = heap, self._bytes
        result = functions.vkBindBufferMemory(device.handle, self.handle, self._memory, 0)
        api.check(result, "bind memory to a buffer")
        if flags & HOST_MEMORY == HOST_MEMORY and (for_host or flags & _HOST_CACHED):
            pointer = api.new("void **")
            result = functions.vkMapMemory(device.handle, self._memory, 0, self.size, 0, pointer)
            api.check(result, "map memory")
            self.pointer = pointer[0]

    def _allocate(self, kind: int, heap: int) -> Any:
        device, api = self._device, self._device.api
        # Drivers may take more than a heap holds, and swap or kill for it.
        size, used = device.heap_bytes[heap], device.allocated_bytes(heap)
        if used + self._bytes > size:
            raise OutOfMemory(
                f"{device.info.name}: no memory is left for {self._bytes} bytes: {used} bytes are taken of {size} bytes"
            )
        device.check_allocations()
        info = api.struct("VkMemoryAllocateInfo", allocationSize=self._bytes, memoryTypeIndex=kind)
        memory = api.new("VkDeviceMemory *")
        result = device.functions.vkAllocateMemory(device.handle, info, api.ffi.NULL, memory)
        api.check(result, f"allocate {self._bytes} bytes on {device.info.name} ({used} bytes are taken)")
        return memory[0]

    def close(self) -> None:
        """Gives the memory back. No queued work uses it."""
        self._device.destroy("vkDestroyBuffer", self.handle)
        if self._memory is not None:
            self._device.destroy("vkFreeMemory", self._memory)
            self._device.allocations.pop(self, None)


def _memory_type(types: list[tuple[int, int]], allowed: int, for_host: bool) -> int:
    usable = [(i, f) for i, (f, _) in enumerate(types) if allowed >> i & 1 and not f & _AVOIDED]
    # Where the device's own memory is cached by the host, they share it: then the host uses it directly. A window
    # on a GPU's memory is visible but not cached, too slow to read and often small.
    preferences = (
        [
            (HOST_MEMORY | _HOST_CACHED, _DEVICE_LOCAL),
            (HOST_MEMORY | _HOST_CACHED, 0),
            (HOST_MEMORY, _DEVICE_LOCAL),
            (HOST_MEMORY, 0),
        ]
        if for_host
        else [(_DEVICE_LOCAL | HOST_MEMORY | _HOST_CACHED, 0), (_DEVICE_LOCAL, _HOST_VISIBLE), (_DEVICE_LOCAL, 0)]
    )
    for needed, avoided in preferences:
        for i, flags in usable:
            if flags & needed == needed and not flags & avoided:
                return i
    raise DeviceUnavailable("the device has no memory for storage buffers")  # which Vulkan promises


def _create(api: Api, instance: Instance, physical: PhysicalDevice) -> Any:
    enabled = {structure: dict.fromkeys(names, 1) for structure, names in physical.enabled.items()}
    further = api.ffi.NULL
    for extension in (cooperative, subgroup_sizes):
        if extension.FEATURES in enabled:
            further = api.struct(extension.FEATURES, pNext=further, **enabled[extension.FEATURES])
    if ATOMIC_FLOAT in physical.extensions:
        further = api.struct(ATOMIC_FLOAT_FEATURES, pNext=further, **enabled[ATOMIC_FLOAT_FEATURES])
    features12 = api.struct(
        "VkPhysicalDeviceVulkan12Features", pNext=further, **enabled["VkPhysicalDeviceVulkan12Features"]
    )
    features11 = api.struct(
        "VkPhysicalDeviceVulkan11Features", pNext=features12, **enabled["VkPhysicalDeviceVulkan11Features"]
    )
    features = api.struct(
        "VkPhysicalDeviceFeatures2",
        pNext=features11,
        features=api.struct("VkPhysicalDeviceFeatures", **enabled["VkPhysicalDeviceFeatures"]),
    )
    queue = api.struct(
        "VkDeviceQueueCreateInfo",
        queueFamilyIndex=physical.queue_family,
        queueCount=1,
        pQueuePriorities=[1.0],
    )
    info = api.struct(
        "VkDeviceCreateInfo",
        pNext=features,
        queueCreateInfoCount=1,
        pQueueCreateInfos=queue,
        enabledExtensionCount=len(physical.extensions),
        ppEnabledExtensionNames=physical.extensions,
    )
    device = api.new("VkDevice *")
    result = instance.functions.vkCreateDevice(physical.handle, info, api.ffi.NULL, device)
    api.check(result, f"open {physical.info.name}")
    return device[0]
