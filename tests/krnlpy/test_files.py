"""Files: whole or not there, whatever ends the process; plain ones only."""

from __future__ import annotations

import dis
import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from krnlpy import files
from krnlpy.errors import FileError, FileMissing
from tests.support import process

OLD, NEW = b"old" * 1000, b"new" * 2000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write(path, b"one ", memoryview(b"two"))
    assert files.read(path) == b"one two" == files.read(str(path), 7)
    files.write(path, NEW, durable=False)
    assert files.read(path) == NEW
    files.write(path)
    assert files.read(path) == b"" and names(tmp_path) == ["a"]
    with pytest.raises(FileError, match="it has 6000 bytes, more than 5999"):
        files.write(path, NEW)
        files.read(path, 5999)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_new_files_have_the_mode_that_the_umask_leaves(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        files.write(tmp_path / "a", NEW)
        (tmp_path / "plain").touch()
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == mode(tmp_path / "plain") == 0o666 & ~umask


def test_the_process_umask_is_never_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread that makes a file at that moment would give it the wrong mode."""
    monkeypatch.setattr(os, "umask", None)
    files.write(tmp_path / "a", NEW)
    files.write(tmp_path / "a", NEW)


@pytest.mark.parametrize("old", [0o600, 0o640, 0o664, 0o755, 0o666])
def test_an_old_file_keeps_its_mode(old: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    path.chmod(old)
    files.write(path, NEW)
    assert (mode(path), path.read_bytes()) == (old, NEW)


def test_a_part_is_never_open_to_more_than_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    path.chmod(0o600)
    seen = []
    flock = fcntl.flock

    def looked(descriptor: int, how: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", looked)
    files.write(path, NEW)
    assert seen == [0o600]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_an_old_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    os.chown(path, 1234, 4321)
    path.chmod(0o640)
    files.write(path, NEW)
    status = path.stat()
    assert (status.st_uid, status.st_gid, mode(path), path.read_bytes()) == (1234, 4321, 0o640, NEW)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root becomes another user")
def test_where_the_owner_cannot_be_kept_nobody_may_do_more(tmp_path: Path) -> None:
    """A file of another user that this one may write, in a folder that it may change."""
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_uid == 0 and above != Path("/tmp") and above.is_relative_to("/tmp"):
            above.chmod(0o755)
    path, kept = folder / "a", folder / "b"
    for p, bits in ((path, 0o666), (kept, 0o444)):
        p.write_bytes(OLD)
        os.chown(p, 1234, 4321)
        p.chmod(bits)
    path.chmod(0o662)
    program = (
        "import os, sys; from krnlpy import files; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "files.write(sys.argv[1], b'new')\n"
        "try: files.write(sys.argv[2], b'new')\n"
        "except files.FileError as error: print(error)"
    )
    printed = process.output("-c", program, path, kept)
    status = path.stat()
    assert (status.st_uid, status.st_gid, mode(path), path.read_bytes()) == (65534, 65534, 0o622, b"new")
    assert "b was not written: it may not be written to" in printed
    assert kept.read_bytes() == OLD


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a", tmp_path / "link"
    link.symlink_to("there/a")
    for content in (OLD, NEW):  # made by the first
        files.write(link, content)
        assert link.is_symlink() and target.read_bytes() == content and not target.is_symlink()
    assert names(tmp_path / "there") == ["a"] and names(tmp_path) == ["link", "there"]
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for use in (lambda: files.write(loop, NEW), lambda: files.read(loop)):
        with pytest.raises(FileError, match="loop"):
            use()


def test_private_files(tmp_path: Path) -> None:
    """Nobody else gets at them, and a link that somebody planted is not followed."""
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.write_bytes(OLD)
    link.symlink_to(mine)
    files.write(link, NEW, private=True)
    assert not link.is_symlink() and mode(link) == 0o600 and mine.read_bytes() == OLD


def special(kind: str, path: Path) -> str:
    if kind == "pipe":
        os.mkfifo(path)
        return "named pipe"
    if kind == "link to a pipe":
        os.mkfifo(path.with_name("pipe"))
        path.symlink_to("pipe")
        return "named pipe"
    if kind == "device":
        path.symlink_to("/dev/null")
        return "device"
    path.mkdir()
    return "folder"


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device", "folder"])
def test_only_plain_files(kind: str, tmp_path: Path) -> None:
    """At once: who opens a pipe waits until somebody opens its other end."""
    path = tmp_path / "a"
    what = special(kind, path)
    before = names(tmp_path)
    for use in (files.read, files.opened, lambda path: files.write(path, NEW)):
        with pytest.raises(
            FileError, match=f"a (can't be read|was not written): it is a {what}, expected a plain file"
        ):
            use(path)
    assert names(tmp_path) == before


@pytest.mark.parametrize("path", ["", "a\0b", "\ud83d", b"bytes", 5, None], ids=repr)
def test_what_is_no_path(path: Any) -> None:
    for use in (files.read, files.opened, lambda path: files.write(path, NEW)):
        with pytest.raises(FileError, match="path"):
            use(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    for use in (files.read, files.opened, lambda path: files.write(path / "b", NEW)):
        with pytest.raises(FileMissing, match="No such file") as caught:
            use(tmp_path / "a")
        assert isinstance(caught.value, FileNotFoundError) and isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(FileError, match="File name too long"):
        files.write(tmp_path / ("n" * 256), NEW)
    files.write(tmp_path / ("n" * 255), NEW)


@pytest.mark.parametrize("call", ["fsync", "fchmod", "fchown"])
def test_an_error_of_the_system_leaves_the_old_file(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    if call == "fchown":
        os.chown(path, os.geteuid(), 4321)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(FileError, match="a was not written: No space left on device; a file that was there before is"):
        files.write(path, NEW)
    assert path.read_bytes() == OLD and names(tmp_path) == ["a"]


def test_file_and_folder_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the content, then the name."""
    seen = []

    def fsync(descriptor: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), (tmp_path / "a").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    files.write(tmp_path / "a", NEW)
    assert seen == [(False, False), (True, True)]
    files.write(tmp_path / "a", NEW, durable=False)
    assert len(seen) == 2


class Interrupt:
    """Raises KeyboardInterrupt at one instruction, counted over all that run in the module of files and below it.

    But for NOT_TAKEN, which Python 3.14 leaves out of the ranges that handlers and ``finally`` guard: it does nothing
    and looks for no signals, so that nothing but a trace function can raise there.
    """

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        frame.f_trace_opcodes = True
        if event == "opcode" and dis.opname[frame.f_code.co_code[frame.f_lasti]] != "NOT_TAKEN":
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
        return self


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_an_interrupt_at_any_instruction_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # some thousand of them would take long
    path = tmp_path / "a"
    path.write_bytes(OLD)
    interrupted: list[bool] = []

    def write(at: int) -> None:
        try:
            sys.settrace(Interrupt(at))
            files.write(path, NEW)
        except KeyboardInterrupt:
            interrupted.append(True)
        else:
            interrupted.append(False)
        finally:
            sys.settrace(None)

    at, seen = 0, set()
    while True:
        at += 1
        # A thread each: what is raised by trace functions stays the context of all that its thread raises later.
        thread = threading.Thread(target=write, args=(at,))
        thread.start()
        thread.join()
        if not interrupted.pop():
            break
        content = path.read_bytes()
        seen.add(content)
        assert content in (OLD, NEW) and names(tmp_path) == ["a"], at
        path.write_bytes(OLD)
    assert at > 500 and seen == {OLD, NEW}


def writer(path: Path) -> subprocess.Popen[str]:
    """A process that has written half of a file, and would write the rest when it is told to."""
    program = (
        "import os, sys; from krnlpy import files\n"
        "def fsync(_): print('half', flush=True); sys.stdin.readline()\n"
        "os.fsync = fsync\n"
        "files.write(sys.argv[1], b'x' * 100_000)"
    )
    started = process.start("-c", program, path)
    assert started.stdout is not None and started.stdout.readline() == "half\n"
    return started


def parts(folder: Path) -> list[str]:
    return [name for name in names(folder) if re.fullmatch(r"\.krnlpy-[0-9a-f]{8}-[0-9a-f]{16}\.part", name)]


def test_parts_of_killed_processes_go_those_of_living_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    killed, living = writer(path), writer(path)
    assert len(parts(tmp_path)) == 2
    with killed, living:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        files.write(tmp_path / "another", NEW)  # of any name
        assert len(parts(tmp_path)) == 1 and path.read_bytes() == OLD
        living.communicate("go on\n\n")
        assert living.returncode == 0
    assert path.read_bytes() == b"x" * 100_000 and names(tmp_path) == ["a", "another"]


def test_parts_of_other_machines_go_after_a_day(tmp_path: Path) -> None:
    """Whose locks are not seen on every file system. What else has such a name stays."""
    foreign = f"{(int(files._HOST, 16) + 1) % 2**32:08x}"
    fresh, old, folder, other = (
        tmp_path / name
        for name in (
            f".krnlpy-{foreign}-{'0' * 16}.part",
            f".krnlpy-{foreign}-{'1' * 16}.part",
            f".krnlpy-{files._HOST}-{'2' * 16}.part",
            ".krnlpy-notes.part",
        )
    )
    for path in (fresh, old, other):
        path.write_bytes(OLD)
    folder.mkdir()
    then = time.time() - 25 * 3600
    os.utime(old, (then, then))
    files.write(tmp_path / "a", NEW)
    assert names(tmp_path) == sorted(["a", fresh.name, folder.name, other.name])


def test_a_part_that_is_removed_before_it_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may take it for an abandoned one in between; then there is another."""
    flock = fcntl.flock
    taken: list[Any] = []

    def late(descriptor: int, how: int) -> None:
        if len(taken) < 3:
            taken.append(parts(tmp_path))
            if len(taken) == 1:
                raise BlockingIOError
            (tmp_path / taken[-1][0]).unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    files.write(tmp_path / "a", NEW)
    assert [len(found) for found in taken] == [1, 1, 1]
    assert files.read(tmp_path / "a") == NEW and names(tmp_path) == ["a"]


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing there is known to be abandoned."""
    left = tmp_path / f".krnlpy-{files._HOST}-{'0' * 16}.part"
    left.write_bytes(OLD)

    def no_locks(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    files.write(tmp_path / "a", NEW)
    assert files.read(tmp_path / "a") == NEW and left.exists()


def together(count: int, do: Callable[[int], None]) -> None:
    failed: list[BaseException] = []

    def run(n: int) -> None:
        try:
            do(n)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_many_writers_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    contents = {bytes([n]) * 5000 for n in range(9)}
    program = (
        "import sys; from krnlpy import files\n"
        "for n in range(20): files.write(sys.argv[1], bytes([8]) * 2500, bytes([8]) * 2500)"
    )
    other = process.start("-c", program, path)

    def write(n: int) -> None:
        for _ in range(20):
            files.write(path, bytes([n]) * 5000)
            assert files.read(path) in contents

    together(8, write)
    assert (other.communicate(), other.returncode) == (("", ""), 0)
    assert files.read(path) in contents and names(tmp_path) == ["a"]
