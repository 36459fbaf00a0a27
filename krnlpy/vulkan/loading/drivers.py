"""The drivers' manifests: which the loader is told of, and what is wrong with one that it cannot use.

The loader skips a driver that it cannot load without a word to the program, so the reasons are looked for here. A
manifest that it cannot read makes some loaders give up on all drivers, and others crash: it is kept from them.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from krnlpy import files

_ONLY = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
"""Variables that name the only drivers to look at; older loaders know the second one alone."""
_ADDED = "VK_ADD_DRIVER_FILES"
_ENTRIES = ("vk_icdGetInstanceProcAddr", "vk_icdNegotiateLoaderICDInterfaceVersion", "vkGetInstanceProcAddr")
"""Of these each driver has one."""
_MAX_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """A driver's manifest.

    Attributes:
        library: the driver, as the manifest names it; "" where it names none.
        api_version: the version of Vulkan that it says it supports, or "".
        problem: why the loader cannot use it; None where nothing is wrong.
    """

    path: Path
    library: str = ""
    api_version: str = ""
    problem: str | None = None


def only_named() -> str | None:
    """The environment variable that makes the loader look at the drivers it names and at no others."""
    return next((name for name in _ONLY if os.environ.get(name)), None)


def named_manifests() -> list[Path]:
    """What the environment names: files, or folders of them."""
    named = [p for name in (only_named(), _ADDED) if name for p in _paths(name)]
    return [file for path in named for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]


def installed_manifests() -> list[Path]:
    """The manifests in the folders where the loader looks. On Windows drivers are named in the registry instead."""
    return [file for folder in folders() for file in sorted(folder.glob("*.json"))]


def all_manifests() -> list[Path]:
    """Those that the loader looks at."""
    return named_manifests() + ([] if only_named() else installed_manifests())


def folders() -> list[Path]:
    """Where the loader looks for manifests, first things first."""
    if sys.platform == "win32":
        return []
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    bases = _paths("XDG_CONFIG_HOME") or [home / ".config"]
    bases += _paths("XDG_CONFIG_DIRS") or [Path("/etc/xdg")]
    bases += [Path("/usr/local/etc"), Path("/etc")]
    bases += _paths("XDG_DATA_HOME") or [home / ".local/share"]
    bases += _paths("XDG_DATA_DIRS") or [Path("/usr/local/share"), Path("/usr/share")]
    if sys.platform == "darwin":
        prefixes = [*_paths("HOMEBREW_PREFIX"), Path("/opt/homebrew")]
        bases += [prefix / part for prefix in prefixes for part in ("etc", "share")]
        bases += [path / "share" for path in _paths("VULKAN_SDK")]
    return list(dict.fromkeys(base / "vulkan" / "icd.d" for base in bases))


def _paths(variable: str) -> list[Path]:
    return [Path(p) for p in os.environ.get(variable, "").split(os.pathsep) if p]


def problems(manifests: list[Path], load: bool = True) -> list[str]:
    """A sentence for each manifest that cannot be used or, if that is to be tried, whose driver cannot be loaded."""
    return [f"{m.path}: {m.problem}" for m in (read_manifest(path, load) for path in manifests) if m.problem]


@contextmanager
def readable_manifests() -> Iterator[bool]:
    """Within it the environment names what the loader would look at without the files that are no manifests; where
    there are none of these, it is left alone. Gives whether anything is left to look at."""
    found = all_manifests()
    good = [path for path in found if read_manifest(path, load=False).library]
    if len(good) == len(found):
        yield True
        return
    before = {name: os.environ.get(name) for name in (*_ONLY, _ADDED)}
    listed = os.pathsep.join(map(str, good))
    try:
        if sys.platform == "win32" and not only_named():  # what the registry names cannot be named here
            os.environ[_ADDED] = listed
            yield True
        else:
            os.environ.update(dict.fromkeys(_ONLY, listed))
            os.environ.pop(_ADDED, None)
            yield bool(good)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def read_manifest(path: Path, load: bool = True) -> Manifest:
    """What a manifest says, and what is wrong with it or, if that is to be loaded, with its driver."""
    try:
        icd = json.loads(files.read(path, _MAX_MANIFEST_BYTES))["ICD"]
        library, version = icd["library_path"], icd.get("api_version")
    except FileNotFoundError:
        return Manifest(path, problem="no such file")
    except OSError as error:
        return Manifest(path, problem=error.strerror or str(error))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Manifest(path, problem="not a driver's manifest (expected JSON with ICD.library_path)")
    if not isinstance(library, str) or not library:
        problem = f"not a driver's manifest (ICD.library_path is {library!r}, expected the name of a file)"
        return Manifest(path, problem=problem)
    if not isinstance(version, str) or not re.match(r"\d+\.\d+", version):
        problem = f"its ICD.api_version is {version!r}, expected a version such as '1.2.0'"
        return Manifest(path, library, problem=problem)
    return Manifest(path, library, version, _problem_of(path, library, load))


def _problem_of(path: Path, library: str, load: bool) -> str | None:
    """Why a driver cannot be loaded."""
    if "/" in library or "\\" in library:
        library = str(path.parent / library)  # which is library itself where that is absolute
        if not Path(library).exists():
            return f"its driver {library} does not exist"
    if not load or sys.platform == "win32":
        return None  # there, libraries of other architectures raise a dialogue
    try:
        loaded = ctypes.CDLL(library)  # as the loader does
    except (OSError, ValueError) as error:
        return f"its driver cannot be loaded: {error}"
    if not any(hasattr(loaded, name) for name in _ENTRIES):
        return f"{library} is not a Vulkan driver: it has no vk_icdGetInstanceProcAddr"
    return None
