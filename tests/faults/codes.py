"""The codes that each Vulkan function can return, from the specification's lists of return codes."""

from __future__ import annotations

HOST, DEVICE, LOST = "VK_ERROR_OUT_OF_HOST_MEMORY", "VK_ERROR_OUT_OF_DEVICE_MEMORY", "VK_ERROR_DEVICE_LOST"
INITIALIZATION = "VK_ERROR_INITIALIZATION_FAILED"
MEMORY = (HOST, DEVICE)
CREATES = (*MEMORY, INITIALIZATION)

CODES: dict[str, tuple[str, ...]] = {
    "vkAllocateCommandBuffers": MEMORY,
    "vkAllocateDescriptorSets": (*MEMORY, "VK_ERROR_FRAGMENTED_POOL", "VK_ERROR_OUT_OF_POOL_MEMORY"),
    "vkAllocateMemory": (*MEMORY, "VK_ERROR_TOO_MANY_OBJECTS", "VK_ERROR_INVALID_EXTERNAL_HANDLE"),
    "vkBeginCommandBuffer": MEMORY,
    "vkBindBufferMemory": MEMORY,
    "vkCreateBuffer": MEMORY,
    "vkCreateCommandPool": CREATES,
    "vkCreateComputePipelines": (*MEMORY, INITIALIZATION, "VK_ERROR_INVALID_SHADER_NV"),
    "vkCreateDebugUtilsMessengerEXT": (HOST,),
    "vkCreateDescriptorPool": (*MEMORY, "VK_ERROR_FRAGMENTATION"),
    "vkCreateDescriptorSetLayout": MEMORY,
    "vkCreateDevice": (
        *(*CREATES, LOST, "VK_ERROR_EXTENSION_NOT_PRESENT", "VK_ERROR_FEATURE_NOT_PRESENT"),
        "VK_ERROR_TOO_MANY_OBJECTS",
    ),
    "vkCreateInstance": (
        *(*CREATES, "VK_ERROR_LAYER_NOT_PRESENT", "VK_ERROR_EXTENSION_NOT_PRESENT", "VK_ERROR_INCOMPATIBLE_DRIVER"),
    ),
    "vkCreatePipelineLayout": MEMORY,
    "vkCreateQueryPool": MEMORY,
    "vkCreateSemaphore": MEMORY,
    "vkCreateShaderModule": (*MEMORY, "VK_ERROR_INVALID_SHADER_NV"),
    "vkDeviceWaitIdle": (*MEMORY, LOST),
    "vkEndCommandBuffer": MEMORY,
    "vkEnumerateDeviceExtensionProperties": (*MEMORY, "VK_INCOMPLETE", "VK_ERROR_LAYER_NOT_PRESENT"),
    "vkEnumerateInstanceExtensionProperties": (*MEMORY, "VK_INCOMPLETE", "VK_ERROR_LAYER_NOT_PRESENT"),
    "vkEnumerateInstanceLayerProperties": (*MEMORY, "VK_INCOMPLETE"),
    "vkEnumerateInstanceVersion": (HOST,),
    "vkEnumeratePhysicalDevices": (*CREATES, "VK_INCOMPLETE"),
    "vkGetMemoryHostPointerPropertiesEXT": (HOST, "VK_ERROR_INVALID_EXTERNAL_HANDLE"),
    "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR": (*MEMORY, "VK_INCOMPLETE"),
    "vkGetQueryPoolResults": (*MEMORY, LOST, "VK_NOT_READY"),
    "vkGetSemaphoreCounterValue": (*MEMORY, LOST),
    "vkInvalidateMappedMemoryRanges": MEMORY,
    "vkFlushMappedMemoryRanges": MEMORY,
    "vkMapMemory": (*MEMORY, "VK_ERROR_MEMORY_MAP_FAILED"),
    "vkQueueSubmit": (*MEMORY, LOST),
    "vkQueueWaitIdle": (*MEMORY, LOST),
    "vkResetCommandPool": (DEVICE,),
    "vkResetCommandBuffer": (DEVICE,),
    "vkSetDebugUtilsObjectNameEXT": MEMORY,
    "vkWaitSemaphores": (*MEMORY, LOST, "VK_TIMEOUT"),
}
