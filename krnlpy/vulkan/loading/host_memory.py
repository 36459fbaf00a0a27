"""Whether a device can use memory of the process, by VK_EXT_external_memory_host."""

from __future__ import annotations

from typing import Any

from .api import Api, Functions

EXTENSION = "VK_EXT_external_memory_host"
FUNCTIONS = ("vkGetMemoryHostPointerPropertiesEXT",)


def alignment(api: Api, functions: Functions, handle: Any) -> int:
    """What addresses and sizes must be multiples of, in bytes."""
    properties = api.struct("VkPhysicalDeviceExternalMemoryHostPropertiesEXT")
    functions.vkGetPhysicalDeviceProperties2(handle, api.struct("VkPhysicalDeviceProperties2", pNext=properties))
    return int(properties.minImportedHostPointerAlignment)
