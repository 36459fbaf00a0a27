"""True classes of a batch: their forms, and the check that they are in range."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from autograph.errors import DeviceError, DtypeError, ShapeError
from autograph.tensor.base import TensorBase
from krnlpy import Buffer, ScalarType, func, host_call, i32

from .type_variables import C

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Classes: TypeAlias = "Tensor | np.ndarray[Any, Any]"


@func
def class_index(given: Any, count: Any) -> Any:
    """A class as an i32, -1 where it is out of range: the classes may have 64 bits."""
    index = i32(given)
    return index if C(index) == given and 0 <= index < count else -1


@func
def class_place(given: Any, count: Any, is_ignored: Any, ignored: Any) -> Any:
    """A class as an i32, -1 where it is out of range, and -2 where it is to be ignored."""
    is_left_out = is_ignored != 0 and i32(given) == ignored and C(i32(given)) == given
    return -2 if is_left_out else class_index(given, count)


def class_tensor(operation: str, logits: Tensor, classes: Any, ignored: int | None = None) -> Tensor:
    """The classes as a tensor on the device of the logits; values are checked if they lie on the host.

    Raises:
        ShapeError: not one class for each row of ``[batch, classes, ...]`` logits, or a class out of range that is not
            the ignored one.
        DtypeError: no integers.
        DeviceError: a tensor on another device.
    """
    if logits.ndim < 2 or not logits.shape[1]:
        raise ShapeError(f"{operation} takes logits of shape [batch, classes, ...], not {logits.shape}")
    on_host: np.ndarray[Any, Any] | None = None
    if isinstance(classes, TensorBase):
        if classes.device != logits.device:
            raise DeviceError(
                f"{operation}: classes on {classes.device.name}, logits on {logits.device.name}; move them with"
                " tensor.to_device(device), or pass a NumPy array"
            )
    else:
        try:
            classes = on_host = np.asarray(classes)
        except Exception as error:  # whatever NumPy raises, or the object itself
            raise DtypeError(f"{operation} takes classes as an array of integers: {error}") from error
    dtype: Any = classes.dtype
    if not (dtype.is_integer if isinstance(dtype, ScalarType) else dtype.kind in "iu"):
        raise DtypeError(f"{operation} takes classes as integers, not {dtype}")
    shape = (logits.shape[0], *logits.shape[2:])
    if classes.shape != shape:
        raise ShapeError(
            f"{operation} of logits {logits.shape} takes one class a row, of shape {shape}, not {classes.shape}"
        )
    check = partial(check_range, operation, logits.shape[1], ignored=ignored)
    if isinstance(classes, TensorBase):
        if classes.device.is_host:
            host_call(check, classes.buffer, outputs=0)
        return classes.detach()
    assert on_host is not None
    check(on_host)
    # Checked to be small: 32 bits serve devices that have no 64.
    return logits.result(Buffer.from_numpy(on_host.astype(np.int32), logits.device))


def check_range(operation: str, count: int, classes: np.ndarray[Any, Any], ignored: int | None = None) -> None:
    """Classes must be from 0 to ``count - 1``, or the ignored one. Raises ShapeError."""
    if not classes.size:
        return
    low, high = int(classes.min()), int(classes.max())
    if (low < 0 or high >= count) and ignored is not None:
        others = classes[classes != ignored]
        low, high = (int(others.min()), int(others.max())) if others.size else (0, 0)
    if low < 0 or high >= count:
        wrong = low if low < 0 else high
        place = np.unravel_index(int(np.argmax(classes == wrong)), classes.shape)
        row = f" of row {place[0]}" if classes.ndim == 1 else f" at {tuple(map(int, place))}" if classes.ndim else ""
        raise ShapeError(
            f"{operation}: class {wrong}{row} is out of range: expected one of {count} classes, 0 to {count - 1}"
        )
