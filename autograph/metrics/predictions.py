"""What is predicted, beside what is true: classes on the device, those out of range and those ignored marked."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from autograph.errors import DeviceError, DtypeError, ShapeError
from autograph.functions.classes import check_range, class_place, class_tensor
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.reductions.aggregates import argmax
from autograph.functions.type_variables import C
from autograph.tensor.base import TensorBase
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Item, ItemMut, ScalarType, host_call, i32, kernel


@kernel
def _places(given: Item[C], out: ItemMut[i32], count: i32, is_ignored: i32, ignored: i32) -> None:
    out = class_place(given, count, is_ignored, ignored)


@elementwise
def _above(x: Any, threshold: Any) -> Any:
    return 1 if x > threshold else 0


def places_of(operation: str, logits: Tensor, classes: Any, ignored: int | None) -> Tensor:
    """The classes of ``[batch, classes, ...]`` logits as i32: -1 for those out of range, -2 for those ignored."""
    return _placed(class_tensor(operation, logits, classes, ignored), logits.shape[1], ignored)


def axes_of_classes(classes: Any) -> int:
    """How many axes true classes have, a tensor's or an array's."""
    return classes.ndim if isinstance(classes, TensorBase) else np.ndim(classes)


def predicted_and_true(
    operation: str, predictions: Tensor, classes: Any, count: int, threshold: float, ignored: int | None
) -> tuple[Tensor, Tensor]:
    """The predicted and the true classes, as i32 of one shape: -1 for those out of range, -2 for true ones ignored.

    Args:
        operation: for messages.
        predictions: logits or probabilities ``[batch, classes, ...]``, of which the greatest counts; or, of the shape
            of ``classes``, integers, or floats that are above the threshold.
        classes: true ones, ``[batch, ...]``.
        count: of the classes that there are.
        threshold: of floats.
        ignored: the class of places that do not count.

    Raises:
        ShapeError: the shapes do not fit, or a class is out of range.
        DtypeError: the classes are no integers.
        DeviceError: they are on another device.
    """
    if not isinstance(predictions, TensorBase):
        raise DtypeError(f"{operation} takes predictions as a tensor, not {type(predictions).__name__}")
    x = predictions.detach()
    if x.ndim == axes_of_classes(classes) + 1:
        if x.ndim < 2 or x.shape[1] != count:
            raise ShapeError(f"{operation} of {count} classes takes logits [batch, {count}, ...], not {x.shape}")
        return argmax(x, 1), places_of(operation, x, classes, ignored)
    true = _whole(operation, x, classes, count, ignored)
    if x.dtype.is_float:
        found: Tensor = _above(x, threshold)
    else:
        found = _placed(x if x.dtype.is_integer else x.cast("i32"), count, None)
    return found, true


def _whole(operation: str, x: Tensor, classes: Any, count: int, ignored: int | None) -> Tensor:
    if isinstance(classes, TensorBase):
        if classes.device != x.device:
            raise DeviceError(
                f"{operation}: classes on {classes.device.name}, predictions on {x.device.name}; move them with"
                " tensor.to_device(device), or pass a NumPy array"
            )
        given: Any = classes
    else:
        given = np.asarray(classes)
    dtype: Any = given.dtype
    if not (dtype.is_integer or dtype.kind == "bool" if isinstance(dtype, ScalarType) else dtype.kind in "iub"):
        raise DtypeError(f"{operation} takes classes as integers, not {dtype}")
    if given.shape != x.shape:
        raise ShapeError(
            f"{operation} takes one class for each prediction: predictions {x.shape}, classes {given.shape}; logits"
            " have the classes on their second axis"
        )
    check = partial(check_range, operation, count, ignored=ignored)
    if not isinstance(given, TensorBase):
        check(given.astype(np.int64))
        return _placed(x.result(Buffer.from_numpy(given.astype(np.int32), x.device)), count, ignored)
    tensor: Tensor = given.detach()
    tensor = tensor if tensor.dtype.is_integer else tensor.cast("i32")
    if tensor.device.is_host:
        host_call(check, tensor.buffer, outputs=0)
    return _placed(tensor, count, ignored)


def _placed(classes: Tensor, count: int, ignored: int | None) -> Tensor:
    out = Buffer.empty(classes.shape, i32, classes.device)
    if out.size:
        _places(classes.buffer, out, count, ignored is not None, ignored or 0)
    return classes.result(out)
