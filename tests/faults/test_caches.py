"""Whatever is wrong with the cache of kernels, or happens while it is used, kernels run and give right results."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import krnlpy
from tests.support import process
from tests.support.tiers import deep

_PROGRAM = """
import sys
import numpy as np
import krnlpy
from krnlpy import Buffer, Device, Global, Item, ItemMut, f32, kernel, u32

@kernel
def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]):
    y += alpha * x

@kernel
def reverse(x: Global[u32, 1], y: ItemMut[u32]):
    y = x[len(x) - 1 - krnlpy.dsl.item_id()]

def check(device):
    x, y = Buffer.from_numpy(np.arange(1000, dtype=np.float32)).to_device(device), Buffer.ones(1000, f32, device)
    saxpy(2.0, x, y)
    assert (y.numpy() == 2 * np.arange(1000) + 1).all()
    a, b = Buffer.from_numpy(np.arange(1000, dtype=np.uint32)).to_device(device), Buffer.zeros(1000, u32, device)
    reverse(a, b)
    assert (b.numpy() == np.arange(1000)[::-1]).all()

for device in (Device.host(), *([Device(0)] if krnlpy.devices() else [])):
    check(device)
"""

_ENTRIES = 4 if krnlpy.devices() else 2
"""What the program keeps at least: two kernels for the host, two for Vulkan."""


def _entries(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.cbor"))


def _unfinished(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file() and path.suffix != ".cbor")


@pytest.fixture
def environment(environment: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """With a cache of its own."""
    return {**environment, "KRNLPY_CACHE_DIR": str(tmp_path / "cache")}


@pytest.fixture
def cache(environment: dict[str, Any]) -> Path:
    """Where the program's cache is."""
    return Path(environment["KRNLPY_CACHE_DIR"])


@pytest.fixture(scope="module")
def as_left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache as one process leaves it. None changes it."""
    folder = tmp_path_factory.mktemp("left")
    script = folder / "program.py"
    script.write_text(_PROGRAM)
    process.output(script, **process.environment(KRNLPY_CACHE_DIR=str(folder / "cache")))
    return folder / "cache"


@pytest.fixture
def filled(cache: Path, as_left: Path) -> Path:
    """The program's cache, after it has run once."""
    shutil.copytree(as_left, cache)
    return cache


def test_the_program_keeps_kernels(python: Callable[..., str], filled: Path) -> None:
    """Or the tests below would show nothing."""
    kept = {path: path.read_bytes() for path in _entries(filled)}
    assert len(kept) >= _ENTRIES
    python(_PROGRAM)
    assert {path: path.read_bytes() for path in _entries(filled)} == kept


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_while_it_writes(python: Callable[..., str], environment: dict[str, Any], cache: Path) -> None:
    """At whatever moment: entries are whole or not there."""
    script = Path(environment["KRNLPY_CACHE_DIR"]).with_name("killed.py")
    script.write_text(_PROGRAM)
    writing = "import krnlpy.files as files, os, signal\n"
    # One process is killed by itself, in the middle of a file; others whenever it comes.
    writing += "files._locked = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    script.with_name("writing.py").write_text(writing + _PROGRAM)
    assert process.run(script.with_name("writing.py"), **environment).returncode == -signal.SIGKILL
    assert _unfinished(cache)
    rng = random.Random(1)
    for _ in range(3):
        with process.start(script, **environment) as killed:
            time.sleep(0.2 + 0.6 * rng.random())
            killed.kill()
    python(_PROGRAM)
    assert len(_entries(cache)) >= _ENTRIES


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("limit", [0, 2000])
def test_a_disk_that_is_full(python: Callable[..., str], cache: Path, limit: int) -> None:
    """Files can't grow beyond a limit; the process is told by an error, as on a full disk."""
    full = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    full += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    python(full + _PROGRAM, VK_DRIVER_FILES=str(cache))  # on the host: drivers die where their files can't grow
    assert all(path.stat().st_size <= limit for path in _entries(cache))
    assert not _unfinished(cache)
    python(_PROGRAM)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no such rights")
def test_a_home_that_cannot_be_written(python: Callable[..., str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    # Root writes everywhere, but not below a file.
    for place in (home, tmp_path / "program.py"):
        python(_PROGRAM, KRNLPY_CACHE_DIR=str(place / "cache"))


def test_no_home_at_all(environment: dict[str, Any], tmp_path: Path) -> None:
    bare = {name: value for name, value in environment.items() if name not in ("HOME", "KRNLPY_CACHE_DIR")}
    bare |= {"XDG_CACHE_HOME": "", "HOME": str(tmp_path / "nowhere" / "at all")}
    (tmp_path / "program.py").write_text(_PROGRAM)
    done = subprocess.run(
        process.command(tmp_path / "program.py"), env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _hostile(good: bytes) -> list[bytes]:
    """Content that a careless reader chokes on."""
    return [
        b"",
        good[:1],
        good[: len(good) // 2],
        good[:-1],
        good + b"\0",
        b"\x9f" * 100_000,  # arrays in arrays, without end
        b"\x81" * 1_000_000,
        b"\xa1\x61k" * 100_000,
        b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",  # bytes, 2**64 - 1 of them
        b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xc2\x5a\x7f\xff\xff\xff",  # a bignum of 2 GiB
        b"\xd8\x1c\xd8\x1d\x00",  # references to what is shared
        good[:10] + b"\xff" * 20 + good[30:],
        bytes(len(good)),
        b"\x80\x04\x95cposix\nsystem\n(S'exit 3'\ntR.",  # a pickle
    ]


def test_hostile_entries(python: Callable[..., str], filled: Path) -> None:
    """All of them at once, each in place of an entry; then random damage."""
    good = {path: path.read_bytes() for path in _entries(filled)}
    rng = random.Random(1)
    paths = list(good)
    contents = _hostile(good[paths[0]])
    for first in range(0, len(contents), len(paths)):
        for path, content in zip(paths, contents[first : first + len(paths)], strict=False):
            path.write_bytes(content)
        python(_PROGRAM)
        assert {path: path.read_bytes() for path in _entries(filled)} == good  # and what is damaged is mended
    for path in paths:
        damaged = bytearray(good[path])
        for _ in range(3):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
    python(_PROGRAM)
    assert {path: path.read_bytes() for path in _entries(filled)} == good


def test_an_entry_of_another_key(python: Callable[..., str], filled: Path) -> None:
    """One that is whole, in the place of another: a kernel must not run as another."""
    for kind in {path.parent for path in _entries(filled)}:
        first, *others = _entries(kind)
        second = (others or [path for path in _entries(filled) if path != first])[0]
        first.write_bytes(second.read_bytes())
    python(_PROGRAM)


def test_what_is_no_file(python: Callable[..., str], filled: Path) -> None:
    """Directories, links to nowhere and pipes in the places of entries."""
    paths = _entries(filled)
    for i, path in enumerate(paths):
        path.unlink()
        if i % 3 == 0:
            path.mkdir()
        elif i % 3 == 1:
            path.symlink_to("/dev/zero")
        elif hasattr(os, "mkfifo"):
            os.mkfifo(path)
    python(_PROGRAM)


@pytest.mark.parametrize("processes", [3, pytest.param(48, marks=deep)])
def test_many_processes_on_an_empty_cache(
    environment: dict[str, Any], cache: Path, as_left: Path, tmp_path: Path, processes: int
) -> None:
    """All compile the same at once; each is right, and the cache is as one process leaves it."""
    script = tmp_path / "program.py"
    script.write_text(_PROGRAM)
    failures = []
    for running in [process.start(script, **environment) for _ in range(processes)]:
        if (errors := running.communicate()[1]) or running.returncode:
            failures.append((running.returncode, errors))
    assert not failures, f"{len(failures)} of {processes}: {failures[0]}"
    together = {path.relative_to(cache): path.read_bytes() for path in _entries(cache)}
    assert len(together) >= _ENTRIES
    assert not _unfinished(cache)
    assert {path.relative_to(as_left): path.read_bytes() for path in _entries(as_left)} == together
