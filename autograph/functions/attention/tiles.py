"""Which rows of scores are computed at once: so many that the work is worth its launches, so few that they stay in
caches, and never all of long sequences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from krnlpy import Buffer, Device

_CACHED = 1 << 20
"""Scores that are computed at once where a CPU computes them: with fewer, products of few rows take longer."""
_SPREAD = 1 << 23
"""Scores that are worth all threads of a GPU."""
_CAUSAL_ROWS = 256
"""Rows of a tile at most where later rows see more: what none of them sees is not computed."""


class Tile(NamedTuple):
    """Some rows of one matrix of scores, or all rows of several neighbouring ones.

    Attributes:
        lead: where they are along batch, heads of keys, and heads of queries for each of these.
        rows: the queries.
        columns: how many keys these see, from the first on.
        matrices: lengths along the leading axes; empty for one of several matrices.
        first: the place of the first row among those of all matrices.
        height: rows of all matrices together.
        is_all: there is no other tile.
    """

    lead: tuple[Any, ...]
    rows: slice
    columns: int
    matrices: tuple[int, ...]
    first: int
    height: int
    is_all: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the scores."""
        return (*self.matrices, self.rows.stop - self.rows.start, self.columns)

    def of(self, x: Buffer) -> Buffer:
        """These rows, of what has batch, heads, heads, queries and features."""
        return x if self.is_all else x[(*self.lead, self.rows)]

    def seen(self, x: Buffer) -> Buffer:
        """What these rows see, of what has batch, heads, heads, keys and features."""
        return x if x.shape[-2] == self.columns and self.is_all else x[(*self.lead, slice(self.columns))]

    def numbers(self, x: Buffer) -> Buffer:
        """Those of these rows, of what has a number for each row, ``[rows, 1]``."""
        return x if self.is_all else x[self.first : self.first + self.height]


def most_scores(device: Device) -> int:
    """How many scores are computed at once."""
    return _CACHED if device.info.kind in ("host", "interpreter", "cpu") else _SPREAD


@lru_cache(maxsize=256)
def tiles(lead: tuple[int, int, int], queries: int, keys: int, offset: int | None, most: int) -> tuple[Tile, ...]:
    """The tiles of all scores.

    Args:
        lead: batch, heads of keys, and heads of queries for each of these.
        queries: rows of each matrix.
        keys: its columns.
        offset: the place of the first query among the keys, where none sees later ones; None: each sees all.
        most: scores of a tile.
    """
    return tuple(_tiles(lead, queries, keys, offset, most))


def _tiles(lead: tuple[int, int, int], queries: int, keys: int, offset: int | None, most: int) -> Iterator[Tile]:
    batch, heads, group = lead
    height = queries if offset is None else min(queries, _CAUSAL_ROWS)
    height = max(1, min(height, most // max(1, keys)))
    together = max(1, most // max(1, queries * keys)) if height == queries else 1
    groups = min(group, together)
    steps = min(heads, together // groups) if groups == group else 1
    batches = min(batch, together // (groups * steps)) if groups == group and steps == heads else 1
    for b in range(0, batch, batches):
        for h in range(0, heads, steps):
            for g in range(0, group, groups):
                ends = min(b + batches, batch), min(h + steps, heads), min(g + groups, group)
                first = ((b * heads + h) * group + g) * queries
                lengths = ends[0] - b, ends[1] - h, ends[2] - g
                is_one = lengths == (1, 1, 1) != lead
                place: tuple[Any, ...] = (b, h, g) if is_one else tuple(map(slice, (b, h, g), ends))
                count = lengths[0] * lengths[1] * lengths[2]
                for row in range(0, queries, height):
                    end = min(row + height, queries)
                    columns = keys if offset is None else max(0, min(keys, offset + end))
                    matrices = () if is_one else lengths
                    is_all = count * (end - row) == batch * heads * group * queries
                    yield Tile(place, slice(row, end), columns, matrices, first + row, count * (end - row), is_all)
