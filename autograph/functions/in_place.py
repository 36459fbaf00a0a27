"""Changes of a tensor in place by another one. Nothing of it is recorded for gradients."""

from __future__ import annotations

import numpy as np

from autograph.errors import DeviceError, ShapeError
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Item, ItemMut, kernel

from .checks import number_of, require_alike, require_tensor
from .type_variables import T, W


@kernel
def _add_assign(x: ItemMut[T], y: Item[T]) -> None:
    x += y


@kernel
def _scaled_add(x: ItemMut[T], alpha: W, y: Item[T]) -> None:
    x += alpha * y


def assign(x: Tensor, y: Tensor) -> None:
    """``x = y`` in place; see :meth:`Tensor.assign`."""
    source = _converted("assign", x, y)
    x.writable().copy_from(source)


def add_assign(x: Tensor, y: Tensor) -> None:
    """``x += y`` in place; see :meth:`Tensor.add_assign`."""
    require_alike("add_assign", x, y)
    source = _converted("add_assign", x, y)
    if x.size:
        _add_assign(x.writable(), source)


def scaled_add(x: Tensor, alpha: float, y: Tensor) -> None:
    """``x += alpha * y`` in place; see :meth:`Tensor.scaled_add`."""
    number = number_of("scaled_add", alpha, x.dtype)
    source = _converted("scaled_add", x, y)
    if x.size:
        _scaled_add(x.writable(), number, source)


def _converted(operation: str, x: Tensor, y: Tensor) -> Buffer:
    """The elements of ``y`` in the dtype and the shape of ``x``."""
    require_tensor(operation, y)
    if y.device != x.device:
        raise DeviceError(
            f"{operation} of tensors on {x.device.name} and on {y.device.name}; move one with tensor.to_device(device)"
        )
    try:
        fits = np.broadcast_shapes(x.shape, y.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{operation} of shapes {x.shape} and {y.shape}: the result does not fit the left one")
    return y.buffer.cast(x.dtype).broadcast_to(x.shape)
