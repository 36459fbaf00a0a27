"""The Vulkan backend: the only code that calls Vulkan."""

from __future__ import annotations

from krnlpy.device_info import DeviceInfo
from krnlpy.errors import DeviceError, DeviceUnavailable

from .backend import VulkanBackend
from .loading.api import load
from .loading.description import version_text
from .loading.drivers import Manifest, all_manifests, problems, read_manifest
from .loading.instance import instance
from .loading.loader import file_of
from .loading.validation import LAYER, take_validation_messages
from .memory.heaps import Heap, heaps

__all__ = [
    "VulkanBackend",
    "enumerate_devices",
    "explain_unavailable",
    "loader_file",
    "loader_version",
    "manifests",
    "memory_heaps",
    "open_device",
    "take_validation_messages",
    "validation_layer_version",
]


def enumerate_devices() -> tuple[list[DeviceInfo], list[str]]:
    """The devices that can be used, in the loader's order, and why others cannot.

    Returns:
        The devices, and one sentence for each loader, driver or device that cannot be used.
    """
    try:
        found = instance()
    except DeviceUnavailable as error:
        return [], [str(error)]
    except DeviceError as error:  # of one driver or another, which the loader does not name
        return [], [f"the Vulkan loader failed: {error}", *problems(all_manifests())]
    return [device.info for device in found.devices], list(found.reasons)


def open_device(index: int) -> VulkanBackend:
    """Opens a device.

    Args:
        index: in the list of :func:`enumerate_devices`.

    Raises:
        DeviceUnavailable: there is no such device, or it cannot be opened.
    """
    devices = instance().devices
    if not 0 <= index < len(devices):
        listed = ", ".join(f"{i} {device.info.name}" for i, device in enumerate(devices))
        raise DeviceUnavailable(
            f"Vulkan device {index}: expected one of: {listed}" if devices else explain_unavailable()
        )
    return VulkanBackend(instance(), devices[index])


def explain_unavailable() -> str:
    """Why there is no Vulkan device that can be used: what was looked for and found, and what to install."""
    devices, reasons = enumerate_devices()
    if devices:
        return "; ".join([f"Vulkan has {', '.join(device.name for device in devices)}", *reasons])
    return "; ".join([*reasons, "Device.host() needs no driver"])


def loader_version() -> str | None:
    """The Vulkan version of the loader; None if no loader can be used."""
    try:
        api = load()
        names, get = ("vkEnumerateInstanceVersion",), api.lib.vkGetInstanceProcAddr
        function = api.functions(names, get, api.ffi.NULL).vkEnumerateInstanceVersion
    except DeviceUnavailable:
        return None
    version = api.new("uint32_t *")
    api.check(function(version), "ask for its version")
    return version_text(version[0])


def loader_file() -> str | None:
    """The file of the loader; None if there is none, or the system does not say."""
    try:
        api = load()
    except DeviceUnavailable:
        return None
    function = api.ffi.addressof(api.lib, "vkGetInstanceProcAddr")
    return file_of(int(api.ffi.cast("uintptr_t", function)))


def manifests(load: bool = True) -> list[Manifest]:
    """The manifests of drivers that the loader looks at, and what is wrong with some.

    Args:
        load: whether to try if a driver can be loaded.
    """
    return [read_manifest(path, load) for path in all_manifests()]


def memory_heaps(index: int) -> tuple[Heap, ...]:
    """The memory of a device, by its index in the list of :func:`enumerate_devices`, as it is now."""
    found = instance()
    return heaps(found.api, found.functions, found.devices[index].handle)


def validation_layer_version() -> str | None:
    """The version of the validation layer; None where it is not installed."""
    try:
        api = load()
    except DeviceUnavailable:
        return None
    for layer in api.enumerate("VkLayerProperties", api.lib.vkEnumerateInstanceLayerProperties):
        if api.text(layer.layerName) == LAYER:
            return version_text(layer.specVersion)
    return None
