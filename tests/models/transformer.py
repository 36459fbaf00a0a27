"""A transformer that reads characters: causal attention with several heads, norms before, residual connections."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import (
    AdamW,
    Dense,
    Embedding,
    Layer,
    LayerNorm,
    LearnedPositions,
    Tensor,
    TransformerBlock,
    initializers,
)
from krnlpy import Device

from .case import Arrays, Case

CHARACTERS, LENGTH, WIDTH, HEADS, BLOCKS, BATCH = 32, 16, 32, 4, 2, 8


class Transformer(Layer):
    def __init__(self, device: Device) -> None:
        table = initializers.normal(std=0.3)
        self.tokens = Embedding(CHARACTERS, WIDTH, initialize=table, seed=0, device=device)
        self.places = LearnedPositions(LENGTH, WIDTH, initialize=table, seed=1, device=device)
        self.blocks = [TransformerBlock(WIDTH, HEADS, causal=True, seed=10 + i, device=device) for i in range(BLOCKS)]
        self.norm, self.head = LayerNorm(WIDTH, device=device), Dense(WIDTH, CHARACTERS, seed=100, device=device)

    def forward(self, text: Tensor) -> Any:
        x = self.places(self.tokens(text))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def loss(model: Layer, text: Tensor, following: Tensor) -> Any:
    return model(text).reshape(-1, CHARACTERS).cross_entropy_loss(following.flatten())


def peer(torch: Any, p: dict[str, Any], text: Any, following: Any) -> Any:
    functional = torch.nn.functional

    def norm(x: Any, name: str) -> Any:
        return functional.layer_norm(x, (WIDTH,), p[f"{name}.weight"], p[f"{name}.bias"])

    def dense(x: Any, name: str) -> Any:
        return x @ p[f"{name}.weight"] + p[f"{name}.bias"]

    x = functional.embedding(text, p["tokens.weight"]) + p["places.weight"]
    for i in range(BLOCKS):
        name = f"blocks.{i}"
        y = norm(x, f"{name}.norm1")
        parts = [dense(y, f"{name}.attention.{part}") for part in ("query", "key", "value")]
        heads = [part.reshape(*text.shape, HEADS, WIDTH // HEADS).transpose(1, 2) for part in parts]
        attended = functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + dense(attended.transpose(1, 2).reshape(x.shape), f"{name}.attention.out")
        hidden = functional.gelu(dense(norm(x, f"{name}.norm2"), f"{name}.wide"))
        x = x + dense(hidden, f"{name}.narrow")
    logits = norm(x, "norm") @ p["head.weight"]
    return functional.cross_entropy(logits.reshape(-1, CHARACTERS), following.flatten())


def batch(step: int) -> Arrays:
    """Counting with leaps: the next character is a sum of the last two."""
    rng = np.random.default_rng(step)
    text = np.empty((BATCH, LENGTH + 1), np.int64)
    text[:, :2] = rng.integers(0, CHARACTERS, (BATCH, 2))
    for i in range(2, LENGTH + 1):
        text[:, i] = (text[:, i - 1] + text[:, i - 2]) % CHARACTERS
    return text[:, :-1].copy(), text[:, 1:].copy()


CASE = Case(
    Transformer, loss, peer, batch, AdamW, lambda torch, p: torch.optim.AdamW(p, lr=0.003, weight_decay=0.01), 0.003
)
