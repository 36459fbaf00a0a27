"""The Vulkan backend: the only code that calls Vulkan."""

from __future__ import annotations

from krnlpy.backend import DeviceInfo
from krnlpy.errors import DeviceUnavailable

from .api import load
from .backend import VulkanBackend
from .instance import instance
from .validation import take_validation_messages

__all__ = [
    "VulkanBackend",
    "enumerate_devices",
    "explain_unavailable",
    "loader_version",
    "open_device",
    "take_validation_messages",
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
    """The Vulkan version of the loader; None if there is none that can be used."""
    try:
        api = load()
        names, get = ("vkEnumerateInstanceVersion",), api.lib.vkGetInstanceProcAddr
        function = api.functions(names, get, api.ffi.NULL).vkEnumerateInstanceVersion
    except DeviceUnavailable:
        return None
    version = api.new("uint32_t *")
    api.check(function(version), "ask for its version")
    return f"{version[0] >> 22 & 0x7F}.{version[0] >> 12 & 0x3FF}.{version[0] & 0xFFF}"
