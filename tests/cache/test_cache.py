"""The kernel cache: whatever is wrong with it, a kernel compiles."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest

from krnlpy import config, files
from krnlpy.cache import store as cache_module
from krnlpy.cache.entry import packed, unpacked
from krnlpy.cache.store import Cache
from tests.support import process

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
    "array of 2**28": lambda data: b"\x9a\x10\x00\x00\x00" + data,
    "number with a giant exponent": lambda data: b"\xc5\x82\x1a\x7f\xff\xff\xff\x01",
    "regular expression": lambda data: cbor2.dumps(cbor2.CBORTag(35, "(a*)*" * 1000)),
    "payload longer than the file": lambda data: data.replace(b"gpayload\x59", b"gpayload\x5a"),
    "length written longer than need be": lambda data: entry(payload=b"").replace(b"gpayload@", b"gpayload\x58\x00"),
    "something after it": lambda data: data + b"\0",
    "twice": lambda data: data + data,
    "another order": lambda data: cbor2.dumps(dict(reversed(cbor2.loads(data).items()))),
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


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 65535, 65536, 100_000])
def test_entries_are_cbor(length: int) -> None:
    payload = bytes(length)
    data = packed(KEY, payload)
    assert cbor2.loads(data) == {"key": KEY, "sha256": hashlib.sha256(payload).digest(), "payload": payload}
    assert data == entry(payload=payload, sha256=hashlib.sha256(payload).digest())
    assert unpacked(data, KEY) == payload
    assert unpacked(data[:-1], KEY) is None


def test_any_damaged_byte_is_seen() -> None:
    data = packed(KEY, PAYLOAD[:300])
    for place in range(len(data)):
        assert unpacked(data[:place], KEY) is None
        for bit in (1, 128):
            assert unpacked(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :], KEY) is None


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """For ten entries."""
    monkeypatch.setattr(config, "cache_bytes", 21 * len(packed("0", PAYLOAD)) // 2)


def aged(cache: Cache, directory: Path) -> Callable[[int], Path]:
    """Puts an entry that was used so many hours ago."""

    def put(hours: int) -> Path:
        before = set(directory.iterdir()) if directory.exists() else set()
        cache.put(str(hours), PAYLOAD)
        (path,) = set(directory.iterdir()) - before
        then = time.time() - 3600 * hours
        os.utime(path, (then, then))
        return path

    return put


def test_the_least_recently_used_go(little_room: None, tmp_path: Path) -> None:
    directory = tmp_path / "spirv"
    cache = Cache(directory)
    put = aged(cache, directory)
    paths = {hours: put(hours) for hours in range(1, 11)}
    assert len(cache.entries()) == 10
    assert cache.get("10") == PAYLOAD, "used again now"
    cache.put("0", PAYLOAD)
    kept = {hours for hours, path in paths.items() if path.exists()}
    assert kept == {1, 2, 3, 4, 5, 10}
    assert cache.get("0") == PAYLOAD


def test_other_processes_entries_count(little_room: None, tmp_path: Path) -> None:
    put = aged(Cache(tmp_path), tmp_path)
    for hours in range(1, 11):
        put(hours)
    program = (
        f"from pathlib import Path; from krnlpy import config; config.cache_bytes = {config.cache_bytes};"
        f"from krnlpy.cache.store import Cache; Cache(Path({str(tmp_path)!r})).put('another', bytes(5000))"
    )
    process.output("-c", program)
    assert Cache(tmp_path).size()[1] <= 0.75 * config.cache_bytes


def test_never_much_over_the_limit(little_room: None, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    largest = 0
    for n in range(40):
        cache.put(str(n), PAYLOAD)
        largest = max(largest, cache.size()[1])
    assert 0.75 * config.cache_bytes < largest <= config.cache_bytes + len(packed("00", PAYLOAD))


def test_looks_are_rare_and_often_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_bytes", 1000 * len(packed("000", PAYLOAD)))
    paths = [Cache._path(tmp_path, str(n)) for n in range(1000)]
    looks = sum(cache_module._is_turn(path, len(packed("000", PAYLOAD))) for path in paths)
    assert 4 <= looks <= 36, "16 are expected; SHA-256 is as good as chance, and its deviation is 4"


def test_what_killed_processes_left_goes(little_room: None, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("0", PAYLOAD)
    left, foreign = tmp_path / f".krnlpy-{files._HOST}-{'0' * 16}.part", tmp_path / ".mine.part"
    for path in (left, foreign):
        path.write_bytes(b"half")
    for n in range(20):
        cache.put(str(n), PAYLOAD)
    assert not left.exists() and foreign.exists()


def test_no_room_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_bytes", 0)
    Cache(tmp_path / "spirv").put(KEY, PAYLOAD)
    assert not (tmp_path / "spirv").exists()


def test_clearing_removes_what_is_ours(tmp_path: Path) -> None:
    directory = tmp_path / "spirv"
    cache = Cache(directory)
    assert (cache.clear(), cache.size()) == (0, (0, 0))
    for n in range(3):
        cache.put(str(n), PAYLOAD)
    (directory / f".krnlpy-{files._HOST}-{'0' * 16}.part").write_bytes(b"half")
    notes = directory / "notes.cbor"
    notes.write_text("mine")
    assert cache.size() == (3, 3 * len(packed("0", PAYLOAD)))
    assert cache.clear() == 3
    assert [*directory.iterdir()] == [notes]
    notes.unlink()
    cache.put("0", PAYLOAD)
    assert cache.clear() == 1
    assert not directory.exists() and tmp_path.exists()


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
    tmp_path.chmod(0o555)
    user = os.geteuid()
    if user == 0:  # who writes everywhere
        os.seteuid(65534)
    try:
        cache = Cache(tmp_path / "below")
        cache.put(KEY, PAYLOAD)
        assert cache.get(KEY) is None
    finally:
        os.seteuid(user)
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
from krnlpy.cache.store import Cache
cache = Cache(Path(sys.argv[1]))
for n in range(200):
    for key in range(4):
        cache.put(str(key), bytes([key]) * 50_000)
        assert cache.get(str(key)) == bytes([key]) * 50_000, (n, key)
"""


def test_two_processes_at_once(tmp_path: Path) -> None:
    writers = [process.start("-c", WRITER, tmp_path) for _ in range(2)]
    for writer in writers:
        assert (writer.communicate(), writer.returncode) == (("", ""), 0)
    assert len(list(tmp_path.iterdir())) == 4


@posix_only
class TestOwner:
    """Nothing is read that another user can have written."""

    @pytest.mark.parametrize("private", [False, True])
    def test_file_that_others_can_write(self, tmp_path: Path, private: bool) -> None:
        cache = Cache(tmp_path, private)
        cache.put(KEY, PAYLOAD)
        only_entry(tmp_path).chmod(0o666)
        assert cache.get(KEY) is None

    @pytest.mark.parametrize("private", [False, True])
    def test_file_of_another_user(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool) -> None:
        cache = Cache(tmp_path, private)
        cache.put(KEY, PAYLOAD)
        user = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: user + 1)
        assert cache.get(KEY) is None

    @pytest.mark.parametrize("private", [False, True])
    def test_link_to_a_file(self, tmp_path: Path, private: bool) -> None:
        cache = Cache(tmp_path / "code", private)
        cache.put(KEY, PAYLOAD)
        path = only_entry(tmp_path / "code")
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        assert cache.get(KEY) is None


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
