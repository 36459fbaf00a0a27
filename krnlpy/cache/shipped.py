"""Kernels that a package ships compiled: one file beside its modules, in which SPIR-V is found by its GLSL's hash.

The file is looked at when a kernel of the package is compiled for the first time in a process. What is not in it is
compiled as usual: a kernel that was changed, or one for a kind of device that was not foreseen.
"""

from __future__ import annotations

import logging
import sys
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cbor2

from krnlpy import files

from .entry import packed, unpacked
from .store import last_lookup

_log = logging.getLogger(__name__)

FILE = "krnlpy-kernels.cbor"
"""The file's name, in the folder of the package."""

_MAX_FILE_BYTES = 64 << 20
_MAX_GROUP_BYTES = 64 << 20
"""Of the modules of one kernel, inflated."""

_packages: set[str] = set()


@dataclass(frozen=True)
class Group:
    """The modules of one kernel for all kinds of devices: compressed together, since they differ in little.

    Attributes:
        name: the kernel's, with its types.
        contents: :func:`krnlpy.dsl.spirv.module.content_hash` of the GLSL of each, in ascending order.
        sizes: of each, in bytes.
        compressed: the modules one after the other, in zlib's format.
    """

    name: str
    contents: tuple[str, ...]
    sizes: tuple[int, ...]
    compressed: bytes

    @classmethod
    def of(cls, name: str, modules: Mapping[str, bytes]) -> Group:
        """The group of a kernel's modules, by content."""
        ordered = dict(sorted(modules.items()))
        data = b"".join(ordered.values())
        return cls(name, tuple(ordered), tuple(map(len, ordered.values())), zlib.compress(data, 9))

    def module(self, content: str) -> bytes:
        """The SPIR-V of a content. Raises ValueError where the group is damaged."""
        if sum(self.sizes) > _MAX_GROUP_BYTES:
            raise ValueError(f"the modules of {self.name} are too large")
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(self.compressed, sum(self.sizes))
        except zlib.error as error:
            raise ValueError(f"the modules of {self.name} cannot be inflated: {error}") from error
        if len(data) != sum(self.sizes):
            raise ValueError(f"the modules of {self.name} are {len(data)} bytes, expected {sum(self.sizes)}")
        place = self.contents.index(content)
        start = sum(self.sizes[:place])
        return data[start : start + self.sizes[place]]


def announce(module: str | None) -> None:
    """Says that a Python module has kernels: its package may ship them compiled. What a notebook or ``exec`` defines
    may be of no module."""
    if module:
        _packages.add(module.partition(".")[0])


def find(content: str) -> bytes | None:
    """The SPIR-V of a shader that a package with kernels ships, or None."""
    for package in tuple(_packages):
        groups = _shipped_by(package)
        if content in groups:
            try:
                module = groups[content].module(content)
                last_lookup.found = True
                return module
            except ValueError as error:
                _tell(package, error)
    return None


def folder_of(package: str) -> Path | None:
    """The folder of an imported package; None if it is not a package."""
    places = [*getattr(sys.modules.get(package), "__path__", ())]
    return Path(places[0]) if places else None


@cache
def _shipped_by(package: str) -> dict[str, Group]:
    """The groups of a package, by the contents of their modules."""
    folder = folder_of(package)
    if folder is None:
        return {}
    try:
        return {content: group for group in read(folder / FILE, package) for content in group.contents}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _tell(package, error)
        return {}


def _tell(package: str, error: Exception) -> None:
    _log.warning("the kernels that %s ships cannot be read, and are compiled anew: %s", package, error)


def write(path: Path, package: str, groups: Iterable[Group]) -> None:
    """Writes the file of a package. The same modules make the same bytes."""
    content = [[g.name, g.contents, g.sizes, g.compressed] for g in sorted(groups, key=lambda g: g.name)]
    files.write(path, packed(_key(package), cbor2.dumps(content)))


def read(path: Path, package: str) -> list[Group]:
    """The groups in the file of a package.

    Raises:
        ValueError: it is damaged, or of another package. OSError: it can't be read.
    """
    payload = unpacked(files.read(path, _MAX_FILE_BYTES), _key(package))
    if payload is None:
        raise ValueError(f"{path} is damaged, or not of {package}, or of another version of krnlpy")
    try:
        groups = [Group(n, tuple(c), tuple(s), z) for n, c, s, z in cbor2.loads(payload)]
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        raise ValueError(f"{path} is not what krnlpy writes: {error}") from error
    for g in groups:
        kinds = [*map(type, (g.name, g.compressed, *g.contents, *g.sizes))]
        count = len(g.contents)
        if kinds != [str, bytes, *[str] * count, *[int] * count] or min(g.sizes, default=0) < 0:
            raise ValueError(f"{path} is not what krnlpy writes: {g.name!r} has parts of other types")
    return groups


def _key(package: str) -> str:
    return f"krnlpy kernels 1, {package}"
