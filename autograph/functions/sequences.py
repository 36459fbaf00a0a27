"""Numbers at equal distances."""

from __future__ import annotations

import math
import operator
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import DtypeError, ShapeError
from autograph.tensor.base import tensor_of
from krnlpy import Buffer, Device, DTypeLike, Feature, ItemMut, f32, f64, i32, i64, kernel, scalar_type
from krnlpy.dsl import item_id

from .checks import is_number, single
from .elementwise.promotion import as_number, number_dtype
from .launch import split_rows
from .type_variables import T, W

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _progression(start: W, step: W, first: W, y: ItemMut[T]) -> None:
    y = T(start + (first + W(item_id())) * step)


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
    device: Device | None = None,
) -> Tensor:
    """The numbers ``start``, ``start + step``, ... before ``stop``.

    Args:
        start: the first number; where it is the only one, the first is 0 and it is ``stop``.
        stop: where to end; it is not among them.
        step: from each to the next, below 0 too. Each number is computed by itself, in 64 bits, and rounded once, so
            that roundings do not add up.
        dtype: None is i32, or f32 where one of the numbers has a fraction part.
        device: None is the host.

    Raises:
        DtypeError: an argument is not a finite number, or the dtype is bool, or one of integers that can't hold all of
            the numbers.
        ShapeError: ``step`` is 0.

    >>> from autograph import arange
    >>> arange(3).numpy().tolist(), arange(5, 1, -2).numpy().tolist(), arange(0, 1, 0.25).numpy().tolist()
    ([0, 1, 2], [5, 3], [0.0, 0.25, 0.5, 0.75])
    """
    if stop is None:
        start, stop = 0, start
    numbers = _numbers("arange", start, stop, step)
    first, end, distance = numbers
    wanted = number_dtype("arange", numbers) if dtype is None else scalar_type(dtype)
    if wanted.kind == "bool":
        raise DtypeError("arange of bool: truth values are not numbers; expected another dtype")
    if distance == 0:
        raise ShapeError("arange with a step of 0 never ends")
    if all(isinstance(n, int) for n in numbers):
        count = len(range(int(first), int(end), int(distance)))
    else:
        count = max(0, math.ceil((end - first) / distance))
    if wanted.is_integer and count:
        for number in (first, first + (count - 1) * distance, distance):
            if not isinstance(number, int):
                raise DtypeError(f"arange of {wanted} and {number!r}: expected whole numbers")
        for number in (first, first + (count - 1) * distance):
            as_number("arange", number, wanted)
    y = Buffer.empty(count, wanted, device)
    _fill_progression(y, first, distance)
    return tensor_of(y)


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DTypeLike | None = None,
    device: Device | None = None,
    endpoint: bool = True,
) -> Tensor:
    """``num`` numbers from ``start`` to ``stop`` at equal distances.

    Each is computed by itself, from the end that is nearer, in f64, and rounded once.

    Args:
        start: the first one.
        stop: the last one, or with ``endpoint=False`` the one after.
        num: how many.
        dtype: of floats; None is f32.
        device: None is the host.
        endpoint: whether ``stop`` is one of them.

    Raises:
        DtypeError: ``start`` or ``stop`` is not a finite number, or the dtype none of floats.
        ShapeError: ``num`` is no whole number, or below 0.

    >>> from autograph import linspace
    >>> linspace(0, 1, 5).numpy().tolist(), linspace(0, 1, 4, endpoint=False).numpy().tolist()
    ([0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.25, 0.5, 0.75])
    """
    first, last = map(float, _numbers("linspace", start, stop))
    count = single("num", num, 0)
    wanted = scalar_type(f32 if dtype is None else dtype)
    if not wanted.is_float:
        raise DtypeError(f"linspace of {wanted}: numbers at equal distances are floats; cast the result")
    y = Buffer.empty(count, wanted, device)
    parts = max(1, count - 1 if endpoint else count)
    step = last / parts - first / parts  # stop - start may be beyond all numbers
    half = min(count, parts // 2 + 1)
    _fill_progression(y[:half], first, step)
    _fill_progression(y[half:], last, step, half - parts)
    return tensor_of(y)


def places(length: int, device: Device) -> Buffer:
    """The numbers from 0 to ``length - 1`` as i32."""
    y = Buffer.empty(length, i32, device)
    _fill_progression(y, 0, 1)
    return y


def _fill_progression(y: Buffer, start: float, step: float, place: int = 0) -> None:
    """Sets elements to ``start + (place + i) * step``, computed in 64 bits where the dtype is not one of narrower
    integers; on the host for devices without such."""
    if not y.size:
        return
    type = y.dtype
    work = scalar_type(f64 if type.is_float else i64 if type.size == 8 else i32)
    half = 1 << (work.bits - 1)

    def number(value: float) -> Any:  # integers wrap
        return work.dtype.type(value if type.is_float else (int(value) + half) % (2 * half) - half)

    if work.size == 8 and (Feature.FLOAT64 if type.is_float else Feature.INT64) not in y.device.info.features:
        places = np.arange(place, place + y.size, dtype=work.dtype)
        with np.errstate(over="ignore"):
            y.copy_from(np.asarray(type(number(start) + places * number(step))))
        return
    for (part,) in split_rows(y):
        _progression(number(start), number(step), number(place), part)
        place += part.size


def _numbers(operation: str, *given: Any) -> tuple[int | float, ...]:
    """Finite numbers as Python's."""
    for value in given:
        if not is_number(value):
            raise DtypeError(f"{operation} takes finite numbers, not {value!r}")
    return tuple(operator.index(value) if isinstance(value, Integral) else float(value) for value in given)
