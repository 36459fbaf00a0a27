"""Bits of whole numbers and truth values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .operation import Operand, elementwise

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@elementwise
def bitwise_and(x: Any, y: Any) -> Any:
    """The bits that are set in both.

    >>> from autograph import Tensor, bitwise_and
    >>> bitwise_and(Tensor.from_numpy([12, 10]), 9).numpy().tolist()
    [8, 8]
    """
    return x & y


@elementwise
def bitwise_or(x: Any, y: Any) -> Any:
    """The bits that are set in either.

    >>> from autograph import Tensor, bitwise_or
    >>> bitwise_or(Tensor.from_numpy([12, 10]), 9).numpy().tolist()
    [13, 11]
    """
    return x | y


@elementwise
def bitwise_xor(x: Any, y: Any) -> Any:
    """The bits that are set in one of them.

    >>> from autograph import Tensor, bitwise_xor
    >>> bitwise_xor(Tensor.from_numpy([12, 10]), 9).numpy().tolist()
    [5, 3]
    """
    return x ^ y


@elementwise
def bitwise_invert(x: Any) -> Any:
    """All bits the other way.

    >>> from autograph import Tensor, bitwise_invert
    >>> bitwise_invert(Tensor.from_numpy([0, 5])).numpy().tolist()
    [-1, -6]
    """
    return ~x


@elementwise
def bitwise_left_shift(x: Any, y: Any) -> Any:
    """The bits moved up by ``y`` places.

    >>> from autograph import Tensor, bitwise_left_shift
    >>> bitwise_left_shift(Tensor.from_numpy([1, 3]), 2).numpy().tolist()
    [4, 12]
    """
    return x << y


@elementwise
def bitwise_right_shift(x: Any, y: Any) -> Any:
    """The bits moved down by ``y`` places; the sign stays.

    >>> from autograph import Tensor, bitwise_right_shift
    >>> bitwise_right_shift(Tensor.from_numpy([4, -8]), 2).numpy().tolist()
    [1, -2]
    """
    return x >> y


def reflected_left_shift(x: Tensor, y: Operand) -> Tensor:
    """``y << x``."""
    result: Tensor = bitwise_left_shift(y, x)
    return result


def reflected_right_shift(x: Tensor, y: Operand) -> Tensor:
    """``y >> x``."""
    result: Tensor = bitwise_right_shift(y, x)
    return result
