"""Trains LeNet5 on MNIST or Fashion-MNIST: ``python examples/mnist.py --help``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from autograph import SGD, Tensor
from autograph.data import DataLoader, load_mnist
from autograph.metrics import Accuracy
from autograph.optim import schedules
from autograph.train import Callback, Curves, Trainer
from krnlpy import files, scalar_type

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from examples._arguments import choose_device, number, positive, run, seed
from examples.lenet5 import LeNet5


class History(Callback):
    """Writes loss and accuracy of each epoch as JSON, with what they depend on; a file that was there stays whole."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path, self.about = path, about

    def on_epoch(self, trainer: Trainer, entry: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        files.write(self.path, json.dumps(self.about | {"epochs": trainer.history}, indent=1).encode() + b"\n")


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, host, an index or part of a name")
    parser.add_argument("--dataset", choices=["mnist", "fashion"], default="mnist")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="type of weights and activations")
    parser.add_argument("--epochs", type=positive, default=10, help="train until this many epochs are done")
    parser.add_argument("--train-batch-size", type=positive, default=50)
    parser.add_argument("--test-batch-size", type=positive, default=1000)
    parser.add_argument("--learning-rate", type=number, default=0.05, help="of the first epoch")
    parser.add_argument("--learning-rate-decay", type=number, default=0.75, help="factor from epoch to epoch")
    parser.add_argument("--momentum", type=number, default=0.9)
    parser.add_argument("--seed", type=seed, default=0, help="of weights and of the order of the images")
    parser.add_argument("--data-dir", type=Path, default=None, help="folder that holds the data set's four files")
    parser.add_argument("--save", type=Path, default=Path("runs/lenet5.cbor"), help="where the model goes, each epoch")
    parser.add_argument("--resume", type=Path, default=None, help="a saved model to go on from")
    parser.add_argument("--plot", type=Path, default=Path("runs/lenet5.png"), help="where the curves go as a picture")
    parser.add_argument("--history", type=Path, default=Path("runs/lenet5.json"), help="where the curves go as numbers")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """The program."""
    wish = parse(argv)
    device, why = choose_device(wish.device)
    print(f"device: {device.info.name} ({why})")
    about = {name: value for name, value in vars(wish).items() if isinstance(value, str | int | float)}
    about |= {"model": "LeNet5", "device": device.info.name, "driver": device.info.driver}
    curves = Curves(wish.plot, f"LeNet5 on {wish.dataset}, {wish.dtype}, {device.info.name}")
    data = load_mnist(wish.dataset, data_dir=wish.data_dir, progress=not wish.quiet)
    print(f"data: {len(data.train_images):,} training and {len(data.test_images):,} test images, {data.source}")

    def numbers(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Images travel as bytes, and become numbers from 0 to 1 on the device."""
        return batch[0].scaled_cast(1 / 255, wish.dtype), batch[1]

    how: dict[str, Any] = {"device": device, "transform": numbers, "seed": wish.seed}
    train = DataLoader((data.train_images, data.train_classes), wish.train_batch_size, shuffle=True, **how)
    train.epoch = 1  # epochs are counted from 1, and each has an order of its own
    test = DataLoader((data.test_images, data.test_classes), wish.test_batch_size, **how)
    model = LeNet5(device, scalar_type(wish.dtype), wish.seed)
    print(model)
    rate = schedules.step(wish.learning_rate, every=len(train), factor=wish.learning_rate_decay)
    trainer = Trainer(
        model, SGD(momentum=wish.momentum), rate, loss=Tensor.cross_entropy_loss,
        metrics={"accuracy": Accuracy()}, checkpoint=wish.save, captured=True,
    )  # fmt: skip
    trainer.fit(
        train, epochs=wish.epochs, evaluation=test, callbacks=[History(wish.history, about), curves],
        resume=wish.resume or False, progress="lines" if wish.quiet else "auto", unit="images",
    )  # fmt: skip
    print(f"model: {wish.save}\ncurves: {wish.plot}\ntest accuracy: {100 * trainer.evaluate(test)['accuracy']:.2f} %")


if __name__ == "__main__":
    run(main, "--resume goes on from what was saved")
