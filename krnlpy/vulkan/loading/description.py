"""What a physical device is and can: a DeviceInfo, or the reason why the device cannot be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from krnlpy.device_info import CooperativeShape, DeviceInfo, DeviceKind
from krnlpy.features import Feature, Features

from . import cooperative, host_memory, subgroup_sizes
from .api import Api, Functions

_KINDS: dict[int, DeviceKind] = {0: "other", 1: "integrated", 2: "discrete", 3: "virtual", 4: "cpu"}

_VENDORS = {
    0x1002: "AMD", 0x1010: "Imagination", 0x106B: "Apple", 0x10DE: "NVIDIA", 0x13B5: "Arm", 0x14E4: "Broadcom",
    0x1AE0: "Google", 0x1AF4: "Red Hat", 0x5143: "Qualcomm", 0x8086: "Intel", 0x10005: "Mesa", 0x10006: "PoCL",
    0x10001: "Vivante", 0x10002: "VeriSilicon", 0x10003: "Kazan", 0x10004: "Codeplay",
}  # fmt: skip

_SUBGROUP_BITS = {
    0x01: Feature.SUBGROUP_BASIC,
    0x02: Feature.SUBGROUP_VOTE,
    0x04: Feature.SUBGROUP_ARITHMETIC,
    0x08: Feature.SUBGROUP_BALLOT,
    0x10: Feature.SUBGROUP_SHUFFLE,
    0x20: Feature.SUBGROUP_SHUFFLE_RELATIVE,
    0x40: Feature.SUBGROUP_CLUSTERED,
    0x80: Feature.SUBGROUP_QUAD,
}

PORTABILITY_SUBSET = "VK_KHR_portability_subset"
ATOMIC_FLOAT = "VK_EXT_shader_atomic_float"
ATOMIC_FLOAT_FEATURES = "VkPhysicalDeviceShaderAtomicFloatFeaturesEXT"


@dataclass(frozen=True)
class PhysicalDevice:
    """A device that can be opened.

    Attributes:
        enabled: names of the features to enable, by the structure that holds them.
        extensions: to enable.
        import_alignment: of memory of the process that the device can use, in bytes; 0 where it can't.
    """

    handle: Any
    info: DeviceInfo
    queue_family: int
    enabled: dict[str, tuple[str, ...]]
    extensions: tuple[str, ...]
    max_storage_bindings: int
    storage_alignment: int
    import_alignment: int


def describe(api: Api, functions: Functions, handle: Any, index: int) -> PhysicalDevice | str:
    """What a physical device is; or the reason why it cannot be used."""
    properties = api.new("VkPhysicalDeviceProperties *")
    functions.vkGetPhysicalDeviceProperties(handle, properties)
    name = api.text(properties.deviceName)
    version = properties.apiVersion
    if version < _version(1, 2):
        return f"{name}: supports Vulkan {version_text(version)}, needs 1.2"
    family = _compute_family(api, functions, handle)
    if family is None:
        return f"{name}: has no queue for compute"
    memory_bytes = _local_bytes(api, functions, handle)
    if not memory_bytes:
        return f"{name}: has no memory of its own"

    extensions = {
        api.text(extension.extensionName)
        for extension in api.enumerate(
            "VkExtensionProperties", functions.vkEnumerateDeviceExtensionProperties, handle, api.ffi.NULL
        )
    }
    atomic_float = api.struct(ATOMIC_FLOAT_FEATURES)
    has_atomic_float = ATOMIC_FLOAT in extensions
    features12 = api.struct(
        "VkPhysicalDeviceVulkan12Features", pNext=atomic_float if has_atomic_float else api.ffi.NULL
    )
    features11 = api.struct("VkPhysicalDeviceVulkan11Features", pNext=features12)
    features10 = api.struct("VkPhysicalDeviceFeatures2", pNext=features11)
    functions.vkGetPhysicalDeviceFeatures2(handle, features10)
    if not features12.timelineSemaphore:
        return f"{name}: has no timeline semaphores"

    wanted = {
        "VkPhysicalDeviceFeatures": ("shaderInt64", "shaderFloat64"),
        "VkPhysicalDeviceVulkan11Features": ("storageBuffer16BitAccess",),
        "VkPhysicalDeviceVulkan12Features": (
            *("timelineSemaphore", "storageBuffer8BitAccess", "shaderSubgroupExtendedTypes"),
            *("shaderBufferInt64Atomics", "shaderSharedInt64Atomics"),
        ),
        ATOMIC_FLOAT_FEATURES: (
            *("shaderBufferFloat32AtomicAdd", "shaderSharedFloat32AtomicAdd"),
            *("shaderBufferFloat64AtomicAdd", "shaderSharedFloat64AtomicAdd"),
        ),
    }
    structures = dict(zip(wanted, (features10.features, features11, features12, atomic_float), strict=True))
    enabled = {s: tuple(f for f in names if getattr(structures[s], f)) for s, names in wanted.items()}
    added = tuple(extension for extension in (PORTABILITY_SUBSET, ATOMIC_FLOAT) if extension in extensions)
    has_narrow = features12.shaderFloat16 and features12.shaderInt8 and features10.features.shaderInt16
    shapes: tuple[CooperativeShape, ...] = ()
    # Atomics and barriers have the scope of the device, which the memory model grants by a feature of its own.
    has_memory_model = features12.vulkanMemoryModel and features12.vulkanMemoryModelDeviceScope
    if cooperative.EXTENSION in extensions and has_memory_model and has_narrow:
        shapes = cooperative.cooperative_shapes(api, functions, handle)
    if shapes:
        added = (*added, cooperative.EXTENSION)
        enabled[cooperative.FEATURES] = ("cooperativeMatrix",)
        enabled["VkPhysicalDeviceVulkan12Features"] += (
            *("vulkanMemoryModel", "vulkanMemoryModelDeviceScope", "shaderFloat16", "shaderInt8"),
        )
        enabled["VkPhysicalDeviceFeatures"] += ("shaderInt16",)
    sizes: tuple[int, ...] = ()
    if subgroup_sizes.EXTENSION in extensions:
        sizes = subgroup_sizes.required_sizes(api, functions, handle)
    if sizes:
        added = (*added, subgroup_sizes.EXTENSION)
        enabled[subgroup_sizes.FEATURES] = ("subgroupSizeControl",)
    import_alignment = 0
    if host_memory.EXTENSION in extensions:
        import_alignment = host_memory.alignment(api, functions, handle)
        added = (*added, host_memory.EXTENSION)
    limits = properties.limits
    names = {f for names in enabled.values() for f in names}
    info = _info(api, functions, handle, index, names, memory_bytes, "VK_KHR_maintenance4" in extensions)
    return PhysicalDevice(
        handle=handle,
        info=replace(
            info,
            features=info.features | ({Feature.SHARED_HOST_MEMORY} if import_alignment else set()),
            cooperative_shapes=shapes,
            subgroup_sizes=sizes or (info.subgroup_threads,),
        ),
        queue_family=family,
        enabled=enabled,
        # The specification demands the portability subset to be enabled where it is there.
        extensions=added,
        max_storage_bindings=min(
            limits.maxPerStageDescriptorStorageBuffers,
            limits.maxDescriptorSetStorageBuffers,
            limits.maxPerStageResources,
        ),
        storage_alignment=int(limits.minStorageBufferOffsetAlignment),
        import_alignment=import_alignment,
    )


def _info(
    api: Api,
    functions: Functions,
    handle: Any,
    index: int,
    enabled: set[str],
    memory_bytes: int,
    has_maintenance4: bool,
) -> DeviceInfo:
    maintenance4 = api.struct("VkPhysicalDeviceMaintenance4Properties")
    driver = api.struct("VkPhysicalDeviceDriverProperties", pNext=maintenance4 if has_maintenance4 else api.ffi.NULL)
    properties12 = api.struct("VkPhysicalDeviceVulkan12Properties", pNext=driver)
    properties11 = api.struct("VkPhysicalDeviceVulkan11Properties", pNext=properties12)
    properties2 = api.struct("VkPhysicalDeviceProperties2", pNext=properties11)
    functions.vkGetPhysicalDeviceProperties2(handle, properties2)
    properties = properties2.properties
    limits = properties.limits
    largest = min(
        *(properties11.maxMemoryAllocationSize, memory_bytes),
        *((maintenance4.maxBufferSize,) if has_maintenance4 else ()),
    )
    return DeviceInfo(
        index=index,
        name=api.text(properties.deviceName),
        kind=_KINDS.get(properties.deviceType, "other"),
        backend="vulkan",
        vendor=_VENDORS.get(properties.vendorID, hex(properties.vendorID)),
        driver=f"{api.text(driver.driverName)} {api.text(driver.driverInfo)}".strip(),
        api_version=version_text(properties.apiVersion),
        features=_features(api, enabled, properties11, properties12),
        max_threads=limits.maxComputeWorkGroupInvocations,
        max_threads_xyz=tuple(limits.maxComputeWorkGroupSize),
        max_groups_xyz=tuple(limits.maxComputeWorkGroupCount),
        max_group_memory=limits.maxComputeSharedMemorySize,
        max_buffer_bytes=largest // 16 * 16,
        max_binding_bytes=limits.maxStorageBufferRange // 16 * 16,
        max_parameter_bytes=limits.maxPushConstantsSize,
        subgroup_threads=properties11.subgroupSize,
        memory_bytes=memory_bytes,
        extra={
            "vendor_id": properties.vendorID,
            "device_id": properties.deviceID,
            "driver_version": properties.driverVersion,
            "driver_id": int(driver.driverID),
            "driver_build": bytes(properties.pipelineCacheUUID).hex(),
            "max_storage_buffer_range": limits.maxStorageBufferRange,
            "max_memory_allocation_bytes": properties11.maxMemoryAllocationSize,
            "max_memory_allocations": limits.maxMemoryAllocationCount,
            "max_storage_buffers": limits.maxPerStageDescriptorStorageBuffers,
            "storage_buffer_alignment": limits.minStorageBufferOffsetAlignment,
            "timestamp_period_ns": limits.timestampPeriod if limits.timestampComputeAndGraphics else None,
        },
    )


def _features(api: Api, enabled: set[str], properties11: Any, properties12: Any) -> Features:
    features = {
        "shaderInt64": Feature.INT64,
        "shaderFloat64": Feature.FLOAT64,
        "storageBuffer8BitAccess": Feature.STORAGE8,
        "storageBuffer16BitAccess": Feature.STORAGE16,
        "shaderBufferInt64Atomics": Feature.INT64_ATOMICS,
        "shaderSharedInt64Atomics": Feature.GROUP_INT64_ATOMICS,
        "shaderBufferFloat32AtomicAdd": Feature.FLOAT32_ATOMIC_ADD,
        "shaderSharedFloat32AtomicAdd": Feature.GROUP_FLOAT32_ATOMIC_ADD,
        "shaderBufferFloat64AtomicAdd": Feature.FLOAT64_ATOMIC_ADD,
        "shaderSharedFloat64AtomicAdd": Feature.GROUP_FLOAT64_ATOMIC_ADD,
        "cooperativeMatrix": Feature.COOPERATIVE_MATRIX,
    }
    found = {feature for name, feature in features.items() if name in enabled}
    if "shaderSubgroupExtendedTypes" in enabled:
        found.add(Feature.SUBGROUP_EXTENDED_TYPES)
    if properties12.shaderSignedZeroInfNanPreserveFloat32:
        found.add(Feature.FLOAT32_PRESERVE)
    if properties12.shaderSignedZeroInfNanPreserveFloat64:
        found.add(Feature.FLOAT64_PRESERVE)
    if properties11.subgroupSupportedStages & api.VK_SHADER_STAGE_COMPUTE_BIT:
        operations = properties11.subgroupSupportedOperations
        found |= {feature for bit, feature in _SUBGROUP_BITS.items() if operations & bit}
    return frozenset(found)


def _local_bytes(api: Api, functions: Functions, handle: Any) -> int:
    """The size of the largest heap that is the device's own; 0 where it has none, as Mesa's null devices."""
    memory = api.new("VkPhysicalDeviceMemoryProperties *")
    functions.vkGetPhysicalDeviceMemoryProperties(handle, memory)
    heaps = memory.memoryHeaps[0 : memory.memoryHeapCount]
    return max((int(heap.size) for heap in heaps if heap.flags & 1), default=0)


def _compute_family(api: Api, functions: Functions, handle: Any) -> int | None:
    """The first queue family for compute but not graphics, else the first for compute."""
    count = api.new("uint32_t *")
    functions.vkGetPhysicalDeviceQueueFamilyProperties(handle, count, api.ffi.NULL)
    families = api.new("VkQueueFamilyProperties[]", count[0])
    functions.vkGetPhysicalDeviceQueueFamilyProperties(handle, count, families)
    compute = [i for i in range(count[0]) if families[i].queueFlags & api.VK_QUEUE_COMPUTE_BIT]
    alone = [i for i in compute if not families[i].queueFlags & api.VK_QUEUE_GRAPHICS_BIT]
    return next(iter(alone or compute), None)


def _version(major: int, minor: int) -> int:
    return (major << 22) | (minor << 12)


def version_text(version: int) -> str:
    """Vulkan's packed version in words."""
    return f"{(version >> 22) & 0x7F}.{(version >> 12) & 0x3FF}.{version & 0xFFF}"
