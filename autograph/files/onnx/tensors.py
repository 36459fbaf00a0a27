"""Tensors in ONNX files as arrays: their sizes are checked before anything is made of them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograph.errors import OnnxError

from .node import dtype_of

Array = np.ndarray[Any, Any]

_FIELDS: dict[str, str] = {"f32": "float_data", "f64": "double_data", "i64": "int64_data", "u64": "uint64_data"}
"""Where elements are that do not lie as bytes; others are in int32_data, u32 in uint64_data."""


def array_of(proto: Any) -> Array:
    """The elements of a tensor.

    Raises:
        OnnxError: it has other elements than its shape asks for, or of a type that is none of the 13, or they lie in
            another file.
    """
    title = f"the tensor {proto.name!r}" if proto.name else "a tensor"
    if proto.data_location == 1 or proto.external_data:
        raise OnnxError(f"{title} lies in another file; onnx.load and onnx.save put it into this one")
    dtype = dtype_of(proto.data_type)
    shape = tuple(proto.dims)
    if any(n < 0 for n in shape) or len(shape) > 64:
        raise OnnxError(f"{title} has the shape {shape}")
    size, is_16_bit = prod(shape), dtype.is_float and dtype.size == 2
    if proto.raw_data:
        stored = np.dtype("u1") if dtype.kind == "bool" else dtype.dtype.newbyteorder("<")
        if len(proto.raw_data) != size * stored.itemsize:
            raise OnnxError(f"{title} has {len(proto.raw_data)} bytes, not {size} elements of {dtype}")
        elements = np.frombuffer(proto.raw_data, stored)
    else:
        field = getattr(proto, _FIELDS.get(dtype.name, "uint64_data" if dtype.name == "u32" else "int32_data"))
        if len(field) != size:
            raise OnnxError(f"{title} has {len(field)} elements, its shape {shape} asks for {size}")
        wide = np.float64 if dtype.is_float and not is_16_bit else np.uint64 if dtype.name == "u64" else np.int64
        elements = np.array(field, wide)
        if is_16_bit:
            elements = elements.astype(np.uint16).view(dtype.dtype)
    if dtype.kind == "bool":
        elements = elements != 0
    return elements.astype(dtype.dtype).reshape(shape)
