"""Layouts: what launches see of a buffer, but for its memory and its place there."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from krnlpy.device_info import MAX_INDEX
from krnlpy.scalar import ScalarType, scalar_type

from .strides import Shape, Strides, broadcast_strides, contiguous_strides, facts, reshape_strides

if TYPE_CHECKING:
    from krnlpy.backend.protocol import Backend


class Layout:
    """What the buffers of a device have in common that have one dtype, one shape and the same strides.

    They share one object, which is equal to no other: what depends on all this alone is found by it at once, in a
    dictionary. (After some thousands of others, a layout may be made anew.)

    Attributes:
        backend: of the device.
        dtype: the type of the elements.
        shape: the lengths of the axes.
        strides: the distances of neighbours along each axis, in elements.
        size: the number of elements.
        is_contiguous: they lie in row-major order without gaps.
        is_broadcast: an element of memory stands for several.
        first, end: the bytes that the elements take, counted from the first element of index 0.
        can_be_indexed: kernels can index them.
        kind: equal where a compiled kernel serves both.

    >>> from krnlpy import Buffer
    >>> x, y = Buffer.zeros((2, 3)), Buffer.ones((2, 3))
    >>> x.layout is y.layout, x.layout is x.transpose().layout
    (True, False)
    """

    __slots__ = (
        *("_like", "backend", "can_be_indexed", "dtype", "end", "first", "is_broadcast", "is_contiguous", "kind"),
        *("shape", "size", "strides"),
    )

    def __init__(self, backend: Backend, dtype: ScalarType, shape: Shape, strides: Strides, is_reached: bool) -> None:
        self.backend, self.dtype, self.shape, self.strides = backend, dtype, shape, strides
        self.size, self.is_contiguous, self.is_broadcast, low, high = facts(shape, strides)
        self.first, self.end = low * dtype.size, high * dtype.size
        self.can_be_indexed = is_reached and self.size <= MAX_INDEX
        self.kind: Hashable = (
            *(backend, dtype, len(shape), self.is_contiguous),
            *(self.is_broadcast, self.can_be_indexed),
        )
        self._like: dict[str, Layout] = {}

    def like(self, dtype: ScalarType) -> Layout:
        """The layout of contiguous elements of a dtype, in the same shape, that kernels can index if they count so
        far."""
        found = self._like.get(dtype.name)  # a name is hashed quicker than a class
        if found is None:
            strides = contiguous_strides(self.shape)
            found = self._like[dtype.name] = layout_of(self.backend, dtype.name, self.shape, strides)
        return found


@lru_cache(maxsize=4096)  # a program makes the same views again and again
def layout_of(backend: Any, dtype: str, shape: Shape, strides: Strides, is_reached: bool = True) -> Layout:
    """The layout of such buffers.

    Args:
        backend: of the device.
        dtype: the name of the elements' type.
        is_reached: kernels reach all bytes.
    """
    return Layout(backend, scalar_type(dtype), shape, strides, is_reached)


@lru_cache(maxsize=4096)
def reshaped(layout: Layout, to: Shape) -> Layout | None:
    """The layout of the same elements, in row-major order, in another shape of as many; None where no strides do."""
    strides = reshape_strides(layout.shape, layout.strides, to)
    return None if strides is None else layout_of(layout.backend, layout.dtype.name, to, strides)


@lru_cache(maxsize=4096)
def broadcast(layout: Layout, to: Shape) -> Layout:
    """The layout in which axes of length 1, and axes added in front, are repeated. Raises ShapeError."""
    strides = broadcast_strides(layout.shape, layout.strides, to)
    return layout_of(layout.backend, layout.dtype.name, to, strides)
