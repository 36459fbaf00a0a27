"""The networks of the examples, trained for many steps: what the process and the device hold after each part of them.

Batches are of four samples, so that ten thousand steps take a minute or some; everything else is the example's own
program. ``python -m tests.soak --training --device host`` runs each network in a process of its own.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import krnlpy
from autograph.train import Callback, Trainer
from examples.networks._command import Command

from .resources import open_files, resident_bytes, settle

NETWORKS = "resnet", "lstm", "transformer", "vae", "diffusion", "physics", "iris", "fine_tuning"
OPTIONS = {"resnet": ("--dataset", "mnist")}
STEPS, _PARTS, _BATCH = 10_000, 10, 4


@dataclass
class Held:
    """What was held after each part.

    Attributes:
        resident: bytes of the process that are in RAM. ``device``: bytes of buffers. ``files``: open ones.
    """

    network: str
    steps: int
    resident: list[int] = field(default_factory=list)
    device: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Bytes of the process that each step left behind, after the first part."""
        return (self.resident[-1] - self.resident[0]) / (self.steps * (_PARTS - 1) / _PARTS)

    @property
    def is_flat(self) -> bool:
        """Whether files, buffers (but for some 20 losses that are not read yet) and the process stayed as they were.

        A loss that stays behind with each step takes 1,440 bytes of buffers after 360 steps, and over 500 bytes of the
        process each time: 4.5 MB after 9,000. Pages of the allocator come and go.
        """
        process, device = (part[-1] - part[0] for part in (self.resident, self.device))
        return process < 1 << 20 and device < 1024 and self.files[-1] <= self.files[0]


class _Enough(Exception):
    """All parts are done."""


class _Watch(Callback):
    """Measures after each part of the steps."""

    def __init__(self, held: Held) -> None:
        self.held = held

    def on_step(self, trainer: Trainer) -> None:
        if trainer.step % (self.held.steps // _PARTS):
            return
        settle()
        device = next(iter(trainer.model.parameters())).device
        device.wait()
        self.held.resident.append(resident_bytes())
        self.held.device.append(device.memory_stats().in_use)
        self.held.files.append(open_files())
        if len(self.held.resident) == _PARTS:
            raise _Enough


def train(network: str, device: str, steps: int = STEPS) -> Held:
    """Runs the example's program until so many steps are done, in this process."""
    held, fit, loader = Held(network, steps), Trainer.fit, Command.loader
    module: Any = importlib.import_module(f"examples.networks.{network}")

    def long(self: Trainer, batches: Any, **options: Any) -> None:
        options |= {"epochs": None, "steps": steps, "progress": "none", "callbacks": [_Watch(held)]}
        fit(self, batches, **options)

    def small(self: Command, dataset: Any, batch_size: int, **options: Any) -> Any:
        del batch_size
        first = tuple(part[:200] for part in dataset) if isinstance(dataset, tuple) else dataset[:200]
        return loader(self, first, _BATCH, **options)

    arguments = [network, "--device", device, "--quiet", *OPTIONS.get(network, ())]
    with (
        mock.patch.object(sys, "argv", arguments),
        mock.patch.object(Trainer, "fit", long),
        mock.patch.object(Command, "loader", small),
        suppress(_Enough),
    ):
        module.main()
    assert len(held.resident) == _PARTS, f"{network} stopped after {len(held.resident)} of {_PARTS} parts"
    return held


def main() -> int:
    """``python -m tests.soak.training NETWORK DEVICE STEPS``: prints what was held; returns the exit status."""
    held = train(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    name = krnlpy.Device(int(sys.argv[2]) if sys.argv[2].isdecimal() else sys.argv[2]).name
    print(
        f"{name}: {held.network}, {held.steps} steps: {held.growth:.1f} bytes each; resident KiB"
        f" {[n >> 10 for n in held.resident]}, buffers KiB {[n >> 10 for n in held.device]}, files {held.files}",
        flush=True,
    )
    return not held.is_flat


if __name__ == "__main__":
    sys.exit(main())
