"""Changes of a tensor in place by another one. Nothing of it is recorded for gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autograph.errors import DeviceError, ShapeError
from autograph.tensor.base import require_tensor
from krnlpy import Buffer, Item, ItemMut, kernel

from .checks import number_of, require_alike, require_numbers
from .type_variables import T, W

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _add_assign(x: ItemMut[T], y: Item[T]) -> None:
    x += y


@kernel
def _scaled_add(x: ItemMut[T], alpha: W, y: Item[T]) -> None:
    x += alpha * y


def fill(x: Tensor, value: complex) -> None:
    """Sets every element to a value, in place.

    Args:
        value: a number, converted as by :meth:`cast`; or a parameter of the graph that is being captured.

    Raises:
        AutographError: the tensor was computed from parameters.
        DtypeError: ``value`` is not a number.

    >>> from autograph import Tensor
    >>> x = Tensor.empty((2, 2))
    >>> x.fill(0.5)
    >>> x.numpy().tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    x.writable().fill(value)


def assign(x: Tensor, other: Tensor) -> None:
    """Sets the elements to those of another tensor on the same device, converted as by :meth:`cast` and broadcast,
    in place.

    Raises:
        AutographError: this tensor was computed from parameters.
        ShapeError: the other's shape does not broadcast to this one's.
        DeviceError: the other lies on another device.
        DtypeError: ``other`` is not a tensor.

    >>> from autograph import Tensor
    >>> x = Tensor.zeros((2, 2))
    >>> x.assign(Tensor.from_numpy([1, 2]))
    >>> x.numpy().tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    source = _converted("assign", x, other)
    x.writable().copy_from(source)


def add_assign(x: Tensor, other: Tensor) -> None:
    """Adds another tensor of the same dtype and device, broadcast, in place.

    Raises:
        AutographError: this tensor was computed from parameters.
        ShapeError: the other's shape does not broadcast to this one's.
        DtypeError: the other has another dtype, or is not a tensor.
        DeviceError: the other lies on another device.

    >>> from autograph import Tensor
    >>> x = Tensor.zeros((2, 2))
    >>> x.add_assign(Tensor.full(2, 1.5))
    >>> x.numpy().tolist()
    [[1.5, 1.5], [1.5, 1.5]]
    """
    require_alike("add_assign", x, other)
    require_numbers("add_assign", x.dtype)
    source = _converted("add_assign", x, other)
    if x.size:
        _add_assign(x.writable(), source)


def scaled_add(x: Tensor, alpha: float, other: Tensor) -> None:
    """Adds ``alpha`` times another tensor on the same device, converted as by :meth:`cast` and broadcast, in place.

    Raises:
        AutographError: this tensor was computed from parameters.
        ShapeError: the other's shape does not broadcast to this one's.
        DeviceError: the other lies on another device.
        DtypeError: ``alpha`` is not a number, or one that this tensor's integers cannot hold, or ``other`` is not a
            tensor.

    >>> from autograph import Tensor
    >>> x = Tensor.ones(2)
    >>> x.scaled_add(-0.5, Tensor.from_numpy([1, 2]))
    >>> x.numpy().tolist()
    [0.5, 0.0]
    """
    require_numbers("scaled_add", x.dtype)
    number = number_of("scaled_add", alpha, x.dtype)
    source = _converted("scaled_add", x, other)
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
