"""Elements by their places, changed in place. Nothing of it is recorded for gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import AxisError, DtypeError, ShapeError
from autograph.functions.launch import reshape_or_copy
from autograph.functions.shapes.views import view_of
from autograph.tensor.base import Shape, TensorBase
from krnlpy import Buffer

from .keys import Key, Mask, is_plain, key_of, require_device, selection_of
from .putting import assign_where, put

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def set_index(x: Tensor, key: Any, value: Any) -> None:
    """Changes what a key selects, in place; no other tensor sees it.

    Of several elements for one place the last one stays, on every device. An index out of range raises if it lies on
    the host; on a device it is left out. A mask by which one value is set does not wait for a device; one that takes as
    many values as it has true ones does.

    Args:
        key: as for reading.
        value: a tensor on the same device, an array, a list or a number; broadcast to what is selected, and converted
            as by :meth:`cast`.

    Raises:
        AutographError: the tensor was computed from parameters.
        ShapeError: the key does not fit the tensor, or the value's shape does not broadcast to what is selected.
        DtypeError: the value holds no numbers, or an index other numbers than whole ones.
        DeviceError: the value or an index lies on another device.

    >>> from autograph import Tensor
    >>> x = Tensor.zeros((2, 3), "i32")
    >>> x[0] = Tensor.from_numpy([1, 2, 3])
    >>> x[x == 0] = 9
    >>> x[[0, 1], [0, -1]] += 10
    >>> x.numpy().tolist()
    [[11, 2, 3], [9, 9, 19]]
    """
    if is_plain(key) and isinstance(value, bool | int | float):
        view_of(x, lambda buffer: buffer[key], AxisError)  # what it finds wrong is said before anything is copied
        x.writable()[key].fill(value)
        return
    parsed = key_of(x, key)
    given = _elements(x, value)
    if parsed.advanced:
        mask = parsed.mask
        if mask is None or not _assigned_where(x, parsed, mask, given):
            _put(x, parsed, given)
        return
    view = parsed.view
    given = _broadcast(given, view.shape)
    view.of(x.writable()).copy_from(given)


def _elements(x: Tensor, value: Any) -> Buffer:
    """What is to be set, in the dtype of the tensor and on its device."""
    if isinstance(value, TensorBase):
        require_device(x, value)
        # What is read must not change meanwhile: x[::-1] = x.
        return value.buffer if value.dtype is x.dtype and value is not x else value.buffer.cast(x.dtype)
    if isinstance(value, bool | int | float | np.generic):
        return Buffer.full((), value, x.dtype, x.device)
    if not isinstance(value, np.ndarray | list | tuple):
        raise DtypeError(f"x[key] = {value!r}: expected a tensor, an array, a list or a number")
    # Converted on the host: the device may not know the array's type.
    return Buffer.from_numpy(value).cast(x.dtype).to_device(x.device)


def _broadcast(value: Buffer, shape: Shape) -> Buffer:
    if not _fits(value.shape, shape):
        raise ShapeError(f"x[key] = value: a value of shape {value.shape} does not broadcast to {shape}")
    # Axes of length 1 before those that there are may be left out, as in NumPy.
    return value.reshape(value.shape[max(0, value.ndim - len(shape)) :]).broadcast_to(shape)


def _fits(given: Shape, shape: Shape) -> bool:
    excess = max(0, len(given) - len(shape))
    if any(n != 1 for n in given[:excess]):
        return False
    of = given[excess:]
    return all(n in (1, m) for n, m in zip(of, shape[len(shape) - len(of) :], strict=True))


def _assigned_where(x: Tensor, key: Key, mask: Mask, value: Buffer) -> bool:
    """Sets what a mask selects, if the value is the same for all its true values: so nobody waits for their number."""
    view, lengths = key.view.shape, mask.values.shape or (1,)
    axes = len(lengths)
    before, masked, after = view[: mask.axis], view[mask.axis : mask.axis + axes], view[mask.axis + axes :]
    if lengths != masked or not _fits(value.shape, (*before, 1, *after)):
        return False  # where the shape of the mask is wrong, looking up its places says so
    if isinstance(mask.values, TensorBase):
        require_device(x, mask.values)
        of: Buffer = mask.values.buffer
    else:
        of = Buffer.from_numpy(mask.values, x.device)
    is_true = of.reshape((*(1,) * len(before), *lengths, *(1,) * len(after))).broadcast_to(view)
    values = _broadcast(value, (*before, 1, *after)).reshape((*before, *(1,) * axes, *after)).broadcast_to(view)
    assign_where(key.view.of(x.writable()), is_true, values)
    return True


def _put(x: Tensor, key: Key, value: Buffer) -> None:
    found = selection_of(x, key)
    elements = _broadcast(value, found.shape)
    part = x.writable() if found.view.is_all(x) else found.view.of(x.writable())
    if found.order != tuple(range(part.ndim)):
        part = part.transpose(*found.order)
    whole = reshape_or_copy(part, found.form)
    put(whole, found.form, found.places, elements)
    if not whole.shares_memory(part):
        part.copy_from(whole.reshape(part.shape))
