"""The drivers' manifests: which the loader is told of, and what is wrong with one that it cannot use.

The loader skips a driver that it cannot load without a word to the program, so the reasons are looked for here.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

_NAMING = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES")
_FOLDERS = (
    "~/.config/vulkan/icd.d",
    "/etc/xdg/vulkan/icd.d",
    "/usr/local/etc/vulkan/icd.d",
    "/etc/vulkan/icd.d",
    "~/.local/share/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/usr/share/vulkan/icd.d",
    "/opt/homebrew/share/vulkan/icd.d",
    "/opt/homebrew/etc/vulkan/icd.d",
)


def named_manifests() -> list[Path]:
    """What ``VK_DRIVER_FILES``, ``VK_ICD_FILENAMES`` and ``VK_ADD_DRIVER_FILES`` name: files, or folders of them."""
    named = [Path(p) for name in _NAMING for p in os.environ.get(name, "").split(os.pathsep) if p]
    return [file for path in named for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]


def installed_manifests() -> list[Path]:
    """The manifests in the folders where the loader looks (on Windows it asks the registry instead)."""
    return [file for folder in _FOLDERS for file in sorted(Path(folder).expanduser().glob("*.json"))]


def problems(manifests: list[Path]) -> list[str]:
    """A sentence for each manifest of a driver that cannot be loaded."""
    return [sentence for path in manifests if (sentence := _problem(path))]


def _problem(path: Path) -> str | None:
    try:
        library = json.loads(path.read_bytes())["ICD"]["library_path"]
    except FileNotFoundError:
        return f"{path}: no such file"
    except OSError as error:
        return f"{path}: {error.strerror}"
    except (ValueError, KeyError, TypeError):
        return f"{path}: not a driver's manifest (expected JSON with ICD.library_path)"
    if not isinstance(library, str):
        return f"{path}: not a driver's manifest (ICD.library_path is {library!r}, expected text)"
    if "/" in library or "\\" in library:
        library = str(path.parent / library)  # which is library itself where that is absolute
        if not Path(library).exists():
            return f"{path}: its driver {library} does not exist"
    if sys.platform == "win32":
        return None  # libraries of other architectures raise a dialogue there
    try:
        ctypes.CDLL(library)  # as the loader does
    except OSError as error:
        return f"{path}: its driver cannot be loaded: {error}"
    return None
