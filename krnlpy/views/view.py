"""Views: what launches know of a buffer, and views made of views. They move no elements: buffers do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self, TypeVar
from weakref import ref

from krnlpy.device import Device
from krnlpy.errors import DtypeError, ShapeError, UnsizedError
from krnlpy.scalar import ScalarType, scalar_type

from . import strides as arithmetic
from .layout import Layout, broadcast, layout_of, reshaped
from .strides import Shape, Strides

_LAST_ELEMENT = (1 << 32) - 1  # element positions are u32 in the parameter block
ALWAYS_BOUND = 1 << 27
"""Bytes of a memory that kernels reach on every device: Vulkan demands it."""


Operand = tuple[tuple[Any, int, int], int]
"""What a launch is given of a view beside its layout: the binding (the memory that is bound, the first byte in it that
kernels may touch, and past the last one), and the place of the first element in what is bound."""


watchers: dict[int, list[ref[View]]] = {}
"""Lists that take note of each view that is made, by their ids: captures ask at their end which are still there."""


class View:
    """An n-dimensional strided view of a device's memory: what kernels take for a buffer."""

    __slots__ = ("__weakref__", "device", "dtype", "layout", "memory", "offset", "operand")

    device: Device
    """Where the buffer lies."""
    dtype: ScalarType
    """The type of the elements."""
    layout: Layout
    """What it has in common with all buffers of this device, this dtype and this shape whose strides are the same."""
    memory: Any
    """The backend's memory that this is a view of; None if the buffer is empty."""
    offset: int
    """The place of the first element in the memory, in elements."""
    operand: Operand
    """What launches are given. For krnlpy's own modules."""

    __iter__ = None
    __contains__ = None

    def __init__(
        self, device: Device, dtype: ScalarType, memory: Any, shape: Shape, strides: Strides, offset: int
    ) -> None:
        # For krnlpy's own modules: arguments are not checked.
        self.device = device
        self.dtype = dtype
        self.memory = memory
        self.offset = offset
        layout = layout_of(device.backend, dtype.name, shape, strides)
        start, place = offset * dtype.size, offset
        binding = memory, start + layout.first, start + layout.end
        if memory is not None and memory.nbytes > ALWAYS_BOUND:
            binding, place, is_reached = _bound(device, binding, place, dtype.size)
            if not is_reached:
                layout = layout_of(device.backend, dtype.name, shape, strides, False)
        self.layout = layout
        self.operand = binding, place
        if watchers:
            _note(self)

    @classmethod
    def _at(cls, device: Device, layout: Layout, memory: Any, offset: int = 0) -> Self:
        """A view of memory that is bound as a whole, for a layout with elements that kernels can index. It takes a
        third of the constructor's time."""
        result = cls.__new__(cls)
        result.device, result.dtype, result.layout = device, layout.dtype, layout
        result.memory, result.offset = memory, offset
        start = offset * layout.dtype.size
        result.operand = (memory, start + layout.first, start + layout.end), offset
        if watchers:
            _note(result)
        return result

    # --------------------------------------------------------------------------------------------------- attributes

    @property
    def shape(self) -> Shape:
        """The lengths of the axes."""
        return self.layout.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.layout.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.layout.size

    @property
    def nbytes(self) -> int:
        """Bytes that the elements take when they are contiguous."""
        return self.layout.size * self.dtype.size

    @property
    def strides(self) -> Strides:
        """The distance, in elements, between neighbours along each axis."""
        return self.layout.strides

    def is_contiguous(self) -> bool:
        """Whether the elements lie in row-major order without gaps.

        >>> from krnlpy import Buffer
        >>> x = Buffer.zeros((2, 3))
        >>> x.is_contiguous(), x[:, 1].is_contiguous()
        (True, False)
        """
        return self.layout.is_contiguous

    def is_broadcast(self) -> bool:
        """Whether one element of the memory stands for several, so that the buffer can't be written to.

        >>> from krnlpy import Buffer
        >>> Buffer.zeros((1, 3)).broadcast_to((2, 3)).is_broadcast()
        True
        """
        return self.layout.is_broadcast

    @property
    def can_be_indexed(self) -> bool:
        """Whether kernels can index it: at most 2**31 - 1 elements, in at most 2**32 elements of memory and no more
        bytes of it than ``device.info.max_binding_bytes``."""
        return self.layout.can_be_indexed

    # -------------------------------------------------------------------------------------------------------- views

    def _view(self, shape: Shape, strides: Strides, offset: int, dtype: ScalarType | None = None) -> Self:
        # A view of nothing needs no memory.
        memory = self.memory if 0 not in shape else None
        return type(self)(self.device, dtype or self.dtype, memory, shape, strides, offset if memory is not None else 0)

    def _seen(self, layout: Layout) -> Self:
        """A view of the same elements in another layout, from the same one on."""
        if self.operand[0][0] is self.memory and self.layout.can_be_indexed and layout.can_be_indexed and layout.size:
            return self._at(self.device, layout, self.memory, self.offset)
        return self._view(layout.shape, layout.strides, self.offset)

    def __getitem__(self, key: Any) -> Self:
        """The view that integers, slices (of any step, ``[::-1]`` too) and an ellipsis select.

        Raises:
            ShapeError: the index does not fit the shape.
        """
        return self._view(*arithmetic.index(self.layout.shape, self.layout.strides, self.offset, key))

    def reshape(self, shape: int | Iterable[int]) -> Self:
        """A view of the same elements, in row-major order, in another shape. One length may be -1: what is left.

        Raises:
            ShapeError: the sizes differ, or no strides give that view: use ``.contiguous()`` first.

        >>> from krnlpy import Buffer
        >>> Buffer.zeros((2, 6)).reshape((3, -1)).shape
        (3, 4)
        """
        to = arithmetic.completed(self.layout.shape, shape)
        layout = reshaped(self.layout, to)
        if layout is None:
            raise ShapeError(
                f"no view of the strided buffer of shape {self.shape}, strides {self.strides} has the shape {to}; use"
                " .contiguous() first"
            )
        return self._seen(layout)

    def transpose(self, *axes: int) -> Self:
        """A view with the axes in another order; reversed if none is given.

        Raises:
            ShapeError: ``axes`` is not a permutation of the axes.

        >>> from krnlpy import Buffer
        >>> x = Buffer.zeros((2, 3, 4))
        >>> x.transpose().shape, x.transpose(0, 2, 1).shape
        ((4, 3, 2), (2, 4, 3))
        """
        shape, strides = arithmetic.transpose(self.layout.shape, self.layout.strides, axes)
        return self._view(shape, strides, self.offset)

    def diagonal(self, above: int = 0) -> Self:
        """A view of a diagonal of each matrix that the last two axes hold: the axis of the diagonal is the last one.

        Args:
            above: how far above the main diagonal it lies; below 0, below it.

        Raises:
            ShapeError: there are no two axes, or ``above`` is no integer.

        >>> import numpy as np
        >>> from krnlpy import Buffer
        >>> x = Buffer.from_numpy(np.arange(6).reshape(2, 3))
        >>> x.diagonal().numpy().tolist(), x.diagonal(1).numpy().tolist(), x.diagonal(-1).numpy().tolist()
        ([0, 4], [1, 5], [3])
        """
        return self._view(*arithmetic.diagonal(self.layout.shape, self.layout.strides, self.offset, above))

    def broadcast_to(self, shape: int | Iterable[int]) -> Self:
        """A view in which axes of length 1, and axes added in front, are repeated. It can't be written to.

        Raises:
            ShapeError: an axis has neither length 1 nor the length asked for.

        >>> from krnlpy import Buffer
        >>> Buffer.ones(3).broadcast_to((2, 3)).numpy().tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
        """
        return self._seen(broadcast(self.layout, arithmetic.as_shape(shape)))

    def bitcast(self, dtype: Any) -> Self:
        """A view of the same bytes as elements of another type; the last axis grows or shrinks with their size.

        Raises:
            DtypeError: ``dtype`` is none of the 13. ShapeError: the sizes differ, and the last axis is not contiguous,
                or its bytes or the offset are not a multiple of the new size.

        >>> from krnlpy import Buffer, u8, u32
        >>> Buffer.full(2, 0x01020304, u32).bitcast(u8).numpy().tolist()
        [4, 3, 2, 1, 4, 3, 2, 1]
        """
        to = scalar_type(dtype)
        return self._view(*arithmetic.bitcast(self.layout.shape, self.layout.strides, self.offset, self.dtype, to), to)

    def contiguous(self) -> Self:
        """The view itself if it is contiguous, else a contiguous copy."""
        raise NotImplementedError  # a copy moves elements

    def shares_memory(self, other: View) -> bool:
        """Whether two buffers have an element of memory in common. True also where that is too hard to find out.

        Raises:
            DtypeError: ``other`` is not a Buffer.

        >>> from krnlpy import Buffer
        >>> x = Buffer.zeros(4)
        >>> x[::2].shares_memory(x), x[::2].shares_memory(x[1::2])
        (True, False)
        """
        if not isinstance(other, View):
            raise DtypeError(f"shares_memory of a buffer and a {type(other).__name__}: expected a Buffer")
        a, b = self.memory, other.memory
        if a is None or b is None or (a is not b and not (a.is_shared and b.is_shared)) or self.device != other.device:
            return False
        base = min(a.address, b.address)
        return arithmetic.overlap(_bytes_of(self, base), _bytes_of(other, base))

    def __len__(self) -> int:
        if not self.layout.shape:
            raise UnsizedError
        return self.layout.shape[0]


def _note(view: View) -> None:
    for made in list(watchers.values()):
        made.append(ref(view))


V = TypeVar("V", bound=View)


def unwatched(view: V) -> V:
    """The same view, of which nobody takes note: it does not count as one that somebody holds."""
    result = object.__new__(type(view))
    for name in View.__slots__:
        if name != "__weakref__":
            setattr(result, name, getattr(view, name))
    return result


def placed_on(view: V, memory: Any) -> V:
    """The same view of other memory, of which kernels reach all; as :func:`unwatched`, nobody takes note of it."""
    result = unwatched(view)
    result.memory = memory
    (_, first, end), place = view.operand
    result.operand = (memory, first, end), place
    return result


def _bound(
    device: Device, binding: tuple[Any, int, int], place: int, width: int
) -> tuple[tuple[Any, int, int], int, bool]:
    """What is bound of a memory that kernels may not reach all of, the place of the first element in it, and whether
    kernels reach all elements then."""
    memory, first, end = binding
    limit = device.info.max_binding_bytes
    if memory.nbytes <= limit and end // width <= _LAST_ELEMENT:
        return binding, place, True
    window = device.backend.window(memory, first, end) if end - first <= limit else None
    if window is None:
        return binding, place, False
    part, start = window
    return (part, first - start, end - start), place - start // width, (end - start) // width <= _LAST_ELEMENT


def bound_together(views: Sequence[View]) -> list[View] | None:
    """Views of one memory, as they are where kernels reach all of it; else each within the one part that holds all of
    them, so that they may share a binding. None where kernels do not reach that part."""
    first = views[0]
    if all(view.operand[0][0] is first.operand[0][0] for view in views):
        return list(views)
    memory, width = first.memory, first.dtype.size
    extents = [arithmetic.facts(view.shape, view.strides) for view in views]
    begins = [(view.offset + facts.low) * width for view, facts in zip(views, extents, strict=True)]
    ends = [(view.offset + facts.high) * width for view, facts in zip(views, extents, strict=True)]
    window = first.device.backend.window(memory, min(begins), max(ends))
    if window is None:
        return None
    part, start = window
    result = []
    for view, begin, end in zip(views, begins, ends, strict=True):
        moved = type(view)(view.device, view.dtype, memory, view.shape, view.strides, view.offset)
        place = view.offset - start // width
        moved.operand = (part, begin - start, end - start), place
        result.append(moved)
    return result


def _bytes_of(view: View, base: int) -> tuple[Shape, Strides, int]:
    size = view.dtype.size
    start: int = view.memory.address - base + view.offset * size
    return (*view.shape, size), (*(s * size for s in view.strides), 1), start
