"""Data sets that are downloaded: where their files are, how they are known, and where they are looked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import platformdirs

from autograph.errors import DatasetError, DownloadError
from krnlpy import files
from krnlpy.errors import FileError

R = TypeVar("R")


@dataclass(frozen=True)
class Source:
    """What a set is called, where it comes from and how its files are known.

    Attributes:
        title: of the set.
        folder: of its own, below the user's cache folder and below those that a user names.
        names: of its files.
        mirrors: the folders on the web that have them, in order of preference.
        suffix: what the names end in where they are downloaded; elsewhere they may also be unpacked.
        packed_sha256: the hashes of what is downloaded, where they are published.
    """

    title: str
    folder: str
    names: tuple[str, ...]
    mirrors: tuple[str, ...]
    suffix: str = ""
    packed_sha256: dict[str, str] = field(default_factory=dict)

    def check_packed(self, name: str, path: Path) -> None:
        """Raises DatasetError if a file is not the one that is downloaded, as far as that is known."""
        expected = self.packed_sha256.get(name)
        if expected is None:
            return
        try:
            with files.opened(path) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileError as error:
            raise DatasetError(str(error)) from error
        if digest != expected:
            raise DatasetError(f"{path}: SHA-256 is {digest}, expected {expected}")


class NotHere(DownloadError):
    """A set that is not on this machine and could not be downloaded.

    Attributes:
        why: it could not.
    """

    def __init__(self, source: Source, why: DownloadError) -> None:
        self.why = why
        needed = "its file" if len(source.names) == 1 else f"its {len(source.names)} files"
        super().__init__(
            f"{source.title} is not on this machine, and {why}. Put {needed} ("
            f"{', '.join(name + source.suffix for name in source.names)}) into a folder and name that by data_dir or"
            " AUTOGRAPH_DATA"
        )


def load(
    source: Source,
    read: Callable[[dict[str, Path]], R],
    max_bytes: Callable[[str], int],
    data_dir: str | os.PathLike[str] | None,
    *,
    check: Callable[[str, Path], None] | None = None,
    download: bool,
    progress: bool,
) -> tuple[R, str]:
    """Reads a set from a folder that is named, else from the user's cache, into which it is downloaded.

    Args:
        source: of the set.
        read: from the paths of its files, by name, to what they hold; raises DatasetError.
        max_bytes: the most that a file can have.
        data_dir: a folder to look in first; then comes that which AUTOGRAPH_DATA names.
        check: raises DatasetError for a file that was downloaded and is not what it should be, besides its hash.
        download: whether to download what is not on this machine.
        progress: whether to draw progress bars meanwhile.

    Returns:
        What was read, and a sentence that says where it came from.

    Raises:
        NotHere: the set can be had nowhere.
        DatasetError: a folder that was named does not exist or has only some of the files, or a file is damaged or not
            what it should be.
    """
    if data_dir is not None and not isinstance(data_dir, str | os.PathLike):
        raise DatasetError(f"data_dir is {data_dir!r}; expected a path")
    for folder, why in ((data_dir, "data_dir"), (os.environ.get("AUTOGRAPH_DATA"), "AUTOGRAPH_DATA")):
        if folder and (paths := _find(Path(folder), why, source)):
            return read(paths), f"{source.title} from {paths[source.names[0]].parent}"
    cache = Path(platformdirs.user_cache_dir("autograph")) / source.folder
    paths = {name: cache / f"{name}{source.suffix}" for name in source.names}
    if all(path.exists() for path in paths.values()):
        # A damaged file is downloaded again.
        with suppress(DatasetError):
            return read(paths), f"{source.title} from {cache}"
    try:
        if not download:
            raise DownloadError("downloading was not asked for")
        for name, path in paths.items():
            _download(source, name, path, max_bytes(name), check, progress)
    except DownloadError as error:
        raise NotHere(source, error) from None
    return read(paths), f"{source.title} downloaded to {cache}"


def _find(folder: Path, why: str, source: Source) -> dict[str, Path] | None:
    if not folder.is_dir():
        raise DatasetError(f"{why} names {folder}, which is not a folder")
    for place in (folder / source.folder, folder):
        found: dict[str, Path] = {}
        for name in source.names:
            for path in (place / f"{name}{source.suffix}", place / name):
                if path.is_file():
                    found[name] = path
        if found and len(found) < len(source.names):
            missing = ", ".join(name for name in source.names if name not in found)
            raise DatasetError(
                f"{place} has only some of the files of {source.title}; missing, plain or {source.suffix}: {missing}"
            )
        if found:
            return found
    return None


def _download(
    source: Source,
    name: str,
    path: Path,
    max_bytes: int,
    check: Callable[[str, Path], None] | None,
    progress: bool,
) -> None:
    from .download import download  # HTTP, which takes longer to import than most programs need it

    def verify(file: Path) -> None:
        source.check_packed(name, file)
        if check is not None:
            check(name, file)

    urls = [f"{mirror}{name}{source.suffix}" for mirror in source.mirrors]
    download(urls, path, max_bytes=max_bytes, verify=verify, progress=progress)
