"""The rules that several operations share, and their errors."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import AxisError, DeviceError, DtypeError, ShapeError
from autograph.tensor.base import Shape, require_tensor
from krnlpy import DTypeLike, ScalarType, StandIn

from .type_variables import number_for

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def require_alike(operation: str, first: Tensor, *others: Tensor) -> None:
    """All tensors must have one device and one dtype."""
    for other in others:
        require_tensor(operation, other)
        if other.device != first.device:
            raise DeviceError(
                f"{operation} of tensors on {first.device.name} and on {other.device.name}; move one with"
                " tensor.to_device(device)"
            )
        if other.dtype is not first.dtype:
            raise DtypeError(
                f"{operation} of {first.dtype} and {other.dtype}; convert one, for example tensor.cast({first.dtype})"
            )


def require_ndim(operation: str, name: str, tensor: Tensor, axes: str) -> None:
    """A tensor must have as many dimensions as ``axes``, written like ``"[n, c, h, w]"``, has names."""
    require_tensor(operation, tensor)
    if tensor.ndim != axes.count(",") + 1:
        raise ShapeError(f"{operation} takes {name} of shape {axes}, not {tensor.shape}")


def require_dtype(operation: str, tensor: Tensor, *dtypes: DTypeLike) -> None:
    """An operand must be a tensor that has one of some dtypes."""
    require_tensor(operation, tensor)
    if tensor.dtype not in dtypes:
        names = ", ".join(str(dtype) for dtype in dtypes)
        raise DtypeError(f"{operation} takes {names}, not {tensor.dtype}; convert with tensor.cast(dtype)")


def require_numbers(operation: str, dtype: ScalarType) -> None:
    """The dtype must not be bool, of which there is no arithmetic in place."""
    if dtype.kind == "bool":
        raise DtypeError(f"{operation} of bool: truth values are not numbers; cast to a type of numbers, or compare")


def per_axis(name: str, value: Any, minimum: int, ndim: int) -> Shape:
    """A number for all axes of a signal, an image or a volume, or one for each: ``(vertical, horizontal)``."""
    several = isinstance(value, tuple | list)
    try:
        numbers = tuple(operator.index(v) for v in value) if several else (operator.index(value),) * ndim
    except TypeError:
        numbers = ()
    if len(numbers) != ndim or min(numbers) < minimum:
        raise ShapeError(f"{name}={value!r}: expected a whole number of at least {minimum}{_SEVERAL[ndim]}")
    return numbers


_SEVERAL = {1: "", 2: ", or a pair of them", 3: ", or three of them"}


Triple = tuple[int, int, int]


def volume(sizes: Shape, fill: int = 1) -> Triple:
    """What is given for the axes of a signal, an image or a volume as that of a volume: ``fill`` is put in front."""
    z, y, x = (fill,) * (3 - len(sizes)) + tuple(sizes)
    return z, y, x


def single(name: str, value: Any, minimum: int) -> int:
    """One number, such as for the one axis of a signal."""
    return per_axis(name, value, minimum, 1)[0]


def integers(given: tuple[Any, ...]) -> Shape:
    """Lengths or axes that were given one by one or as one sequence, as NumPy's methods take them.

    Raises:
        ShapeError: one of them is not an integer.
    """
    entries = given
    try:
        entries = tuple(given[0]) if len(given) == 1 and isinstance(given[0], Iterable) else given
        return tuple(operator.index(n) for n in entries)
    except TypeError:
        raise ShapeError(f"expected integers, one by one or as a tuple, not {entries}") from None


def axis_within(operation: str, axis: Any, ndim: int) -> int:
    """An axis of ``ndim``, counted from the end if negative.

    Raises:
        AxisError: there is no such axis.
        ShapeError: it is no whole number.
    """
    try:
        place = operator.index(axis)
    except TypeError:
        raise ShapeError(f"{operation}(axis={axis!r}): expected a whole number") from None
    if not -ndim <= place < ndim:
        raise AxisError(f"{operation}(axis={place}): expected one of {ndim} axes, {-ndim} to {ndim - 1}")
    return place + ndim if place < 0 else place


def broadcast_shape(operation: str, shapes: Sequence[Shape]) -> Shape:
    """The shape of an operation's result on operands of such shapes.

    Raises:
        ShapeError: they don't broadcast.
    """
    try:
        return _broadcast_shape(tuple(shapes))
    except ValueError:
        listed = " and ".join(map(str, shapes))
        raise ShapeError(f"{operation} of shapes {listed}: aligned at the right, lengths must be equal or 1") from None


@lru_cache(maxsize=4096)  # a step broadcasts the same again
def _broadcast_shape(shapes: tuple[Shape, ...]) -> Shape:
    return np.broadcast_shapes(*shapes)


def is_number(value: Any) -> bool:
    """Whether it is a finite real number, of Python or NumPy."""
    return isinstance(value, Real) and isfinite(value)


def number_of(operation: str, value: Any, dtype: ScalarType) -> Any:
    """A number beside tensors of a dtype, as kernels take it; an integer dtype must hold it."""
    if isinstance(value, StandIn) and dtype.is_float:
        return number_for(dtype, value)
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, Real):
        raise DtypeError(
            f"{operation} takes a tensor or a number, not {type(value).__name__}; Tensor.from_numpy makes a tensor of"
            " an array"
        )
    if not dtype.is_float and not (isinstance(value, int) and dtype.min <= value <= dtype.max):
        raise DtypeError(
            f"{operation} of {dtype} and {value!r}: expected a whole number from {dtype.min} to {dtype.max}"
        )
    return number_for(dtype, value)
