"""Kernels that a package ships compiled: one file beside its modules, in which SPIR-V is found by its GLSL's hash.

The file is looked at when a kernel of the package is compiled for the first time in a process. What is not in it, since
the kernel was changed or the device is of a kind that nobody thought of, is compiled as ever.
"""

from __future__ import annotations

import logging
import sys
import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cbor2

from .cache_entry import packed, unpacked

_log = logging.getLogger(__name__)

FILE = "krnlpy-kernels.cbor"
"""The file's name, in the folder of the package."""

_MAX_FILE_BYTES = 64 << 20
_MAX_BYTES = 512 << 20
"""Of what a file holds, uncompressed."""

_packages: set[str] = set()
_lock = threading.Lock()


@dataclass(frozen=True, order=True)
class Module:
    """SPIR-V for a kernel.

    Attributes:
        name: the kernel's, with its types.
        content: :func:`krnlpy.dsl.spirv.content_hash` of the GLSL.
    """

    name: str
    content: str
    spirv: bytes


def announce(module: str) -> None:
    """Says that a Python module has kernels: its package may ship them compiled."""
    _packages.add(module.partition(".")[0])


def find(content: str) -> bytes | None:
    """The SPIR-V of a shader that a package with kernels ships, or None."""
    for package in tuple(_packages):
        with _lock:
            modules = _shipped_by(package)
        if content in modules:
            return modules[content]
    return None


def folder_of(package: str) -> Path | None:
    """Where the modules of an imported package lie; None for what is no package."""
    places = [*getattr(sys.modules.get(package), "__path__", ())]
    return Path(places[0]) if places else None


@cache
def _shipped_by(package: str) -> dict[str, bytes]:
    folder = folder_of(package)
    if folder is None:
        return {}
    try:
        return {module.content: module.spirv for module in read(folder / FILE, package)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.warning("the compiled kernels of %s cannot be read, kernels are compiled anew: %s", package, error)
        return {}


def write(path: Path, package: str, modules: Iterable[Module]) -> None:
    """Writes the file of a package. The same modules make the same bytes."""
    content = [[m.name, m.content, m.spirv] for m in sorted(modules)]
    path.write_bytes(packed(_key(package), zlib.compress(cbor2.dumps(content), 9)))


def read(path: Path, package: str) -> list[Module]:
    """The modules in the file of a package.

    Raises:
        ValueError: it is damaged, or of another package. OSError: it can't be read.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    compressed = unpacked(data, _key(package))
    if compressed is None:
        raise ValueError(f"{path} is damaged, or not of {package}, or of another version of krnlpy")
    try:
        inflater = zlib.decompressobj()
        content = cbor2.loads(inflater.decompress(compressed, _MAX_BYTES))
        if not inflater.eof:
            raise ValueError("it is too long")
        modules = [Module(*fields) for fields in content]
        if any([*map(type, (m.name, m.content, m.spirv))] != [str, str, bytes] for m in modules):
            raise TypeError("its modules are of other types")
    except (zlib.error, cbor2.CBORDecodeError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is not what krnlpy writes: {error}") from error
    return modules


def _key(package: str) -> str:
    return f"krnlpy kernels 1, {package}"
