"""Places along an axis as operations on tensors: reading them, adding to them, storing there. Each is the gradient of
another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.autograd import differentiable
from autograph.functions.launch import reshape_or_copy
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import Shape
from krnlpy import Buffer

from .gathering import gathered
from .places import Places
from .putting import put
from .sums import add_at

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Form = tuple[int, int, int]


def select(x: Tensor, places: Places, form: Form, shape: Shape, *, is_linear: bool = False) -> Tensor:
    """Elements of ``x``, seen in the form ``[outer, n, inner]``, at places, in a shape of as many as there are.

    What is out of range on a device is NaN, or 0 of integers, and where it is the gradient of a sum (``is_linear``).
    """
    source = x.shape
    out = gathered(reshape_or_copy(x.buffer, form), places, is_linear=is_linear)
    value = x.result(out.reshape(shape))
    return differentiable(value, [(x, lambda dy: spread(dy, places.checked, form, source))], higher_order=True)


def spread(source: Tensor, places: Places, form: Form, shape: Shape) -> Tensor:
    """Zeros in the form ``[outer, n, inner]``, to which elements are added at places; in a shape of that size."""
    outer, _, inner = form
    given = source.shape
    elements = reshape_or_copy(source.buffer, (outer, places.index.shape[1], inner))
    if places.are_distinct:
        out = Buffer.zeros(form, source.dtype, source.device)
        put(out, places, elements)
    else:
        sums = Buffer.zeros(form, accumulator(source.dtype), source.device)
        add_at(sums, places, elements)
        out = sums if sums.dtype is source.dtype else sums.cast(source.dtype)
    value = source.result(out.reshape(shape))
    return differentiable(
        value, [(source, lambda dy: select(dy, places, form, given, is_linear=True))], higher_order=True
    )


def added(x: Tensor, places: Places, form: Form, source: Tensor) -> Tensor:
    """``x``, seen in the form ``[outer, n, inner]``, with elements of its dtype added at places."""
    outer, _, inner = form
    wide = accumulator(x.dtype) if x.dtype.is_float else x.dtype
    elements = reshape_or_copy(source.buffer, (outer, places.index.shape[1], inner))
    sums = x.buffer.cast(wide).reshape(form)
    add_at(sums, places, elements)
    value = x.result((sums if wide is x.dtype else sums.cast(x.dtype)).reshape(x.shape))
    given = source.shape
    return differentiable(
        value,
        [(x, lambda dy: dy), (source, lambda dy: select(dy, places.checked, form, given, is_linear=True))],
        higher_order=True,
    )
