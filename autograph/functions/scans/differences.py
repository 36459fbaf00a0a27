"""Differences of neighbours along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.functions.checks import single
from autograph.functions.elementwise.arithmetic import subtract
from autograph.functions.shapes.joining import concat
from autograph.tensor.base import require_tensor

from .cumulative import axis_of
from .windows import window

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def diff(
    x: Tensor, axis: int = -1, n: int = 1, *, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """The difference of each element along an axis to the one before it, which the first does not have.

    Args:
        x: any shape, of numbers.
        axis: counted from the end if negative.
        n: how often differences are taken, of differences from the second time on.
        prepend: what stands before the elements along the axis.
        append: what stands after them.

    Raises:
        ShapeError: there is no such axis, or ``n`` is not a whole number of at least 0.
        DtypeError: ``x`` is not a tensor of numbers.

    >>> from autograph import Tensor, diff
    >>> x = Tensor.from_numpy([1, 4, 9, 16])
    >>> diff(x).numpy().tolist(), diff(x, n=2).numpy().tolist()
    ([3, 5, 7], [2, 2])
    """
    require_tensor("diff", x)
    along = axis_of("diff", x, axis)
    times = single("n", n, 0)
    if prepend is not None or append is not None:
        x = concat([part for part in (prepend, x, append) if part is not None], axis=along)
    for _ in range(times):
        rest = max(x.shape[along] - 1, 0)
        x = subtract(window(x, along, x.shape[along] - rest, rest), window(x, along, 0, rest))
    return x
