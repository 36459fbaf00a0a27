"""Elements along an axis in their order, and the order itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.functions.scans.cumulative import axis_of
from autograph.tensor.base import require_tensor
from krnlpy import Buffer, DTypeLike, f32, f64, host_call, i8, i16, i32, i64, u8, u16, u32, u64

from .keys import keys_of
from .order import order_of
from .places import as_rows, of_rows, taken

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_FAST_ON_HOST: set[DTypeLike] = {f32, f64, i8, i16, i32, i64, u8, u16, u32, u64}
"""What NumPy sorts in vectors or by counting."""


def sort(x: Tensor, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements along an axis in ascending order.

    NaN stands behind all others, also where the order descends. -0.0 and 0.0 are equal. The gradient goes back to where
    the elements came from.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative.
        descending: the greatest element comes first.
        stable: equal elements stay in their order, as they always do here.

    Raises:
        ShapeError: there is no such axis.
        LimitExceeded: the axis has more elements than kernels of the device reach.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, sort
    >>> sort(Tensor.from_numpy([3, 1, 2])).numpy().tolist()
    [1, 2, 3]
    """
    require_tensor("sort", x)
    along = axis_of("sort", x, axis)
    if x.device.is_host and not x.tracked and x.dtype in _FAST_ON_HOST and x.size:
        return _sorted_by_numpy(x, along, descending)
    return taken(x, order_along(x, along, descending), along)


def argsort(x: Tensor, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    """The places on an axis of the elements in ascending order, as i32; of equal ones the first comes first.

    NaN stands behind all others, also where the order descends. -0.0 and 0.0 are equal.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative.
        descending: the greatest element comes first.
        stable: equal elements stay in their order, as they always do here.

    Raises:
        ShapeError: there is no such axis.
        LimitExceeded: the axis has more elements than kernels of the device reach.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, argsort
    >>> argsort(Tensor.from_numpy([3, 1, 2]), descending=True).numpy().tolist()
    [0, 2, 1]
    """
    require_tensor("argsort", x)
    along = axis_of("argsort", x, axis)
    return x.result(of_rows(order_along(x, along, descending), x.shape, along))


def order_along(x: Tensor, axis: int, descending: bool) -> Buffer:
    """The places ``[rows, n]`` of the elements along an axis in their order."""
    return order_of(keys_of(as_rows(x.buffer, axis), descending=descending))


def _sorted_by_numpy(x: Tensor, axis: int, descending: bool) -> Tensor:
    rows = as_rows(x.buffer, axis)
    out = Buffer.empty(rows.shape, x.dtype, x.device)

    def fill(given: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
        _sort_rows(given, out, descending)

    host_call(fill, rows, out)
    return x.result(of_rows(out, x.shape, axis))


def _sort_rows(given: np.ndarray[Any, Any], out: np.ndarray[Any, Any], descending: bool) -> None:
    is_float = given.dtype.kind == "f"
    # What turns the order around, and back; NaN stays NaN.
    turned = np.negative if is_float else np.invert
    if descending:
        turned(given, out=out)
    else:
        np.copyto(out, given)
    out.sort(axis=1, kind=None if given.itemsize > 2 else "stable")
    if descending:
        turned(out, out=out)
    if is_float and np.signbit(out[out == 0]).any():
        # -0.0 and 0.0 are equal, and stay in their order, row by row.
        out[out == 0] = given[given == 0]
