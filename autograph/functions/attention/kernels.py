"""Kernels over rows of scores: the weights that they become, and the gradients of scores."""

from __future__ import annotations

from functools import lru_cache
from math import inf
from typing import Any, Literal, NamedTuple

from autograph.functions.launch import grid_stride
from autograph.functions.rows.parts import parts
from autograph.functions.rows.softmax import power
from autograph.functions.type_variables import T, U, W
from krnlpy import Buffer, Global, GlobalMut, ScalarType, func, i32, kernel, u32
from krnlpy.dsl import exp, log, philox


class Kernels(NamedTuple):
    """Kernels that compute in one type.

    Attributes:
        weigh: scores become weights, and the logarithms of the sums of their exponentials are stored.
        slopes: scores become weights, and the gradients of weights those of scores.
        products: sums of products of rows.
        drop: some elements become 0, others are scaled.
    """

    weigh: Any
    slopes: Any
    products: Any
    drop: Any


@func
def _kept_power(j: Any, x: Any, top: Any) -> Any:
    kept = power(j, x, top)
    x[j] = kept
    return kept


@func
def _product(j: Any, x: Any, y: Any) -> Any:
    return x[j] * y[j]


@lru_cache
def kernels(is_host: bool, dtype: ScalarType, mask: ScalarType | None, is_causal: bool) -> Kernels:
    """Those for a kind of device, and for a mask of a dtype, or none."""
    is_masked, is_truth = mask is not None, mask is not None and mask.kind == "bool"
    first_row, row_step, first, step, total, greatest = parts(is_host, dtype)

    @func
    def hide(row: Any, n: Any, width: Any, mask: Any, matrix: Any, heads: Any, i: Any) -> Any:
        """The scores of a row of which the first ``n`` are seen."""
        if is_masked:
            own = mask[matrix // heads, matrix % heads, i]
            for j in range(first(), n, step()):
                if is_truth:
                    row[j] = row[j] if own[j] else dtype(-inf)
                else:
                    row[j] = row[j] + dtype(own[j])
        if is_causal:
            for j in range(n + first(), width, step()):
                row[j] = dtype(0.0)

    @kernel(unchecked=True)
    def weigh(
        scores: GlobalMut[T, Literal[2]],
        logs: GlobalMut[T, Literal[2]],
        mask: Global[U, Literal[4]],
        height: i32,
        heads: i32,
        place: i32,
    ) -> None:
        """Rows of a tile: ``height`` of each matrix, the first of which is ``place`` keys from the start."""
        width = scores.shape[1]
        for r in range(first_row(), scores.shape[0], row_step()):
            i, matrix = r % height, r // height
            n = max(0, min(width, place + i + 1)) if is_causal else width
            hide(scores[r], n, width, mask, matrix, heads, i)
            top = greatest(n, scores[r])
            is_seen = n > 0 and top != dtype(-inf)
            whole = dtype(1.0)
            if is_seen:
                whole = total(n, _kept_power, scores[r], top)
            else:
                for j in range(first(), n, step()):
                    scores[r, j] = dtype(0.0)
            share = 1.0 / whole
            for j in range(first(), n, step()):
                scores[r, j] = scores[r, j] * share
            if first() == 0:
                logs[r, 0] = top + log(whole) if is_seen else dtype(inf)

    @kernel(unchecked=True)
    def slopes(
        scores: GlobalMut[T, Literal[2]],
        gradients: GlobalMut[T, Literal[2]],
        logs: Global[T, Literal[2]],
        means: Global[T, Literal[2]],
        mask: Global[U, Literal[4]],
        height: i32,
        heads: i32,
        place: i32,
    ) -> None:
        width = scores.shape[1]
        for r in range(first_row(), scores.shape[0], row_step()):
            i, matrix = r % height, r // height
            n = max(0, min(width, place + i + 1)) if is_causal else width
            hide(scores[r], n, width, mask, matrix, heads, i)
            low, mean = logs[r, 0], means[r, 0]
            for j in range(first(), n, step()):
                weight = exp(scores[r, j] - low)
                scores[r, j] = weight
                gradients[r, j] = weight * (gradients[r, j] - mean)
            if is_causal:
                for j in range(n + first(), width, step()):
                    gradients[r, j] = dtype(0.0)

    @kernel(unchecked=True)
    def products(x: Global[T, Literal[2]], y: Global[U, Literal[2]], sums: GlobalMut[W, Literal[2]]) -> None:
        for r in range(first_row(), x.shape[0], row_step()):
            whole = total(x.shape[1], _product, x[r], y[r])
            if first() == 0:
                sums[r, 0] = whole

    @kernel(unchecked=True)
    def drop(
        x: GlobalMut[T, Literal[2]], place: u32, keys: i32, seed: u32, stream: u32, threshold: u32, scale: T
    ) -> None:
        """Each row of so many keys has numbers of its own; ``place`` is that of the first one among all rows."""
        blocks = (keys + 3) // 4
        for r in range(first_row(), x.shape[0], row_step()):
            for block in range(first(), blocks, step()):
                words = philox(seed, (place + u32(r)) * u32(blocks) + u32(block), stream)
                for part, word in enumerate((words.x, words.y, words.z, words.w)):
                    j = part * blocks + block
                    if j < x.shape[1]:
                        x[r, j] = x[r, j] * scale if word >= threshold else dtype(0.0)

    return Kernels(weigh, slopes, products, drop)


def launch(kernel: Any, passes: int, rows: Buffer, *arguments: Any) -> None:
    """Launches a kernel over rows, over each of which its threads pass so many times."""
    count, width = rows.shape
    if rows.device.is_host:
        grid_stride(kernel, count)(rows, *arguments)
        return
    threads = rows.device.info.subgroup_threads
    grid_stride(kernel, count * threads, passes * (width // threads + 2))(rows, *arguments)
