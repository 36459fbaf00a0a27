"""Downloads from servers that stop midway, send damage, know no ranges or are not there."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograph.data.download import download
from autograph.errors import DatasetError, DownloadError

from .http_server import Site, serve

CONTENT = bytes(range(256)) * 1200  # 300 KiB: several chunks
NOWHERE = "http://127.0.0.1:9/"  # the discard port: nothing listens


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def is_content(path: Path) -> None:
    if path.read_bytes() != CONTENT:
        raise DatasetError("not the content")


def get(*urls: str, target: Path, max_bytes: int = len(CONTENT), verify: Callable[[Path], None] = is_content) -> None:
    download([f"{url}x.gz" for url in urls], target, max_bytes=max_bytes, verify=verify, progress=False)


def test_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "x.gz"
    with serve(Site({"x.gz": CONTENT})) as site:
        get(site.url, target=target)
    assert target.read_bytes() == CONTENT
    assert site.requests == [("/x.gz", None)]
    assert not list(target.parent.glob("*part*"))


def test_connection_dropped_midway_is_resumed(tmp_path: Path) -> None:
    with serve(Site({"x.gz": CONTENT}, drop_after=100_000)) as site:
        get(site.url, target=tmp_path / "x.gz")
    assert (tmp_path / "x.gz").read_bytes() == CONTENT
    assert [asked for _, asked in site.requests] == [None, "bytes=100000-", "bytes=200000-", "bytes=300000-"]


def test_later_call_goes_on_from_another_mirror(tmp_path: Path) -> None:
    target = tmp_path / "x.gz"
    with serve(Site({"x.gz": CONTENT}, drop_after=30_000, ranges=False)) as site, pytest.raises(DownloadError):
        get(site.url, target=target)
    assert not target.exists()
    with serve(Site({"x.gz": CONTENT})) as site:
        get(site.url, target=target)
    assert site.requests == [("/x.gz", "bytes=30000-")]
    assert target.read_bytes() == CONTENT


def test_server_without_ranges_starts_again(tmp_path: Path) -> None:
    (tmp_path / "x.part.gz").write_bytes(CONTENT[:1000])
    with serve(Site({"x.gz": CONTENT}, ranges=False)) as site:
        get(site.url, target=tmp_path / "x.gz")
    assert len(site.requests) == 1
    assert (tmp_path / "x.gz").read_bytes() == CONTENT


def test_part_that_is_already_the_whole(tmp_path: Path) -> None:
    (tmp_path / "x.part.gz").write_bytes(CONTENT)
    with serve(Site({"x.gz": CONTENT})) as site:
        get(site.url, target=tmp_path / "x.gz")
    assert len(site.requests) == 1
    assert (tmp_path / "x.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"other bytes", CONTENT + b"longer"])
def test_part_of_something_else_is_thrown_away(tmp_path: Path, part: bytes) -> None:
    (tmp_path / "x.part.gz").write_bytes(part)
    with serve(Site({"x.gz": CONTENT})) as site:
        get(site.url, target=tmp_path / "x.gz")
    assert [asked for _, asked in site.requests] == [f"bytes={len(part)}-", None]
    assert (tmp_path / "x.gz").read_bytes() == CONTENT


def test_next_mirror_after_failures(tmp_path: Path) -> None:
    damaged = CONTENT[:-1] + b"?"
    with (
        serve(Site()) as missing,
        serve(Site({"x.gz": damaged})) as corrupt,
        serve(Site({"x.gz": CONTENT + b"more"})) as long,
        serve(Site({"x.gz": CONTENT})) as good,
    ):
        get(NOWHERE, missing.url, corrupt.url, long.url, good.url, target=tmp_path / "x.gz")
        assert all(site.requests == [("/x.gz", None)] for site in (missing, corrupt, long, good))
    assert (tmp_path / "x.gz").read_bytes() == CONTENT


def test_only_damaged(tmp_path: Path) -> None:
    with serve(Site({"x.gz": CONTENT[::-1]})) as site, pytest.raises(DatasetError, match="damaged file") as error:
        get(site.url, NOWHERE, target=tmp_path / "x.gz")
    assert not isinstance(error.value, DownloadError)
    assert site.url in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x.gz.lock"]


def test_unreachable_names_every_mirror(tmp_path: Path) -> None:
    with (
        serve(Site()) as missing,
        pytest.raises(DownloadError, match=r"127\.0\.0\.1:9 cannot be reached.*x\.gz answers 404"),
    ):
        get(NOWHERE, missing.url, target=tmp_path / "x.gz")
    assert not (tmp_path / "x.gz").exists()


def test_too_long_is_no_network_trouble(tmp_path: Path) -> None:
    with serve(Site({"x.gz": CONTENT})) as site, pytest.raises(DatasetError, match="more than 1000 bytes") as error:
        get(site.url, target=tmp_path / "x.gz", max_bytes=1000)
    assert not isinstance(error.value, DownloadError)


def test_sound_target_is_kept_and_damaged_one_replaced(tmp_path: Path) -> None:
    target = tmp_path / "x.gz"
    target.write_bytes(CONTENT)
    get(NOWHERE, target=target)
    target.write_bytes(CONTENT[:10])
    with pytest.raises(DownloadError):
        get(NOWHERE, target=target)
    assert target.read_bytes() == CONTENT[:10]
    with serve(Site({"x.gz": CONTENT})) as site:
        get(site.url, target=target)
    assert target.read_bytes() == CONTENT


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be written") as error:
        get(NOWHERE, target=tmp_path / "file" / "x.gz")
    assert not isinstance(error.value, DownloadError)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_full_disk_is_no_network_trouble(tmp_path: Path) -> None:
    """Files can't grow beyond a limit; the process is told by an error, as on a full disk."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) - 1, before[1]))
    try:
        with serve(Site({"x.gz": CONTENT})) as site, pytest.raises(DatasetError, match="File too large") as error:
            get(site.url, target=tmp_path / "x.gz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not isinstance(error.value, DownloadError)
    assert not (tmp_path / "x.gz").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders")
@pytest.mark.parametrize("name", ["x.gz", "x.part.gz", "x.gz.lock"])
def test_pipes_are_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DatasetError, match=f"{name}: cannot be written: it is not a plain file"):
        get(NOWHERE, target=tmp_path / "x.gz")
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208


def test_processes_take_turns(tmp_path: Path) -> None:
    with serve(Site({"x.gz": CONTENT})) as site:
        context = multiprocessing.get_context("spawn")
        arguments = ([f"{site.url}x.gz"], tmp_path / "x.gz")
        options = {"max_bytes": len(CONTENT), "verify": is_content, "progress": False}
        processes = [context.Process(target=download, args=arguments, kwargs=options) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert site.requests == [("/x.gz", None)]
    assert (tmp_path / "x.gz").read_bytes() == CONTENT
