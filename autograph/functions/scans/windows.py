"""Elements along an axis from a place on, and a number where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.autograd import differentiable
from krnlpy import Buffer

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def window(x: Tensor, axis: int, start: int, length: int, beyond: float = 0) -> Tensor:
    """The ``length`` elements along an axis from ``start`` on, which may be below 0; ``beyond`` stands for those that
    there are not. A view where there are all.

    Args:
        axis: counted from the front.
    """
    n = x.shape[axis]
    shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
    first, end = min(max(start, 0), n), max(min(start + length, n), 0)

    def part(buffer: Buffer, begin: int, stop: int) -> Buffer:
        return buffer[(*(slice(None),) * axis, slice(begin, stop))]

    if end - first == length:
        value = x.view(lambda buffer: part(buffer, first, end))
        return differentiable(value, [(x, lambda dy: window(dy, axis, -start, n))], higher_order=True)
    out = Buffer.empty(shape, x.dtype, x.device)
    if first < end:
        part(out, first - start, end - start).copy_from(part(x.buffer, first, end))
    for begin, stop in ((0, first - start), (end - start, length)) if first < end else ((0, length),):
        if begin < stop:
            part(out, begin, stop).fill(beyond)
    return differentiable(x.result(out), [(x, lambda dy: window(dy, axis, -start, n))], higher_order=True)
