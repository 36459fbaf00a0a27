"""Arrays within CBOR, as RFC 8746 writes them.

An array is tag 40 (multi-dimensional, row-major) of ``[shape, typed array]``, the typed array a byte string under the
tag of its element type, little endian. bf16 has no such tag: it is a map ``{"dtype": "bf16", "shape": shape, "bits":
typed array}``, the typed array of u16 (tag 69) that hold the bits.
"""

from __future__ import annotations

from math import prod
from typing import Any

import cbor2
import ml_dtypes
import numpy as np

from .errors import CheckpointError

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
_BF16 = np.dtype(ml_dtypes.bfloat16)


def encode(value: Any, where: str) -> Any:
    """Plain data with arrays and NumPy numbers in it, as what CBOR can hold.

    Args:
        value: None, truth values, numbers, strings, bytes, arrays, and lists, tuples and dicts (with strings as keys)
            of those.
        where: the value's name, for errors.

    Raises:
        CheckpointError: there is something else in it.
    """
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, np.ndarray):
        return _encode_array(value, where)
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, list | tuple):
        return [encode(entry, f"{where}[{i}]") for i, entry in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise CheckpointError(f"{where}: the key {key!r} is no string")
        return {key: encode(entry, f"{where}.{key}") for key, entry in value.items()}
    raise CheckpointError(
        f"{where} is a {type(value).__name__}, which is not saved; expected None, numbers, strings, bytes, arrays,"
        " lists and dicts"
    )


def _encode_array(array: np.ndarray[Any, Any], where: str) -> Any:
    if array.dtype == _BF16:
        bits = cbor2.CBORTag(
            _TAGS[np.dtype("<u2")], np.ascontiguousarray(array).view(np.uint16).astype("<u2").tobytes()
        )
        return {"dtype": "bf16", "shape": list(array.shape), "bits": bits}
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _TAGS:
        raise CheckpointError(f"{where} is an array of {array.dtype}, which is not saved")
    return cbor2.CBORTag(
        _MULTI_DIMENSIONAL, [list(array.shape), cbor2.CBORTag(_TAGS[dtype], array.astype(dtype).tobytes())]
    )


def decode(value: Any, where: str) -> Any:
    """What :func:`encode` was given, tuples as lists.

    Raises:
        CheckpointError: it is not what ``encode`` makes.
    """
    if isinstance(value, cbor2.CBORTag):
        entries = value.value
        if value.tag != _MULTI_DIMENSIONAL or not isinstance(entries, list | tuple) or len(entries) != 2:
            raise CheckpointError(f"{where}: the CBOR tag {value.tag} here is no array")
        return _decode_array(entries[0], entries[1], where)
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, list | tuple):
        return [decode(entry, f"{where}[{i}]") for i, entry in enumerate(value)]
    if isinstance(value, dict):
        if set(value) == {"dtype", "shape", "bits"} and value["dtype"] == "bf16":
            array = _decode_array(value["shape"], value["bits"], where)
            if array.dtype != np.uint16:
                raise CheckpointError(f"{where}: the bits of bf16 are {array.dtype}, not uint16")
            return array.view(_BF16)
        return {str(key): decode(entry, f"{where}.{key}") for key, entry in value.items()}
    raise CheckpointError(f"{where}: a {type(value).__name__} does not belong there")


def _decode_array(shape: Any, data: Any, where: str) -> np.ndarray[Any, Any]:
    if not isinstance(data, cbor2.CBORTag) or data.tag not in _DTYPES or not isinstance(data.value, bytes):
        raise CheckpointError(f"{where}: expected a typed array")
    if not isinstance(shape, list | tuple) or not all(type(n) is int and 0 <= n < 1 << 62 for n in shape):
        raise CheckpointError(f"{where}: {shape!r} is no shape")
    dtype = _DTYPES[data.tag]
    if len(data.value) != prod(shape) * dtype.itemsize:
        raise CheckpointError(
            f"{where}: {len(data.value)} bytes are not {prod(shape)} elements of {dtype.itemsize} bytes, as the shape"
            f" {tuple(shape)} asks"
        )
    return np.frombuffer(data.value, dtype).astype(dtype.newbyteorder("=")).reshape(shape)
