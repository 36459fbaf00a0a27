"""Training takes no more memory the longer it goes on."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np

from autograph import SGD, Tensor
from autograph.optim import MovingAverage
from autograph.train import Callback, Trainer
from krnlpy import Device
from tests.support.tiers import deep

from .tiny import Falling, Shuffled, Tiny, cross_entropy, fit, make


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


def test_saves_and_averages_leave_one_recording(tmp_path: Path) -> None:
    """What an epoch's end looks at is not held while the next one changes it: else each would record its step anew."""
    model = Tiny()
    average, in_use = MovingAverage(model, 0.5), []
    trainer = Trainer(
        model,
        SGD(momentum=0.9),
        Falling(),
        cross_entropy,
        average=average,
        captured=True,
        checkpoint=tmp_path / "m.cbor",
    )
    for epochs in (3, 8):
        trainer.fit(Shuffled(), epochs=epochs, progress="none")
        gc.collect()
        in_use.append(model.first.weight.device.memory_stats().in_use)
    assert in_use[1] <= in_use[0]


def test_copies_are_the_callers() -> None:
    tensor = Tensor.ones(3)
    copy = np.array(tensor)
    copy[0] = 7
    users = len(tensor.share.users)
    assert tensor.tolist() == [1, 1, 1]
    assert users == 1
    assert not tensor.numpy().flags.writeable
