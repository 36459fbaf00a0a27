"""How often there is each number, and how many numbers lie between edges; or the sums of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from autograph.autograd import differentiable
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.checks import is_number, single
from autograph.functions.elementwise.promotion import promoted
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.reductions.aggregates import max as max_of
from autograph.functions.reductions.aggregates import min as min_of
from autograph.functions.scans.runs import run_sums
from autograph.functions.scans.windows import window
from autograph.functions.type_variables import T, accumulator
from autograph.tensor.base import TensorBase, require_tensor
from krnlpy import Buffer, Global, GlobalMut, Item, ItemMut, ScalarType, f32, f64, i32, kernel, scalar_type
from krnlpy.dsl import atomic_add, global_id, global_threads, item_id

from .keys import keys_of
from .order import order_of
from .places import neighbours, taken
from .searching import places_among

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_CHUNK = 1 << 14  # numbers that a thread of the host counts; many more than there are counts
_CHUNKS = 1 << 6


class Histogram(NamedTuple):
    """How many elements lie between edges (or the sums of their weights), and the edges: one more."""

    counts: Tensor
    edges: Tensor


@kernel
def _count(numbers: Item[T], counts: GlobalMut[i32]) -> None:
    atomic_add(counts[numbers], 1)


@kernel(unchecked=True)
def _count_chunks(numbers: Global[T], counts: GlobalMut[i32, Literal[2]], size: i32) -> None:
    """A thread counts what is in a chunk, to a row of its own."""
    for chunk in range(global_id(), counts.shape[0], global_threads()):
        for j in range(chunk * size, min((chunk + 1) * size, len(numbers))):
            counts[chunk, numbers[j]] += 1


@kernel(unchecked=True)
def _sum_chunks(numbers: Global[i32], weights: Global[T], sums: GlobalMut[f64, Literal[2]], size: i32) -> None:
    for chunk in range(global_id(), sums.shape[0], global_threads()):
        for j in range(chunk * size, min((chunk + 1) * size, len(numbers))):
            sums[chunk, numbers[j]] += f64(weights[j])


@kernel
def _runs(number: Item[i32], before: Item[i32], begins: ItemMut[T]) -> None:
    begins = T(1 if item_id() == 0 or number != before else 0)


@kernel
def _store_sums(number: Item[i32], following: Item[i32], total: Item[T], sums: GlobalMut[T], last: i32) -> None:
    """The sum of a run stands at its end."""
    if item_id() == last or number != following:
        sums[number] = total


@kernel
def _equal_bins(x: Item[T], edges: Global[T], out: ItemMut[i32], low: T, scale: T, bins: i32) -> None:
    """The bin of an element where all are of one width: about where it should be, and by its edges exactly."""
    guess = min(max(i32((x - low) * scale), 0), bins - 1)
    while guess > 0 and x < edges[guess]:
        guess -= 1
    while guess < bins - 1 and x >= edges[guess + 1]:
        guess += 1
    out = guess if edges[0] <= x <= edges[bins] else bins


@kernel
def _bins(x: Item[T], place: Item[i32], last_edge: Item[T], out: ItemMut[i32], bins: i32) -> None:
    """The bin of an element, of which so many edges are not above it; ``bins`` for none. The last one has its end."""
    if place > bins:
        out = bins - 1 if x == last_edge else bins
    else:
        out = place - 1 if place > 0 else bins


def bincount(x: Tensor, weights: Tensor | None = None, *, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 on occurs; or the sums of the weights, always added in one order.

    To know how long the result is, the host waits for the device.

    Args:
        x: ``[n]`` whole numbers, none below 0.
        weights: ``[n]``; their gradient is that of the sum that they are part of.
        minlength: the least length of the result.

    Returns:
        ``[m]``, with m one more than the greatest number: i32, or of the weights' dtype, of whole numbers at least 32
        bits.

    Raises:
        ShapeError: ``x`` does not have one axis, or a number is below 0, or ``weights`` are of another shape.
        DtypeError: ``x`` is not a tensor of whole numbers, or ``weights`` not one of numbers.
        DeviceError: the two lie on several devices.

    >>> from autograph import Tensor, bincount
    >>> bincount(Tensor.from_numpy([1, 3, 1])).numpy().tolist()
    [0, 2, 0, 1]
    """
    require_tensor("bincount", x)
    length = single("minlength", minlength, 0)
    if not x.dtype.is_integer:
        raise DtypeError(f"bincount of {x.dtype}: expected whole numbers; convert, for example tensor.cast(i32)")
    if x.ndim != 1:
        raise ShapeError(f"bincount takes numbers of shape [n], not {x.shape}")
    _require_weights("bincount", x, weights)
    if x.size:
        low, high = (int(of(x.detach()).item()) for of in (min_of, max_of))
        if low < 0:
            raise ShapeError(f"bincount of numbers from {low} on: expected none below 0")
        length = max(length, high + 1)
    return _counted(x, weights, length)


def histogram(
    x: Tensor,
    bins: int | Tensor = 10,
    range: tuple[float, float] | None = None,
    *,
    weights: Tensor | None = None,
) -> Histogram:
    """How many elements lie between edges; or the sums of their weights, always added in one order.

    A bin has its lower edge, and the last one its upper edge, too. What is outside, or NaN, does not count.

    Args:
        x: any shape.
        bins: their number, at equal distances; or ``[m + 1]`` edges in ascending order.
        range: the outer edges of bins at equal distances; None: the smallest and the greatest element, for which the
            host waits.
        weights: of x's shape.

    Returns:
        ``counts`` and ``edges``.

    Raises:
        ShapeError: ``bins`` is neither a whole number of at least 1 nor edges, or ``weights`` are of another shape.
        DtypeError: ``x`` is not a tensor, or the dtypes cannot be promoted.
        DeviceError: the tensors lie on several devices.
        AutographError: ``range`` is not a pair of finite numbers in ascending order.

    >>> from autograph import Tensor, histogram
    >>> counts, edges = histogram(Tensor.from_numpy([0.0, 1.0, 1.5, 4.0]), bins=4)
    >>> counts.numpy().tolist(), edges.numpy().tolist()
    ([1, 2, 0, 1], [0.0, 1.0, 2.0, 3.0, 4.0])
    """
    require_tensor("histogram", x)
    _require_weights("histogram", x, weights)
    if isinstance(bins, TensorBase):
        if bins.ndim != 1 or bins.size < 2:
            raise ShapeError(f"histogram takes at least 2 edges of shape [m + 1], not {bins.shape}")
        if bins.device != x.device:
            raise DeviceError(f"histogram of a tensor on {x.device.name} with edges on {bins.device.name}")
        edges = bins.detach()
    else:
        low, high = _limits(x, range)
        own = x.dtype if x.dtype.is_float else scalar_type(f32)
        distant = np.linspace(low, high, single("bins", bins, 1) + 1).astype(own.dtype)
        edges = x.result(Buffer.from_numpy(distant, x.device))
    dtype = promoted("histogram", [x.dtype, edges.dtype])
    count = edges.size - 1
    elements = x.detach().cast(dtype).reshape(-1)
    numbers = Buffer.empty(elements.shape, i32, x.device)
    limits = edges.cast(dtype).buffer
    if numbers.size and not isinstance(bins, TensorBase) and dtype.size >= 4:
        _equal_bins(elements.buffer, limits, numbers, low, count / (high - low), count)
    elif numbers.size:
        places = places_among(keys_of(limits).buffer, keys_of(elements.buffer).buffer, is_right=True)
        _bins(elements.buffer, places, limits[-1:].broadcast_to(elements.shape), numbers, count)
    flat = None if weights is None else weights.reshape(-1)
    counts = _counted(x.result(numbers), flat, count + 1)
    return Histogram(window(counts, 0, 0, count), edges)


def _limits(x: Tensor, range: Any) -> tuple[float, float]:
    """The outer edges."""
    if range is None:
        low, high = (float(of(x.detach()).item()) for of in (min_of, max_of)) if x.size else (0.0, 1.0)
    elif isinstance(range, Sequence) and len(range) == 2 and all(is_number(edge) for edge in range):
        low, high = (float(edge) for edge in range)
    else:
        raise AutographError(f"histogram(range={range!r}): expected a pair of finite numbers")
    if not (isfinite(low) and isfinite(high)) or low > high:
        raise AutographError(f"histogram from {low} to {high}: expected finite numbers in ascending order; pass range")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return low, high


def _require_weights(name: str, x: Tensor, weights: Tensor | None) -> None:
    if weights is None:
        return
    require_tensor(f"{name}(weights=)", weights)
    if weights.dtype.kind == "bool":
        raise DtypeError(f"{name} with weights of bool: expected numbers")
    if weights.device != x.device:
        raise DeviceError(f"{name} of a tensor on {x.device.name} with weights on {weights.device.name}")
    if weights.shape != x.shape:
        raise ShapeError(f"{name} of shape {x.shape} with weights of shape {weights.shape}")


def _counted(x: Tensor, weights: Tensor | None, length: int) -> Tensor:
    """Counts, or sums of weights, of ``[n]`` numbers from 0 to length - 1."""
    if weights is None:
        if x.device.is_host:
            return x.result(_by_chunks(_count_chunks, [x.buffer], length, scalar_type(i32)))
        counts = Buffer.zeros(length, i32, x.device)
        if x.size:
            _count(x.buffer, counts)
        return x.result(counts)
    numbers = x.buffer.cast(i32)
    return _weighed(numbers, weights.cast(accumulator(weights.dtype)), length).cast(
        weights.dtype if weights.dtype.is_float else accumulator(weights.dtype)
    )


def _weighed(numbers: Buffer, weights: Tensor, length: int) -> Tensor:
    """The sums of weights by their numbers: sorted, those of one number are a run."""
    sums = Buffer.zeros(length, weights.dtype, weights.device)
    count = weights.size
    if count and weights.device.is_host and weights.dtype.is_float:
        sums = _by_chunks(_sum_chunks, [numbers, weights.buffer], length, scalar_type(f64)).cast(weights.dtype)
    elif count:
        order = order_of(keys_of(numbers.reshape((1, count))))
        by_run = taken(weights.detach(), order, 0)
        run = taken(weights.result(numbers), order, 0).buffer
        begins = by_run.result(Buffer.empty(count, weights.dtype, weights.device))
        _runs(run, neighbours(run, before=True), begins.buffer)
        totals = run_sums(by_run, begins, 0)
        _store_sums(run, neighbours(run, before=False), totals.buffer, sums, count - 1)
    return differentiable(weights.result(sums), [(weights, lambda dy: _of_numbers(dy, numbers))], higher_order=True)


def _of_numbers(sums: Tensor, numbers: Buffer) -> Tensor:
    """The element that each number stands for."""
    value = taken(sums.detach(), numbers.reshape((1, numbers.size)), 0)
    return differentiable(value, [(sums, lambda dy: _weighed(numbers, dy, sums.size))], higher_order=True)


def _by_chunks(kernel: Any, buffers: list[Buffer], length: int, dtype: ScalarType) -> Buffer:
    """What a kernel of the host adds up in chunks, and the sum of these."""
    count = buffers[0].size
    size = max(_CHUNK, 16 * length, -(-count // _CHUNKS))
    chunks = max(1, -(-count // size))
    found = Buffer.zeros((chunks, length), dtype, buffers[0].device)
    if count and length:
        kernel.with_global_threads(chunks)(*buffers, found, size)
    return found[0] if chunks == 1 else sum_axes(found, (0,), dtype)
