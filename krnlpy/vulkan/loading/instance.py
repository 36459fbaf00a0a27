"""The Vulkan instance of this process and the devices in it."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any, Protocol

from krnlpy import config
from krnlpy.errors import DeviceBusy, DeviceError, DeviceUnavailable
from krnlpy.locks import is_mine, renew_after_fork

from . import cooperative, debug_labels
from .api import Api, load
from .description import PhysicalDevice, describe
from .drivers import all_manifests, installed_manifests, named_manifests, only_named, problems, readable_manifests
from .loader import install_line
from .validation import LAYER, Validation

_FUNCTIONS = (
    "vkCreateDevice",
    "vkDestroyInstance",
    "vkEnumerateDeviceExtensionProperties",
    "vkEnumeratePhysicalDevices",
    "vkGetDeviceProcAddr",
    "vkGetPhysicalDeviceFeatures2",
    "vkGetPhysicalDeviceMemoryProperties",
    "vkGetPhysicalDeviceMemoryProperties2",
    "vkGetPhysicalDeviceProperties",
    "vkGetPhysicalDeviceProperties2",
    "vkGetPhysicalDeviceQueueFamilyProperties",
)
_PORTABILITY = "VK_KHR_portability_enumeration"
_PORTABILITY_BIT = 1
_VULKAN_1_2 = (1 << 22) | (2 << 12)


class OpenBackend(Protocol):
    """What an instance knows of the backends that use it."""

    def hold(self) -> None: ...

    def close(self) -> None: ...


class Instance:
    """An instance, its usable devices in the loader's order, and why others cannot be used.

    Raises:
        DeviceUnavailable: no loader, or none of Vulkan 1.2; or validation is asked for and not installed.

    Attributes:
        has_debug_labels: whether VK_EXT_debug_utils is enabled, to name what devices have and do.
    """

    def __init__(self) -> None:
        self.api = load()
        self.pid = os.getpid()
        try:
            with readable_manifests() as any_left:
                if not any_left:
                    raise DeviceUnavailable(f"no driver's manifest can be read; {install_line()}")
                handle, self._validation, self.has_debug_labels = _create(self.api)
        except DeviceError as error:
            found = problems(all_manifests())
            raise DeviceUnavailable("; ".join([str(error), *found])) from None
        self._handle = handle
        self.functions = self.api.functions(_FUNCTIONS, self.api.lib.vkGetInstanceProcAddr, handle)
        self.open_backends: list[OpenBackend] = []  # which close before the instance does
        self.devices: list[PhysicalDevice] = []
        self.reasons = problems(named_manifests())
        if not only_named():  # to load each driver that is installed would take its time
            self.reasons += problems(installed_manifests(), load=False)
        try:
            self._find_devices(handle)
        except BaseException:
            self.close()
            raise

    def _find_devices(self, handle: Any) -> None:
        if self.api.lib.vkGetInstanceProcAddr(handle, cooperative.FUNCTION.encode()) != self.api.ffi.NULL:
            optional = self.api.functions((cooperative.FUNCTION,), self.api.lib.vkGetInstanceProcAddr, handle)
            vars(self.functions).update(vars(optional))
        if self._validation is not None:
            self._validation.start(handle)
        for physical in self._physical_devices():
            device = describe(self.api, self.functions, physical, len(self.devices))
            if isinstance(device, str):
                self.reasons.append(device)
            else:
                self.devices.append(device)
        if not self.devices:
            self._add_reasons()

    def _physical_devices(self) -> list[Any]:
        function = self.functions.vkEnumeratePhysicalDevices
        try:
            return self.api.enumerate("VkPhysicalDevice", function, self._handle)
        except DeviceError as error:
            self.reasons.append(f"the Vulkan loader found no device: {error}")
            self._add_reasons()
            raise DeviceUnavailable("; ".join(self.reasons)) from None

    def _add_reasons(self) -> None:
        if variable := only_named():
            listed = ", ".join(map(str, named_manifests())) or "none"
            self.reasons.append(f"only these drivers are looked at ({variable}): {listed}")
            return
        installed = installed_manifests()
        self.reasons += [problem for problem in problems(installed) if problem not in self.reasons]
        listed = ", ".join(map(str, installed)) or "none"
        self.reasons.append(f"the Vulkan loader found no usable device; manifests of drivers: {listed}")
        if not installed:
            self.reasons.append(install_line())

    def close(self) -> None:
        """Closes its open backends and destroys the instance."""
        for backend in self.open_backends[:]:
            backend.close()
        if self._validation is not None:
            self._validation.stop()
        self.functions.vkDestroyInstance(self._handle, self.api.ffi.NULL)


def _create(api: Api) -> tuple[Any, Validation | None, bool]:
    # Loaders of Vulkan 1.0 lack this function and refuse any later version.
    if api.lib.vkGetInstanceProcAddr(api.ffi.NULL, b"vkEnumerateInstanceVersion") == api.ffi.NULL:
        raise DeviceUnavailable("the Vulkan loader is of version 1.0; install one of 1.2 or later")
    layers = {
        api.text(layer.layerName)
        for layer in api.enumerate("VkLayerProperties", api.lib.vkEnumerateInstanceLayerProperties)
    }
    extensions = {
        api.text(extension.extensionName)
        for extension in api.enumerate(
            "VkExtensionProperties", api.lib.vkEnumerateInstanceExtensionProperties, api.ffi.NULL
        )
    }
    validation = Validation(api, layers) if config.validate else None
    has_debug_labels = debug_labels.is_wanted() and debug_labels.EXTENSION in extensions
    enabled = [_PORTABILITY] if _PORTABILITY in extensions else []
    if validation or has_debug_labels:  # the layer brings the extension, whatever the loader lists
        enabled.append(debug_labels.EXTENSION)
    names = [LAYER] if validation else []
    info = api.struct(
        "VkInstanceCreateInfo",
        pNext=validation.features if validation else api.ffi.NULL,
        flags=_PORTABILITY_BIT if _PORTABILITY in enabled else 0,
        pApplicationInfo=api.struct("VkApplicationInfo", pApplicationName="krnlpy", apiVersion=_VULKAN_1_2),
        enabledLayerCount=len(names),
        ppEnabledLayerNames=names,
        enabledExtensionCount=len(enabled),
        ppEnabledExtensionNames=enabled,
    )
    instance = api.new("VkInstance *")
    result = api.lib.vkCreateInstance(info, api.ffi.NULL, instance)
    if result == api.VK_ERROR_INCOMPATIBLE_DRIVER:
        raise DeviceUnavailable(
            "the Vulkan loader found no driver; for a GPU install its maker's driver or Mesa's; " + install_line()
        )
    api.check(result, "create an instance")
    return instance[0], validation, has_debug_labels


_lock = threading.RLock()
renew_after_fork(__name__, "_lock")
_instance: Instance | None = None


def instance() -> Instance:
    """The instance of this process, created by the first call.

    Raises:
        DeviceUnavailable: as :class:`Instance`; or the process was forked from one that used Vulkan.
    """
    global _instance
    if _instance is None and is_mine(_lock):
        raise DeviceBusy("Vulkan can't be used within its first use, which was interrupted")
    with _lock:
        if _instance is None:
            _instance = Instance()
            atexit.register(_end)
        if _instance.pid != os.getpid():
            raise DeviceUnavailable(FORKED)
        return _instance


FORKED = (
    "this process was forked from one that used Vulkan, which drivers do not survive; start processes by "
    "multiprocessing.get_context('spawn'), or use Vulkan only after the fork"
)


def _end() -> None:
    """At the end of the process: threads that still run (daemons) come to rest where they next use a device."""
    if _instance is not None and _instance.pid == os.getpid():
        for backend in _instance.open_backends:
            backend.hold()
    _close()


def _close() -> None:
    global _instance
    if _instance is not None and _instance.pid == os.getpid():
        _instance.close()
        _instance = None
