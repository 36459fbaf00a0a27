"""Whole numbers as rows of zeros with a one."""

from __future__ import annotations

import operator
from functools import partial
from typing import TYPE_CHECKING

from autograph.errors import DtypeError, ShapeError
from autograph.functions.classes import check_range, class_index
from autograph.functions.launch import reshape_or_copy, split_rows
from autograph.functions.type_variables import C, T
from autograph.tensor.base import require_tensor
from krnlpy import Buffer, DTypeLike, Item, ItemMut, f32, host_call, i32, kernel
from krnlpy.dsl import item_id

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _one_hot(classes: Item[C], out: ItemMut[T], count: i32) -> None:
    out = T(class_index(classes, count) == item_id() % count)


def one_hot(classes: Tensor, count: int, dtype: DTypeLike = f32) -> Tensor:
    """A row of zeros with a one at its class, for each of a tensor of classes.

    Args:
        classes: of any shape and any of the 8 integer types. A class out of range raises if the tensor lies on the
            host; on a device, where looking would mean waiting, its row is zeros.
        count: of classes, at least 1.
        dtype: of the result, any of the 13.

    Returns:
        ``[*classes.shape, count]``.

    Raises:
        DtypeError: the classes are not integers, or ``dtype`` is not a scalar type.
        ShapeError: a class is out of range, or ``count`` is not a whole number of at least 1.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> Tensor.from_numpy(np.array([2, 0], np.uint8)).one_hot(3, "i32").numpy().tolist()
    [[0, 0, 1], [1, 0, 0]]
    """
    require_tensor("one_hot", classes)
    if not classes.dtype.is_integer:
        raise DtypeError(f"one_hot takes classes as integers, not {classes.dtype}")
    try:
        length = operator.index(count)
    except TypeError:
        length = 0
    if length < 1:
        raise ShapeError(f"one_hot of {count!r} classes: expected a whole number of at least 1")
    if classes.device.is_host:
        host_call(partial(check_range, "one_hot", length), classes.buffer, outputs=0)
    out = Buffer.empty((*classes.shape, length), dtype, classes.device)
    if out.size:
        rows = out.size // length
        repeated = reshape_or_copy(classes.buffer, (rows, 1)).broadcast_to((rows, length))
        for some, part in split_rows(repeated, out.reshape((rows, length))):
            _one_hot(some, part, length)
    return classes.result(out)
