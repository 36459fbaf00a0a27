"""Attention with several heads, and what it remembers of a sequence that grows."""

from __future__ import annotations

from typing import Any

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.attention.positions import rotary_embedding
from autograph.functions.attention.scaled_dot_product import scaled_dot_product_attention
from autograph.functions.checks import is_number
from autograph.functions.elementwise.bits import bitwise_and
from autograph.functions.elementwise.comparisons import where
from autograph.functions.sequences import arange
from autograph.functions.shapes.joining import concat
from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from ..dense import Dense
from ..initialize import require_counts
from ..initializers import Initializer
from ..layer import Layer
from ..seeds import Seed, draws, generator
from ..settings import settings


class AttentionCache:
    """The keys and values of what a :class:`MultiHeadAttention` has read, so that it reads each part once.

    Attributes:
        keys, values: ``[batch, heads, length, features]``, or None at first.

    >>> from autograph import AttentionCache, MultiHeadAttention, Tensor
    >>> layer, cache = MultiHeadAttention(8, 2, causal=True, seed=0), AttentionCache()
    >>> x = Tensor.ones((1, 5, 8))
    >>> parts = [layer(x[:, i : i + 1], cache=cache) for i in range(5)]
    >>> cache.length, bool((abs(parts[4] - layer(x)[:, 4:]) < 1e-6).all())
    (5, True)
    """

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    @property
    def length(self) -> int:
        """How many keys there are."""
        return 0 if self.keys is None else self.keys.shape[2]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values, to which these are added.

        Args:
            keys: ``[batch, heads, new, features]``.
            values: likewise.

        Raises:
            ShapeError: they do not fit those before.

        >>> from autograph import AttentionCache, Tensor
        >>> cache = AttentionCache()
        >>> cache.extend(*[Tensor.ones((1, 2, 3, 4))] * 2)[0].shape, cache.length
        ((1, 2, 3, 4), 3)
        """
        if self.keys is not None and self.values is not None:
            keys, values = concat([self.keys, keys], axis=2), concat([self.values, values], axis=2)
        self.keys, self.values = keys, values
        return keys, values


class MultiHeadAttention(Layer):
    """Attention of several heads, each of a part of the features, between learned products.

    Source: A. Vaswani et al., "Attention Is All You Need", 2017; shared heads of keys: J. Ainslie et al., "GQA", 2023.

    Args:
        width: features of queries and of the result.
        heads: of which each has ``width / heads`` features.
        key_heads: of keys and values, where several heads of queries share one; None is as many.
        key_width: features of what keys are made of; None is ``width``.
        value_width: features of what values are made of; None is ``key_width``.
        bias: whether the products have biases.
        causal: a query sees the keys up to its own place only.
        rotary: queries and keys are turned by their places; see :func:`autograph.rotary_embedding`.
        dropout: of the weights, in training.
        device: where the parameters are; None is the host.
        dtype: a float type.
        seed: an int, a generator to draw from, or None; see :func:`autograph.seeded`.
        initialize: how the weights start; None is as those of :class:`Dense`.

    Attributes:
        query, key, value, out: the products, each a :class:`Dense`.

    Raises:
        AutographError: a count is below 1, ``dropout`` no probability, or ``seed`` not a seed.
        ShapeError: ``heads`` does not divide ``width``, or ``key_heads`` not ``heads``.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import MultiHeadAttention, Tensor
    >>> x, context = Tensor.ones((2, 5, 16)), Tensor.ones((2, 7, 16))
    >>> layer = MultiHeadAttention(16, 4, seed=0)
    >>> layer(x).shape, layer(x, context).shape
    ((2, 5, 16), (2, 5, 16))
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        key_heads: int | None = None,
        key_width: int | None = None,
        value_width: int | None = None,
        bias: bool = True,
        causal: bool = False,
        rotary: bool = False,
        dropout: float = 0.0,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
        initialize: Initializer | None = None,
    ) -> None:
        key_heads = heads if key_heads is None else key_heads
        key_width = width if key_width is None else key_width
        value_width = key_width if value_width is None else value_width
        counts = {"width": width, "heads": heads, "key_heads": key_heads, "key_width": key_width}
        require_counts("MultiHeadAttention", **counts, value_width=value_width)
        if width % heads or heads % key_heads or (rotary and width // heads % 2):
            raise ShapeError(
                f"MultiHeadAttention({width}, {heads}, key_heads={key_heads}): expected heads that divide the width,"
                " heads of keys that divide these, and an even number of features a head for rotary=True"
            )
        if not is_number(dropout) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise AutographError(f"MultiHeadAttention(dropout={dropout!r}): expected a probability from 0 to 1")
        self.heads, self.key_heads = int(heads), int(key_heads)
        self.causal, self.rotary, self.dropout = bool(causal), bool(rotary), float(dropout)
        rng, features = generator(seed), width // heads
        options: dict[str, Any] = {
            "bias": bias, "device": device, "dtype": dtype, "seed": rng, "initialize": initialize
        }  # fmt: skip
        self.query = Dense(width, width, **options)
        self.key = Dense(key_width, key_heads * features, **options)
        self.value = Dense(value_width, key_heads * features, **options)
        self.out = Dense(width, width, **options)
        self.generator = draws(rng) if dropout else None

    def forward(
        self,
        x: Tensor,
        keys: Tensor | None = None,
        values: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        lengths: Tensor | None = None,
        cache: AttentionCache | None = None,
    ) -> Tensor:
        """What the queries of ``x`` find.

        Args:
            x: ``[batch, queries, width]``.
            keys: ``[batch, keys, key_width]``, what keys are made of; None is ``x``: self-attention.
            values: ``[batch, keys, value_width]``, what values are made of; None is ``keys``.
            mask: broadcasts to ``[batch, heads, queries, keys]``: truth values, False hides (PyTorch's layer takes the
                opposite, its function this); or floats, which are added to the scores.
            lengths: whole numbers ``[batch]``: how many keys of each sample are none that only fill up.
            cache: keys and values that were read before, to which these are added; the queries' places count from its
                length.

        Returns:
            ``[batch, queries, width]``.

        Raises:
            ShapeError: shapes do not fit. DtypeError: dtypes do not. DeviceError: devices differ.

        >>> from autograph import MultiHeadAttention, Tensor
        >>> layer = MultiHeadAttention(8, 2, seed=0)
        >>> x, lengths = Tensor.ones((2, 3, 8)), Tensor.from_numpy([3, 1])
        >>> layer(x, lengths=lengths).shape
        (2, 3, 8)
        """
        require_tensor("MultiHeadAttention", x)
        keys = x if keys is None else keys
        values = keys if values is None else values
        for name, part in (("x", x), ("keys", keys), ("values", values)):
            require_tensor(f"MultiHeadAttention({name}=)", part)
            if part.ndim != 3:
                raise ShapeError(
                    f"MultiHeadAttention takes {name} of shape [batch, length, features], not {part.shape}"
                )
        offset = 0 if cache is None else cache.length
        q, k = _heads(self.query(x), self.heads), _heads(self.key(keys), self.key_heads)
        v = _heads(self.value(values), self.key_heads)
        if self.rotary:
            q, k = rotary_embedding(q, offset), rotary_embedding(k, offset)
        if cache is not None:
            k, v = cache.extend(k, v)
        drops = self.training and self.dropout > 0
        y = scaled_dot_product_attention(
            q, k, v, mask=_seen(mask, lengths, k), causal=self.causal, offset=offset,
            dropout=self.dropout if drops else 0.0, generator=self.generator,
        )  # fmt: skip
        result: Tensor = self.out(y.transpose(0, 2, 1, 3).reshape(x.shape))
        return result

    def describe(self) -> str:
        return settings(self.query.weight.shape[0], self.heads)


def _heads(x: Tensor, heads: int) -> Tensor:
    """``[batch, length, features]`` as ``[batch, heads, length, features of one]``."""
    batch, length, features = x.shape
    return x.reshape(batch, length, heads, features // heads).transpose(0, 2, 1, 3)


def _seen(mask: Tensor | None, lengths: Tensor | None, keys: Tensor) -> Tensor | None:
    """The mask that hides what only fills up, too."""
    if lengths is None:
        return mask
    require_tensor("MultiHeadAttention(lengths=)", lengths)
    if lengths.shape != keys.shape[:1] or not lengths.dtype.is_integer:
        error = ShapeError if lengths.dtype.is_integer else DtypeError
        raise error(
            f"MultiHeadAttention(lengths=) of {lengths.dtype} and shape {lengths.shape}: expected whole numbers, one"
            f" for each of {keys.shape[0]} samples"
        )
    is_own: Tensor = arange(keys.shape[2], dtype=lengths.dtype, device=keys.device) < lengths.reshape(-1, 1, 1, 1)
    if mask is None:
        return is_own
    return bitwise_and(mask, is_own) if mask.dtype.kind == "bool" else where(is_own, mask, float("-inf"))
