"""The instance: which devices there are, what each can do, and why the others can't be used."""

from __future__ import annotations

import atexit
import json
import logging
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from krnlpy import config
from krnlpy.backend import DeviceInfo, DeviceKind
from krnlpy.errors import DeviceUnavailable, KrnlpyError
from krnlpy.features import Feature, Features

from . import api

_log = logging.getLogger(__name__)

_VENDORS = {
    0x1002: "AMD", 0x1010: "Imagination", 0x106B: "Apple", 0x10DE: "NVIDIA", 0x13B5: "Arm", 0x14E4: "Broadcom",
    0x1AE0: "Google", 0x5143: "Qualcomm", 0x8086: "Intel", 0x10005: "Mesa",
}  # fmt: skip
_KINDS: tuple[DeviceKind, ...] = ("other", "integrated", "discrete", "virtual", "cpu")
_SUBGROUP_BITS = {
    Feature.SUBGROUP_BASIC: 1,
    Feature.SUBGROUP_VOTE: 2,
    Feature.SUBGROUP_ARITHMETIC: 4,
    Feature.SUBGROUP_BALLOT: 8,
    Feature.SUBGROUP_SHUFFLE: 16,
    Feature.SUBGROUP_SHUFFLE_RELATIVE: 32,
    Feature.SUBGROUP_CLUSTERED: 64,
    Feature.SUBGROUP_QUAD: 128,
}
_VALIDATION_LAYER = "VK_LAYER_KHRONOS_validation"
_PORTABILITY_SUBSET = "VK_KHR_portability_subset"
_VULKAN_1_2 = (1 << 22) | (2 << 12)


@dataclass(frozen=True)
class PhysicalDevice:
    """A device that can be used."""

    handle: Any
    info: DeviceInfo
    queue_family: int
    extensions: frozenset[str]
    alignment: int
    """That of a storage buffer's first byte."""
    max_range: int
    """Bytes that one binding can reach."""
    max_bindings: int
    """Storage buffers of a kernel."""


_messages: list[str] = []


def take_validation_messages() -> list[str]:
    """What the validation layer said since the last call; only with ``krnlpy.config.validate``."""
    taken = _messages[:]
    _messages.clear()
    return taken


@dataclass(frozen=True)
class _Instance:
    handle: Any
    keep: tuple[Any, ...]


def _has_layer(name: str) -> bool:
    layers = api.enumerate_all(api.lib().vkEnumerateInstanceLayerProperties, "VkLayerProperties")
    return any(api.text(layer.layerName) == name for layer in layers)


def _instance_extensions() -> set[str]:
    found = api.enumerate_all(api.lib().vkEnumerateInstanceExtensionProperties, "VkExtensionProperties", api.ffi().NULL)
    return {api.text(e.extensionName) for e in found}


@cache
def instance() -> _Instance:
    """The one instance of this process.

    Raises:
        DeviceUnavailable: no loader, or the loader finds no driver.
    """
    ffi, lib = api.ffi(), api.lib()
    names = [ffi.new("char[]", b"krnlpy")]
    application = api.struct("VkApplicationInfo", pApplicationName=names[0], apiVersion=_VULKAN_1_2)
    info = api.struct("VkInstanceCreateInfo", pApplicationInfo=application)
    keep: list[Any] = [names, application, info]
    extensions: list[str] = []
    available = _instance_extensions()
    if "VK_KHR_portability_enumeration" in available:
        extensions.append("VK_KHR_portability_enumeration")
        info.flags = 1  # VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR: MoltenVK's devices
    messenger = None
    if config.validate:
        if not _has_layer(_VALIDATION_LAYER):
            raise DeviceUnavailable(
                f"KRNLPY_VALIDATE is set, but {_VALIDATION_LAYER} is not installed (Debian: vulkan-validationlayers)"
            )
        layer = ffi.new("char[]", _VALIDATION_LAYER.encode())
        layers = ffi.new("char *[]", [layer])
        enables = ffi.new(
            "VkValidationFeatureEnableEXT[]", [lib.VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT]
        )
        features = api.struct(
            "VkValidationFeaturesEXT", enabledValidationFeatureCount=1, pEnabledValidationFeatures=enables
        )
        info.enabledLayerCount, info.ppEnabledLayerNames = 1, layers
        info.pNext = features
        extensions.append("VK_EXT_debug_utils")
        messenger = _messenger_info()
        keep += [layer, layers, enables, features, messenger]
    texts = [ffi.new("char[]", name.encode()) for name in extensions]
    pointers = ffi.new("char *[]", texts)
    info.enabledExtensionCount, info.ppEnabledExtensionNames = len(texts), pointers
    keep += [texts, pointers]
    handle = ffi.new("VkInstance *")
    api.check(lib.vkCreateInstance(info, ffi.NULL, handle), "vkCreateInstance (no usable driver?)")
    if messenger is not None:
        make = ffi.cast(
            "PFN_vkCreateDebugUtilsMessengerEXT",
            lib.vkGetInstanceProcAddr(handle[0], b"vkCreateDebugUtilsMessengerEXT"),
        )
        keep.append(api.create(make, handle[0], messenger[0], "VkDebugUtilsMessengerEXT", "debug messenger"))
    return _Instance(handle[0], tuple(keep))


def _messenger_info() -> tuple[Any, Any]:
    ffi = api.ffi()

    def heard(severity: int, types: int, data: Any, _: Any) -> int:
        _messages.append(api.text(data.pMessage))
        return 0

    callback = ffi.callback("PFN_vkDebugUtilsMessengerCallbackEXT", heard)
    info = api.struct(
        "VkDebugUtilsMessengerCreateInfoEXT",
        messageSeverity=0x100 | 0x1000,  # warnings and errors
        messageType=0x1 | 0x2 | 0x4,
        pfnUserCallback=callback,
    )
    return info, callback


@cache
def physical_devices() -> tuple[tuple[PhysicalDevice, ...], tuple[str, ...]]:
    """The devices that can be used, and a sentence for each driver or device that can't.

    Raises:
        DeviceUnavailable: no loader, or no driver.
    """
    usable: list[PhysicalDevice] = []
    rejected = list(_bad_manifests())
    handles = api.enumerate_all(api.lib().vkEnumeratePhysicalDevices, "VkPhysicalDevice", instance().handle)
    for handle in handles:
        try:
            usable.append(_describe(handle, len(usable)))
        except DeviceUnavailable as error:
            rejected.append(str(error))
    return tuple(usable), tuple(rejected)


def _bad_manifests() -> list[str]:
    """Why drivers named by the environment can't be loaded; the loader itself passes over them in silence."""
    named = os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES")
    problems = []
    for name in (named or "").split(os.pathsep):
        path = Path(name)
        if not name or path.is_dir():
            continue
        try:
            library = json.loads(path.read_text())["ICD"]["library_path"]
        except OSError as error:
            problems.append(f"driver manifest {name}: {error.strerror}")
            continue
        except (ValueError, KeyError, TypeError):
            problems.append(f"driver manifest {name}: not a manifest with ICD.library_path")
            continue
        # A name without a slash is looked for as any library is; with one, relative to the manifest.
        target = str(path.parent / library) if "/" in library else library
        try:
            api.ffi().dlopen(target)
        except OSError as error:
            problems.append(f"driver manifest {name}: {str(error).splitlines()[0]}")
    return problems


def _describe(handle: Any, index: int) -> PhysicalDevice:
    lib, ffi = api.lib(), api.ffi()
    properties = ffi.new("VkPhysicalDeviceProperties *")
    lib.vkGetPhysicalDeviceProperties(handle, properties)
    name = api.text(properties.deviceName)
    version = properties.apiVersion
    spelled = f"{version >> 22}.{version >> 12 & 0x3FF}.{version & 0xFFF}"
    if version < _VULKAN_1_2:
        raise DeviceUnavailable(f"{name}: Vulkan {spelled}; krnlpy needs 1.2")
    driver = api.struct("VkPhysicalDeviceDriverProperties")
    v11 = api.struct("VkPhysicalDeviceVulkan11Properties", pNext=driver)
    v12 = api.struct("VkPhysicalDeviceVulkan12Properties", pNext=v11)
    all_properties = api.struct("VkPhysicalDeviceProperties2", pNext=v12)
    lib.vkGetPhysicalDeviceProperties2(handle, all_properties)
    f12 = api.struct("VkPhysicalDeviceVulkan12Features")
    f11 = api.struct("VkPhysicalDeviceVulkan11Features", pNext=f12)
    features = api.struct("VkPhysicalDeviceFeatures2", pNext=f11)
    lib.vkGetPhysicalDeviceFeatures2(handle, features)
    if not f12.timelineSemaphore:
        raise DeviceUnavailable(f"{name}: no timeline semaphores; a newer driver may have them")
    family = _compute_family(handle)
    if family is None:
        raise DeviceUnavailable(f"{name}: no queue that computes")
    extensions = api.enumerate_all(lib.vkEnumerateDeviceExtensionProperties, "VkExtensionProperties", handle, ffi.NULL)
    limits = all_properties.properties.limits
    heap = _main_heap(handle)
    info = DeviceInfo(
        index=index,
        name=name,
        kind=_KINDS[properties.deviceType] if properties.deviceType < len(_KINDS) else "other",
        backend="vulkan",
        vendor=_VENDORS.get(properties.vendorID, hex(properties.vendorID)),
        driver=f"{api.text(driver.driverName)} {api.text(driver.driverInfo)}".strip(),
        api_version=spelled,
        features=_features(features.features, f11, f12, v11),
        max_threads=limits.maxComputeWorkGroupInvocations,
        max_threads_xyz=tuple(limits.maxComputeWorkGroupSize),
        max_groups_xyz=tuple(limits.maxComputeWorkGroupCount),
        max_group_memory=limits.maxComputeSharedMemorySize,
        max_buffer_bytes=min(limits.maxStorageBufferRange, v11.maxMemoryAllocationSize),
        max_parameter_bytes=limits.maxPushConstantsSize,
        subgroup_threads=v11.subgroupSize,
        memory_bytes=heap,
        extra={
            "vendor_id": properties.vendorID,
            "device_id": properties.deviceID,
            "driver_version": properties.driverVersion,
            "max_storage_buffers": limits.maxPerStageDescriptorStorageBuffers,
            "max_storage_buffer_range": limits.maxStorageBufferRange,
            "max_allocation_bytes": v11.maxMemoryAllocationSize,
            "max_allocations": limits.maxMemoryAllocationCount,
            "storage_buffer_alignment": limits.minStorageBufferOffsetAlignment,
            "timestamp_period_ns": limits.timestampPeriod,
            "float16_arithmetic": bool(f12.shaderFloat16),
            "int8_arithmetic": bool(f12.shaderInt8),
            "int16_arithmetic": bool(features.features.shaderInt16),
        },
    )
    return PhysicalDevice(
        handle,
        info,
        family,
        frozenset(api.text(e.extensionName) for e in extensions),
        limits.minStorageBufferOffsetAlignment,
        limits.maxStorageBufferRange,
        min(limits.maxPerStageDescriptorStorageBuffers, limits.maxPerStageResources),
    )


def _features(core: Any, f11: Any, f12: Any, v11: Any) -> Features:
    found = set()
    if core.shaderInt64:
        found.add(Feature.INT64)
    if core.shaderFloat64:
        found.add(Feature.FLOAT64)
    # The 8- and 16-bit types of a load or store are converted to 32 bits at once, which needs no arithmetic on them.
    if f12.storageBuffer8BitAccess:
        found.add(Feature.STORAGE8)
    if f11.storageBuffer16BitAccess:
        found.add(Feature.STORAGE16)
    if v11.subgroupSupportedStages & 0x20:  # VK_SHADER_STAGE_COMPUTE_BIT
        found |= {feature for feature, bit in _SUBGROUP_BITS.items() if v11.subgroupSupportedOperations & bit}
    return frozenset(found)


def _compute_family(handle: Any) -> int | None:
    """A family that computes, rather one that does no graphics."""
    families = api.enumerate_all(api.lib().vkGetPhysicalDeviceQueueFamilyProperties, "VkQueueFamilyProperties", handle)
    computing = [i for i, f in enumerate(families) if f.queueFlags & 2 and f.queueCount]
    alone = [i for i in computing if not families[i].queueFlags & 1]
    return next(iter(alone or computing), None)


def _main_heap(handle: Any) -> int:
    memory = api.ffi().new("VkPhysicalDeviceMemoryProperties *")
    api.lib().vkGetPhysicalDeviceMemoryProperties(handle, memory)
    heaps = [memory.memoryHeaps[i] for i in range(memory.memoryHeapCount)]
    local = [h.size for h in heaps if h.flags & 1]
    return int(max(local or [h.size for h in heaps], default=0))


def enumerate_devices() -> tuple[list[DeviceInfo], list[str]]:
    """The devices that can be used, in the loader's order, and a sentence for each that can't be."""
    try:
        usable, rejected = physical_devices()
    except KrnlpyError as error:
        return [], [str(error)]
    return [device.info for device in usable], list(rejected)


def loader_version() -> str | None:
    """The Vulkan version of the loader; None if there is no loader."""
    try:
        function = api.lib().vkEnumerateInstanceVersion
    except DeviceUnavailable:
        return None
    version = api.ffi().new("uint32_t *")
    api.check(function(version), "asking the loader for its version")
    return f"{version[0] >> 22 & 0x7F}.{version[0] >> 12 & 0x3FF}.{version[0] & 0xFFF}"


def explain_unavailable() -> str:
    """Why there is no Vulkan device: what was looked for, what was found, and what installs one."""
    usable, reasons = enumerate_devices()
    if usable:
        return f"{len(usable)} Vulkan device(s) can be used"
    found = "; ".join(reasons) if reasons else "the loader found no driver in " + ", ".join(api.manifest_folders())
    hint = "" if api.install_hint() in found else f"; {api.install_hint()}"
    return f"no Vulkan device can be used: {found}{hint}; Device.host() needs no driver"


@atexit.register
def _silence() -> None:
    for message in _messages:
        _log.warning("validation: %s", message)
