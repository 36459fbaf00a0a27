"""The memory of a device: its heaps, and how much of each this process may take and has taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from krnlpy.vulkan.loading.api import Api, Functions

_BUDGET = "VK_EXT_memory_budget"
_DEVICE_LOCAL = 1


@dataclass(frozen=True)
class Heap:
    """A heap of a device's memory.

    Attributes:
        nbytes: its size.
        device_local: whether it is the device's own.
        budget: bytes that this process can take, beside what others have; None if the driver does not say.
        used: bytes of it that this process has taken; None if the driver does not say.
    """

    nbytes: int
    device_local: bool
    budget: int | None
    used: int | None


def heaps(api: Api, functions: Functions, handle: Any) -> tuple[Heap, ...]:
    """The heaps of a physical device, as they are now."""
    extensions = api.enumerate(
        "VkExtensionProperties", functions.vkEnumerateDeviceExtensionProperties, handle, api.ffi.NULL
    )
    has_budget = any(api.text(extension.extensionName) == _BUDGET for extension in extensions)
    budget = api.struct("VkPhysicalDeviceMemoryBudgetPropertiesEXT")
    found = api.struct("VkPhysicalDeviceMemoryProperties2", pNext=budget if has_budget else api.ffi.NULL)
    functions.vkGetPhysicalDeviceMemoryProperties2(handle, found)
    memory = found.memoryProperties
    return tuple(
        Heap(
            int(memory.memoryHeaps[i].size),
            bool(memory.memoryHeaps[i].flags & _DEVICE_LOCAL),
            int(budget.heapBudget[i]) if has_budget else None,
            int(budget.heapUsage[i]) if has_budget else None,
        )
        for i in range(memory.memoryHeapCount)
    )
