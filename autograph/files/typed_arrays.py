"""Arrays within CBOR, as RFC 8746 writes them.

An array is tag 40 (multi-dimensional, row-major) of ``[shape, typed array]``, the typed array a byte string under the
tag of its element type, little endian. bf16 has no such tag: it is a map ``{"dtype": "bf16", "shape": shape, "bits":
typed array}``, the typed array of u16 (tag 69) that hold the bits. So has bool, whose typed array is of u8 (tag 64).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import prod
from typing import Any

import cbor2
import ml_dtypes
import numpy as np

from autograph.errors import CheckpointError
from autograph.tensor.tensor import Tensor

_MULTI_DIMENSIONAL = 40
_TAGS: dict[np.dtype[Any], int] = {
    np.dtype("u1"): 64,
    np.dtype("<u2"): 69,
    np.dtype("<u4"): 70,
    np.dtype("<u8"): 71,
    np.dtype("i1"): 72,
    np.dtype("<i2"): 77,
    np.dtype("<i4"): 78,
    np.dtype("<i8"): 79,
    np.dtype("<f2"): 84,
    np.dtype("<f4"): 85,
    np.dtype("<f8"): 86,
}
_DTYPES = {tag: dtype for dtype, tag in _TAGS.items()}
_UNTAGGED = {np.dtype(ml_dtypes.bfloat16): "bf16", np.dtype(bool): "bool"}
"""What has no tag of its own, and is written as whole numbers of its size."""
_UNTAGGED_DTYPES = {name: dtype for dtype, name in _UNTAGGED.items()}


_PLAIN = {type(None), bool, int, float, str, bytes}
MAX_AXES = 64
"""The most axes that an array of NumPy has."""


class _FormatError(Exception):
    """Something that does not belong in a file. Its place is put together on the way out: sound data pay nothing."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.place: list[str] = []


def encode(value: Any, where: str) -> Any:
    """Plain data with arrays, tensors and NumPy numbers in it, as what CBOR can hold.

    Args:
        value: None, truth values, numbers, strings, bytes, arrays, tensors, and lists, tuples and dicts (with strings
            as keys) of those.
        where: the value's name, for errors.

    Raises:
        CheckpointError: there is something else in it.
    """
    return _converted(_encoded, value, where)


def decode(value: Any, where: str) -> Any:
    """What :func:`encode` was given, tuples as lists and tensors as arrays.

    Raises:
        CheckpointError: it is not what ``encode`` makes.
    """
    return _converted(_decoded, value, where)


def _converted(convert: Callable[[Any], Any], value: Any, where: str) -> Any:
    try:
        return convert(value)
    except _FormatError as error:
        raise CheckpointError(f"{where}{''.join(reversed(error.place))}{error.message}") from None


def _entries(convert: Callable[[Any], Any], entries: Iterable[tuple[Any, Any]], place: str) -> Iterator[Any]:
    """Converts what has a key or an index."""
    for at, entry in entries:
        try:
            yield entry if type(entry) in _PLAIN else convert(entry)
        except _FormatError as error:
            error.place.append(place % at)
            raise


def _encoded(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, np.ndarray):
        return _encoded_array(value)
    if isinstance(value, Tensor):
        return _encoded_array(np.array(value))
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, list | tuple):
        return [*_entries(_encoded, enumerate(value), "[%d]")]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise _FormatError(f": the key {key!r} is not a string")
        return dict(zip(value, _entries(_encoded, value.items(), ".%s"), strict=True))
    raise _FormatError(
        f" is of type {type(value).__name__}, which is not saved; expected None, numbers, strings, bytes, arrays,"
        " tensors, lists and dicts"
    )


def _encoded_array(array: np.ndarray[Any, Any]) -> Any:
    if isinstance(array, np.ma.MaskedArray):
        raise _FormatError(" is a masked array, which is not saved; expected its data and its mask as two arrays")
    if array.dtype in _UNTAGGED:
        whole = np.dtype(f"<u{array.itemsize}")
        data = np.ascontiguousarray(array).view(f"u{array.itemsize}").astype(whole).tobytes()
        return {
            "dtype": _UNTAGGED[array.dtype],
            "shape": list(array.shape),
            "bits": cbor2.CBORTag(_TAGS[whole], data),
        }
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _TAGS:
        raise _FormatError(f" is an array of {array.dtype}, which is not saved")
    return cbor2.CBORTag(
        _MULTI_DIMENSIONAL, [list(array.shape), cbor2.CBORTag(_TAGS[dtype], array.astype(dtype).tobytes())]
    )


def _decoded(value: Any) -> Any:
    if isinstance(value, cbor2.CBORTag):
        entries = value.value
        if value.tag != _MULTI_DIMENSIONAL or not isinstance(entries, list | tuple) or len(entries) != 2:
            raise _FormatError(f": the CBOR tag {value.tag} here is not an array")
        return _decoded_array(entries[0], entries[1])
    if type(value) in _PLAIN:
        return value
    if isinstance(value, list | tuple):
        if _PLAIN.issuperset(map(type, value)):  # long lists
            return list(value)
        return [*_entries(_decoded, enumerate(value), "[%d]")]
    if isinstance(value, dict):
        if _is_untagged(value):
            dtype = _UNTAGGED_DTYPES[value["dtype"]]
            array = _decoded_array(value["shape"], value["bits"])
            if array.dtype != np.dtype(f"u{dtype.itemsize}"):
                raise _FormatError(f": the bits of {value['dtype']} are {array.dtype}, not uint{8 * dtype.itemsize}")
            if dtype.kind == "b" and (array > 1).any():
                raise _FormatError(": a bool is neither 0 nor 1")
            return array.view(dtype)
        return dict(zip(value, _entries(_decoded, value.items(), ".%s"), strict=True))
    raise _FormatError(f": a value of type {type(value).__name__} does not belong there")


def _is_untagged(value: dict[Any, Any]) -> bool:
    """A dict that somebody saved may have the same keys; but a typed array without a shape only stands in arrays."""
    bits, dtype = value.get("bits"), value.get("dtype")
    return (
        value.keys() == {"dtype", "shape", "bits"}
        and isinstance(dtype, str)
        and dtype in _UNTAGGED_DTYPES
        and isinstance(bits, cbor2.CBORTag)
        and bits.tag != _MULTI_DIMENSIONAL
    )


def _decoded_array(shape: Any, data: Any) -> np.ndarray[Any, Any]:
    if not isinstance(data, cbor2.CBORTag) or data.tag not in _DTYPES or not isinstance(data.value, bytes):
        raise _FormatError(": expected a typed array")
    if (
        not isinstance(shape, list | tuple)
        or len(shape) > MAX_AXES
        or not all(type(n) is int and 0 <= n < 1 << 62 for n in shape)
    ):
        raise _FormatError(f": expected a shape of at most {MAX_AXES} lengths below 2**62")
    dtype = _DTYPES[data.tag]
    if len(data.value) != prod(shape) * dtype.itemsize:
        raise _FormatError(
            f": {len(data.value)} bytes are not {prod(shape)} elements of {dtype.itemsize} bytes, as the shape"
            f" {tuple(shape)} asks"
        )
    return np.frombuffer(data.value, dtype).astype(dtype.newbyteorder("=")).reshape(shape)
