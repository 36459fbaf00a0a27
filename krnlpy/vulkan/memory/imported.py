"""Memory of the process as memory of a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from krnlpy.errors import DeviceUnavailable, SharingError
from krnlpy.vulkan.loading.device import BUFFER_USAGE, HOST_MEMORY, LogicalDevice


class ImportedBuffer:
    """A VkBuffer over the pages in which an array lies. Keeps the array.

    Args:
        array: contiguous bytes.

    Raises:
        SharingError: the device can't use memory of the process, or not this one. OutOfMemory: no memory is left.

    Attributes:
        address: of the buffer's first byte in the process.
        start: the place of the array in the buffer.
    """

    def __init__(self, device: LogicalDevice, array: np.ndarray[Any, Any]) -> None:
        page = device.physical.import_alignment
        if not page:
            raise SharingError(f"{device.info.name} can't use memory of the process; copy=True copies the array")
        self._device = device
        self._array = array
        address: int = array.__array_interface__["data"][0]
        first = self.address = address // page * page
        self.start = address - first
        self.size = -(-(self.start + array.nbytes) // page) * page
        api = device.api
        self.pointer = api.ffi.cast("void *", first)
        try:
            self._create(api, api.VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT)
        except DeviceUnavailable as error:
            raise SharingError(
                f"{device.info.name} can't use {array.nbytes} bytes at {address:#x} of the process: {error};"
                " copy=True copies the array"
            ) from None

    def _create(self, api: Any, kind: int) -> None:
        device, functions = self._device, self._device.functions
        external = api.struct("VkExternalMemoryBufferCreateInfo", handleTypes=kind)
        info = api.struct("VkBufferCreateInfo", pNext=external, size=self.size, usage=BUFFER_USAGE)
        self.handle = device.create("vkCreateBuffer", "VkBuffer", info)
        self._memory: Any = None
        try:
            requirements = api.new("VkMemoryRequirements *")
            functions.vkGetBufferMemoryRequirements(device.handle, self.handle, requirements)
            properties = api.struct("VkMemoryHostPointerPropertiesEXT")
            result = functions.vkGetMemoryHostPointerPropertiesEXT(device.handle, kind, self.pointer, properties)
            api.check(result, "look at memory of the process")
            allowed = requirements.memoryTypeBits & properties.memoryTypeBits
            types = [
                i
                for i, (flags, _) in enumerate(device.memory_types)
                if allowed >> i & 1 and flags & HOST_MEMORY == HOST_MEMORY
            ]
            if not types or requirements.size > self.size:
                raise DeviceUnavailable("it has no kind of memory for it")
            info = api.struct(
                "VkMemoryAllocateInfo",
                pNext=api.struct("VkImportMemoryHostPointerInfoEXT", handleType=kind, pHostPointer=self.pointer),
                allocationSize=self.size,
                memoryTypeIndex=types[0],
            )
            device.check_allocations()
            memory = api.new("VkDeviceMemory *")
            result = functions.vkAllocateMemory(device.handle, info, api.ffi.NULL, memory)
            api.check(result, "import memory of the process")
            self._memory = memory[0]
            device.allocations[self] = -1, 0  # of no heap
            result = functions.vkBindBufferMemory(device.handle, self.handle, self._memory, 0)
            api.check(result, "bind memory to a buffer")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leaves the memory to the process. No queued work uses it."""
        device = self._device
        device.destroy("vkDestroyBuffer", self.handle)
        if self._memory is not None:
            device.destroy("vkFreeMemory", self._memory)
            device.allocations.pop(self, None)
