"""The Vulkan loader's functions, called raw through cffi; results checked, structs kept alive.

Only the declarations of the ``vulkan`` package are used: its wrapper functions cost microseconds a call and lose nested
structs. Every struct handed to a call is held by a Python name until the call returns.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from krnlpy.errors import DeviceError, DeviceLost, DeviceUnavailable, OutOfMemory

WHOLE_SIZE = 0xFFFF_FFFF_FFFF_FFFF
FOREVER = 0xFFFF_FFFF_FFFF_FFFF

LOADER_NAMES = {
    "linux": ("libvulkan.so.1", "libvulkan.so"),
    "darwin": ("libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib"),
    "win32": ("vulkan-1.dll",),
}
INSTALL = {
    "linux": "on Debian and Ubuntu: apt install libvulkan1 mesa-vulkan-drivers",
    "darwin": "install the Vulkan SDK, or: brew install vulkan-loader molten-vk",
    "win32": "install the driver of your graphics card's maker",
}


def _declarations() -> Any:
    # The package's own __init__ loads the loader and fails without one; its declarations are a module beside it.
    package = importlib.util.find_spec("vulkan")
    if package is None or not package.submodule_search_locations:
        raise DeviceUnavailable("the Python package vulkan is missing; install it: pip install vulkan")
    path = Path(package.submodule_search_locations[0]) / "_vulkancache.py"
    spec = importlib.util.spec_from_file_location("krnlpy.vulkan._declarations", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ffi


@cache
def ffi() -> Any:
    """cffi's interface with all of Vulkan's declarations."""
    return _declarations()


def loader_names() -> tuple[str, ...]:
    """Names under which the loader is looked for on this platform."""
    return LOADER_NAMES.get(sys.platform, LOADER_NAMES["linux"])


def install_hint() -> str:
    """What installs a loader and a driver here."""
    return INSTALL.get(sys.platform, INSTALL["linux"])


@cache
def lib() -> Any:
    """The loader.

    Raises:
        DeviceUnavailable: there is none.
    """
    reasons = []
    for name in (*loader_names(), ctypes.util.find_library("vulkan")):
        if name is None:
            continue
        try:
            return ffi().dlopen(name)
        except OSError as error:
            reasons.append(f"{name}: {str(error).splitlines()[0]}")
    raise DeviceUnavailable(
        f"no Vulkan loader: looked for {', '.join(loader_names())} ({'; '.join(reasons)}); {install_hint()}"
    )


_SPECIAL = {"Vulkan11": "VULKAN_1_1", "Vulkan12": "VULKAN_1_2", "Vulkan13": "VULKAN_1_3"}


@cache
def _structure_type(name: str) -> int | None:
    stem = name.removeprefix("Vk")
    for plain, spelled in _SPECIAL.items():
        stem = stem.replace(plain, f"_{spelled}_")
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", stem)
    return getattr(lib(), "VK_STRUCTURE_TYPE_" + "_".join(w.upper() for w in words), None)


def struct(name: str, **fields: Any) -> Any:
    """A new struct with its sType set. The caller keeps everything that the fields point to."""
    result = ffi().new(f"{name} *")
    if hasattr(result, "sType"):
        kind = _structure_type(name)
        assert kind is not None, name
        result.sType = kind
    for field, value in fields.items():
        setattr(result, field, value)
    return result


def text(characters: Any) -> str:
    """A C string."""
    result = ffi().string(characters)
    return result.decode(errors="replace") if isinstance(result, bytes) else str(result)


_NAMES = {
    -1: "VK_ERROR_OUT_OF_HOST_MEMORY",
    -2: "VK_ERROR_OUT_OF_DEVICE_MEMORY",
    -3: "VK_ERROR_INITIALIZATION_FAILED",
    -4: "VK_ERROR_DEVICE_LOST",
    -5: "VK_ERROR_MEMORY_MAP_FAILED",
    -6: "VK_ERROR_LAYER_NOT_PRESENT",
    -7: "VK_ERROR_EXTENSION_NOT_PRESENT",
    -8: "VK_ERROR_FEATURE_NOT_PRESENT",
    -9: "VK_ERROR_INCOMPATIBLE_DRIVER",
    -10: "VK_ERROR_TOO_MANY_OBJECTS",
    -12: "VK_ERROR_FRAGMENTED_POOL",
    -1000069000: "VK_ERROR_OUT_OF_POOL_MEMORY",
}


def check(result: int, what: str) -> int:
    """Passes a VkResult of at least 0 on.

    Raises:
        OutOfMemory, DeviceLost, DeviceUnavailable, DeviceError: by the result's meaning; ``what`` names the call.
    """
    if result >= 0:
        return result
    name = _NAMES.get(result, f"VkResult {result}")
    if result in (-1, -2):
        side = "host" if result == -1 else "device"
        raise OutOfMemory(f"{what}: the {side} is out of memory ({name})")
    if result == -4:
        raise DeviceLost(f"{what}: the device stopped answering ({name}); its buffers are lost")
    if result in (-3, -6, -7, -8, -9):
        raise DeviceUnavailable(f"{what}: {name}")
    raise DeviceError(f"{what}: {name}")


def create(function: Any, parent: Any, info: Any, kind: str, what: str) -> Any:
    """Calls a vkCreate... function and returns the handle."""
    handle = ffi().new(f"{kind} *")
    check(function(parent, info, ffi().NULL, handle), what)
    return handle[0]


def enumerate_all(function: Any, kind: str, *parents: Any) -> list[Any]:
    """The entries of a function that counts first and lists second."""
    count = ffi().new("uint32_t *")
    function(*parents, count, ffi().NULL)
    array = ffi().new(f"{kind}[]", max(count[0], 1))
    if kind.endswith("2") or kind == "VkQueueFamilyProperties2":
        for entry in array:
            entry.sType = _structure_type(kind)
    function(*parents, count, array)
    return [array[i] for i in range(count[0])]


def manifest_folders() -> list[str]:
    """Where the loader looks for drivers, for messages."""
    named = os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES")
    if named:
        return named.split(os.pathsep)
    return ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"]


def device_function(device: Any, name: str) -> Any:
    """A function of one device, called without the loader's detour."""
    pointer = lib().vkGetDeviceProcAddr(device, name.encode())
    return ffi().cast(f"PFN_{name}", pointer)
