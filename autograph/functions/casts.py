"""Conversions to other dtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.autograd import differentiable
from krnlpy import Buffer, DTypeLike, Item, ItemMut, kernel, scalar_type

from .checks import number_of, require_numbers
from .type_variables import T, U, W

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _scaled_cast(x: Item[T], alpha: W, out: ItemMut[U]) -> None:
    out = U(x) * alpha


def cast(x: Tensor, dtype: DTypeLike) -> Tensor:
    """The elements converted to a dtype.

    Integers wrap. From floats to integers, fractions are cut off, what is out of range becomes the nearest integer that
    there is, and NaN becomes 0. To the dtype that the tensor has, the two share memory until one is changed.

    The gradient goes back from floats to floats. Integers are not recorded: ``x - x.cast(i32).cast(f32)`` has the
    gradient of ``x``.

    Raises:
        DtypeError: ``dtype`` is not a scalar type.

    >>> from autograph import Tensor
    >>> Tensor.from_numpy([-1.5, 2.9, 300.0]).cast("u8").numpy().tolist()
    [0, 2, 255]
    """
    dtype, source = scalar_type(dtype), x.dtype
    value = x.detach() if dtype is source else x.result(x.buffer.cast(dtype))
    return differentiable(value, [(x, lambda gradient: cast(gradient, source))], higher_order=True)


def scaled_cast(x: Tensor, alpha: float, dtype: DTypeLike) -> Tensor:
    """The elements converted to a dtype, then multiplied by a number, in one kernel.

    Args:
        alpha: the number; an integer dtype must hold it. Of f16 and bf16 the product is computed in f32.
        dtype: the result's.

    Raises:
        DtypeError: ``alpha`` is not a number, or one that the dtype cannot hold, or ``dtype`` is not a scalar type.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> pixels = Tensor.from_numpy(np.array([0, 51, 255], np.uint8))
    >>> [round(x, 6) for x in pixels.scaled_cast(1 / 255, "f32").numpy().tolist()]
    [0.0, 0.2, 1.0]
    """
    to = scalar_type(dtype)
    require_numbers("scaled_cast", to)
    number = number_of("scaled_cast", alpha, to)
    out = Buffer.empty(x.shape, to, x.device)
    if out.size:
        _scaled_cast(x.buffer, number, out)
    source = x.dtype
    return differentiable(
        x.result(out), [(x, lambda gradient: scaled_cast(gradient, alpha, source))], higher_order=True
    )
