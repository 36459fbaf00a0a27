"""Scaled dot-product attention of any number of heads."""

from __future__ import annotations

import operator
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable, saved
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.checks import broadcast_shape, is_number, require_alike
from autograph.functions.shapes.views import broadcast_to, reshape
from autograph.tensor.base import Shape, recording, require_tensor

from . import composition
from .passes import Dropping, Plan, backward, forward

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_NAME = "scaled_dot_product_attention"


def scaled_dot_product_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
    offset: int = 0,
    scale: float | None = None,
    dropout: float = 0.0,
    generator: Any = None,
) -> Tensor:
    """For each query the mean of values, weighted by ``softmax(q @ k.mT * scale)``.

    Memory is linear in the numbers of queries and keys, backward too: scores are computed a tile at a time, and again
    for the gradients; only gradients of gradients have all scores in memory. Narrow types are computed in f32. A query
    that sees no key has the result 0 and no gradient. The sources are A. Vaswani et al., "Attention Is All You Need",
    2017, and T. Dao et al., "FlashAttention", 2022.

    Args:
        q: queries, ``[..., heads, queries, features]`` of floats; one axis of heads, or none, will do.
        k: keys, ``[..., heads, keys, features]``. Leading axes broadcast; where there are fewer heads than of queries,
            neighbouring heads of queries share one.
        v: values, ``[..., heads, keys, width]``, of as many heads as the keys.
        mask: broadcasts to ``[..., heads, queries, keys]``: truth values, where False hides a key from a query; or
            floats, which are added to the scores.
        causal: query ``i`` sees the keys up to number ``i + offset`` only.
        offset: the place of the first query among the keys, where it is causal: ``keys - queries`` for the last ones.
        scale: of the products; None is ``1 / sqrt(features)``.
        dropout: the probability with which a weight becomes 0; others are divided by ``1 - dropout``.
        generator: an :class:`autograph.random.Generator`, for the dropout.

    Returns:
        ``[..., heads, queries, width]``.

    Raises:
        ShapeError: the shapes do not fit, or a tensor has fewer than two axes.
        DtypeError: they are not tensors of one float type, or the mask is of integers.
        DeviceError: they lie on several devices.
        AutographError: ``scale``, ``offset`` or ``dropout`` is no such number, or the generator is missing.

    >>> from autograph import Tensor, scaled_dot_product_attention
    >>> q, k = Tensor.zeros((2, 8, 3, 4)), Tensor.zeros((2, 2, 3, 4))  # four heads of queries for each of keys
    >>> v = Tensor.from_numpy([[1.0], [3.0], [8.0]]).cast("f32").broadcast_to((2, 2, 3, 1))
    >>> scaled_dot_product_attention(q, k, v, causal=True).numpy()[0, 0, :, 0].tolist()
    [1.0, 2.0, 4.0]
    """
    for x in (q, k, v):
        require_tensor(_NAME, x)
    require_alike(_NAME, q, k, v)
    if not q.dtype.is_float:
        raise DtypeError(f"{_NAME} of {q.dtype}: convert to a float type first, for example tensor.cast(f32)")
    shape = _fitting(q, k, v)
    plan = _plan(q, causal, offset, scale, dropout, generator)
    heads, keys = shape[-2], k.shape[-2]
    queries, *others = (_four(x, shape[:-2], heads) for x in (q, k, v))
    batch = prod(shape[:-2]), heads
    if queries.shape[:2] != batch:
        queries = broadcast_to(queries, (*batch, *queries.shape[2:]))
    count = max(x.shape[1] for x in others)
    others = [x if x.shape[1] == count else broadcast_to(x, (x.shape[0], count, *x.shape[2:])) for x in others]
    masks = [] if mask is None else [_mask(mask, q, (*shape, keys))]
    result = _attention([queries, *others, *masks], plan)
    ndim = max(q.ndim, k.ndim, v.ndim)
    return reshape(result, (*shape, v.shape[-1])[-ndim:])


def _fitting(q: Tensor, k: Tensor, v: Tensor) -> Shape:
    """The leading axes of the result, its heads, and the number of queries."""
    shapes = f"{_NAME} of shapes {q.shape}, {k.shape} and {v.shape}"
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ShapeError(f"{shapes}: expected [..., heads, length, features]")
    if q.shape[-1] != k.shape[-1]:
        raise ShapeError(f"{shapes}: queries have {q.shape[-1]} features, keys {k.shape[-1]}")
    if k.shape[-2] != v.shape[-2]:
        raise ShapeError(f"{shapes}: there are {k.shape[-2]} keys and {v.shape[-2]} values")
    of_q, of_k, of_v = (x.shape[-3] if x.ndim > 2 else 1 for x in (q, k, v))
    heads = max(of_q, of_k) if of_q == 1 else of_q
    if not of_k or heads % of_k or (of_v != of_k and 1 not in (of_v, of_k)) or not of_v or heads % of_v:
        raise ShapeError(f"{shapes}: {of_k} heads of keys and {of_v} of values do not fit {of_q} of queries")
    lead = broadcast_shape(_NAME, [x.shape[:-3] for x in (q, k, v)])
    return (*lead, heads, q.shape[-2])


def _plan(q: Tensor, causal: Any, offset: Any, scale: Any, dropout: Any, generator: Any) -> Plan:
    try:
        place = operator.index(offset)
    except TypeError:
        raise AutographError(f"{_NAME}(offset={offset!r}): expected a whole number") from None
    if scale is not None and not is_number(scale):
        raise AutographError(f"{_NAME}(scale={scale!r}): expected a number, or None")
    if not is_number(dropout) or not 0 <= dropout <= 1:
        raise AutographError(f"{_NAME}(dropout={dropout!r}): expected a probability from 0 to 1")
    dropping = None
    if dropout > 0:
        if not hasattr(generator, "key"):
            raise AutographError(f"{_NAME}(dropout={dropout!r}) needs generator=autograph.random.Generator(seed)")
        seed, stream = generator.key()
        dropping = Dropping(seed, stream, round(dropout * 2**32))
    return Plan(1 / sqrt(q.shape[-1] or 1) if scale is None else float(scale), place if causal else None, dropping)


def _four(x: Tensor, lead: Shape, heads: int) -> Tensor:
    """As ``[batch, heads, length, features]``; keys and values of one batch, or few heads, stay so."""
    own = x.shape[:-3]
    if prod(own) != 1 and own != lead:
        x = broadcast_to(x, (*lead, *x.shape[-3:]))
        own = lead
    wanted = (prod(own), x.shape[-3] if x.ndim > 2 else 1, *x.shape[-2:])
    return x if x.shape == wanted else reshape(x, wanted)


def _mask(mask: Tensor, q: Tensor, shape: Shape) -> Tensor:
    """The mask as ``[batch, heads, queries, keys]``, of which some may have length 1."""
    require_tensor(_NAME, mask)
    if mask.device != q.device:
        raise DeviceError(f"{_NAME} of tensors on {q.device.name} and a mask on {mask.device.name}")
    if mask.dtype.kind != "bool" and not mask.dtype.is_float:
        raise DtypeError(f"{_NAME}: a mask of {mask.dtype}; expected truth values, or floats that are added to scores")
    if broadcast_shape(f"{_NAME}: scores and mask", [shape, mask.shape]) != shape:
        raise ShapeError(f"{_NAME}: a mask of shape {mask.shape} does not broadcast to the scores, {shape}")
    whole = reshape(mask, ((1,) * (4 - mask.ndim) + mask.shape)) if mask.ndim < 4 else mask
    return _four(whole, shape[:-3], shape[-3])


def _attention(operands: list[Tensor], plan: Plan) -> Tensor:
    """Of operands with four axes each: queries, keys, values, and a mask if there is one."""
    q, k, v, *masks = (x.buffer for x in operands)
    mask = masks[0] if masks else None
    out, logs = forward(q, k, v, mask, plan, q.dtype)
    value = operands[0].result(out)
    if all(x.node is None for x in operands):
        return value
    kept, result = [saved(x) for x in operands], value.detach()
    of_mask = len(operands) == 4 and operands[3].node is not None
    count = 4 if of_mask else 3

    def gradients(dy: Tensor) -> tuple[Tensor, ...]:
        if recording.on:
            return composition.gradients(kept, plan, dy, count)
        q, k, v, *masks = (x.buffer for x in kept)
        mask = masks[0] if masks else None
        found = backward(q, k, v, mask, plan, result.buffer, logs, dy.buffer, of_mask)
        dtypes = [x.dtype for x in kept[:count]]
        return tuple(dy.result(x if x.dtype is of else x.cast(of)) for x, of in zip(found, dtypes, strict=True))

    return differentiable(value, [(tuple(operands[:count]), gradients)], higher_order=True)
