"""Sums within runs of elements along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.autograd import differentiable

from . import combinations
from .scanner import Scanner
from .windows import window

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_RUNS = Scanner(
    "run_sums",
    combinations.pair,
    combinations.run,
    combinations.first_of_two,
    operands=2,
    identity=(0, 0),
    commutes=False,
)


def run_sums(x: Tensor, begins: Tensor, axis: int, *, is_reversed: bool = False) -> Tensor:
    """The sum of each element and those before it in its run.

    Args:
        begins: 1 for elements with which a run begins, else 0; of x's dtype.
        axis: counted from the front.
        is_reversed: the sum with those behind it, of runs that begin at their last elements.
    """
    (out,) = _RUNS.scanned([x.buffer, begins.buffer], axis, x.dtype, (x.dtype,), is_reversed=is_reversed)
    n = x.shape[axis]

    def gradient(dy: Tensor) -> Tensor:
        ends = window(begins, axis, -1 if is_reversed else 1, n, 1)
        return run_sums(dy, ends, axis, is_reversed=not is_reversed)

    return differentiable(x.result(out), [(x, gradient)], higher_order=True)
