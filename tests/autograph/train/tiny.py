"""A tiny network with everything that training has to remember, and its data.

    python -m tests.autograph.train.tiny FOLDER EPOCHS [PAUSE]

trains it on the host, saves in FOLDER, goes on from what is there, and prints the last loss.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autograph import SGD, Dense, Layer, LayerBuffer, Tensor, dropout, random
from autograph.optim import Optimizer
from autograph.train import Callback, Checkpoints, CsvLog, EarlyStopping, JsonLinesLog, Trainer
from krnlpy import Device, DTypeLike, f32

BATCHES = 5
"""Of an epoch."""


class Tiny(Layer):
    """Random numbers in training, running statistics, parameters."""

    def __init__(self, device: Device | None = None, seed: int = 0, dtype: DTypeLike = f32) -> None:
        self.first = Dense(3, 4, bias=True, seed=seed, device=device, dtype=dtype)
        self.generator = random.Generator(seed)
        self.mean = LayerBuffer(Tensor.zeros(4, f32, device))
        self.second = Dense(4, 2, seed=seed + 1, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Any:
        y = self.first(x).relu()
        if self.training:
            self.mean.assign(self.mean * 0.9 + y.detach().mean(0).cast(f32) * 0.1)
            y = dropout(y, 0.25, self.generator)
        return self.second(y - self.mean.cast(y.dtype))


class Shuffled:
    """A loader whose order changes from pass to pass, and whose position can be saved."""

    def __init__(self, seed: int = 0, pause: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        self.x = rng.standard_normal((6 * BATCHES - 2, 3)).astype(np.float32)  # the last batch is smaller
        self.t = (self.x.sum(1) > 0).astype(np.int32)
        self.passes = self.place = 0
        self.pause = pause

    def __len__(self) -> int:
        return BATCHES

    def __iter__(self) -> Iterator[Any]:
        order = np.random.default_rng(self.passes).permutation(len(self.x))
        while self.place < BATCHES:
            chosen = order[6 * self.place : 6 * (self.place + 1)]
            self.place += 1
            time.sleep(self.pause)
            yield self.x[chosen], self.t[chosen]
        self.passes, self.place = self.passes + 1, 0

    def state(self) -> dict[str, int]:
        return {"passes": self.passes, "place": self.place}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.passes, self.place = state["passes"], state["place"]


class Right:
    """A metric: the share of right answers, counted on the device."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.right: Any = 0.0
        self.count = 0

    def update(self, y: Tensor, t: Tensor) -> None:
        self.right = y.accuracy(t) * len(t) + self.right
        self.count += len(t)

    def compute(self) -> float:
        return round(float(self.right)) / self.count

    def state(self) -> dict[str, Any]:
        return {"right": float(self.right), "count": self.count}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.right, self.count = state["right"], state["count"]


class Falling:
    """A schedule that falls where the loss does not, and has to remember it."""

    def __init__(self) -> None:
        self.rate, self.best = 0.2, float("inf")

    def __call__(self, step: int) -> float:
        return self.rate / (1 + step / 100)

    def update(self, loss: float) -> None:
        if loss > 0.9 * self.best:
            self.rate *= 0.7
        self.best = min(loss, self.best)

    def state(self) -> dict[str, float]:
        return {"rate": self.rate, "best": self.best}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.rate, self.best = state["rate"], state["best"]


def cross_entropy(y: Tensor, t: Tensor) -> Tensor:
    return y.cross_entropy_loss(t)


def make(
    checkpoint: Any = None,
    device: Device | None = None,
    dtype: DTypeLike = f32,
    optimizer: Optimizer | None = None,
    **more: Any,
) -> Trainer:
    """A trainer, anew: as a program makes it that is started once more."""
    model = Tiny(device, dtype=dtype)
    optimizer = SGD(momentum=0.9) if optimizer is None else optimizer
    given: dict[str, Any] = {"metrics": {"right": Right()}, "read_every": 3, **more}
    return Trainer(model, optimizer, Falling(), cross_entropy, checkpoint=checkpoint, **given)


def fit(trainer: Trainer, *callbacks: Callback, pause: float = 0.0, **how: Any) -> list[dict[str, Any]]:
    """Trains by a loader that is made anew."""
    given: dict[str, Any] = {"evaluation": Shuffled(seed=1), "progress": "none", **how}
    return trainer.fit(Shuffled(pause=pause), callbacks=callbacks, **given)


def bits(trainer: Trainer) -> Any:
    """All that training has made."""
    model = trainer.model
    parameters = [
        (name, p.numpy().tobytes(), {key: value.numpy().tobytes() for key, value in p.state.items()})
        for name, p in model.named_parameters()
    ]
    buffers = [(name, buffer.numpy().tobytes()) for name, buffer in model.named_buffers()]
    generators = [(name, generator.state_dict()) for name, generator in model.named_generators()]
    schedule: Any = trainer.schedule
    return parameters, buffers, generators, schedule.state(), trainer.step, trainer.epoch, curves(trainer.history)


def curves(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A history without times."""
    return [{k: v for k, v in entry.items() if k not in ("seconds", "per_second")} for entry in history]


def main(folder: Path, epochs: int, pause: float = 0.0) -> None:
    trainer = make(Checkpoints(folder / "model.cbor", every=2, keep=2, best="loss"))
    logs = [CsvLog(folder / "log.csv"), JsonLinesLog(folder / "log.jsonl", every=3)]
    print("begins", flush=True)
    fit(trainer, *logs, EarlyStopping(patience=1000), epochs=epochs, resume=True, progress="lines", pause=pause)
    print(f"{trainer.step} {trainer.history[-1]['train_loss']!r}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:]))
