"""A network that knows five digits learns the others from few images: ``python examples/networks/fine_tuning.py``.

LeNet5 is trained on the digits 0 to 4 of MNIST and saved as a safetensors file. Another LeNet5 reads it but for the
last layer, keeps its filters as they are, and learns the digits 5 to 9 from 200 images; a third learns them from
nothing.

In a minute on two cores the second is right about at least 88 % of the test images, and by two points more than the
third.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autograph import Adam, Dense, load_safetensors, load_weights, save_safetensors
from autograph.data import load_mnist
from autograph.data.transforms import ScaleBytes
from autograph.metrics import Accuracy
from autograph.nn import seeded
from autograph.optim.schedules import cosine
from autograph.train import Trainer
from examples.lenet5 import LeNet5
from examples.networks._command import Command, run


def five_classes(command: Command, seed: int) -> LeNet5:
    """A LeNet5 for five digits."""
    model = LeNet5(seed=seed)
    with seeded(seed):
        model.dense3 = Dense(84, 5, bias=True)
    model.to_device(command.device)
    return model


def part(images: Any, classes: Any, digits: range) -> tuple[Any, Any]:
    """The images of some digits, of which the first is class 0."""
    chosen = np.isin(classes, digits)
    return images[chosen], classes[chosen] - digits.start


def trained(command: Command, model: LeNet5, images: Any, test: Any, epochs: int) -> float:
    """Trains a model, and returns its accuracy on test images."""
    train = command.loader(images, 50, shuffle=True, transform=scaled)
    trainer = Trainer(
        model,
        Adam(),
        cosine(0.002, epochs * len(train)),
        lambda y, t: y.cross_entropy_loss(t),
        metrics={"accuracy": Accuracy()},
    )
    trainer.fit(train, epochs=epochs, progress=command.fitting["progress"], unit="images")
    return float(trainer.evaluate(command.loader(test, 1000, transform=scaled))["accuracy"])


def scaled(batch: tuple[Any, Any]) -> tuple[Any, Any]:
    return ScaleBytes()(batch[0]), batch[1]


def main() -> None:
    command = Command(__doc__, is_resumable=False, epochs=30)
    data = load_mnist()
    low, high = range(5), range(5, 10)
    known = five_classes(command, command.seed)
    images, classes = part(data.train_images, data.train_classes, low)
    trained(command, known, (images[:20000], classes[:20000]), part(data.test_images, data.test_classes, low), 1)

    images, classes = part(data.train_images, data.train_classes, high)
    few, test = (images[:200], classes[:200]), part(data.test_images, data.test_classes, high)
    tuned = five_classes(command, command.seed + 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        save_safetensors(path, known)
        weights = {name: tensor for name, tensor in load_safetensors(path).items() if not name.startswith("dense3")}
        command.say(f"from the file: {load_weights(tuned, weights, convention='autograph', strict=False)}")
    for layer in (tuned.conv1, tuned.conv2):
        layer.freeze()
    accuracy = trained(command, tuned, few, test, command.epochs)
    nothing = trained(command, five_classes(command, command.seed + 1), few, test, command.epochs)
    good = accuracy >= 0.88 and accuracy - nothing >= 0.02
    command.result(f"{accuracy:.1%} from the file, {nothing:.1%} from nothing", good=good)


if __name__ == "__main__":
    run(main)
