"""Trains LeNet5 on MNIST or Fashion-MNIST: ``python examples/mnist.py --help``."""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import autograph
import krnlpy
from autograph import SGD, Tensor
from autograph.data import Mnist, batches, load_mnist
from krnlpy import Device, ScalarType, files, scalar_type

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from examples._needs import require
from examples.lenet5 import LeNet5

READ_EVERY = 25
"""Batches between two looks at the loss: reading it waits for the device, so not every batch does."""


@dataclass
class Scores:
    """Losses and accuracies of an epoch's batches, left on the device until somebody asks."""

    losses: list[Tensor] = field(default_factory=list)
    accuracies: list[Tensor] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    values: list[tuple[float, float]] = field(default_factory=list)

    def add(self, loss: Tensor, accuracy: Tensor, count: int) -> None:
        self.losses.append(loss)
        self.accuracies.append(accuracy)
        self.counts.append(count)

    def read(self) -> tuple[float, float]:
        """Mean loss and accuracy so far; waits for the device."""
        unread = zip(self.losses, self.accuracies, strict=True)
        self.values += [(float(loss), float(accuracy)) for loss, accuracy in unread]
        self.losses.clear()
        self.accuracies.clear()
        total = sum(self.counts)
        mean = sum(loss * count for (loss, _), count in zip(self.values, self.counts, strict=True)) / total
        # A share of a batch is that of a whole number of images.
        right = sum(round(share * count) for (_, share), count in zip(self.values, self.counts, strict=True))
        return mean, right / total

    def batch_losses(self) -> list[float]:
        """The loss of each batch, in order."""
        return [loss for loss, _ in self.values]


def on_device(
    images: np.ndarray[Any, Any], classes: np.ndarray[Any, Any], device: Device, dtype: ScalarType
) -> tuple[Tensor, Tensor]:
    """A batch as tensors; the images travel as bytes and become numbers from 0 to 1 on the device."""
    x = Tensor.from_numpy(images, device=device).scaled_cast(1 / 255, dtype)
    return x, Tensor.from_numpy(classes, device=device)


def train_epoch(
    model: LeNet5, optimizer: SGD, data: Mnist, epoch: int, arguments: argparse.Namespace, device: Device
) -> Scores:
    """One pass over the training images, in an order that seed and epoch decide."""
    scores = Scores()
    count = len(data.train_images)
    dtype = scalar_type(arguments.dtype)
    # A function of the epoch alone, so that a resumed run goes on as if it had not stopped.
    learning_rate = arguments.learning_rate * arguments.learning_rate_decay ** (epoch - 1)
    order = batches(count, arguments.train_batch_size, shuffle=True, seed=arguments.seed, epoch=epoch)
    with progress(count, f"epoch {epoch}", arguments.quiet) as bar:
        for step, chosen in enumerate(order):
            x, t = on_device(data.train_images[chosen], data.train_classes[chosen], device, dtype)
            # Opens the gradients, empty: nothing is left of a step that was given up. To add up those of several
            # batches, call it once, before their backward passes.
            model.init_parameter_grads()
            y = model(x)
            loss = y.cross_entropy_loss(t)
            scores.add(loss, y.accuracy(t), len(chosen))
            loss.backward()
            model.update(learning_rate, optimizer)
            bar.update(len(chosen))
            if step % READ_EVERY == 0:
                mean, accuracy = scores.read()
                bar.set_postfix_str(f"loss {mean:.4f}, accuracy {100 * accuracy:.2f} %")
    scores.read()
    return scores


def test(model: LeNet5, data: Mnist, arguments: argparse.Namespace, device: Device) -> Scores:
    """Loss and accuracy over the test images; without gradient slots, nothing is recorded."""
    scores = Scores()
    dtype = scalar_type(arguments.dtype)
    for chosen in batches(len(data.test_images), arguments.test_batch_size, shuffle=False, seed=0, epoch=0):
        x, t = on_device(data.test_images[chosen], data.test_classes[chosen], device, dtype)
        y = model(x)
        scores.add(y.cross_entropy_loss(t), y.accuracy(t), len(chosen))
    scores.read()
    return scores


def progress(total: int, label: str, quiet: bool) -> Any:
    """A progress bar that counts images."""
    from tqdm import tqdm

    return tqdm(total=total, desc=label, unit=" images", unit_scale=True, leave=False, disable=quiet or None)


def choose_device(wish: str) -> tuple[Device, str]:
    """The device that ``--device`` means, and why."""
    if wish == "auto":
        device = Device.best()
        if device.is_host:
            others = [info.name for info in krnlpy.devices()]
            why = f"no GPU found{'; ' + ', '.join(others) + ' can be chosen by --device' if others else ''}"
        else:
            why = f"the first {device.info.kind} GPU"
        return device, why
    if wish.isdecimal():
        return Device(int(wish)), "as asked"
    return Device(wish), "as asked"


def write_history(history: list[dict[str, Any]], path: Path, arguments: argparse.Namespace, device: Device) -> None:
    """Writes loss and accuracy of each epoch as JSON, with what they depend on; a file that was there stays whole."""
    options = {name: value for name, value in vars(arguments).items() if isinstance(value, str | int | float)}
    about = options | {"model": "LeNet5", "device": device.info.name, "driver": device.info.driver}
    curves = [{name: value for name, value in entry.items() if name != "batch_losses"} for entry in history]
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, json.dumps(about | {"epochs": curves}, indent=1).encode() + b"\n")


def plot(history: list[dict[str, Any]], path: Path, title: str) -> None:
    """Writes the curves of loss and accuracy as a picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    epochs = [entry["epoch"] for entry in history]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    for axes, name, factor, unit in ((left, "loss", 1, "mean cross-entropy"), (right, "accuracy", 100, "accuracy, %")):
        for part in ("train", "test"):
            axes.plot(epochs, [factor * entry[f"{part}_{name}"] for entry in history], marker="o", label=part)
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:] or None, dpi=120)
    files.write(path, picture.getvalue())
    pyplot.close(figure)


def positive(text: str) -> int:
    """An argument that must be a whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def number(text: str) -> float:
    """An argument that must be a finite number, at least 0."""
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of at least 0")
    return value


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Trains LeNet5 on MNIST.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--device", default="auto", help="auto, host, an index or part of a name")
    parser.add_argument("--dataset", choices=["mnist", "fashion"], default="mnist")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="type of weights and activations")
    parser.add_argument("--epochs", type=positive, default=5, help="train until this many epochs are done")
    parser.add_argument("--train-batch-size", type=positive, default=100)
    parser.add_argument("--test-batch-size", type=positive, default=1000)
    parser.add_argument("--learning-rate", type=number, default=0.05, help="of the first epoch")
    parser.add_argument("--learning-rate-decay", type=number, default=0.65, help="factor from epoch to epoch")
    parser.add_argument("--momentum", type=number, default=0.9)
    parser.add_argument("--seed", type=int, default=0, help="of weights and of the order of the images")
    parser.add_argument("--data-dir", type=Path, default=None, help="folder that holds the data set's four files")
    parser.add_argument("--save", type=Path, default=Path("runs/lenet5.cbor"), help="where the model goes, each epoch")
    parser.add_argument("--resume", type=Path, default=None, help="a saved model to go on from")
    parser.add_argument("--plot", type=Path, default=Path("runs/lenet5.png"), help="where the curves go as a picture")
    parser.add_argument("--history", type=Path, default=Path("runs/lenet5.json"), help="where the curves go as numbers")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(argv)


def epochs(
    model: LeNet5, optimizer: SGD, data: Mnist, arguments: argparse.Namespace, device: Device, done: int
) -> Iterator[dict[str, Any]]:
    """Trains and tests, one entry of the history an epoch."""
    for epoch in range(done + 1, arguments.epochs + 1):
        start = time.perf_counter()
        train_scores = train_epoch(model, optimizer, data, epoch, arguments, device)
        seconds = time.perf_counter() - start
        train_loss, train_accuracy = train_scores.read()
        test_loss, test_accuracy = test(model, data, arguments, device).read()
        yield {
            "epoch": epoch,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
            "images_per_second": len(data.train_images) / seconds,
            "batch_losses": train_scores.batch_losses(),
        }


def main(argv: list[str] | None = None) -> None:
    """The program."""
    arguments = parse(argv)
    require("tqdm", "matplotlib")
    device, why = choose_device(arguments.device)
    print(f"device: {device.info.name} ({why})")
    data = load_mnist(arguments.dataset, data_dir=arguments.data_dir, progress=not arguments.quiet)
    print(f"data: {len(data.train_images):,} training and {len(data.test_images):,} test images, {data.source}")
    model = LeNet5(device, scalar_type(arguments.dtype), arguments.seed)
    optimizer = SGD(momentum=arguments.momentum)
    history: list[dict[str, Any]] = []
    if arguments.resume is not None:
        history = autograph.load_checkpoint(arguments.resume, model, optimizer)["history"]
        print(f"resumed from {arguments.resume} after epoch {len(history)}")
    print(model)
    for entry in epochs(model, optimizer, data, arguments, device, len(history)):
        history.append(entry)
        print(
            f"epoch {entry['epoch']}/{arguments.epochs}"
            f"  train loss {entry['train_loss']:.4f}  train accuracy {100 * entry['train_accuracy']:.2f} %"
            f"  test loss {entry['test_loss']:.4f}  test accuracy {100 * entry['test_accuracy']:.2f} %"
            f"  {entry['images_per_second']:,.0f} images/s"
        )
        autograph.save_checkpoint(arguments.save, model, optimizer, history=history)
        write_history(history, arguments.history, arguments, device)
    print(f"model: {arguments.save}")
    plot(history, arguments.plot, f"LeNet5 on {arguments.dataset}, {arguments.dtype}, {device.info.name}")
    print(f"curves: {arguments.plot}")
    accuracy = test(model, data, arguments, device).read()[1]
    print(f"test accuracy: {100 * accuracy:.2f} %")


if __name__ == "__main__":
    try:
        main()
    except (krnlpy.errors.KrnlpyError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; what was saved stays")
