"""The safetensors format: a header that says where each tensor lies, and their elements, one after the other.

    ==============  ===================================================================================
    bytes           content
    ==============  ===================================================================================
    0 to 8          length n of the header, unsigned, little endian
    8 to 8 + n      the header, JSON: from each tensor's name to ``{"dtype": "F32", "shape": [2, 3],
                    "data_offsets": [begin, end]}``, and ``"__metadata__"`` to a map of strings
    from 8 + n      the elements, row-major and little endian; offsets count from here, without holes
    ==============  ===================================================================================

Source: https://github.com/huggingface/safetensors. Nothing that a header says is believed before it is compared with
the size of the file, and nothing is allocated by what it says.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable, Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np

from autograph.errors import CheckpointError
from autograph.tensor.base import Shape
from krnlpy import ScalarType, files, scalar_type
from krnlpy.errors import FileError

DTYPES: dict[str, ScalarType] = {
    name: scalar_type(name.lower())
    for name in ("BOOL", "I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "F16", "BF16", "F32", "F64")
}
"""The format's names of the 13 dtypes."""
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_MAX_HEADER = 100_000_000
"""The most bytes of a header that other libraries read, too."""
_METADATA = "__metadata__"
_ALIGNMENT = 8
MAX_AXES = 64
"""The most axes that an array of NumPy has."""


class SafetensorsEntry(NamedTuple):
    """What a header says of a tensor.

    Attributes:
        dtype: the format's name, such as ``"F32"``.
        shape: the lengths of the axes.
        begin: where its elements begin in the file.
        end: where they end.
    """

    dtype: str
    shape: Shape
    begin: int
    end: int


class SafetensorsHeader(NamedTuple):
    """What a safetensors file says of itself.

    Attributes:
        metadata: strings by name, which somebody added.
        tensors: from names to dtypes, shapes and places.
    """

    metadata: dict[str, str]
    tensors: dict[str, SafetensorsEntry]


def read_safetensors_header(path: str | os.PathLike[str]) -> SafetensorsHeader:
    """The names, dtypes and shapes of a safetensors file's tensors, and its metadata; no element is read.

    Raises:
        CheckpointError: the file is damaged; the message says where.
        FileMissing: there is no such file.
        FileError: the file cannot be opened, or is not a plain file.

    >>> import tempfile
    >>> from autograph import Tensor, read_safetensors_header, save_safetensors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(f"{folder}/x.safetensors", {"x": Tensor.ones((2, 3))}, {"made by": "me"})
    ...     header = read_safetensors_header(f"{folder}/x.safetensors")
    >>> header.metadata, header.tensors["x"].dtype, header.tensors["x"].shape
    ({'made by': 'me'}, 'F32', (2, 3))
    """
    with files.opened(path) as file:
        return _checked_header(path, file)


class MappedFile:
    """An open safetensors file. What is read of its elements is what is asked for: the file is mapped into memory.

    Args:
        path: the file.

    Raises:
        CheckpointError, FileMissing, FileError: as :func:`read_safetensors_header`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        with files.opened(path) as file:
            self.header = _checked_header(path, file)
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def array(self, name: str) -> np.ndarray[Any, Any]:
        """A tensor's elements where they lie in the file, read-only.

        Raises:
            CheckpointError: there is no such tensor, or its dtype is none of the 13.
        """
        if name not in self.header.tensors:
            known = ", ".join(list(self.header.tensors)[:8]) or "none"
            raise CheckpointError(f"{self._path} has no tensor {name!r}; it has {known}")
        dtype, shape, begin, end = self.header.tensors[name]
        if dtype not in DTYPES:
            raise CheckpointError(
                f"{self._path}: {name} is of {dtype}, which autograph does not have; load_safetensors(names=...) reads"
                " others"
            )
        stored = np.dtype("u1") if dtype == "BOOL" else DTYPES[dtype].dtype.newbyteorder("<")
        elements = np.frombuffer(self._map, stored, prod(shape), begin) if end > begin else np.empty(0, stored)
        # A byte of a truth value may be damaged: what is not 0 is true.
        return (elements != 0 if dtype == "BOOL" else elements).reshape(shape)


def write_safetensors(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str]
) -> None:
    """Writes arrays to a file so that at any moment either the old or the new one is there, whole.

    Raises:
        CheckpointError: it cannot be written, or a name, an array or the metadata cannot be said in the format.
    """
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    chunks: list[memoryview] = []
    place = 0
    for name, array in _in_order(arrays):
        dtype = _name_of(name, array)
        elements = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [place, place + elements.nbytes],
        }
        place += elements.nbytes
        if elements.nbytes:
            chunks.append(elements.reshape(-1).view(np.uint8).data)
    try:
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise CheckpointError(f"{path} was not written: a name or its metadata is no text: {error}") from error
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > _MAX_HEADER:
        raise CheckpointError(f"{path} was not written: its header has {len(text)} bytes, more than {_MAX_HEADER}")
    try:
        target = files.checked_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        files.write(target, len(text).to_bytes(8, "little"), text, *chunks)
    except FileError as error:
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"{path} was not written: its folder cannot be made: {error}") from error


def _in_order(arrays: Mapping[str, np.ndarray[Any, Any]]) -> Iterable[tuple[str, np.ndarray[Any, Any]]]:
    """Wide elements first, so that all lie at multiples of their size."""
    return sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize)


def _name_of(name: Any, array: np.ndarray[Any, Any]) -> str:
    if not isinstance(name, str) or name == _METADATA:
        raise CheckpointError(f"{name!r} is not a name of a tensor in a safetensors file: expected other text")
    for dtype, stored in _NAMES.items():
        if dtype.dtype == array.dtype:
            return stored
    raise CheckpointError(f"{name} is of {array.dtype}, which is not saved")


def _checked_header(path: str | os.PathLike[str], file: Any) -> SafetensorsHeader:
    """The header of an open file, all of which is checked."""
    size = os.fstat(file.fileno()).st_size
    first = file.read(8)
    if len(first) < 8:
        raise CheckpointError(f"{path} is not a safetensors file: it has {size} bytes, fewer than 8")
    length = int.from_bytes(first, "little")
    if length > min(_MAX_HEADER, size - 8):
        raise CheckpointError(
            f"{path} is damaged or not a safetensors file: by its first 8 bytes its header has {length} bytes, the file"
            f" has {size}; expected at most {_MAX_HEADER}"
        )
    text = file.read(length)
    try:
        header = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
        return _parts(header, 8 + length, size)
    except CheckpointError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file: its header is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise CheckpointError("a name is twice in its header")
    return result


def _no_constant(text: str) -> Any:
    raise CheckpointError(f"its header has {text}, which is not JSON")


def _parts(header: Any, start: int, size: int) -> SafetensorsHeader:
    if not isinstance(header, dict):
        raise CheckpointError("its header is not a map")
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError(f"{_METADATA} is not a map of strings")
    tensors = {name: _entry(name, value, start) for name, value in header.items()}
    place, last = start, "the header"
    for name, entry in sorted(tensors.items(), key=lambda item: item[1][2:]):
        if entry.begin != place:
            raise CheckpointError(f"{name} begins at byte {entry.begin}, but {last} ends at byte {place}")
        place, last = entry.end, name
    if place != size:
        what = "truncated" if size < place else "longer than it says"
        raise CheckpointError(f"it is {what}: {last} ends at byte {place}, the file at byte {size}")
    return SafetensorsHeader(metadata, tensors)


def _entry(name: str, value: Any, start: int) -> SafetensorsEntry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{name} is not a map of dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str):
        raise CheckpointError(f"the dtype of {name} is not text")
    if not _are_counts(shape) or len(shape) > MAX_AXES:
        raise CheckpointError(f"the shape of {name} is not a list of at most {MAX_AXES} lengths")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise CheckpointError(f"data_offsets of {name} are not two places in order")
    begin, end = offsets
    if dtype in DTYPES and prod(shape) * DTYPES[dtype].size != end - begin:
        raise CheckpointError(
            f"{name} has {end - begin} bytes by data_offsets, {prod(shape) * DTYPES[dtype].size} by its shape"
            f" {tuple(shape)} of {dtype}"
        )
    return SafetensorsEntry(dtype, tuple(shape), start + begin, start + end)


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 62 for n in value)
