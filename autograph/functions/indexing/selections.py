"""Places along an axis as operations on tensors: reading them, adding to them, storing there. Each is the gradient of
another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.autograd import differentiable
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import Shape
from krnlpy import Buffer

from .gathering import gathered
from .places import Form, Places
from .putting import put
from .sums import add_at

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def select(x: Tensor, places: Places, form: Form, shape: Shape, *, is_linear: bool = False) -> Tensor:
    """Elements of ``x``, seen in the form ``[outer, n, inner]``, at places, in a shape of as many as there are.

    What is out of range on a device is NaN, or 0 of integers, and where it is the gradient of a sum (``is_linear``).
    """
    source = x.shape
    value = x.result(gathered(x.buffer, form, places, shape, is_linear=is_linear))
    return differentiable(value, [(x, lambda dy: spread(dy, places.checked, form, source))], higher_order=True)


def spread(source: Tensor, places: Places, form: Form, shape: Shape) -> Tensor:
    """Zeros in the form ``[outer, n, inner]``, to which elements are added at places; in a shape of that size."""
    given, dtype = source.shape, source.dtype
    out = Buffer.zeros(shape, dtype if places.are_distinct else accumulator(dtype), source.device)
    if places.are_distinct:
        put(out, form, places, source.buffer)
    else:
        add_at(out, form, places, source.buffer)
    value = source.result(out if out.dtype is dtype else out.cast(dtype))
    return differentiable(
        value, [(source, lambda dy: select(dy, places, form, given, is_linear=True))], higher_order=True
    )


def added(x: Tensor, places: Places, form: Form, source: Tensor) -> Tensor:
    """``x``, seen in the form ``[outer, n, inner]``, with elements of its dtype added at places."""
    wide = accumulator(x.dtype) if x.dtype.is_float else x.dtype
    sums = x.buffer.cast(wide)
    add_at(sums, form, places, source.buffer)
    value = x.result(sums if wide is x.dtype else sums.cast(x.dtype))
    given = source.shape
    return differentiable(
        value,
        [(x, lambda dy: dy), (source, lambda dy: select(dy, places.checked, form, given, is_linear=True))],
        higher_order=True,
    )
