"""The greatest and the smallest of each element along an axis and all before it, and their places."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from autograph.autograd import differentiable
from autograph.functions.reductions import states
from autograph.functions.type_variables import T
from autograph.tensor.base import require_tensor
from krnlpy import Buffer, Item, ItemMut, ScalarType, i32, kernel, scalar_type
from krnlpy.dsl import item_id

from . import combinations
from .cumulative import axis_of
from .runs import run_sums
from .scanner import LIGHT, Scanner
from .windows import window

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def _lowest(dtype: ScalarType) -> tuple[float]:
    return (float("-inf") if dtype.is_float else dtype.min,)


def _highest(dtype: ScalarType) -> tuple[float]:
    return (float("inf") if dtype.is_float else dtype.max,)


_MAX = Scanner("cumulative_max", None, states.greater, identity=_lowest, host_chunk=LIGHT)
_MIN = Scanner("cumulative_min", None, states.smaller, identity=_highest, host_chunk=LIGHT)
_PLACES = Scanner("places", combinations.place_if_equal, states.greater, identity=(-1,), operands=2, host_chunk=LIGHT)


class Extremes(NamedTuple):
    """Extremes along an axis, and their places on it as i32."""

    values: Tensor
    indices: Tensor


@kernel
def _is_own_place(indices: Item[i32], out: ItemMut[T], n: i32, inner: i32) -> None:
    out = T(1 if item_id() // inner % n == indices else 0)


def cumulative_max(x: Tensor, axis: int | None = None) -> Extremes:
    """The greatest of each element along an axis and all before it, and its place: of equal ones the last.

    From a NaN on, it is NaN. The gradient goes to the element at the place.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; may be left out where there is one.

    Returns:
        ``values`` and ``indices``, the latter i32.

    Raises:
        ShapeError: there is no such axis, or there are several and none is named.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, cumulative_max
    >>> values, indices = cumulative_max(Tensor.from_numpy([1, 3, 2, 5]))
    >>> values.numpy().tolist(), indices.numpy().tolist()
    ([1, 3, 3, 5], [0, 1, 1, 3])
    """
    return _running_extremes("cumulative_max", _MAX, x, axis)


def cumulative_min(x: Tensor, axis: int | None = None) -> Extremes:
    """The smallest of each element along an axis and all before it, and its place: of equal ones the last.

    From a NaN on, it is NaN. The gradient goes to the element at the place.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; may be left out where there is one.

    Returns:
        ``values`` and ``indices``, the latter i32.

    Raises:
        ShapeError: there is no such axis, or there are several and none is named.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, cumulative_min
    >>> cumulative_min(Tensor.from_numpy([4, 3, 5, 1])).values.numpy().tolist()
    [4, 3, 3, 1]
    """
    return _running_extremes("cumulative_min", _MIN, x, axis)


def _running_extremes(name: str, scanner: Scanner, x: Tensor, axis: int | None) -> Extremes:
    require_tensor(name, x)
    along = axis_of(name, x, axis)
    (values,) = scanner.scanned([x.buffer], along, x.dtype)
    (places,) = _PLACES.scanned([x.buffer, values], along, x.dtype, (scalar_type(i32),))
    n, inner = x.shape[along], prod(x.shape[along + 1 :])

    def gradient(dy: Tensor) -> Tensor:
        # The elements from an extreme to the next one are a run.
        begins = dy.result(Buffer.empty(dy.shape, dy.dtype, dy.device))
        if dy.size:
            _is_own_place(places, begins.buffer, n, inner)
        return begins * run_sums(dy, window(begins, along, 1, n, 1), along, is_reversed=True)

    value = differentiable(x.result(values), [(x, gradient)], higher_order=True)
    return Extremes(value, x.result(places))
