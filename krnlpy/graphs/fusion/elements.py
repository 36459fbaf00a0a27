"""What a rewrite knows of a buffer of a launch: which elements of which memory, in which order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from math import prod
from typing import Any

from krnlpy.views import strides as views
from krnlpy.views.strides import Shape, Strides


@dataclass(frozen=True, eq=False)
class Elements:
    """A view of memory; ``size`` is that of an element in bytes, the offset and strides count elements."""

    memory: Any
    size: int
    shape: Shape
    strides: Strides
    offset: int

    @property
    def binding(self) -> tuple[Any, int, int]:
        """What is bound for it: the memory, its first byte in it and past its last one."""
        facts = views.facts(self.shape, self.strides)
        return self.memory, (self.offset + facts.low) * self.size, (self.offset + facts.high) * self.size

    @property
    def span(self) -> tuple[int, int]:
        """The addresses of the first byte and past the last one."""
        memory, first, end = self.binding
        return memory.address + first, memory.address + end

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie in row-major order without gaps."""
        return views.facts(self.shape, self.strides).contiguous

    def overlaps(self, other: Elements) -> bool:
        """Whether the bytes from the first to the last of both have some in common."""
        (first, end), (begin, past) = self.span, other.span
        return first < past and begin < end

    def is_same(self, other: Elements) -> bool:
        """Whether both name the same elements in the same order."""
        start, also = (e.memory.address + e.offset * e.size for e in (self, other))
        if start != also or self.size != other.size or prod(self.shape) != prod(other.shape):
            return False
        if self.is_contiguous and other.is_contiguous:
            return True
        merged = (views.collapse(e.shape, (e.strides,)) for e in (self, other))
        return next(merged) == next(merged)

    def seen_in(self, shape: Shape) -> Elements | None:
        """The same elements in the same order in another shape; None where no strides give that view."""
        if shape == self.shape:
            return self
        strides = views.reshape_strides(self.shape, self.strides, shape)
        return None if strides is None else replace(self, shape=shape, strides=strides)


def common_shape(a: Shape, b: Shape) -> Shape | None:
    """The shape with the fewest axes of which the axes of both shapes, of one size, are made by merging; None where
    there is none.

    >>> common_shape((2, 12), (6, 4)), common_shape((2, 3), (3, 2))
    ((2, 3, 4), None)
    """
    steps = sorted({step for shape in (a, b) for step in accumulate(reversed(shape), lambda x, y: x * y)} | {1})
    if any(after % before for before, after in pairwise(steps)):
        return None
    return tuple(after // before for before, after in pairwise(steps))[::-1] or (1,)
