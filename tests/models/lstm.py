"""A recurrent network with long short-term memory (Hochreiter and Schmidhuber, 1997) that reads characters."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import LSTM, Adam, Dense, Embedding, Layer, Tensor, initializers
from krnlpy import Device

from .case import Arrays, Case

CHARACTERS, LENGTH, WIDTH, HIDDEN, BATCH = 16, 8, 8, 16, 16


class Memory(Layer):
    def __init__(self, device: Device) -> None:
        self.tokens = Embedding(CHARACTERS, WIDTH, initialize=initializers.normal(std=0.5), seed=0, device=device)
        self.lstm = LSTM(WIDTH, HIDDEN, seed=1, device=device)
        self.out = Dense(HIDDEN, CHARACTERS, bias=True, seed=2, device=device)

    def forward(self, text: Tensor) -> Any:
        return self.out(self.lstm(self.tokens(text))[0])


def loss(model: Layer, text: Tensor, following: Tensor) -> Any:
    return model(text).reshape(-1, CHARACTERS).cross_entropy_loss(following.flatten())


def peer(torch: Any, p: dict[str, Any], text: Any, following: Any) -> Any:
    functional = torch.nn.functional
    x = functional.embedding(text, p["tokens.weight"])
    hidden = cell = x.new_zeros(text.shape[0], HIDDEN)
    weights, outputs = [p[f"lstm.{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")], []
    for i in range(LENGTH):
        hidden, cell = torch.lstm_cell(x[:, i], (hidden, cell), *weights)
        outputs.append(hidden)
    logits = torch.stack(outputs, dim=1) @ p["out.weight"] + p["out.bias"]
    return functional.cross_entropy(logits.reshape(-1, CHARACTERS), following.flatten())


def batch(step: int) -> Arrays:
    """Counting in steps that each line chooses."""
    rng = np.random.default_rng(step)
    first, leap = rng.integers(0, CHARACTERS, (2, BATCH, 1))
    text = (first + leap * np.arange(LENGTH + 1)) % CHARACTERS
    return text[:, :-1].astype(np.int64), text[:, 1:].astype(np.int64)


CASE = Case(Memory, loss, peer, batch, Adam, lambda torch, p: torch.optim.Adam(p, lr=0.03), 0.03)
