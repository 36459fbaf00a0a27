"""Classes as rows of zeros with a one."""

from __future__ import annotations

import operator
from functools import partial

from autograph.errors import DtypeError, ShapeError
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, DTypeLike, Item, ItemMut, host_call, i32, kernel
from krnlpy.dsl import item_id

from .classes import check_range
from .launch import parts
from .shapes import reshaped
from .type_variables import C, T


@kernel
def _one_hot(classes: Item[C], out: ItemMut[T], count: i32) -> None:
    label = i32(classes)
    out = 1 if C(label) == classes and label == item_id() % count else 0


def one_hot(classes: Tensor, count: int, dtype: DTypeLike) -> Tensor:
    """A row of zeros with a one at its class, for each of a tensor of classes.

    Args:
        classes: of any shape and any of the 8 integer types. A class out of range raises if the tensor lies on the
            host; on a device, where looking would mean waiting, its row is zeros.
        count: of classes, at least 1.
        dtype: of the result, any of the 12.

    Returns:
        ``[*classes.shape, count]``.

    Raises:
        DtypeError: the classes are no integers. ShapeError: a class is out of range, or ``count`` is no count.

    >>> import numpy as np
    >>> one_hot(Tensor.from_numpy(np.array([2, 0], np.uint8)), 3, i32).numpy().tolist()
    [[0, 0, 1], [1, 0, 0]]
    """
    if not classes.dtype.is_integer:
        raise DtypeError(f"one_hot takes classes as integers, not {classes.dtype}")
    try:
        length = operator.index(count)
    except TypeError:
        length = 0
    if length < 1:
        raise ShapeError(f"one_hot of {count!r} classes: expected a whole number of at least 1")
    if classes.device.is_host:
        host_call(partial(check_range, "one_hot", length), classes.buffer)
    out = Buffer.empty((*classes.shape, length), dtype, classes.device)
    if out.size:
        rows = out.size // length
        repeated = reshaped(classes.buffer, (rows, 1)).broadcast_to((rows, length))
        for some, part in parts(repeated, out.reshape((rows, length))):
            _one_hot(some, part, length)
    return Tensor(out)
