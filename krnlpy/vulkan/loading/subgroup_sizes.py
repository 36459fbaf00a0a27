"""The subgroup sizes that a kernel can require of a Vulkan device."""

from __future__ import annotations

from typing import Any

from .api import Api, Functions

EXTENSION = "VK_EXT_subgroup_size_control"
FEATURES = "VkPhysicalDeviceSubgroupSizeControlFeatures"


def required_sizes(api: Api, functions: Functions, handle: Any) -> tuple[int, ...]:
    """The sizes that compute shaders can require of a device that has the extension; () if none."""
    features = api.struct(FEATURES)
    functions.vkGetPhysicalDeviceFeatures2(handle, api.struct("VkPhysicalDeviceFeatures2", pNext=features))
    sizes = api.struct("VkPhysicalDeviceSubgroupSizeControlProperties")
    functions.vkGetPhysicalDeviceProperties2(handle, api.struct("VkPhysicalDeviceProperties2", pNext=sizes))
    if not (features.subgroupSizeControl and sizes.requiredSubgroupSizeStages & api.VK_SHADER_STAGE_COMPUTE_BIT):
        return ()
    powers = (1 << n for n in range(8))  # Vulkan's greatest is 128
    return tuple(n for n in powers if sizes.minSubgroupSize <= n <= sizes.maxSubgroupSize)
