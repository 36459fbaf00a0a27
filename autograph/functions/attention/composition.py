"""Attention made of other operations, with all scores in memory: its gradient has gradients of any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.autograd import grad
from autograph.functions.casts import cast
from autograph.functions.elementwise.bits import bitwise_and
from autograph.functions.elementwise.comparisons import where
from autograph.functions.reductions.softmax import softmax
from autograph.functions.sequences import arange
from krnlpy import Buffer

from .passes import Plan, drop_rows

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def gradients(operands: list[Tensor], plan: Plan, dy: Tensor, count: int) -> tuple[Tensor, ...]:
    """The gradients of the first ``count`` of queries, keys, values and mask, recorded so that they can be derived."""

    def product(*changed: Tensor) -> Tensor:
        result: Tensor = (_composed([*changed, *operands[count:]], plan) * dy).sum()
        return result

    found: tuple[Tensor, ...] = grad(product, tuple(range(count)))(*operands[:count])
    return found


def _composed(operands: list[Tensor], plan: Plan) -> Tensor:
    """The means of values."""
    dtype, (q, k, v, *masks) = operands[0].dtype, operands
    q, k, v = (x if x.dtype is dtype.compute else cast(x, dtype.compute) for x in (q, k, v))
    batch, heads, queries, features = q.shape
    keys, shared = k.shape[2], k.shape[1]
    groups = batch, shared, heads // shared, queries
    k, v = (x.reshape(x.shape[0], shared, 1, keys, x.shape[3]) for x in (k, v))
    scores = (q.reshape(*groups, features) @ k.mT).reshape(batch, heads, queries, keys) * plan.scale
    seen = None
    if plan.offset is not None:
        rows, columns = (arange(n, device=q.device) for n in (queries, keys))
        seen = rows.reshape(-1, 1) + plan.offset >= columns
    for mask in masks:
        shown = mask if mask.dtype.kind == "bool" else mask > float("-inf")
        seen = shown if seen is None else bitwise_and(seen, shown)
        scores = scores if mask.dtype.kind == "bool" else where(shown, scores + cast(mask, dtype.compute), 0.0)
    # A row that sees nothing has even weights before they are hidden.
    weights = softmax(scores if seen is None else where(seen, scores, float("-inf")), -1)
    weights = weights if seen is None else where(seen, weights, 0.0)
    if plan.dropping is not None:
        kept = Buffer.ones((batch * heads * queries, keys), dtype.compute, q.device)
        drop_rows(kept, 0, keys, plan.dropping)
        weights = weights * q.result(kept.reshape(weights.shape))
    result = (weights.reshape(*groups, keys) @ v).reshape(batch, heads, queries, v.shape[-1])
    return result if result.dtype is dtype else cast(result, dtype)
