"""Elements around a tensor's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from autograph.autograd import differentiable
from autograph.errors import AutographError, ShapeError
from autograph.functions.checks import number_of, per_axis
from autograph.functions.reducers.reducer import keepdims_shape
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, accumulator
from autograph.tensor.base import Shape, require_tensor
from krnlpy import Buffer, Item, ItemMut, kernel

from .parts import part_of

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Widths = tuple[tuple[int, int], ...]
Mode = Literal["constant", "reflect", "edge", "wrap"]


@kernel
def _add(x: ItemMut[T], y: Item[T]) -> None:
    x += y


def pad(x: Tensor, pad_width: int | Sequence[Any], mode: Mode = "constant", *, constant_value: float = 0) -> Tensor:
    """A tensor with more elements before and after along its axes, as NumPy's ``pad`` has it.

    Args:
        x: any tensor.
        pad_width: how many: one number for all sides; or for each axis a pair ``(before, after)``, or a number for
            both.
        mode: ``"constant"``: a number; ``"edge"``: the outermost element; ``"reflect"``: the elements within, in
            reverse order, without the outermost one; ``"wrap"``: those of the other end.
        constant_value: the number.

    Raises:
        ShapeError: a width is below 0, or there is not one for each axis, or more elements are wanted of an axis than
            it has for the mode.
        DtypeError: ``constant_value`` is no number, or one that the dtype can't hold, or ``x`` is no tensor.
        AutographError: there is no such mode.

    >>> from autograph import asarray, pad
    >>> x = asarray([1, 2, 3])
    >>> pad(x, 1).numpy().tolist(), pad(x, [(2, 0)], "reflect").numpy().tolist()
    ([0, 1, 2, 3, 0], [3, 2, 1, 2, 3])
    >>> pad(x, [(0, 2)], "edge").numpy().tolist(), pad(x, [(1, 1)], "wrap").numpy().tolist()
    ([1, 2, 3, 3, 3], [3, 1, 2, 3, 1])
    """
    require_tensor("pad", x)
    if not isinstance(mode, str) or mode not in ("constant", "reflect", "edge", "wrap"):
        raise AutographError(f"pad(mode={mode!r}): expected 'constant', 'reflect', 'edge' or 'wrap'")
    widths = _widths(x.shape, pad_width)
    if mode != "constant":
        for axis, (n, (before, after)) in enumerate(zip(x.shape, widths, strict=True)):
            most = {"reflect": n - 1, "wrap": n, "edge": before + after if n else 0}[mode]
            if max(before, after) > max(most, 0):
                raise ShapeError(
                    f"pad of shape {x.shape} by {(before, after)} along axis {axis}: mode {mode!r} takes at most"
                    f" {max(most, 0)} elements on a side of that length"
                )
        return _continued(x, widths, mode)
    number_of("pad", constant_value, x.dtype)
    result = Buffer.full(_padded_shape(x.shape, widths), constant_value, x.dtype, x.device)
    inner = _inner(x.shape, widths)
    result[inner].copy_from(x.buffer)
    return differentiable(x.result(result), [(x, lambda gradient: part_of(gradient, inner))], higher_order=True)


def _continued(x: Tensor, widths: Widths, mode: Mode) -> Tensor:
    """With borders that are copies of elements within."""
    shape = x.shape
    result = Buffer.empty(_padded_shape(shape, widths), x.dtype, x.device)
    result[_inner(shape, widths)].copy_from(x.buffer)
    for border, source in _borders(result, shape, widths, mode):
        border.copy_from(source.broadcast_to(border.shape))
    return differentiable(
        x.result(result), [(x, lambda gradient: _folded(gradient, shape, widths, mode))], higher_order=True
    )


def _folded(x: Tensor, shape: Shape, widths: Widths, mode: Mode) -> Tensor:
    """The elements within, to which those of the borders are added that are copies of them; f16 and bf16 in f32."""
    sums = x.buffer.cast(accumulator(x.dtype))
    for border, source in reversed(_borders(sums, shape, widths, mode)):
        axes = tuple(a for a, (n, m) in enumerate(zip(source.shape, border.shape, strict=True)) if n != m)
        total = sum_axes(border, axes, sums.dtype).reshape(keepdims_shape(border.shape, axes)) if axes else border
        _add(source, total)
    result = sums[_inner(shape, widths)].cast(x.dtype)
    return differentiable(
        x.result(result), [(x, lambda gradient: _continued(gradient, widths, mode))], higher_order=True
    )


def _inner(shape: Shape, widths: Widths) -> tuple[slice, ...]:
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True))


def _padded_shape(shape: Shape, widths: Widths) -> Shape:
    return tuple(before + n + after for n, (before, after) in zip(shape, widths, strict=True))


def _borders(padded: Buffer, shape: Shape, widths: Widths, mode: Mode) -> list[tuple[Buffer, Buffer]]:
    """Parts on the borders of a padded buffer, each with the part whose elements it repeats: an axis after the other,
    so that each takes corners along from those before."""
    borders = []
    inner = _inner(shape, widths)
    for axis, (n, (before, after)) in enumerate(zip(shape, widths, strict=True)):
        end = before + n
        if mode == "reflect":
            last = end - 2 - after
            sources = slice(2 * before, before, -1), slice(end - 2, last if last >= 0 else None, -1)
        elif mode == "edge":
            sources = slice(before, before + 1), slice(end - 1, end)
        else:
            sources = slice(n, end), slice(before, before + after)
        others = [slice(None)] * axis
        for width, place, source in zip((before, after), (slice(before), slice(end, None)), sources, strict=True):
            if width:
                key = (*others, place, *inner[axis + 1 :])
                borders.append((padded[key], padded[(*others, source, *inner[axis + 1 :])]))
    return [(border, source) for border, source in borders if border.size]


def _widths(shape: Shape, given: Any) -> Widths:
    if not isinstance(given, Sequence):
        return (_pair(given),) * len(shape)
    if len(given) != len(shape):
        raise ShapeError(
            f"pad of shape {shape} by {given!r}: expected one number, or for each axis a number or a pair of them"
        )
    return tuple(_pair(width) for width in given)


def _pair(given: Any) -> tuple[int, int]:
    before, after = per_axis("pad_width", given, 0, 2)
    return before, after
