"""The kernel cache: whatever is wrong with it, a kernel compiles."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest

from krnlpy.dsl import cache as cache_module
from krnlpy.dsl.cache import Cache

KEY = "kernel 1"
PAYLOAD = bytes(range(256)) * 20

posix_only = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")


def only_entry(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def entry(**changes: object) -> bytes:
    fields = {"key": KEY, "sha256": hashlib.sha256(PAYLOAD).digest(), "payload": PAYLOAD}
    return cbor2.dumps({**fields, **changes})


def test_keeps_payloads_by_key(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "a" / "b")
    assert cache.get(KEY) is None
    cache.put(KEY, PAYLOAD)
    cache.put("kernel 2", b"")
    assert cache.get(KEY) == PAYLOAD
    assert cache.get("kernel 2") == b""
    assert Cache(tmp_path / "a" / "b").get(KEY) == PAYLOAD
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert len(list((tmp_path / "a" / "b").iterdir())) == 2, "a temporary file stayed"


def test_no_directory_keeps_nothing() -> None:
    cache = Cache(None)
    cache.put(KEY, PAYLOAD)
    assert cache.get(KEY) is None


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[:-1],
    "truncated in a key": lambda data: data[:5],
    "flipped bit of the payload": lambda data: data[:-7] + bytes([data[-7] ^ 4]) + data[-6:],
    "not CBOR": lambda data: b"\xff\xff\xff" + data,
    "pickle": lambda data: b"\x80\x04N.",
    "giant bytes": lambda data: b"\x5b" + b"\xff" * 8,
    "giant array": lambda data: b"\x9b" + b"\xff" * 8,
    "giant map": lambda data: b"\xbb" + b"\xff" * 8,
    "deep nesting": lambda data: b"\x81" * 200_000,
    "endless string": lambda data: b"\x5f" * 1000,
    "another's key": lambda data: entry(key="kernel 3"),
    "wrong hash": lambda data: entry(sha256=b"\0" * 32),
    "no hash": lambda data: cbor2.dumps({"key": KEY, "payload": PAYLOAD}),
    "payload is text": lambda data: entry(payload="text"),
    "a list": lambda data: cbor2.dumps([KEY, PAYLOAD]),
    "a number": lambda data: cbor2.dumps(1),
    "unhashable keys": lambda data: b"\xa1\x81\x01\x01",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_entries_are_removed(tmp_path: Path, damage: str) -> None:
    cache = Cache(tmp_path)
    cache.put(KEY, PAYLOAD)
    path = only_entry(tmp_path)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert cache.get(KEY) is None
    assert not path.exists()
    cache.put(KEY, PAYLOAD)
    assert cache.get(KEY) == PAYLOAD


def test_too_large_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    cache.put(KEY, PAYLOAD)
    monkeypatch.setattr(cache_module, "MAX_ENTRY_BYTES", 1000)
    cache.put("kernel 2", PAYLOAD)
    only_entry(tmp_path)
    assert cache.get(KEY) is None, "larger than may be read"


def test_what_is_not_a_file_is_a_miss(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put(KEY, PAYLOAD)
    path = only_entry(tmp_path)
    path.unlink()
    path.mkdir()
    assert cache.get(KEY) is None
    cache.put(KEY, PAYLOAD)
    assert cache.get(KEY) is None
    path.rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)
        assert cache.get(KEY) is None
        assert not path.exists()


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        cache = Cache(directory)
        cache.put(KEY, PAYLOAD)
        assert cache.get(KEY) is None
    assert (tmp_path / "file").read_text() == "not a directory"


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    cache.put(KEY, PAYLOAD)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        cache.put("kernel 2", PAYLOAD)
    assert cache.get("kernel 2") is None
    assert cache.get(KEY) == PAYLOAD
    only_entry(tmp_path)


@posix_only
def test_full_disk_in_the_middle_of_a_file(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        cache.put(KEY, PAYLOAD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
    assert cache.get(KEY) is None


@posix_only
def test_read_only_directory(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    tmp_path.chmod(0o500)
    cache = Cache(tmp_path / "below")
    cache.put(KEY, PAYLOAD)
    assert cache.get(KEY) is None


WRITER = """
import sys
from pathlib import Path
from krnlpy.dsl.cache import Cache
cache = Cache(Path(sys.argv[1]))
for n in range(200):
    for key in range(4):
        cache.put(str(key), bytes([key]) * 50_000)
        assert cache.get(str(key)) == bytes([key]) * 50_000, (n, key)
"""


def test_two_processes_at_once(tmp_path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(list(tmp_path.iterdir())) == 4


@posix_only
class TestPrivate:
    """Machine code is kept only where nobody else can put some."""

    def test_own_directory_serves(self, tmp_path: Path) -> None:
        cache = Cache(tmp_path / "code", private=True)
        cache.put(KEY, PAYLOAD)
        assert cache.get(KEY) == PAYLOAD

    @pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777, 0o720])
    def test_directory_that_others_can_write(self, tmp_path: Path, mode: int) -> None:
        directory = tmp_path / "code"
        cache = Cache(directory, private=True)
        cache.put(KEY, PAYLOAD)
        directory.chmod(mode)
        assert cache.get(KEY) is None
        cache.put("kernel 2", PAYLOAD)
        only_entry(directory)

    def test_directory_above_that_others_can_write(self, tmp_path: Path) -> None:
        above = tmp_path / "above"
        cache = Cache(above / "code", private=True)
        cache.put(KEY, PAYLOAD)
        above.chmod(0o777)
        assert cache.get(KEY) is None
        above.chmod(0o1777)
        assert cache.get(KEY) == PAYLOAD, "the sticky bit keeps others from renaming"

    def test_file_that_others_can_write(self, tmp_path: Path) -> None:
        cache = Cache(tmp_path, private=True)
        cache.put(KEY, PAYLOAD)
        only_entry(tmp_path).chmod(0o666)
        assert cache.get(KEY) is None

    def test_link_to_a_file(self, tmp_path: Path) -> None:
        cache = Cache(tmp_path / "code", private=True)
        cache.put(KEY, PAYLOAD)
        path = only_entry(tmp_path / "code")
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        assert cache.get(KEY) is None

    def test_directory_of_another_user(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cache = Cache(tmp_path, private=True)
        cache.put(KEY, PAYLOAD)
        user = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: user + 1)
        assert cache.get(KEY) is None
