"""Constant tables: captured arrays, and lists and tuples of numbers, that are indexed while the kernel runs."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.ir import Location
from krnlpy.errors import DtypeError, KernelTypeError
from krnlpy.scalar import ScalarType, i32, scalar_type

from .values import Static, is_number

MAX_BYTES = 1 << 20
"""Of a table, its elements in their type of computation, of at least 32 bits. It is a part of the compiled kernel."""
MAX_DIMENSIONS = 8
INDEX = i32
"""The type of the indices that the compiler writes."""


def frozen(value: Any) -> Any:
    """A captured object as it is now: what may change is copied. An np.float64, which is what NumPy's functions make of
    Python's floats, is one of these."""
    if isinstance(value, np.ndarray):
        return value.copy() if value.ndim else frozen(value[()])
    if type(value) not in (list, tuple):
        return float(value) if isinstance(value, np.float64) else value
    parts = tuple(map(frozen, value))
    return value if type(value) is tuple and all(map(operator.is_, parts, value)) else parts


def table(array: np.ndarray[Any, Any], name: str, where: Location) -> ir.ConstantArray:
    """An array as a table.

    Raises:
        KernelTypeError: it is of a type that kernels do not have, it has no elements, or too many dimensions.
    """
    what = f"{name}, an array of {array.dtype} of shape {array.shape},"
    try:
        type = scalar_type(array.dtype)
    except DtypeError:
        raise KernelTypeError(f"{what} cannot be a table: its elements are not of a type of kernels", *where) from None
    if not array.size or not 1 <= array.ndim <= MAX_DIMENSIONS:
        raise KernelTypeError(f"{what} cannot be a table, which has elements and 1 to {MAX_DIMENSIONS} axes", *where)
    shape = tuple(ir.const(length, i32, where) for length in array.shape)
    values = () if bytes_of(type, array.shape) > MAX_BYTES else tuple(array.astype(type.compute.dtype).ravel().tolist())
    return ir.ConstantArray(name, type, shape, values)


def bytes_of(type: ScalarType, shape: tuple[int, ...]) -> int:
    """What a table takes on a device."""
    return math.prod(shape) * max(4, type.compute.size)


def element(array: ir.ConstantArray, index: tuple[ir.Expr, ...], where: Location, checked: bool = True) -> ir.Expr:
    """An element of a table: a constant if the index is one.

    Raises:
        KernelTypeError: the table is too large.
    """
    type, shape = array.type.compute, tuple(int(n.value) for n in array.shape if isinstance(n, ir.Const))
    if not array.values:
        raise KernelTypeError(
            f"{array.name} has {math.prod(shape)} elements of {array.type}, {bytes_of(array.type, shape):,} bytes; a"
            f" table has up to {MAX_BYTES:,}: hand it to the kernel as a buffer, Global[{array.type}"
            f"{f', {len(shape)}' if len(shape) > 1 else ''}]",
            *where,
        )
    known = [int(i.value) for i in index if isinstance(i, ir.Const)]
    if len(known) < len(index):
        return ir.Load(array, index, checked, type=type, location=where)
    return ir.const(array.values[int(np.ravel_multi_index(known, shape))], type, where)


def as_array(value: tuple[Any, ...], where: Location) -> np.ndarray[Any, Any] | None:
    """A tuple of numbers, or of tuples of equal lengths and of arrays of one shape, as an array. Python's numbers are
    i32 or, if one of them has a point, f32; beside NumPy's they are of the type of these.

    Returns:
        None where it is no such tuple.

    Raises:
        KernelTypeError: a whole number does not fit.
    """
    leaves = list(_leaves(value))
    if not leaves or not all(is_number(leaf) or isinstance(leaf, np.generic) for leaf in leaves):
        return None
    try:
        shaped = np.array(_unwrapped(value), dtype=object)
    except ValueError:
        return None
    if not all(is_number(leaf) or isinstance(leaf, np.generic) for leaf in shaped.flat):
        return None  # of different lengths
    strong = [leaf.dtype for leaf in leaves if isinstance(leaf, np.generic)]
    whole = not any(isinstance(leaf, float) for leaf in leaves)
    weak = np.bool_ if all(isinstance(leaf, bool) for leaf in leaves) else np.int32 if whole else np.float32
    dtype = np.result_type(*strong) if strong else np.dtype(weak)
    if not whole and dtype.kind not in "fV":
        return None
    try:
        return shaped.astype(dtype)
    except OverflowError:
        raise KernelTypeError(
            f"a whole number of this table does not fit {dtype}; make it an array of a wider type, for example"
            " np.array(..., np.int64)",
            *where,
        ) from None


def _leaves(value: Any) -> Iterator[Any]:
    value = value.value if isinstance(value, Static) else value
    if isinstance(value, tuple | list):
        for entry in value:
            yield from _leaves(entry)
    elif isinstance(value, np.ndarray):
        yield from value.ravel()
    else:
        yield value


def _unwrapped(value: Any) -> Any:
    value = value.value if isinstance(value, Static) else value
    if isinstance(value, tuple | list):
        return [_unwrapped(entry) for entry in value]
    return value.tolist() if isinstance(value, np.ndarray) else value
