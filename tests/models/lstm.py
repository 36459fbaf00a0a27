"""A recurrent network with long short-term memory (Hochreiter and Schmidhuber, 1997) that reads characters."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import Adam, Dense, Layer, Parameter, Tensor, embedding, sigmoid, split, stack, tanh, unstack
from krnlpy import Device

from .case import Arrays, Case

CHARACTERS, LENGTH, WIDTH, HIDDEN, BATCH = 16, 8, 8, 16, 4


class Memory(Layer):
    def __init__(self, device: Device) -> None:
        tokens = np.random.default_rng(0).normal(0, 0.5, (CHARACTERS, WIDTH)).astype(np.float32)
        self.tokens = Parameter(Tensor.from_numpy(tokens, device))
        self.inward = Dense(WIDTH, 4 * HIDDEN, bias=True, seed=1, device=device)
        self.recurrent = Dense(HIDDEN, 4 * HIDDEN, seed=2, device=device)
        self.out = Dense(HIDDEN, CHARACTERS, bias=True, seed=3, device=device)

    def forward(self, text: Tensor) -> Any:
        hidden = cell = Tensor.zeros((text.shape[0], HIDDEN), device=text.device)
        outputs = []
        for x in unstack(self.inward(embedding(self.tokens, text)), axis=1):
            entering, forgetting, candidate, leaving = split(x + self.recurrent(hidden), 4, axis=1)
            cell = sigmoid(forgetting) * cell + sigmoid(entering) * tanh(candidate)
            hidden = sigmoid(leaving) * tanh(cell)
            outputs.append(hidden)
        return self.out(stack(outputs, axis=1))


def loss(model: Layer, text: Tensor, following: Tensor) -> Any:
    return model(text).reshape(-1, CHARACTERS).cross_entropy_loss(following.flatten())


def peer(torch: Any, p: dict[str, Any], text: Any, following: Any) -> Any:
    functional = torch.nn.functional
    x = functional.embedding(text, p["tokens"])
    hidden = cell = x.new_zeros(text.shape[0], HIDDEN)
    zeros, outputs = x.new_zeros(4 * HIDDEN), []
    for i in range(LENGTH):
        weights = p["inward.weight"].T, p["recurrent.weight"].T, p["inward.bias"], zeros
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


CASE = Case(Memory, loss, peer, batch, Adam, lambda torch, p: torch.optim.Adam(p, lr=0.01), 0.01)
