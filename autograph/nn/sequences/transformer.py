"""Blocks of transformers."""

from __future__ import annotations

from typing import Any

from autograph.errors import AutographError
from autograph.functions.elementwise.activations import gelu
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from ..dense import Dense
from ..dropout import Dropout
from ..initializers import Initializer
from ..layer import Layer
from ..normalization.samples import LayerNorm
from ..seeds import Seed, generator
from .attention import AttentionCache, MultiHeadAttention


class TransformerBlock(Layer):
    """Self-attention, then two products with ``gelu`` between, each within a residual connection and with a norm.

    As PyTorch's ``TransformerEncoderLayer`` with ``activation="gelu"``; with ``causal=True`` a block of a language
    model, with ``cross=True`` of a decoder. Source: A. Vaswani et al., "Attention Is All You Need", 2017; norms first:
    R. Xiong et al., "On Layer Normalization in the Transformer Architecture", 2020.

    Args:
        width: features of the input and the result.
        heads: of the attention.
        hidden: features between the products; None is ``4 * width``.
        causal: no place sees later ones.
        cross: between both there is attention to a context.
        norm_first: norms stand before attention and products, not after the sums.
        rotary, key_heads: as :class:`MultiHeadAttention` takes them.
        bias: whether products and norms have biases.
        dropout: in training, of weights of attention, of what is between the products, and of what is added.
        epsilon: of the norms.
        device: where the parameters are; None is the host.
        dtype: a float type.
        seed: an int, a generator to draw from, or None; see :func:`autograph.seeded`.
        initialize: how the weights of products start.

    Raises:
        AutographError: a count is below 1, ``dropout`` no probability, or ``seed`` not a seed.
        ShapeError: ``heads`` does not divide ``width``.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import Tensor, TransformerBlock
    >>> block = TransformerBlock(16, 4, causal=True, dropout=0.1, seed=0)
    >>> block(Tensor.ones((2, 5, 16))).shape
    (2, 5, 16)
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int | None = None,
        *,
        causal: bool = False,
        cross: bool = False,
        norm_first: bool = True,
        rotary: bool = False,
        key_heads: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        epsilon: float = 1e-5,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
        initialize: Initializer | None = None,
    ) -> None:
        rng = generator(seed)
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        made: dict[str, Any] = {**place, "bias": bias, "seed": rng, "initialize": initialize}
        heads_of: dict[str, Any] = {**made, "dropout": dropout, "key_heads": key_heads}

        def norm() -> LayerNorm:
            return LayerNorm(width, epsilon=epsilon, bias=bias, **place)

        hidden = 4 * width if hidden is None else hidden
        self.norm_first = bool(norm_first)
        self.attention = MultiHeadAttention(width, heads, causal=causal, rotary=rotary, **heads_of)
        self.norm1 = norm()
        self.cross = MultiHeadAttention(width, heads, **heads_of) if cross else None
        self.norm_cross = norm() if cross else None
        self.wide, self.narrow = Dense(width, hidden, **made), Dense(hidden, width, **made)
        self.norm2 = norm()
        self.dropout = Dropout(dropout, seed=rng) if dropout else None

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        lengths: Tensor | None = None,
        context_lengths: Tensor | None = None,
        cache: AttentionCache | None = None,
    ) -> Tensor:
        """The block's result.

        Args:
            x: ``[batch, length, width]``.
            context: ``[batch, keys, width]``, where the block attends to one.
            mask, lengths, cache: of the self-attention, as :meth:`MultiHeadAttention.forward` takes them.
            context_lengths: how many places of each context are none that only fill up.

        Returns:
            ``[batch, length, width]``.

        Raises:
            AutographError: a context is missing, or none is asked for.
            ShapeError: shapes do not fit. DtypeError: dtypes do not. DeviceError: devices differ.

        >>> from autograph import Tensor, TransformerBlock
        >>> block = TransformerBlock(8, 2, causal=True, cross=True, seed=0)
        >>> block(Tensor.ones((1, 3, 8)), Tensor.ones((1, 5, 8))).shape
        (1, 3, 8)
        """
        if (context is None) != (self.cross is None):
            what = "needs a context" if self.cross is not None else "takes no context; cross=True makes one that does"
            raise AutographError(f"this TransformerBlock {what}")
        x = self._added(x, self.norm1, lambda y: self.attention(y, mask=mask, lengths=lengths, cache=cache))
        if self.cross is not None and self.norm_cross is not None:
            cross = self.cross
            x = self._added(x, self.norm_cross, lambda y: cross(y, context, lengths=context_lengths))
        return self._added(x, self.norm2, lambda y: self.narrow(self._dropped(gelu(self.wide(y)))))

    def _added(self, x: Tensor, norm: LayerNorm, of: Any) -> Tensor:
        """A residual connection, with its norm before or after."""
        result: Tensor
        if self.norm_first:
            result = x + self._dropped(of(norm(x)))
        else:
            result = norm(x + self._dropped(of(x)))
        return result

    def _dropped(self, x: Tensor) -> Any:
        return x if self.dropout is None else self.dropout(x)
