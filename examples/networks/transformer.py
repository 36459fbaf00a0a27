"""A transformer writes like a text, character by character: ``python examples/networks/transformer.py``.

It reads 64 characters and says which comes next, at each of their places. The text is the reference of the language
that Python brings, of which the last tenth is kept from it; ``--text shakespeare`` is Tiny Shakespeare. After
A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, and A. Karpathy, "The Unreasonable Effectiveness of
Recurrent Neural Networks", 2015.

In five minutes on two cores its loss on what it has not read falls below 1.6 nats a character, and it writes a sample.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autograph import AdamW, Dense, Embedding, LayerNorm, LearnedPositions, Sequential, Tensor, TransformerBlock, random
from autograph.data import load_text
from autograph.nn import Layer, seeded
from autograph.optim.schedules import one_cycle
from autograph.train import Trainer
from examples.networks._command import Command, run

LENGTH, WIDTH = 64, 128


def windows(tokens: npt.NDArray[Any], every: int) -> npt.NDArray[Any]:
    """Parts of a text, each with the character that follows it; one begins after so many characters."""
    return np.lib.stride_tricks.sliding_window_view(tokens, LENGTH + 1)[::every]


def predict(model: Layer, batch: Tensor) -> tuple[Tensor, Tensor]:
    """What comes next according to the model, and what does."""
    logits: Tensor = model(batch[:, :-1])
    return logits.reshape(-1, logits.shape[-1]), batch[:, 1:].reshape(-1)


def write(model: Layer, tokens: Tensor, count: int, seed: int) -> list[int]:
    """So many characters that go on from those given, each drawn by the probabilities that the model gives it."""
    generator, written = random.Generator(seed), []
    for _ in range(count):
        following = random.categorical(generator, model(tokens)[:, -1] / 0.8)
        written.append(int(following.item()))
        tokens = Tensor.from_numpy(np.append(tokens.numpy()[:, 1:], [[written[-1]]], axis=1), tokens.device)
    return written


def main() -> None:
    command = Command(__doc__, steps=1200, text=("python", "shakespeare"))
    text = load_text(command.text, progress=not command.quiet)
    command.say(f"{len(text.tokens):,} characters: {text.source}")
    tokens = text.tokens.astype(np.int32)
    end = len(tokens) * 9 // 10
    with seeded(command.seed):
        model = Sequential(
            Embedding(len(text.characters), WIDTH),
            LearnedPositions(LENGTH, WIDTH),
            *(TransformerBlock(WIDTH, 4, causal=True) for _ in range(3)),
            LayerNorm(WIDTH),
            Dense(WIDTH, len(text.characters), bias=True),
        )
    model.to_device(command.device)
    train = command.loader(windows(tokens[:end], 1), 32, shuffle=True)
    test = command.loader(windows(tokens[end:], LENGTH), 64)
    schedule = one_cycle(0.003, command.steps)
    trainer = Trainer(
        model, AdamW(), schedule, lambda y, t: y.cross_entropy_loss(t), forward=predict, captured=True, clip_norm=1.0,
        checkpoint=command.checkpoint,
    )  # fmt: skip
    trainer.fit(train, steps=command.steps, steps_per_epoch=200, evaluation=test, **command.fitting, unit="windows")
    model.eval()
    start = next(iter(test))[:1, :-1]
    command.say(text.decode([*start.numpy()[0], *write(model, start, 400, command.seed)]))
    command.curves("transformer", trainer.history)
    loss = trainer.history[-1]["evaluation_loss"]
    command.result(f"{loss:.3f} nats a character", good=loss < 1.6)


if __name__ == "__main__":
    run(main)
