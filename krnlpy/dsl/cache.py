"""A content-addressed cache of compiled kernels: one CBOR file an entry, verified whenever it is read.

An entry's key says everything that its payload depends on, so entries never go stale and are never changed.
Nothing that is wrong with a cache stops a kernel: it is compiled anew. Payloads are bytes; nothing is ever
unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import tempfile
from pathlib import Path

import cbor2

_log = logging.getLogger(__name__)

MAX_ENTRY_BYTES = 64 << 20
"""Larger entries are neither written nor read."""


class Cache:
    """Entries in a directory, which is made when the first one is put.

    Args:
        directory: where the entries are; None for a cache that keeps nothing.
        private: for payloads that will be executed. Only a directory is used that belongs to this user and
            that nobody else can change or replace, and only files of which the same is true; otherwise nothing
            is kept.

    >>> import tempfile
    >>> cache = Cache(Path(tempfile.mkdtemp()))
    >>> cache.put("key", b"payload")
    >>> cache.get("key"), cache.get("another")
    (b'payload', None)
    """

    def __init__(self, directory: Path | None, private: bool = False) -> None:
        self._directory = directory
        self._private = private

    def get(self, key: str) -> bytes | None:
        """The payload put under a key, or None. A damaged entry is removed."""
        if self._directory is None:
            return None
        path = self._path(self._directory, key)
        try:
            if self._private and (trouble := _not_private(self._directory)):
                raise PermissionError(trouble)
            data = self._read(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.info("kernel cache: cannot read %s: %s", path, error)
            return None
        payload = None if data is None else _payload(data, key)
        if payload is None:
            _log.info("kernel cache: %s is damaged, removing it", path)
            with contextlib.suppress(OSError):
                path.unlink()
        return payload

    def put(self, key: str, payload: bytes) -> None:
        """Keeps a payload, or goes on without: a read-only directory or a full disk is no error."""
        if self._directory is None:
            return
        digest = hashlib.sha256(payload).digest()
        entry = cbor2.dumps({"key": key, "sha256": digest, "payload": payload})
        if len(entry) > MAX_ENTRY_BYTES:
            return
        try:
            _make_directories(self._directory)
            if self._private and (trouble := _not_private(self._directory)):
                raise PermissionError(trouble)
            _write_atomically(self._path(self._directory, key), entry)
        except (OSError, ValueError) as error:
            _log.info("kernel cache: cannot write to %s: %s", self._directory, error)

    @staticmethod
    def _path(directory: Path, key: str) -> Path:
        return directory / f"{hashlib.sha256(key.encode()).hexdigest()}.cbor"

    def _read(self, path: Path) -> bytes | None:
        """The file's bytes, or None where it can't be an entry."""
        # O_NONBLOCK: opening must not wait where somebody put a pipe in the entry's place.
        with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINKS | _NO_WAIT | _BINARY), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_ENTRY_BYTES:
                return None
            if self._private and not _only_ours(status):
                return None
            return file.read(MAX_ENTRY_BYTES + 1)


_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def _payload(data: bytes, key: str) -> bytes | None:
    try:
        entry = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, MemoryError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.get("key") != key:
        return None
    payload = entry.get("payload")
    if not isinstance(payload, bytes) or entry.get("sha256") != hashlib.sha256(payload).digest():
        return None
    return payload


def _make_directories(directory: Path) -> None:
    """Makes a directory and the missing ones above it so that only this user can enter them."""
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def _write_atomically(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _only_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE


def _not_private(directory: Path) -> str | None:
    """Why somebody else could change what a directory holds, or None where nobody can."""
    if not hasattr(os, "geteuid"):
        return f"on this system it cannot be known who can write to {directory}"
    directory = Path(os.path.realpath(directory))
    if not _only_ours(directory.stat()):
        return f"{directory} does not belong to this user alone"
    # Whoever can write to a directory above can put another in this one's place, but not where only owners of
    # entries may rename them (the sticky bit, as in /tmp).
    for above in directory.parents:
        status = above.stat()
        replaceable = status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, os.geteuid()) or replaceable:
            return f"{above}, above {directory}, can be changed by another user"
    return None
