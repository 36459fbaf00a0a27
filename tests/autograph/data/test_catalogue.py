"""Sets of one archive or one file: found, downloaded, refused; and archives that are not what they should be."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from autograph.data import Text, cifar, load_cifar, load_digits, load_text, text
from autograph.data import digits as digits_module
from autograph.data.archives import read_tar
from autograph.errors import DatasetError, DownloadError
from tests.support.typed import untyped

from .http_server import Site, serve

NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No file of this machine is found, and no mirror is there; returns the cache folder."""
    monkeypatch.delenv("AUTOGRAPH_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(text, "_SHAKESPEARE", replace(text._SHAKESPEARE, mirrors=(NOWHERE,)))
    for classes, source in cifar._SOURCES.items():
        monkeypatch.setitem(cifar._SOURCES, classes, replace(source, mirrors=(NOWHERE,)))
    return tmp_path / "cache" / "autograph"


def archive(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=untyped(mode)) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def small_cifar(classes: int) -> tuple[dict[str, bytes], dict[str, np.ndarray]]:
    """The members of a small set's archive, and its arrays."""
    rng = np.random.default_rng(classes)
    source = cifar._SOURCES[classes]
    members: dict[str, bytes] = {"readme.html": b"..."}
    arrays: dict[str, list[np.ndarray]] = {}
    for part, files in (("train", source.train), ("test", source.test)):
        for name, count in files.items():
            images = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
            numbers = rng.integers(0, classes, (count, 1), dtype=np.uint8)
            labels = np.concatenate([numbers // 5, numbers], axis=1)[:, -source.labels :]
            members[name] = np.concatenate([labels, images.reshape(count, -1)], axis=1).tobytes()
            arrays.setdefault(f"{part}_images", []).append(images)
            arrays.setdefault(f"{part}_classes", []).append(numbers[:, 0])
    members[source.meta] = "\n".join(f"class{i}" for i in range(classes)).encode() + b"\n\n"
    return members, {name: np.concatenate(parts) for name, parts in arrays.items()}


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A mirror of small sets, known by their hashes."""
    monkeypatch.setattr(text, "_BYTES", 100)
    with serve(Site()) as site:
        for classes, source in cifar._SOURCES.items():
            small = replace(source, train=dict.fromkeys(source.train, 3), test=dict.fromkeys(source.test, 2))
            monkeypatch.setitem(cifar._SOURCES, classes, small)
            content = archive(small_cifar(classes)[0])
            [name] = source.names
            site.files[name] = content
            known = replace(
                small,
                packed_sha256={name: hashlib.sha256(content).hexdigest()},
                mirrors=(NOWHERE, site.url),
                max_bytes=len(content),
            )
            monkeypatch.setitem(cifar._SOURCES, classes, known)
        site.files["input.txt"] = b"First Citizen:\nBefore we proceed any further, hear me speak.\n"
        digest = {"input.txt": hashlib.sha256(site.files["input.txt"]).hexdigest()}
        play = replace(text._SHAKESPEARE, packed_sha256=digest, mirrors=(NOWHERE, site.url))
        monkeypatch.setattr(text, "_SHAKESPEARE", play)
        yield site


@pytest.mark.parametrize("classes", [10, 100])
def test_cifar(site: Site, cache: Path, tmp_path: Path, classes: Any) -> None:
    data = load_cifar(classes, progress=False)
    for name, array in small_cifar(classes)[1].items():
        np.testing.assert_array_equal(getattr(data, name), array)
    assert data.class_names == tuple(f"class{i}" for i in range(classes))
    assert str(cache / f"cifar-{classes}") in data.source and len(site.requests) == 1
    again = load_cifar(classes, download=False)
    np.testing.assert_array_equal(again.train_images, data.train_images)
    # Found where it is named; damaged there, it is an error, damaged in the cache, it is downloaded again.
    [path] = (cache / f"cifar-{classes}").glob("*.gz")
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / path.name).write_bytes(content)
    assert load_cifar(classes, tmp_path / "mine").source == f"CIFAR-{classes} from {tmp_path / 'mine'}"
    (tmp_path / "mine" / path.name).write_bytes(content[:-1])
    with pytest.raises(DatasetError, match=r"SHA-256 is .*, expected"):
        load_cifar(classes, tmp_path / "mine")
    load_cifar(classes, progress=False)
    assert len(site.requests) == 2 and path.read_bytes() == content


def test_cifar_archives_of_another_content(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = small_cifar(10)[0]
    [test] = cifar._SOURCES[10].test
    for change, message in (
        ({test: good[test][:-1]}, "has 6145 bytes, expected 6146"),
        ({test: good[test] + b"x"}, "not one plain file of at most 6146"),
        ({test: b"\12" + good[test][1:]}, "class 10 at 0"),
        ({cifar._SOURCES[10].meta: b"a b"}, "has 2 names, expected 10"),
    ):
        content = archive(good | change)
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
        digest = {"cifar-10-binary.tar.gz": hashlib.sha256(content).hexdigest()}
        monkeypatch.setitem(cifar._SOURCES, 10, replace(cifar._SOURCES[10], packed_sha256=digest))
        with pytest.raises(DatasetError, match=message):
            load_cifar(10, tmp_path)


def test_offline() -> None:
    with pytest.raises(DownloadError, match=r"CIFAR-10 is not on this machine, and .*cannot be reached.*Put its file"):
        load_cifar(progress=False)
    with pytest.raises(DownloadError, match=r"not asked for\. Put its file \(cifar-100-binary\.tar\.gz\) into"):
        load_cifar(100, download=False)
    with pytest.raises(DatasetError, match=r"Tiny Shakespeare is not on this machine.*or take load_text\('python'\)"):
        load_text(progress=False)
    with pytest.raises(DatasetError, match="no text 'bible'"):
        load_text(untyped("bible"))


def test_text(site: Site, cache: Path) -> None:
    data = load_text(progress=False)
    assert data.text == site.files["input.txt"].decode() and str(cache) in data.source
    assert data.tokens.dtype == np.uint8 and data.decode(data.tokens) == data.text
    assert load_text(download=False).text == data.text
    site.files["input.txt"] += b"?"
    (cache / "tinyshakespeare" / "input.txt").unlink()
    with pytest.raises(DatasetError, match=r"damaged file.*SHA-256"):
        load_text(progress=False)


def test_text_of_python() -> None:
    data = load_text("python", download=False)
    assert 'The "for" statement' in data.text and data.source.startswith("the reference of Python")
    assert data.decode(data.encode("while")) == "while"


def test_characters() -> None:
    for size, dtype in ((1, "u1"), (256, "u1"), (257, "u2")):
        data = Text("".join(map(chr, range(1000, 1000 + size))), "")
        assert data.tokens.dtype == dtype and data.tokens.tolist() == list(range(size))
    assert Text("", "").tokens.size == 0
    assert repr(Text("abc", "mine")) == "Text(source='mine')"
    with pytest.raises(DatasetError, match=r"\['x'\] are not in the text"):
        Text("abc", "").encode("xa")
    with pytest.raises(DatasetError, match="tokens 0 to 3, expected 0 to 2"):
        Text("abc", "").decode([0, 3])


def test_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_digits()
    # What the repository says of its test set.
    assert np.bincount(data.classes).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    data.images[:] = 0
    assert load_digits().images.any()
    datasets = pytest.importorskip("sklearn.datasets")
    theirs = datasets.load_digits()
    np.testing.assert_array_equal(load_digits().images[:, 0], theirs.images)
    np.testing.assert_array_equal(data.classes, theirs.target)
    path = tmp_path / "digits.gz"
    content = digits_module._PATH.read_bytes()
    monkeypatch.setattr(digits_module, "_PATH", path)
    with pytest.raises(DatasetError, match="no such file; this file belongs to autograph: install it again"):
        load_digits()
    monkeypatch.setattr(digits_module, "_SHA256", "another")
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="was changed: install it again"):
        load_digits()


def test_archives(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with pytest.raises(DatasetError, match="can't be read"):
        read_tar(path, {"a": 1})
    for mode in ("w", "w:gz", "w:xz"):
        path.write_bytes(archive({"a": b"12", "../b": b"3"}, mode))
        assert read_tar(path, {"a": 2}) == {"a": b"12"}
        assert [p.name for p in tmp_path.iterdir()] == ["x.tar"]
    for wanted, message in (({"a": 1}, "at most 1 bytes"), ({"c": 1, "a": 9}, "lacks c")):
        with pytest.raises(DatasetError, match=message):
            read_tar(path, wanted)
    content = archive({"a": b"12" * 9999})
    for damaged in (content[:50], content[:-20], content[:30] + b"?" + content[31:], b"", b"no archive"):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"damaged|truncated|lacks a"):
            read_tar(path, {"a": 1 << 20})
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("a")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(DatasetError, match="not one plain file"):
        read_tar(path, {"a": 1 << 20})
    with tarfile.open(path, "w") as tar:
        large = tarfile.TarInfo("b")
        large.size = 2 << 30
        tar.addfile(large)
    with pytest.raises(DatasetError, match="more in it than expected"):
        read_tar(path, {"a": 1})
