"""Files that hold one block of bytes, written atomically and known to be whole when they are read.

A file is a header of 56 bytes and the payload:

    ==========  =======================================================
    bytes       content
    ==========  =======================================================
    0 to 8      ``\\x89AGRAPH\\n``
    8 to 12     version of the format, unsigned, little endian: 1
    12 to 16    zeros
    16 to 24    length of the payload, unsigned, little endian
    24 to 56    SHA-256 of the payload
    from 56     the payload
    ==========  =======================================================
"""

from __future__ import annotations

import hashlib
import os
import struct

from autograph.errors import CheckpointError
from krnlpy import files
from krnlpy.errors import FileError

_MAGIC = b"\x89AGRAPH\n"
_VERSION = 1
_HEADER = struct.Struct("<8sIIQ32s")


def write_container(path: str | os.PathLike[str], payload: bytes) -> None:
    """Writes a file so that at any moment either the old or the new one is there, whole.

    Raises:
        CheckpointError: it cannot be written, for example because the disk is full; what was there stays as it was.
    """
    header = _HEADER.pack(_MAGIC, _VERSION, 0, len(payload), hashlib.sha256(payload).digest())
    try:
        path = files.checked_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, header, payload)
    except FileError as error:
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"{path} was not written: its folder cannot be made: {error}") from error


def read_container(path: str | os.PathLike[str]) -> bytes:
    """The payload of a file that was written by :func:`write_container`.

    Raises:
        CheckpointError: the file is none, of a newer version, truncated or changed; the message says where.
        FileMissing: it is not there. FileError: it cannot be opened.
    """
    with files.opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        header = file.read(_HEADER.size)
        if header[:8] != _MAGIC[: len(header)]:
            raise CheckpointError(f"{path} is not an autograph file: bytes 0 to 8 are {header[:8]!r}, not {_MAGIC!r}")
        if len(header) < _HEADER.size:
            raise CheckpointError(f"{path} is truncated: it ends at byte {size}, within the header of {_HEADER.size}")
        _, version, zero, length, digest = _HEADER.unpack(header)
        if version != _VERSION or zero:
            raise CheckpointError(
                f"{path} has version {version}.{zero} of the format (bytes 8 to 16), this program knows {_VERSION}.0:"
                " the file is damaged or of a newer version"
            )
        expected = _HEADER.size + length
        if size != expected:
            what = "truncated" if size < expected else "longer than it says"
            raise CheckpointError(
                f"{path} is {what}: it has {size} bytes, and by its header (bytes 16 to 24) {expected}"
            )
        payload = file.read(length)
    if len(payload) != length or hashlib.sha256(payload).digest() != digest:
        raise CheckpointError(
            f"{path} is damaged: the SHA-256 of bytes {_HEADER.size} to {expected} is not that of bytes 24 to 56"
        )
    return payload
