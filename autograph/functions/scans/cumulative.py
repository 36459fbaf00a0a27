"""Sums and products of each element along an axis with all before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable, saved
from autograph.errors import ShapeError
from autograph.functions.reducers.reducer import axes_of
from autograph.functions.reductions import states
from autograph.tensor.base import recording, require_tensor
from krnlpy import Buffer, DTypeLike, ScalarType, scalar_type

from . import combinations
from .scanner import LIGHT, Scanner
from .windows import window

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_SUM = Scanner("cumulative_sum", widens=True, host_chunk=LIGHT)
_PROD = Scanner("cumulative_prod", None, states.product, identity=(1,), widens=True, host_chunk=LIGHT)
_RECURRENCE = Scanner(
    "recurrence",
    combinations.pair,
    combinations.affine,
    combinations.second_of_two,
    identity=(1, 0),
    operands=2,
    commutes=False,
)


def cumulative_sum(
    x: Tensor, axis: int | None = None, *, dtype: DTypeLike | None = None, include_initial: bool = False
) -> Tensor:
    """The sum of each element along an axis and all before it.

    Floats keep their dtype and are accumulated in f32 (f64 in f64), block by block; integers below 32 bits give u32 or
    i32.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; may be left out where there is one.
        dtype: of the result; elements are converted to it first.
        include_initial: a 0, the sum of no elements, stands before the others.

    Raises:
        ShapeError: there is no such axis, or there are several and none is named.
        DtypeError: ``x`` is not a tensor, or ``dtype`` is not a scalar type.

    >>> from autograph import Tensor, cumulative_sum
    >>> cumulative_sum(Tensor.from_numpy([1, 2, 3])).numpy().tolist()
    [1, 3, 6]
    """
    return _cumulative("cumulative_sum", x, axis, dtype, include_initial, _running_sum, 0)


def cumulative_prod(
    x: Tensor, axis: int | None = None, *, dtype: DTypeLike | None = None, include_initial: bool = False
) -> Tensor:
    """The product of each element along an axis and all before it. Arguments are those of :func:`cumulative_sum`.

    The gradient is a recurrence, in which nothing is divided: zeros do no harm (G. E. Blelloch, "Prefix Sums and Their
    Applications", 1990).

    Raises:
        ShapeError: there is no such axis, or there are several and none is named.
        DtypeError: ``x`` is not a tensor, or ``dtype`` is not a scalar type.

    >>> from autograph import Tensor, cumulative_prod
    >>> cumulative_prod(Tensor.from_numpy([1, 2, 3]), include_initial=True).numpy().tolist()
    [1, 1, 2, 6]
    """
    return _cumulative("cumulative_prod", x, axis, dtype, include_initial, _running_product, 1)


def _cumulative(
    name: str, x: Tensor, axis: int | None, dtype: DTypeLike | None, include_initial: bool, scan: Any, initial: int
) -> Tensor:
    require_tensor(name, x)
    along = axis_of(name, x, axis)
    to = None if dtype is None else scalar_type(dtype)
    result: Tensor = scan(x if to is None else x.cast(to), along, to)
    return window(result, along, -1, x.shape[along] + 1, initial) if include_initial else result


def axis_of(name: str, x: Tensor, axis: int | None) -> int:
    """An axis counted from the front; None is the only one.

    Raises:
        ShapeError: there is no such axis, or there are several and none is named.
    """
    if axis is None and x.ndim == 1:
        return 0
    axes = () if axis is None else axes_of(name, x, axis)
    if len(axes) != 1:
        raise ShapeError(f"{name} of a tensor of shape {x.shape} over axis={axis!r}: expected one axis")
    return axes[0]


def sums_along(buffer: Buffer, axis: int) -> Buffer:
    """The sum of each element along an axis and all before it; of whole numbers below 32 bits, as u32 or i32."""
    (out,) = _SUM.scanned([buffer], axis, buffer.dtype)
    return out


def _running_sum(x: Tensor, axis: int, dtype: ScalarType | None = None, is_reversed: bool = False) -> Tensor:
    (out,) = _SUM.scanned([x.buffer], axis, x.dtype, (dtype,) if dtype else (), is_reversed=is_reversed)
    return differentiable(
        x.result(out), [(x, lambda dy: _running_sum(dy, axis, None, not is_reversed))], higher_order=True
    )


def _running_product(x: Tensor, axis: int, dtype: ScalarType | None = None) -> Tensor:
    (out,) = _PROD.scanned([x.buffer], axis, x.dtype, (dtype,) if dtype else ())
    kept = saved(x)

    def gradient(dy: Tensor) -> Any:
        # Elements stand with the product of those before in all products from there on.
        n = kept.shape[axis]
        before = window(_running_product(kept, axis), axis, -1, n, 1)
        return before * _recurrence(window(kept, axis, 1, n), dy, axis, is_reversed=True)

    return differentiable(x.result(out), [(x, gradient)], higher_order=True)


def _recurrence(slopes: Tensor, offsets: Tensor, axis: int, is_reversed: bool) -> Tensor:
    """``s[i] = s[i - 1] * slopes[i] + offsets[i]``, or, reversed, of ``s[i + 1]``; s begins with 0."""
    (out,) = _RECURRENCE.scanned([slopes.buffer, offsets.buffer], axis, offsets.dtype, is_reversed=is_reversed)
    value = offsets.result(out)
    a, b, s = saved(slopes), saved(offsets), value.detach()

    def gradient(ds: Tensor) -> Any:
        n, step = a.shape[axis], 1 if is_reversed else -1
        result = _recurrence(a, b, axis, is_reversed) if recording.on else s
        of_offsets = _recurrence(window(a, axis, -step, n), ds, axis, not is_reversed)
        return of_offsets * window(result, axis, step, n), of_offsets

    return differentiable(value, [((slopes, offsets), gradient)], higher_order=True)
