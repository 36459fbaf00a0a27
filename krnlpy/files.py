"""Files on disk: at any moment the old or the new one is there, whole. Only plain files are read.

A file is written beside the old one, as a *part* with a name of its own, and takes the old one's place at the end. A
part is locked while it is written: a part without a lock was left by a dead process, and is removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
import zlib
from collections.abc import Iterator
from functools import partial
from io import BufferedReader
from pathlib import Path

from .errors import FileError, FileMissing

try:
    import fcntl
except ImportError:  # Windows, where an open file can't be removed: nothing needs to be locked
    fcntl = None  # type: ignore[assignment]

_ABANDONED_SECONDS = 86400.0
"""After which a part of another machine counts as abandoned: not every file system shows other machines' locks."""
_TRIES = 10
_PART = re.compile(r"\.krnlpy-([0-9a-f]{8})-[0-9a-f]{16}\.part")
_HOST = f"{zlib.crc32(os.uname().nodename.encode() if hasattr(os, 'uname') else b''):08x}"
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not wait for who writes to it
_KINDS = {
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def write(
    path: str | os.PathLike[str], *chunks: bytes | bytearray | memoryview, durable: bool = True, private: bool = False
) -> None:
    """Writes a file that is there whole or not at all, whatever ends the process; a file before it is replaced by it.

    An old file's mode and owner are kept (its owner only where the system lets this user give files away), its other
    hard links keep the old content. A new file has the mode that the umask leaves. Several threads, processes and
    machines may write one file; the last wins. Parts that dead processes left in the folder are removed.

    Args:
        path: the file. Symbolic links are followed. Its folder is there.
        *chunks: its content, one after the other.
        durable: wait until the disk has the file, so that it outlives a power failure.
        private: make it this user's alone, whatever was there; a symbolic link is replaced, not followed.

    Raises:
        FileError: it can't be written, for example because the disk is full, or the path is that of a folder, pipe or
            device. What was there is unchanged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/a", b"what ", b"is to be kept")
    ...     read(f"{folder}/a")
    b'what is to be kept'
    """
    given = checked_path(path)
    for chunk in chunks:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise FileError(f"{given} was not written: expected bytes, got a {type(chunk).__name__}")
    content = [
        chunk.tobytes() if isinstance(chunk, memoryview) and not chunk.c_contiguous else chunk for chunk in chunks
    ]
    with _told(f"{given} was not written", "; a file that was there before is unchanged"):
        target = given if private else Path(os.path.realpath(given))
        old = None if private else _status(target)
        if old is not None and not os.access(target, os.W_OK):
            raise PermissionError(None, "it may not be written to")
        mode = 0o600 if private else 0o666 if old is None else old.st_mode & 0o700
        if durable:
            remove_abandoned_parts(target.parent)
        for _ in range(_TRIES):
            part = target.with_name(f".krnlpy-{_HOST}-{os.urandom(8).hex()}.part")
            # From before the part is there until after it is not, so that Ctrl-C leaves nothing. The file is an object
            # from the start, which closes itself: no instruction of Python's stands between the two.
            try:
                with open(part, "xb", opener=partial(os.open, mode=mode)) as file:
                    if not _locked(file.fileno(), part):
                        continue
                    for chunk in content:
                        file.write(chunk)
                    file.flush()
                    if old is not None:
                        _give_mode_and_owner(file.fileno(), old)
                    if durable:
                        os.fsync(file.fileno())
                    if fcntl is None:
                        file.close()
                    part.replace(target)
            finally:
                with contextlib.suppress(OSError):
                    part.unlink()
            if durable:
                _sync_folder(target.parent)
            return
        raise FileError(f"another process removes the files in {target.parent} while they are written")


def read(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """The content of a plain file.

    Args:
        path: the file.
        most: the bytes that it may have; None for any number.

    Raises:
        FileMissing: it is not there. FileError: it can't be read, is larger, or is not a plain file.
    """
    if not (most is None or isinstance(most, int)):
        raise FileError(f"at most {most!r} bytes: expected a whole number, or None")
    with opened(path) as file, _told(f"{path} can't be read"):
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise FileError(f"it has {size} bytes, more than {most}")
        return file.read()


def opened(path: str | os.PathLike[str]) -> BufferedReader:
    """Opens a plain file for reading its bytes. It never waits, as for who writes to a named pipe.

    Raises:
        FileMissing: it is not there. FileError: it can't be opened, or is a folder, pipe or device.
    """
    given = checked_path(path)
    with _told(f"{given} can't be read"):
        return open(given, "rb", opener=_open_plain)


def checked_path(path: str | os.PathLike[str]) -> Path:
    """A path as the system takes it.

    Raises:
        FileError: it is not a path: it is empty, of another type, or has a zero byte.
    """
    try:
        text = os.fspath(path)
        if not isinstance(text, str):
            raise TypeError
    except TypeError:
        raise FileError(f"expected a path as text or as pathlib.Path, got a {type(path).__name__}") from None
    if not text or "\0" in text:
        raise FileError(f"the path {text!r} {'has a zero byte' if text else 'is empty'}")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise FileError(f"the path {text!r} has a character that file names can't have") from None
    return Path(text)


def remove_abandoned_parts(folder: str | os.PathLike[str]) -> None:
    """Removes what writers left in a folder that were killed. What living ones write stays, and anything else."""
    folder = checked_path(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            part = _PART.fullmatch(entry.name)
            if part and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_if_abandoned(entry.path, part[1] == _HOST)


def _remove_if_abandoned(path: str, ours: bool) -> None:
    if fcntl is None:
        Path(path).unlink()
        return
    # For writing: a network's file system wants it for an exclusive lock.
    descriptor = os.open(path, os.O_RDWR | _NO_LINKS | _NO_WAIT)
    try:
        if ours or time.time() - os.fstat(descriptor).st_mtime > _ABANDONED_SECONDS:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where its writer lives
            Path(path).unlink()
    finally:
        os.close(descriptor)


def _locked(descriptor: int, part: Path) -> bool:
    """Locks a part that was just made; False if another process took it for an abandoned one before."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: it is never found abandoned
            return True
    return part.exists()


def _status(target: Path) -> os.stat_result | None:
    """Of the plain file that is to be replaced, if there is one."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    _check_plain(status)
    return status


def _check_plain(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "special file")
        raise FileError(f"it is a {kind}, expected a plain file")


def _give_mode_and_owner(descriptor: int, old: os.stat_result) -> None:
    if fcntl is None:
        return
    mode = stat.S_IMODE(old.st_mode)
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except PermissionError:
            mode &= 0o777
            try:
                os.fchown(descriptor, -1, old.st_gid)
            except PermissionError:  # the members of this user's own group may do no more than anybody could
                mode = mode & 0o707 | (mode & 0o007) << 3
    os.fchmod(descriptor, mode)


def _open_plain(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | _NO_WAIT)
    try:
        _check_plain(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _sync_folder(folder: Path) -> None:
    """Waits until the disk knows the new name. The file itself is safe, and not every system can do this."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _told(what: str, and_so: str = "") -> Iterator[None]:
    """Turns what goes wrong into a FileError that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileMissing(f"{what}: {error.strerror}{and_so}") from error
    except FileError as error:
        raise FileError(f"{what}: {error}{and_so}") from None
    except OSError as error:
        raise FileError(f"{what}: {error.strerror or error}{and_so}") from error
