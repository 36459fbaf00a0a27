"""True classes of a batch: their forms, and the check that they are in range."""

from __future__ import annotations

from typing import Any

import numpy as np

from krnlpy import ScalarType

from ..errors import DeviceError, DtypeError, ShapeError
from ..tensor import Tensor

Classes = Tensor | np.ndarray[Any, Any]


def class_tensor(operation: str, logits: Tensor, classes: Any) -> Tensor:
    """The classes as a tensor on the device of the logits; values are checked if they lie on the host.

    Raises:
        ShapeError: not one class for each row of ``[batch, classes]`` logits, or a class out of range.
        DtypeError: no integers.
        DeviceError: a tensor on another device.
    """
    if logits.ndim != 2 or not logits.shape[1]:
        raise ShapeError(f"{operation} takes logits of shape [batch, classes], not {logits.shape}")
    on_host: np.ndarray[Any, Any] | None = None
    if isinstance(classes, Tensor):
        if classes.device != logits.device:
            raise DeviceError(
                f"{operation}: classes on {classes.device.name}, logits on {logits.device.name}; move them with"
                " tensor.to_device(device), or pass a NumPy array"
            )
        if classes.device.is_host:
            on_host = classes.buffer.numpy()
    else:
        on_host = np.asarray(classes)
    dtype: Any = classes.dtype if isinstance(classes, Tensor) else np.asarray(classes).dtype
    if not (dtype.is_integer if isinstance(dtype, ScalarType) else dtype.kind in "iu"):
        raise DtypeError(f"{operation} takes classes as integers, not {dtype}")
    if classes.shape != logits.shape[:1]:
        raise ShapeError(
            f"{operation} of logits {logits.shape} takes one class a row, of shape {logits.shape[:1]}, not"
            f" {classes.shape}"
        )
    if on_host is not None and on_host.size:
        low, high = int(on_host.min()), int(on_host.max())
        if low < 0 or high >= logits.shape[1]:
            wrong = low if low < 0 else high
            row = int(np.argmax(on_host == wrong))
            raise ShapeError(
                f"{operation}: class {wrong} of row {row} is out of range: the logits have {logits.shape[1]} classes,"
                f" 0 to {logits.shape[1] - 1}"
            )
    if isinstance(classes, Tensor):
        return classes.detach()
    assert on_host is not None
    # Checked to be small: 32 bits serve devices that have no 64.
    return Tensor.from_numpy(on_host.astype(np.int32), logits.device)
