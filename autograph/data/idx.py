"""The IDX file format of MNIST: an n-d array with a big-endian header, plain or compressed by gzip.

The header is two zero bytes, a type code, the number of axes, then the length of each axis as a 32-bit unsigned
integer. Elements follow in row-major order, big-endian.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.errors import DatasetError
from krnlpy import files
from krnlpy.errors import FileError, FileMissing

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(dtype).newbyteorder("="): code for code, dtype in _DTYPES.items()}
_Readable = gzip.GzipFile | io.BufferedReader
_CHUNK = 1 << 20
_MAX_AXES = 32  # that NumPy 1 has
_MAX_RATIO = 1032  # of deflate: 258 bytes from 2 bits


def read_idx(path: str | os.PathLike[str], *, max_bytes: int = 1 << 31) -> np.ndarray[Any, Any]:
    """Read an IDX file; a name that ends in ``.gz`` is unpacked on the way.

    Nothing is allocated before the header is known to be sound, and never more than it says.

    Args:
        path: the file.
        max_bytes: the most that the elements may take.

    Returns:
        A new array in the machine's byte order, of the type and shape that the header says.

    Raises:
        DatasetError: the file cannot be read, is not an IDX file, is larger than ``max_bytes``, is truncated, has bytes
            left over, or is damaged.

    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/x.gz", np.arange(6, dtype=np.uint8).reshape(2, 3))
    ...     read_idx(f"{folder}/x.gz")
    array([[0, 1, 2],
           [3, 4, 5]], dtype=uint8)
    """
    path = _checked(path)
    with _opened(path) as file:
        dtype, shape = _read_header(file, path)
        size = math.prod(shape) * dtype.itemsize
        if size > max_bytes:
            raise DatasetError(f"{path}: its header says {size} bytes of shape {shape}, more than {max_bytes}")
        capacity = path.stat().st_size * (_MAX_RATIO if path.suffix == ".gz" else 1)
        if size > capacity:
            raise DatasetError(f"{path}: truncated: {size} bytes of shape {shape} cannot be in a file of this size")
        try:
            array = np.empty(shape, dtype)
        except (ValueError, MemoryError) as error:  # lengths whose product no size can hold, even beside a 0
            raise DatasetError(f"{path}: no array has the shape {shape}: {error}") from error
        content = array.reshape(-1).view(np.uint8)
        if (got := _read_into(file, content)) < size:
            raise DatasetError(f"{path}: truncated: {got} bytes of elements, expected {size} for shape {shape}")
        if file.read(1):
            raise DatasetError(f"{path}: bytes left over after {size} bytes of elements of shape {shape}")
    if not dtype.isnative:
        array = array.byteswap(inplace=True).view(dtype.newbyteorder())
    return array


def write_idx(path: str | os.PathLike[str], array: np.ndarray[Any, Any]) -> None:
    """Write an IDX file atomically; a name that ends in ``.gz`` is compressed, always to the same bytes.

    Args:
        path: the file.
        array: u8, i8, i16, i32, f32 or f64, of 1 to 32 axes.

    Raises:
        DatasetError: IDX has no such type or shape, or the file cannot be written.

    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> from autograph.data import write_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/classes.idx", np.array([3, 7], np.uint8))
    ...     Path(f"{folder}/classes.idx").read_bytes().hex(" ")  # u8, one axis, of length 2
    '00 00 08 01 00 00 00 02 03 07'
    """
    path = _checked(path)
    packed = pack_idx(array)
    if path.suffix == ".gz":
        packed = gzip.compress(packed, mtime=0)
    try:
        files.write(path, packed)
    except FileError as error:
        raise DatasetError(str(error)) from error


def pack_idx(array: np.ndarray[Any, Any]) -> bytes:
    """Return the content of the IDX file of an array, as :func:`write_idx` takes it.

    Raises:
        DatasetError: IDX has no such type or shape.
    """
    if not isinstance(array, np.ndarray):
        raise DatasetError(f"IDX holds NumPy arrays, not {type(array).__name__}")
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        raise DatasetError(f"IDX has no {array.dtype}; expected one of {', '.join(map(str, _CODES))}")
    if not 1 <= array.ndim <= _MAX_AXES or max(array.shape) >= 1 << 32:
        raise DatasetError(f"IDX has no shape {array.shape}; expected 1 to {_MAX_AXES} axes shorter than 2**32")
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(_DTYPES[code]).tobytes()


def _checked(path: str | os.PathLike[str]) -> Path:
    try:
        return files.checked_path(path)
    except FileError as error:
        raise DatasetError(str(error)) from None


@contextmanager
def _opened(path: Path) -> Iterator[_Readable]:
    """The unpacked content; whatever goes wrong in reading becomes a DatasetError that names the file."""
    try:
        with files.opened(path) as plain:
            if path.suffix == ".gz":
                with gzip.open(plain, "rb") as unpacked:
                    yield unpacked
            else:
                yield plain
    except FileMissing:
        raise DatasetError(f"{path}: no such file") from None
    except FileError as error:
        raise DatasetError(str(error)) from error
    except EOFError:
        raise DatasetError(f"{path}: truncated: the compressed data stop before their end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{path}: damaged: not sound gzip data ({error})") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error


def _read_header(file: _Readable, path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or not 1 <= magic[3] <= _MAX_AXES:
        raise DatasetError(
            f"{path}: not an IDX file: it starts with {magic.hex(' ') or 'nothing'}, expected 00 00, a type code "
            f"({', '.join(f'{code:02x}' for code in _DTYPES)}) and the number of axes (1 to {_MAX_AXES})"
        )
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise DatasetError(f"{path}: truncated: the header stops before the lengths of its {magic[3]} axes")
    return np.dtype(_DTYPES[magic[2]]), struct.unpack(f">{magic[3]}I", lengths)


def _read_into(file: _Readable, content: npt.NDArray[np.uint8]) -> int:
    done = 0
    while done < len(content):
        chunk = file.read(min(_CHUNK, len(content) - done))
        if not chunk:
            break
        content[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
        done += len(chunk)
    return done
