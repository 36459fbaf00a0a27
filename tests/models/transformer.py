"""A transformer that reads characters: causal attention with several heads, norms before, residual connections."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from autograph import AdamW, Dense, Layer, LayerNorm, Parameter, Tensor, arange, embedding, gelu, softmax, split, where
from krnlpy import Device

from .case import Arrays, Case

CHARACTERS, LENGTH, WIDTH, HEADS, BLOCKS, BATCH = 32, 16, 32, 4, 2, 8


class Attention(Layer):
    def __init__(self, seed: int, device: Device) -> None:
        self.inward = Dense(WIDTH, 3 * WIDTH, bias=True, seed=seed, device=device)
        self.outward = Dense(WIDTH, WIDTH, bias=True, seed=seed + 1, device=device)

    def forward(self, x: Tensor) -> Any:
        batch, length, _ = x.shape
        heads = self.inward(x).reshape(batch, length, 3 * HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)
        query, key, value = split(heads, 3, axis=1)
        scores = query @ key.mT / sqrt(WIDTH // HEADS)
        places = arange(length, device=x.device)
        weights = softmax(where(places <= places.reshape(length, 1), scores, -np.inf), axis=-1)
        return self.outward((weights @ value).transpose(0, 2, 1, 3).reshape(x.shape))


class Block(Layer):
    def __init__(self, seed: int, device: Device) -> None:
        self.norm1, self.attention = LayerNorm(WIDTH, device=device), Attention(seed, device)
        self.norm2 = LayerNorm(WIDTH, device=device)
        self.wide = Dense(WIDTH, 4 * WIDTH, bias=True, seed=seed + 2, device=device)
        self.narrow = Dense(4 * WIDTH, WIDTH, bias=True, seed=seed + 3, device=device)

    def forward(self, x: Tensor) -> Any:
        x = x + self.attention(self.norm1(x))
        return x + self.narrow(gelu(self.wide(self.norm2(x))))


class Transformer(Layer):
    def __init__(self, device: Device) -> None:
        rng = np.random.default_rng(0)
        tokens = rng.normal(0, 0.3, (CHARACTERS, WIDTH)).astype(np.float32)
        places = rng.normal(0, 0.3, (LENGTH, WIDTH)).astype(np.float32)
        self.tokens = Parameter(Tensor.from_numpy(tokens, device))
        self.places = Parameter(Tensor.from_numpy(places, device))
        self.blocks = [Block(10 * i, device) for i in range(BLOCKS)]
        self.norm, self.head = LayerNorm(WIDTH, device=device), Dense(WIDTH, CHARACTERS, seed=100, device=device)

    def forward(self, text: Tensor) -> Any:
        x = embedding(self.tokens, text) + self.places
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

    x = functional.embedding(text, p["tokens"]) + p["places"]
    for i in range(BLOCKS):
        name = f"blocks.{i}"
        heads = dense(norm(x, f"{name}.norm1"), f"{name}.attention.inward")
        heads = heads.reshape(*text.shape, 3 * HEADS, WIDTH // HEADS).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(*heads.split(HEADS, dim=1), is_causal=True)
        x = x + dense(attended.transpose(1, 2).reshape(x.shape), f"{name}.attention.outward")
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
