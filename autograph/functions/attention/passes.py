"""Attention forward and backward, tile by tile: what is kept is linear in the lengths of the sequences.

The method is that of T. Dao et al., "FlashAttention", 2022: the weights are computed again for the gradients, from the
logarithms of their sums.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from autograph.functions.launch import split_rows
from autograph.functions.products.stacks import product_into
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, U, W
from krnlpy import Buffer, Item, ItemMut, ScalarType, kernel

from .kernels import kernels, launch
from .tiles import Tile, most_scores, tiles


class Dropping(NamedTuple):
    """Which weights are dropped: those whose random number is below a threshold; others are scaled."""

    seed: int
    stream: int
    threshold: int

    @property
    def scale(self) -> float:
        """Of what is left."""
        return 1 / (1 - self.threshold * 2**-32) if self.threshold < 1 << 32 else 0.0


class Plan(NamedTuple):
    """What is asked for, beside the operands.

    Attributes:
        scale: of the scores.
        offset: the place of the first query among the keys, where none sees later ones; else None.
        dropping: of weights, or None.
    """

    scale: float
    offset: int | None
    dropping: Dropping | None


@kernel
def _scaled(x: Item[T], scale: W, y: ItemMut[U]) -> None:
    y = x * scale


@kernel
def _add(x: Item[T], y: ItemMut[T]) -> None:
    y += x


class _Scores:
    """The scores of one call, a tile at a time."""

    def __init__(self, q: Buffer, k: Buffer, v: Buffer, mask: Buffer | None, plan: Plan) -> None:
        batch, heads, queries, features = q.shape
        keys, group = k.shape[2], heads // k.shape[1]
        self.lead = batch, k.shape[1], group
        self.plan, self.keys, self.dtype, self.device = plan, keys, q.dtype.compute, q.device
        self.q = Buffer.empty((*self.lead, queries, features), self.dtype, q.device)
        if q.size:
            _scaled(q, self.dtype.dtype.type(plan.scale), self.q.reshape(q.shape))
        self.k, self.v = (self._spread(x) for x in (k, v))
        self.kernels = kernels(
            q.device.is_host, self.dtype, None if mask is None else mask.dtype, plan.offset is not None
        )
        self.mask = None if mask is None else mask.broadcast_to((batch, heads, queries, keys))
        self._no_mask = self.scratch(1).reshape((1, 1, 1, 1)) if mask is None else None
        most = most_scores(q.device)
        while not self.scratch(most).can_be_indexed:
            most //= 2
        self.tiles = tiles(self.lead, queries, keys, plan.offset, most)
        self.most = max([tile.height * tile.columns for tile in self.tiles], default=0)

    def _spread(self, x: Buffer) -> Buffer:
        """Keys or values for each head of queries."""
        x = x if x.dtype is self.dtype else x.cast(self.dtype)
        batch, heads, keys, features = x.shape
        return x.reshape((batch, heads, 1, keys, features)).broadcast_to((*self.lead, keys, features))

    def scratch(self, count: int) -> Buffer:
        """Memory for a tile."""
        return Buffer.empty(count, self.dtype, self.device)

    def of(self, tile: Tile, scratch: Buffer, rows: Buffer, columns: Buffer) -> Buffer:
        """The products of a tile's rows with what they see."""
        count = tile.height * tile.columns
        out = (scratch if scratch.size == count else scratch[:count]).reshape(tile.shape)
        product_into(out, tile.of(rows), _transposed(tile.seen(columns)))
        return out

    def run(self, kernel: Any, passes: int, tile: Tile, *buffers: Buffer) -> None:
        """Launches a kernel over rows that minds what is hidden."""
        height = tile.rows.stop - tile.rows.start
        mask, heads = self._no_mask, 1
        if self.mask is not None:
            mask = self.mask if tile.is_all and tile.columns == self.keys else self.mask[self.of_mask(tile)]
            heads = mask.shape[1]
        place = 0 if self.plan.offset is None else self.plan.offset + tile.rows.start
        rows = [x if x.ndim == 2 else x.reshape((tile.height, x.size // tile.height)) for x in buffers]
        launch(kernel, passes, *rows, mask, height, heads, place)

    def of_mask(self, tile: Tile) -> tuple[slice, slice, slice, slice]:
        """A tile's part of the mask, of which heads are one axis."""
        b, h, g = (part if isinstance(part, slice) else slice(part, part + 1) for part in tile.lead)
        group = self.lead[2]
        heads = slice(h.start * group + g.start, (h.stop - 1) * group + g.stop)
        return b, heads, tile.rows, slice(tile.columns)

    def drop(self, tile: Tile, x: Buffer) -> None:
        """Drops what is to be dropped, in place."""
        if self.plan.dropping is not None:
            drop_rows(x.reshape((tile.height, tile.columns)), tile.first, self.keys, self.plan.dropping)


def drop_rows(rows: Buffer, place: int, keys: int, dropping: Dropping) -> None:
    """Drops some of the weights of rows, in place; ``place`` is that of the first row among all."""
    drop = kernels(rows.device.is_host, rows.dtype, None, False).drop
    threshold, scale = min(dropping.threshold, (1 << 32) - 1), rows.dtype.dtype.type(dropping.scale)
    launch(drop, 1, rows, place, keys, dropping.seed, dropping.stream, threshold, scale)


def forward(
    q: Buffer, k: Buffer, v: Buffer, mask: Buffer | None, plan: Plan, dtype: ScalarType
) -> tuple[Buffer, Buffer]:
    """The means of values ``[b, h, queries, features]``, and the logarithms of the sums of exponentials of scores."""
    scores = _Scores(q, k, v, mask, plan)
    means = Buffer.empty((*scores.lead, q.shape[2], v.shape[3]), scores.dtype, q.device)
    logs = Buffer.empty((q.shape[0] * q.shape[1] * q.shape[2], 1), scores.dtype, q.device)
    scratch = scores.scratch(scores.most)
    for tile in scores.tiles:
        if not tile.columns:
            tile.of(means).fill(0)
            tile.numbers(logs).fill(float("inf"))
            continue
        weights = scores.of(tile, scratch, scores.q, scores.k)
        scores.run(scores.kernels.weigh, 5, tile, weights, tile.numbers(logs))
        scores.drop(tile, weights)
        product_into(tile.of(means), weights, tile.seen(scores.v))
    out = means if dtype is scores.dtype else means.cast(dtype)
    return out.reshape((*q.shape[:3], v.shape[3])), logs


def backward(
    q: Buffer, k: Buffer, v: Buffer, mask: Buffer | None, plan: Plan, out: Buffer, logs: Buffer, dy: Buffer,
    of_mask: bool,
) -> list[Buffer]:  # fmt: skip
    """The gradients of queries, keys and values, and of the mask if it is asked for."""
    scores = _Scores(q, k, v, mask, plan)
    dtype, lead, queries = scores.dtype, scores.lead, q.shape[2]
    dy = (dy if dy.dtype is dtype else dy.cast(dtype)).contiguous()
    slopes = dy.reshape((*lead, queries, v.shape[3]))
    means = Buffer.zeros((logs.shape[0], 1), dtype, q.device)
    if dy.size:
        for some in split_rows(_rows(dy), _rows(out), means):
            launch(scores.kernels.products, 1, *some)
    dq = Buffer.zeros((*lead, queries, q.shape[3]), dtype, q.device)
    dk, dv = (Buffer.zeros(x.shape, dtype, q.device) for x in (scores.k, scores.v))
    dmask = Buffer.zeros(mask.shape, dtype, q.device) if of_mask and mask is not None else None
    first, second = scores.scratch(scores.most), scores.scratch(scores.most)
    for tile in scores.tiles:
        if not tile.columns:
            continue
        weights = scores.of(tile, first, scores.q, scores.k)
        gradients = scores.of(tile, second, slopes, scores.v)
        scores.drop(tile, gradients)
        scores.run(scores.kernels.slopes, 3, tile, weights, gradients, tile.numbers(logs), tile.numbers(means))
        scores.drop(tile, weights)
        _add_product(tile.seen(dv), _transposed(weights), tile.of(slopes), tile, queries)
        _add_product(tile.seen(dk), _transposed(gradients), tile.of(scores.q), tile, queries)
        product_into(tile.of(dq), gradients, tile.seen(scores.k))
        if dmask is not None:
            _add_to_mask(dmask, gradients, scores.of_mask(tile))
    result = Buffer.empty(q.shape, q.dtype, q.device)
    if q.size:
        _scaled(dq.reshape(q.shape), dtype.dtype.type(plan.scale), result)
    return [result, _summed(dk, k), _summed(dv, v)] + ([] if dmask is None else [dmask])


def _transposed(x: Buffer) -> Buffer:
    return x.transpose(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)


def _rows(x: Buffer) -> Buffer:
    return x.reshape((-1, x.shape[-1]))


def _add_product(out: Buffer, left: Buffer, right: Buffer, tile: Tile, queries: int) -> None:
    """Adds what the tile's rows give to what others gave."""
    if tile.rows.stop - tile.rows.start == queries and out.is_contiguous():
        product_into(out, left, right)
        return
    part = Buffer.empty(out.shape, out.dtype, out.device)
    product_into(part, left, right)
    _add(part, out)


def _add_to_mask(dmask: Buffer, gradients: Buffer, place: tuple[slice, ...]) -> None:
    """Adds the gradients of a tile's scores, summed over what the mask was repeated for."""
    lengths = tuple(part.stop - (part.start or 0) for part in place)
    axes = tuple(axis for axis, n in enumerate(dmask.shape) if n == 1 and lengths[axis] != 1)
    whole = gradients.reshape(lengths)
    part = dmask[tuple(slice(None) if n == 1 else some for n, some in zip(dmask.shape, place, strict=True))]
    _add(sum_axes(whole, axes, dmask.dtype).reshape(part.shape) if axes else whole, part)


def _summed(gradient: Buffer, x: Buffer) -> Buffer:
    """The gradient of keys or values that were repeated for batches and heads."""
    axes = ((0,) if x.shape[0] != gradient.shape[0] else ()) + ((2,) if gradient.shape[2] > 1 else ())
    total = sum_axes(gradient, axes, x.dtype) if axes else gradient
    return (total if total.dtype is x.dtype else total.cast(x.dtype)).reshape(x.shape)
