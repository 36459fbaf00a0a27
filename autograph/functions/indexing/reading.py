"""Elements by their places, read."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable
from autograph.errors import AxisError
from autograph.functions.shapes.views import transpose, view_of
from autograph.tensor.base import TensorBase
from krnlpy import Buffer

from .keys import View, is_plain, key_of, selection_of
from .places import Places, index_tensor
from .selections import select

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def index(x: Tensor, key: Any) -> Tensor:
    """What a key selects, by NumPy's rules: a view for integers, slices, None and an ellipsis; for the rest new memory.

    Whole numbers may be tensors on the same device, NumPy arrays or lists, and so may masks of truth values. Several of
    them broadcast, and their axes come where they stood if they stood together, else first. Numbers below 0 count from
    the end. A number out of range raises if it lies on the host; on a device, where looking would mean waiting, it
    gives NaN, and 0 of integers. A mask on a device waits for the number of its true values, since that is a length of
    the result.

    The gradient of an element that is selected several times is the sum, always added in the same order.

    Raises:
        AxisError: an IndexError: too many indices, or one that is out of range, or a mask of another shape.
        ShapeError: something else than these.
        DtypeError: an index is a tensor or an array of floats.
        DeviceError: an index is a tensor on another device.

    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy([[1, 2, 3], [4, 5, 6]])
    >>> x[1, ::2].numpy().tolist(), x[..., -1].numpy().tolist()
    ([4, 6], [3, 6])
    >>> x[[1, 0, 1], [-1, 0, 1]].numpy().tolist(), x[x > 2].numpy().tolist(), x[:, None, [0]].shape
    ([6, 1, 5], [3, 4, 5, 6], (2, 1, 1))
    """
    if not is_plain(key):
        return _index(x, key)
    value = view_of(x, lambda buffer: buffer[key], AxisError)
    return value if x.node is None else _recorded(x, value, key)


def _index(x: Tensor, key: Any) -> Tensor:
    if isinstance(key, TensorBase) and key.dtype.is_integer and x.ndim:  # rows, as training asks for them
        count, others = x.shape[0], x.shape[1:]
        places = Places(index_tensor("an index", key, x, 0, count), count, check=("an index", 0))
        return select(x, places, (1, count, prod(others)), (*key.shape, *others))
    parsed = key_of(x, key)
    if not parsed.advanced:
        return _viewed(x, parsed.view)
    found = selection_of(x, parsed)
    whole = _viewed(x, found.view)
    if found.order != tuple(range(whole.ndim)):
        whole = transpose(whole, found.order)
    return select(whole, found.places, found.form, found.shape)


def _viewed(x: Tensor, view: View) -> Tensor:
    """The view of integers, slices and new axes."""
    if view.is_all(x):
        return x
    value = view_of(x, view.of, AxisError)
    return value if x.node is None else _recorded(x, value, view.key)


def _recorded(x: Tensor, value: Tensor, key: Any) -> Tensor:
    shape, dtype, device, of = x.shape, x.dtype, x.device, value.shape

    def scatter(gradient: Tensor) -> Tensor:
        result = Buffer.zeros(shape, dtype, device)
        part = result[key]
        part.copy_from(gradient.buffer.reshape(part.shape))
        return differentiable(
            gradient.result(result), [(gradient, lambda dy: _viewed(dy, View(_listed(key), of)))], higher_order=True
        )

    return differentiable(value, [(x, scatter)], higher_order=True)


def _listed(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)
