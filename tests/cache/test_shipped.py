"""Kernels that packages ship compiled: the file, and what is wrong with it."""

from __future__ import annotations

import logging
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cbor2
import pytest

from krnlpy.cache import shipped
from krnlpy.cache.entry import packed
from krnlpy.cache.shipped import FILE, Group

MODULES = {"b" * 64: bytes(range(256)) * 30, "a" * 64: b"short"}
GROUP = Group.of("axpy_f32", MODULES)
OTHER = Group.of("scale_f32", {"c" * 64: b"another"})


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a package that announced a kernel."""
    module = ModuleType("shipping")
    module.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "shipping", module)
    monkeypatch.setattr(shipped, "_packages", set())
    shipped._shipped_by.cache_clear()
    shipped.announce("shipping.kernels.blas")
    yield tmp_path
    shipped._shipped_by.cache_clear()


def test_found_by_content(package: Path) -> None:
    shipped.write(package / FILE, "shipping", [OTHER, GROUP])
    for content, module in MODULES.items():
        assert shipped.find(content) == module
    assert shipped.find("c" * 64) == b"another"
    assert shipped.find("d" * 64) is None
    assert shipped.read(package / FILE, "shipping") == [GROUP, OTHER], "by name"


def test_packages_without(package: Path) -> None:
    assert shipped.find("a" * 64) is None
    for name in ("__main__", "", None):
        shipped.announce(name)
    shipped.announce("no_package_of_this_name")
    assert shipped.find("a" * 64) is None


def test_the_same_modules_make_the_same_bytes(tmp_path: Path) -> None:
    shipped.write(tmp_path / "1", "shipping", [OTHER, GROUP])
    shipped.write(tmp_path / "2", "shipping", [Group.of("axpy_f32", dict(reversed(MODULES.items()))), OTHER])
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def content_of(*groups: Any) -> bytes:
    return packed("krnlpy kernels 1, shipping", cbor2.dumps(groups))


NAME, CONTENTS, SIZES, COMPRESSED = GROUP.name, GROUP.contents, GROUP.sizes, GROUP.compressed
WRONG = {
    "nothing": b"",
    "another package's": packed("krnlpy kernels 1, another", b"\x80"),
    "of another version": packed("krnlpy kernels 2, shipping", b"\x80"),
    "not CBOR": packed("krnlpy kernels 1, shipping", b"\xff"),
    "deep": packed("krnlpy kernels 1, shipping", b"\x81" * 100_000),
    "giant": packed("krnlpy kernels 1, shipping", b"\x9b" + b"\x7f" * 8),
    "no list": packed("krnlpy kernels 1, shipping", b"\x01"),
    "too few parts": content_of([NAME, CONTENTS, SIZES]),
    "a number for a name": content_of([1, CONTENTS, SIZES, COMPRESSED]),
    "a number for contents": content_of([NAME, 1, SIZES, COMPRESSED]),
    "text for sizes": content_of([NAME, CONTENTS, ("1", "2"), COMPRESSED]),
    "a negative size": content_of([NAME, CONTENTS, (-1, 2), COMPRESSED]),
    "a size too few": content_of([NAME, CONTENTS, SIZES[:1], COMPRESSED]),
    "text for modules": content_of([NAME, CONTENTS, SIZES, "text"]),
}
WRONG_GROUPS = {
    "not zlib's": replace(GROUP, compressed=b"modules"),
    "truncated": replace(GROUP, compressed=COMPRESSED[:-10]),
    "fewer bytes than it says": replace(GROUP, sizes=(SIZES[0] + 1, SIZES[1])),
    "too large": replace(GROUP, sizes=(1 << 62, SIZES[1])),
    "a bomb": replace(GROUP, sizes=(1 << 27, 0), compressed=zlib.compress(bytes(1 << 24))),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_file_that_is_wrong_is_told_of_and_passed_over(
    package: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    (package / FILE).write_bytes(WRONG[what])
    with pytest.raises(ValueError, match=FILE):
        shipped.read(package / FILE, "shipping")
    with caplog.at_level(logging.WARNING):
        assert [shipped.find("a" * 64) for _ in range(3)] == [None] * 3
    (record,) = caplog.records
    assert "shipping" in record.getMessage() and FILE in record.getMessage()


@pytest.mark.parametrize("what", WRONG_GROUPS)
def test_modules_that_are_wrong(package: Path, caplog: pytest.LogCaptureFixture, what: str) -> None:
    shipped.write(package / FILE, "shipping", [WRONG_GROUPS[what], OTHER])
    with caplog.at_level(logging.WARNING):
        assert shipped.find("a" * 64) is None
    assert "axpy_f32" in caplog.text
    assert shipped.find("c" * 64) == b"another", "the others serve"


def test_any_damaged_byte_is_seen(package: Path) -> None:
    shipped.write(package / FILE, "shipping", [GROUP])
    data = (package / FILE).read_bytes()
    for place in range(0, len(data), 7):
        (package / FILE).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ValueError, match="damaged"):
            shipped.read(package / FILE, "shipping")


def test_a_file_that_cannot_be_read(package: Path, caplog: pytest.LogCaptureFixture) -> None:
    (package / FILE).mkdir()
    with caplog.at_level(logging.WARNING):
        assert shipped.find("a" * 64) is None
    assert "shipping" in caplog.text
