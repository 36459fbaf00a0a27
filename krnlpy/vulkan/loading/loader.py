"""The Vulkan loader's library: where it is looked for on each system, and which one was found.

The ``vulkan`` package brings the declarations. What it opens by itself is one name a system, and its thousands of
wrappers take longer to import than a device to open: only its declarations are loaded.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from krnlpy.errors import DeviceUnavailable

_NAMES = {
    "win32": ("vulkan-1.dll",),
    "darwin": ("libvulkan.1.dylib", "libvulkan.dylib"),
}
_NAMES_ELSEWHERE = ("libvulkan.so.1", "libvulkan.so")
_MOLTEN_VK = "libMoltenVK.dylib"

INSTALL = {
    "linux": (
        "Debian and Ubuntu: `apt install libvulkan1 mesa-vulkan-drivers`; Fedora: `dnf install vulkan-loader"
        " mesa-vulkan-drivers`; Arch: `pacman -S vulkan-icd-loader vulkan-swrast`"
    ),
    "darwin": "macOS: `brew install vulkan-loader molten-vk`",
    "win32": "Windows: the GPU's driver brings it; else `winget install KhronosGroup.VulkanRT`",
}
"""What installs a loader and drivers, by ``sys.platform``."""


def install_line() -> str:
    """What installs a loader and drivers on this system."""
    return INSTALL.get(sys.platform, INSTALL["linux"])


def library_folders() -> list[Path]:
    """Folders of libraries that the system's own search leaves out: the Vulkan SDK's, and on macOS Homebrew's."""
    sdk = os.environ.get("VULKAN_SDK")
    folders = [Path(sdk) / ("Bin" if sys.platform == "win32" else "lib")] if sdk else []
    if sys.platform == "darwin":
        prefix = os.environ.get("HOMEBREW_PREFIX")
        folders += [Path(p) / "lib" for p in (prefix, "/opt/homebrew", "/usr/local") if p]
    return list(dict.fromkeys(folders))


def candidates() -> Iterator[str]:
    """What is tried: names, which the system looks for, then files in further folders.

    MoltenVK comes last: without a loader it is a driver that is called directly.
    """
    names = _NAMES.get(sys.platform, _NAMES_ELSEWHERE)
    for group in (names, (_MOLTEN_VK,)) if sys.platform == "darwin" else (names,):
        yield from group
        yield from (str(folder / name) for folder in library_folders() for name in group if (folder / name).exists())


def open_loader() -> tuple[Any, Any]:
    """cffi's ``ffi`` with the declarations of Vulkan, and the loader as its ``lib``.

    Raises:
        DeviceUnavailable: there is none; says what was looked for and what to install.
    """
    ffi = _declarations()
    refused = []
    for name in candidates():
        try:
            return ffi, ffi.dlopen(name)
        except OSError as error:
            if "no such file" not in str(error).lower() and "0x7e" not in str(error):  # there, but of no use
                refused.append(str(error))
    names = [*_NAMES.get(sys.platform, _NAMES_ELSEWHERE), *([_MOLTEN_VK] if sys.platform == "darwin" else [])]
    raise DeviceUnavailable("; ".join([f"no Vulkan loader: looked for {', '.join(names)}", *refused, install_line()]))


def _declarations() -> Any:
    found = importlib.util.find_spec("vulkan")
    for folder in (found and found.submodule_search_locations) or ():
        path = Path(folder) / "_vulkancache.py"
        spec = importlib.util.spec_from_file_location("krnlpy.vulkan._declarations", path) if path.exists() else None
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module.ffi
    raise DeviceUnavailable("the package vulkan is missing, or not the one of that name on PyPI: `pip install vulkan`")


class _SymbolInfo(ctypes.Structure):
    """``Dl_info``."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def file_of(address: int) -> str | None:
    """The library that has the code at an address; None where the system does not say."""
    try:
        if sys.platform == "win32":
            return _windows_file_of(address)
        info = _SymbolInfo()
        found = ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(info))
        return os.fsdecode(info.file) if found and info.file else None
    except (OSError, AttributeError):
        return None


def _windows_file_of(address: int) -> str | None:
    kernel32 = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    module = ctypes.c_void_p()
    from_address_without_counting = 0x4 | 0x2
    if not kernel32.GetModuleHandleExW(from_address_without_counting, ctypes.c_void_p(address), ctypes.byref(module)):
        return None
    text = ctypes.create_unicode_buffer(32768)
    return text.value if kernel32.GetModuleFileNameW(module, text, len(text)) else None
