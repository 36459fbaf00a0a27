"""Files out of archives: read into memory, never written by the names that an archive gives them."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from autograph.errors import DatasetError
from krnlpy import files
from krnlpy.errors import FileError


def read_tar(path: Path, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """The content of some files of a tar archive, plain or compressed.

    Args:
        path: of the archive.
        wanted: the names of files in it, with the most bytes that each may have.

    Raises:
        DatasetError: the archive can't be read or is damaged; a file is missing, is there twice, is no plain file or is
            larger; or the archive has more than 10,000 members, or more than 1 GiB besides.
    """
    found: dict[str, bytes] = {}
    left = 1 << 30
    try:
        with files.opened(path) as packed, tarfile.open(fileobj=packed, mode="r:*") as archive:
            for number, member in enumerate(archive):
                most = wanted.get(member.name)
                if most is None:
                    left -= member.size  # it has to be unpacked to come to the next
                    if left < 0 or number > 10_000:
                        raise DatasetError(f"{path}: has more in it than expected")
                    continue
                if not member.isreg() or member.name in found or member.size > most:
                    raise DatasetError(f"{path}: {member.name} in it is not one plain file of at most {most} bytes")
                file = archive.extractfile(member)
                content = b"" if file is None else file.read()
                if len(content) != member.size:
                    raise DatasetError(f"{path}: truncated: {member.name} stops after {len(content)} bytes")
                found[member.name] = content
            while archive.fileobj is not None and (rest := archive.fileobj.read(1 << 20)):  # up to the checksum
                left -= len(rest)
                if left < 0:
                    raise DatasetError(f"{path}: has more in it than expected")
    except FileError as error:
        raise DatasetError(str(error)) from error
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DatasetError(f"{path}: damaged: not a sound archive ({error})") from None
    if missing := wanted.keys() - found.keys():
        raise DatasetError(f"{path}: lacks {', '.join(sorted(missing))}")
    return found
