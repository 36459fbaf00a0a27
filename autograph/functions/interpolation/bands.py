"""Weighted sums of neighbours along axes: averages, interpolation, and their gradients, which are such sums again.

Along an axis, such a sum is a product with a matrix that is zero outside of a band. The transposed matrix has a band,
too. What is done along several axes is done along one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from autograph.autograd import differentiable
from autograph.functions.launch import (
    grid_stride,
    max_passes,
    reshape_or_copy,
    split_index,
    split_rows,
    threads_per_row,
)
from autograph.functions.reducers.sums import sum_axes
from autograph.functions.type_variables import T, U, W, accumulator
from krnlpy import Buffer, Device, Global, GlobalMut, ScalarType, Spec, i32, kernel
from krnlpy.dsl import global_id, global_threads, local_array

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Array = np.ndarray[Any, Any]

_ELEMENTS = 16  # of the axes behind, which a thread of a CPU sums together


@dataclass(frozen=True, eq=False)
class Band:
    """A matrix that is zero outside of a band.

    Attributes:
        length: of its rows.
        starts: where each row's band begins; none before that of the row above.
        counts: how long it is; none ends before that of the row above.
        weights: ``[rows, at least the greatest count]``, the numbers of the band, in f64.
    """

    length: int
    starts: Array
    counts: Array
    weights: Array

    @cached_property
    def _tables(self) -> dict[tuple[Device, ScalarType], tuple[Buffer, Buffer]]:
        return {}

    def tables(self, device: Device, dtype: ScalarType) -> tuple[Buffer, Buffer]:
        """``[starts, counts]`` of the rows, and the weights, on a device. They are kept there: nothing can be uploaded
        where a graph is captured."""
        found = self._tables.get((device, dtype))
        if found is None:
            places = Buffer.from_numpy(np.stack([self.starts, self.counts], 1).astype(np.int32), device)
            found = places, Buffer.from_numpy(self.weights.astype(dtype.dtype), device)
            self._tables[device, dtype] = found
        return found

    @cached_property
    def transposed(self) -> Band:
        """Its transpose, whose rows are bands because those of this one go from left to right."""
        rows = np.repeat(np.arange(len(self.starts)), self.counts)
        inner = np.arange(len(rows)) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        columns = self.starts[rows] + inner
        order = np.argsort(columns, kind="stable")
        counts = np.bincount(columns, minlength=self.length)
        firsts = np.cumsum(counts) - counts
        starts = np.zeros(self.length, np.int64)
        starts[counts > 0] = rows[order][firsts[counts > 0]]
        weights = np.zeros((self.length, max(1, int(counts.max(initial=0)))))
        weights[columns[order], np.arange(len(rows)) - np.repeat(firsts, counts)] = self.weights[rows, inner][order]
        result = Band(len(self.starts), starts, counts, weights)
        result.__dict__["transposed"] = self
        return result


@cache
def _sum_band(wide: ScalarType) -> Any:
    """The kernel that accumulates in a type."""

    @kernel(unchecked=True)
    def sum_band(
        x: Global[T, Literal[3]],
        places: Global[i32, Literal[2]],
        weights: Global[W, Literal[2]],
        out: GlobalMut[U, Literal[4]],
        rows: i32,
        lanes: i32,
        ELEMENTS: Spec[i32],
    ) -> None:
        """``out[s, a, o, b]``: the s-th part of the sum of ``weights[o, j] * x[a, places[o, 0] + j, b]`` over all j
        below ``places[o, 1]``. A thread has every rows-th o, and ELEMENTS neighbours of every lanes-th such b, the last
        of which it may compute twice."""
        total = local_array(wide, ELEMENTS)
        parts, outer, count, inner = out.shape
        for item in range(global_id(), parts * outer * rows * lanes, global_threads()):
            lane_of, lane = split_index(item, lanes)
            row_of, row = split_index(lane_of, rows)
            part, a = split_index(row_of, outer)
            for o in range(row, count, rows):
                start, stop = places[o, 0], places[o, 1]
                for chunk in range(lane * ELEMENTS, inner, lanes * ELEMENTS):
                    b = min(chunk, inner - ELEMENTS)
                    for e in range(ELEMENTS):
                        total[e] = wide(0)
                    for j in range(part, stop, parts):
                        weight = weights[o, j]
                        for e in range(ELEMENTS):
                            total[e] += weight * wide(x[a, start + j, b + e])
                    for e in range(ELEMENTS):
                        out[part, a, o, b + e] = U(total[e])

    return sum_band


def resample(x: Tensor, bands: Mapping[int, Band]) -> Tensor:
    """The products of bands with a tensor along axes, accumulated in at least 32 bits and rounded once.

    Args:
        x: of any dtype.
        bands: that of each axis; the axis gets the length of the band's columns.
    """
    # Axes that become shorter first: the less is left for the others.
    order = sorted(bands, key=lambda axis: (len(bands[axis].starts) / max(1, bands[axis].length), axis))
    shape = tuple(len(bands[axis].starts) if axis in bands else n for axis, n in enumerate(x.shape))
    out = Buffer.empty(shape, x.dtype, x.device)
    if out.size and x.size:
        for some, result in split_rows(x.buffer, out) if 0 not in bands else [(x.buffer, out)]:
            _along_axes(some, result, [(axis, bands[axis]) for axis in order])
    else:
        out.fill(0)

    def gradient_of_x(gradient: Tensor) -> Tensor:
        return resample(gradient, {axis: band.transposed for axis, band in bands.items()})

    return differentiable(x.result(out), [(x, gradient_of_x)], higher_order=True)


def _along_axes(x: Buffer, out: Buffer, bands: list[tuple[int, Band]]) -> None:
    if not bands:
        out.copy_from(x)
    wide = accumulator(out.dtype)
    for i, (axis, band) in enumerate(bands):
        shape = (*x.shape[:axis], len(band.starts), *x.shape[axis + 1 :])
        to = out if i == len(bands) - 1 else Buffer.empty(shape, wide, x.device)
        _along(x, to, axis, band, wide)
        x = to


def _along(x: Buffer, out: Buffer, axis: int, band: Band, wide: ScalarType) -> None:
    outer, count, inner = prod(out.shape[:axis]), out.shape[axis], prod(out.shape[axis + 1 :])
    width, device = band.weights.shape[1], x.device
    is_cpu = threads_per_row(device) == 1
    most = max_passes(device)
    parts = -(-width // max(1, most // 2))
    taps = -(-width // parts)
    # On a CPU a thread has a whole row, and where rows are single elements, some of them; on a GPU it has an element.
    # Nowhere has it more passes than a driver allows.
    elements = min(_ELEMENTS, 1 << (inner.bit_length() - 1)) if is_cpu else 1
    if -(-inner // elements) * (1 + taps * elements) > most:
        elements = 1
    of_chunk, chunks = 1 + taps * elements, -(-inner // elements)
    lanes = max(1 if is_cpu else inner, -(-chunks * of_chunk // most))
    of_row = 1 + -(-chunks // lanes) * of_chunk
    rows = min(count, max(1, 64 // outer)) if is_cpu and inner == 1 else count
    rows = max(rows, min(count, -(-count * of_row // most)))
    passes = -(-count // rows) * of_row
    from_ = reshape_or_copy(x, (outer, x.shape[axis], inner))
    shape = (parts, outer, count, inner)
    sums = out.reshape(shape) if parts == 1 else Buffer.empty(shape, wide, device)
    places, weights = band.tables(device, wide)
    built = grid_stride(_specialized(wide, elements), parts * outer * rows * lanes, passes)
    built(from_, places, weights, sums, rows, lanes)
    if parts > 1:
        out.copy_from(sum_axes(sums, (0,), out.dtype).reshape(out.shape))


@lru_cache(maxsize=64)
def _specialized(wide: ScalarType, elements: int) -> Any:
    return _sum_band(wide).specialize(ELEMENTS=elements)
