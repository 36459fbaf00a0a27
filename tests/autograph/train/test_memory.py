"""Training takes no more memory the longer it goes on."""

from __future__ import annotations

import gc

from autograph.train import Callback, Trainer
from krnlpy import Device
from tests.support.tiers import deep

from .tiny import fit, make


class Watch(Callback):
    """Notes what is in use after so many steps: bytes of the device, and objects of Python's."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.in_use: list[int] = []
        self.objects: list[int] = []

    def on_step(self, trainer: Trainer) -> None:
        if trainer.step % 2000 == 0:
            trainer.loss.item()  # what was recorded has run
            gc.collect()
            self.in_use.append(self.device.memory_stats().in_use)
            self.objects.append(len(gc.get_objects()))


@deep
def test_ten_thousand_steps_are_flat(device: Device) -> None:
    steps = 200 if device.info.backend == "interpreter" else 10_000
    trainer, watch = make(device=device), Watch(device)
    fit(trainer, watch, steps=steps, steps_per_epoch=500)
    if steps == 10_000:
        assert len(watch.in_use) == 5
        assert watch.in_use[1:] == [watch.in_use[0]] * 4
        # The history has an entry for each of 4 epochs more.
        assert all(objects <= watch.objects[0] + 100 for objects in watch.objects[1:]), watch.objects
    assert len(trainer.history) == -(-steps // 500)
