"""The IDX format: what is written is read back, and no damaged file gets through."""

from __future__ import annotations

import gzip
import os
import struct
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.data import read_idx, write_idx
from autograph.data.idx import pack_idx
from autograph.errors import DatasetError

DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]


@pytest.mark.parametrize("name", ["x", "x.gz"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_round_trip(tmp_path: Path, dtype: str, order: str, name: str) -> None:
    array = np.arange(-12, 12).reshape(2, 3, 4).astype(dtype).astype(order + dtype)
    write_idx(tmp_path / name, array)
    read = read_idx(tmp_path / name)
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@settings(deadline=None)
@given(hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(max_dims=5, min_side=0, max_side=4)))
def test_round_trip_of_any_array(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray[Any, Any]) -> None:
    path = tmp_path_factory.mktemp("idx") / "x"
    write_idx(path, array)
    np.testing.assert_array_equal(read_idx(path), array)


def test_header_is_that_of_the_format() -> None:
    assert pack_idx(np.zeros((2, 3), np.uint8)) == bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(6)


def test_compressed_files_are_reproducible(tmp_path: Path) -> None:
    array = np.arange(100, dtype=np.int32)
    write_idx(tmp_path / "a.gz", array)
    write_idx(tmp_path / "b.gz", array)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


GOOD = pack_idx(np.arange(1000, dtype=np.uint8))

BAD = {
    "empty": (b"", "not an IDX file: it starts with nothing"),
    "short magic": (GOOD[:3], "not an IDX file"),
    "magic": (b"\1" + GOOD[1:], "starts with 01 00 08 01"),
    "type": (b"\0\0\x0a\1" + GOOD[4:], "not an IDX file"),
    "no axes": (b"\0\0\x08\0" + GOOD[4:], "number of axes"),
    "too many axes": (b"\0\0\x08\xff" + bytes(4 * 255), "number of axes"),
    "short header": (GOOD[:6], "truncated: the header stops"),
    "short by one": (GOOD[:-1], "truncated"),
    "one left over": (GOOD + b"x", "bytes left over"),
    "larger than allowed": (struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3), "more than"),
    "larger than the file": (struct.pack(">BBBB1I", 0, 0, 8, 1, 2**31) + bytes(100), "truncated"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("what", BAD)
def test_damaged(tmp_path: Path, what: str, packed: bool) -> None:
    content, message = BAD[what]
    path = tmp_path / ("x.gz" if packed else "x")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DatasetError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("cut", [1, 5, 9, 20, 100])
def test_truncated_gzip(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(GOOD)[:-cut])
    with pytest.raises(DatasetError, match="truncated"):
        read_idx(path)


def test_every_flipped_byte_of_gzip_is_seen(tmp_path: Path) -> None:
    packed = gzip.compress(GOOD, mtime=0)
    path = tmp_path / "x.gz"
    # Bytes 4 to 9 are time, flags and system: they say nothing about the content.
    for at in [*range(4), *range(10, len(packed), 7), len(packed) - 1]:
        path.write_bytes(packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :])
        with pytest.raises(DatasetError):
            read_idx(path)


def test_not_gzip(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(GOOD)
    with pytest.raises(DatasetError, match="not sound gzip"):
        read_idx(path)


def test_more_than_max_bytes(tmp_path: Path) -> None:
    write_idx(tmp_path / "x", np.zeros(101, np.uint8))
    assert len(read_idx(tmp_path / "x", max_bytes=101)) == 101
    with pytest.raises(DatasetError, match="more than 100"):
        read_idx(tmp_path / "x", max_bytes=100)


def test_an_empty_array_of_lengths_that_none_has(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(struct.pack(">BBBB4I", 0, 0, 8, 4, 0, *[2**32 - 1] * 3))
    with pytest.raises(DatasetError, match="no array has the shape"):
        read_idx(tmp_path / "x")


def test_what_is_no_plain_file(tmp_path: Path) -> None:
    """Refused at once: who opens a pipe waits for its other end."""
    for name in ("x", "x.gz"):
        os.mkfifo(tmp_path / name)
        for use in (read_idx, partial(write_idx, array=np.zeros(3, np.uint8))):
            with pytest.raises(DatasetError, match="it is a named pipe, expected a plain file"):
                use(tmp_path / name)


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        read_idx(tmp_path / "x")
    with pytest.raises(DatasetError, match="can't be read: it is a folder"):
        read_idx(tmp_path)


@pytest.mark.parametrize("array", [np.zeros(3, np.uint32), np.zeros(3, np.complex64), np.array(1, np.uint8)])
def test_what_idx_does_not_have(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(DatasetError, match="IDX has no"):
        write_idx(tmp_path / "x", array)
    assert not list(tmp_path.iterdir())
