"""Conversions between scalar types."""

from __future__ import annotations

from autograph.autograd import differentiable
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, DTypeLike, Item, ItemMut, kernel, scalar_type

from .checks import number_of
from .type_variables import T, U, W


@kernel
def _scaled_cast(x: Item[T], alpha: W, out: ItemMut[U]) -> None:
    out = U(x) * alpha


def cast(x: Tensor, dtype: DTypeLike) -> Tensor:
    """See :meth:`Tensor.cast`. The tensor itself if it has the dtype."""
    dtype = scalar_type(dtype)
    if dtype is x.dtype:
        return x
    source = x.dtype
    return differentiable(Tensor(x.buffer.cast(dtype)), [(x, lambda gradient: cast(gradient, source))])


def scaled_cast(x: Tensor, alpha: float, dtype: DTypeLike) -> Tensor:
    """See :meth:`Tensor.scaled_cast`: ``dtype(x) * alpha``, the product in the dtype's type of computation.

    Raises:
        DtypeError: ``dtype`` is an integer type and cannot hold ``alpha``.
    """
    to = scalar_type(dtype)
    number = number_of("scaled_cast", alpha, to)
    out = Buffer.empty(x.shape, to, x.device)
    if out.size:
        _scaled_cast(x.buffer, number, out)
    source = x.dtype
    return differentiable(Tensor(out), [(x, lambda gradient: scaled_cast(gradient, alpha, source))])
