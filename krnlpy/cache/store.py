"""A content-addressed cache of compiled kernels: one CBOR file an entry, verified whenever it is read.

An entry's key says everything that its payload depends on, so entries never go stale and are never changed. Processes
share a cache without locks: a file appears whole or not at all, and two that write the same entry write the same bytes.
Nothing that is wrong with a cache stops a kernel: it is compiled anew. Payloads are bytes; nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from krnlpy import config, files

from .entry import packed, unpacked

_log = logging.getLogger(__name__)

KINDS = {
    "spirv": "SPIR-V",
    "host": "machine code",
    "tuning": "choices of tuned kernels",
    "probes": "answers of drivers",
}
"""The folders of ``config.cache_dir`` that hold entries, and what of."""

MAX_ENTRY_BYTES = 64 << 20
"""Larger entries are neither written nor read."""

_SWEEPS = 16
"""A folder is looked through this often while as many bytes are put as it may hold, so that it may exceed the limit by
one part in so many."""
_KEPT = 0.75
"""Of the limit, when entries are removed; more at once, so that not each entry costs a look at all."""

_ENTRY = re.compile(r"[0-9a-f]{64}\.cbor")


class LastLookup(threading.local):
    """Of this thread's last look for compiled code, in a cache or among what packages ship: whether any was found."""

    found = False


last_lookup = LastLookup()


class Cache:
    """Entries in a directory, which is made when the first one is put.

    It holds at most ``config.cache_bytes``: beyond, the entries go that were not used for the longest time.

    Args:
        directory: where the entries are; None for a cache that keeps nothing.
        private: for payloads that the CPU will execute. Only a directory is used that belongs to this user and that
            nobody else can change or replace; otherwise nothing is kept.

    Where the system knows owners of files, only files are read that belong to this user and that no one else can write.

    >>> import tempfile
    >>> cache = Cache(Path(tempfile.mkdtemp()))
    >>> cache.put("key", b"payload")
    >>> cache.get("key"), cache.get("another")
    (b'payload', None)
    """

    def __init__(self, directory: Path | None, private: bool = False) -> None:
        self._directory = directory
        self._private = private

    @classmethod
    def of(cls, kind: str) -> Cache:
        """The cache of one of the ``KINDS``, below ``config.cache_dir``."""
        return cls(None if config.cache_dir is None else config.cache_dir / kind, private=kind == "host")

    def get(self, key: str) -> bytes | None:
        """The payload put under a key, or None. A damaged entry is removed."""
        payload = self._get(key)
        last_lookup.found = payload is not None
        return payload

    def _get(self, key: str) -> bytes | None:
        if self._directory is None:
            return None
        path = self._path(self._directory, key)
        try:
            if self._private and (trouble := _not_private(self._directory)):
                raise PermissionError(trouble)
            data = _read(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.info("kernel cache: cannot read %s: %s", path, error)
            return None
        payload = None if data is None else unpacked(data, key)
        if payload is None:
            _log.info("kernel cache: %s is damaged, or not this user's alone; removing it", path)
            with contextlib.suppress(OSError):
                path.unlink()
        return payload

    def put(self, key: str, payload: bytes) -> None:
        """Keeps a payload if it can: a read-only directory or a full disk is not an error."""
        if self._directory is None:
            return
        entry = packed(key, payload)
        if len(entry) > min(MAX_ENTRY_BYTES, config.cache_bytes):
            return
        try:
            _make_directories(self._directory)
            if self._private and (trouble := _not_private(self._directory)):
                raise PermissionError(trouble)
            path = self._path(self._directory, key)
            # Not durably: an entry that a power failure damages is found out, and made anew.
            files.write(path, entry, durable=False, private=True)
            if _is_turn(path, len(entry)):
                _sweep(self._directory, config.cache_bytes)
        except (OSError, ValueError) as error:
            _log.info("kernel cache: cannot write to %s: %s", self._directory, error)

    def trouble(self) -> str | None:
        """Why no entry can be kept where one should; None where one can. It tries to write one."""
        if self._directory is None:
            return None
        trial = self._path(self._directory, "trial")
        try:
            _make_directories(self._directory)
            if self._private and (trouble := _not_private(self._directory)):
                return trouble
            files.write(trial, packed("trial", b""), durable=False, private=True)
            trial.unlink()
        except (OSError, ValueError) as error:
            return str(error)
        return None

    def entries(self) -> list[os.DirEntry[str]]:
        """The files of entries; other files in the directory are left out."""
        return [file for file in _files(self._directory) if _ENTRY.fullmatch(file.name)]

    def size(self) -> tuple[int, int]:
        """How many entries there are, and their bytes."""
        sizes = [status.st_size for file in self.entries() if (status := _status(file))]
        return len(sizes), sum(sizes)

    def clear(self) -> int:
        """Removes all entries, what killed processes left of others, and the directory if nothing else is in it.

        Returns:
            The number of entries removed.

        Raises:
            OSError: an entry can't be removed.
        """
        removed = 0
        for file in _files(self._directory):
            if _ENTRY.fullmatch(file.name):
                with contextlib.suppress(FileNotFoundError):
                    Path(file.path).unlink()
                    removed += 1
        if self._directory is not None:
            files.remove_abandoned_parts(self._directory)
            with contextlib.suppress(OSError):
                self._directory.rmdir()
        return removed

    @staticmethod
    def _path(directory: Path, key: str) -> Path:
        return directory / f"{hashlib.sha256(key.encode()).hexdigest()}.cbor"


def _is_turn(path: Path, nbytes: int) -> bool:
    """Whether to make room after putting an entry. Looking at all entries takes long, and no process knows what others
    put; so chance decides, by an entry's own hash, as often as is needed."""
    return int(path.name[:8], 16) * config.cache_bytes < nbytes * _SWEEPS << 32


def _sweep(directory: Path, limit: int) -> None:
    """Removes what killed processes left, and entries that are too many, the least recently used first."""
    files.remove_abandoned_parts(directory)
    found = []
    for file in _files(directory):
        status = _status(file)
        if status is None:
            continue
        if _ENTRY.fullmatch(file.name):
            found.append((status.st_mtime_ns, status.st_size, file.path))
    total = sum(size for _, size, _ in found)
    if total <= limit:
        return
    for _, size, path in sorted(found):
        if total <= _KEPT * limit:
            break
        with contextlib.suppress(OSError):
            Path(path).unlink()
        total -= size


def _files(directory: Path | None) -> Iterator[os.DirEntry[str]]:
    if directory is None:
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
        yield from entries


def _status(file: os.DirEntry[str]) -> os.stat_result | None:
    """Of a plain file that is still there."""
    try:
        status = file.stat(follow_symlinks=False)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def _read(path: Path) -> bytes | None:
    """The file's bytes, or None where it can't be an entry. It counts as used now."""
    # O_NONBLOCK: opening must not wait if a pipe was put in the entry's place.
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINKS | _NO_WAIT | _BINARY), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_ENTRY_BYTES:
            return None
        if hasattr(os, "geteuid") and not _only_ours(status):
            return None
        data = file.read(MAX_ENTRY_BYTES + 1)
        with contextlib.suppress(OSError):  # a cache that can't be written still serves
            os.utime(file.fileno() if os.utime in os.supports_fd else path)
        return data


def _make_directories(directory: Path) -> None:
    """Makes a directory and the missing ones above it so that only this user can enter them."""
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def _only_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE


def _not_private(directory: Path) -> str | None:
    """Why another user could change what a directory holds, or None."""
    if not hasattr(os, "geteuid"):
        return f"on this system it cannot be known who can write to {directory}"
    directory = Path(os.path.realpath(directory))
    if not _only_ours(directory.stat()):
        return f"{directory} does not belong to this user alone"
    # A user who can write to a directory above can put another in this one's place, but not where only owners of
    # entries may rename them (the sticky bit, as in /tmp).
    for above in directory.parents:
        status = above.stat()
        replaceable = status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, os.geteuid()) or replaceable:
            return f"{above}, above {directory}, can be changed by another user"
    return None
