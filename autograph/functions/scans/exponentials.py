"""Logarithms of sums of exponentials of each element along an axis and all before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable, saved
from autograph.errors import DtypeError
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import recording, require_tensor
from krnlpy import dsl

from . import combinations
from .cumulative import axis_of
from .scanner import Scanner

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


_SUMS = Scanner(
    "logcumsumexp",
    combinations.power,
    combinations.weighted_powers,
    combinations.logarithm,
    identity=(float("-inf"), 0),
)
_POWERS = Scanner(
    "power_sums", combinations.pair, combinations.weighted_powers, operands=2, identity=(float("-inf"), 0)
)


@elementwise
def _scaled_power(x: Any, top: Any, total: Any) -> Any:
    # Opposite infinities cancel each other.
    return total * dsl.exp(x + top) if x != -top else total


def logcumsumexp(x: Tensor, axis: int | None = None) -> Tensor:
    """``log(cumulative_sum(exp(x)))`` along an axis, without overflow.

    Args:
        x: any shape, of floats.
        axis: counted from the end if negative; may be left out where there is one.

    Raises:
        ShapeError: there is no such axis, or there are several and none is named.
        DtypeError: ``x`` is not a tensor, or not of floats.

    >>> from autograph import Tensor, logcumsumexp
    >>> logcumsumexp(Tensor.from_numpy([1000.0, 1000.0])).numpy().round(4).tolist()
    [1000.0, 1000.6931]
    """
    require_tensor("logcumsumexp", x)
    if not x.dtype.is_float:
        raise DtypeError(f"logcumsumexp of {x.dtype}: convert to a float type first, for example tensor.cast(f32)")
    along, wide = axis_of("logcumsumexp", x, axis), accumulator(x.dtype)
    # The gradient is made of exp(x - y): of a rounded y it would be far off.
    return _logcumsumexp(x, along) if wide is x.dtype else _logcumsumexp(x.cast(wide), along).cast(x.dtype)


def _logcumsumexp(x: Tensor, axis: int) -> Tensor:
    value = x.result(_SUMS.scanned([x.buffer], axis, x.dtype)[0])
    kept, result = saved(x), value.detach()

    def gradient(dy: Tensor) -> Any:
        # Where the gradient is derived again, so is the result in it.
        y = _logcumsumexp(kept, axis) if recording.on else result
        return _power_sums(kept, -y, dy, axis, is_reversed=True)

    return differentiable(value, [(x, gradient)], higher_order=True)


def _power_sums(x: Tensor, powers: Tensor, weights: Tensor, axis: int, is_reversed: bool) -> Tensor:
    """``exp(x)`` times the sum of ``weights * exp(powers)`` up to each element; or, reversed, from each on."""
    sums = _POWERS.scanned([powers.buffer, weights.buffer], axis, x.dtype, is_reversed=is_reversed)
    value: Tensor = _scaled_power(x.detach(), *map(x.result, sums))
    a, b, w = saved(x), saved(powers), saved(weights)
    result = value.detach()

    def gradient(dy: Tensor) -> Any:
        y = _power_sums(a, b, w, axis, is_reversed) if recording.on else result
        of_weights = _power_sums(b, a, dy, axis, not is_reversed)
        return dy * y, w * of_weights, of_weights

    return differentiable(value, [((x, powers, weights), gradient)], higher_order=True)
