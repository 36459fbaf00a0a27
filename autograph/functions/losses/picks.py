"""The element of each row that its class names; the gradient of one is the other's way back."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Literal

from autograph.autograd import differentiable
from autograph.functions.classes import class_place
from autograph.functions.launch import split_rows
from autograph.functions.type_variables import C, T
from krnlpy import Buffer, Global, GlobalMut, Item, ItemMut, i32, kernel
from krnlpy.dsl import item_id

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _pick(
    classes: Item[C], out: ItemMut[T], x: Global[T, Literal[2]], invalid: T, count: i32, is_ignored: i32, ignored: i32
) -> None:
    place = class_place(classes, count, is_ignored, ignored)
    out = x[item_id(), max(place, 0)] if place >= 0 else invalid if place == -1 else T(0)


@kernel
def _spread(
    classes: Item[C],
    dy: Item[T],
    out: GlobalMut[T, Literal[2]],
    invalid: T,
    count: i32,
    is_ignored: i32,
    ignored: i32,
) -> None:
    """Stores what is not 0."""
    place = class_place(classes, count, is_ignored, ignored)
    if place != -2:
        out[item_id(), max(place, 0)] = dy if place >= 0 else invalid


@dataclass(frozen=True)
class Labels:
    """Classes of rows.

    Attributes:
        classes: one for each row.
        count: of the classes that there are.
        ignored: the class of rows that take no part; None if all do.
    """

    classes: Tensor
    count: int
    ignored: int | None

    @property
    def numbers(self) -> tuple[float, int, int, int]:
        """For kernels."""
        return nan, self.count, self.ignored is not None, self.ignored or 0


def picked(x: Tensor, labels: Labels) -> Tensor:
    """Of each row of ``[n, classes]``, in f32 or f64, the element of its class: 0 of rows that are ignored, NaN where
    a class is out of range."""
    n = x.shape[0]
    out = Buffer.empty(n, x.dtype, x.device)
    if n:
        for classes, some, part in split_rows(labels.classes.buffer, out, x.buffer):
            _pick(classes, some, part, *labels.numbers)
    return differentiable(x.result(out), [(x, lambda dy: spread(dy, labels))], higher_order=True)


def spread(dy: Tensor, labels: Labels) -> Tensor:
    """Rows of zeros with the number of each row at its class, ``[n]`` to ``[n, classes]``; NaN at the first one where
    the class is out of range."""
    out = Buffer.zeros((dy.shape[0], labels.count), dy.dtype, dy.device)
    if out.size:
        for classes, some, part in split_rows(labels.classes.buffer, dy.buffer, out):
            _spread(classes, some, part, *labels.numbers)
    return differentiable(dy.result(out), [(dy, lambda dout: picked(dout, labels))], higher_order=True)
