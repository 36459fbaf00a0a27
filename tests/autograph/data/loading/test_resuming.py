"""Training by a loader goes on within an epoch, bit for bit, whatever threads read."""

from __future__ import annotations

from pathlib import Path

from autograph import SGD, Dense, Flatten, Relu, Sequential, Tensor
from autograph.data import DataLoader, load_digits
from autograph.data.transforms import Compose, Cutout, RandomCrop, ScaleBytes
from autograph.train import Checkpoints, Trainer


def loss(y: Tensor, t: Tensor) -> Tensor:
    return y.cross_entropy_loss(t)


def trained(path: Path, steps: int, workers: int) -> list[bytes]:
    """The parameters after so many steps, of which those before were saved."""
    digits = load_digits()
    augment = Compose(RandomCrop(8, padding=1), ScaleBytes(), Cutout(2))
    loader = DataLoader(
        (digits.images[:160], digits.classes[:160]), 32, shuffle=True, seed=3, workers=workers, transform=augment
    )
    model = Sequential(Flatten(), Dense(64, 16, bias=True, seed=0), Relu(), Dense(16, 10, seed=1))
    trainer = Trainer(model, SGD(0.9), 0.05, loss, checkpoint=Checkpoints(path, every=1))
    trainer.fit(loader, steps=steps, resume=True, progress="none")
    assert trainer.step == steps
    return [parameter.numpy().tobytes() for parameter in model.parameters()]


def test_training_goes_on_within_an_epoch(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole.cbor", 17, workers=0)
    for steps, workers in ((3, 2), (12, 0)):  # 5 steps are an epoch
        assert trained(tmp_path / "parts.cbor", steps, workers) != whole
    assert trained(tmp_path / "parts.cbor", 17, workers=3) == whole
