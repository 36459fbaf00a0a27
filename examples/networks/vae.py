"""A variational autoencoder draws digits: ``python examples/networks/vae.py --pictures .``

An encoder makes of an image the mean and the spread of 16 numbers, a decoder makes images of such numbers; those that
it makes of random ones are new digits. After D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014.

In two minutes on two cores the bound on the negative log-likelihood of MNIST's test images falls below 112 nats.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autograph import (
    Adam,
    Dense,
    Layer,
    Relu,
    Sequential,
    Tensor,
    binary_cross_entropy_with_logits,
    exp,
    random,
    sigmoid,
)
from autograph.data import load_mnist
from autograph.data.transforms import ScaleBytes
from autograph.nn import seeded
from autograph.optim.schedules import one_cycle
from autograph.train import Trainer
from examples.networks._command import Command, run

LATENT = 16


class Autoencoder(Layer):
    """Gives the logits of pixels, and mean and logarithm of the variance of the numbers that they were made of."""

    def __init__(self, seed: int) -> None:
        with seeded(seed):
            self.encoder = Sequential(Dense(784, 400, bias=True), Relu(), Dense(400, 2 * LATENT, bias=True))
            self.decoder = Sequential(Dense(LATENT, 400, bias=True), Relu(), Dense(400, 784, bias=True))
        self.generator = random.Generator(seed)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        code = self.encoder(x)
        mean, log_variance = code[:, :LATENT], code[:, LATENT:]
        noise = random.normal(self.generator, mean.shape, dtype=mean.dtype, device=mean.device)
        return self.decoder(mean + exp(log_variance * 0.5) * noise), mean, log_variance


def flat(images: Tensor) -> Tensor:
    scaled: Tensor = ScaleBytes()(images)
    return scaled.reshape(len(images), 784)


def bound(logits: Tensor, mean: Tensor, log_variance: Tensor, x: Tensor) -> Tensor:
    """The negative evidence lower bound, in nats an image."""
    pixels = binary_cross_entropy_with_logits(logits, x, reduction="sum")
    divergence = (mean * mean + exp(log_variance) - log_variance - 1.0).sum() * 0.5
    result: Tensor = (pixels + divergence) / len(x)
    return result


def main() -> None:
    command = Command(__doc__, epochs=10)
    data, model = load_mnist(), Autoencoder(command.seed)
    model.to_device(command.device)
    train = command.loader(data.train_images, 128, shuffle=True, transform=flat)
    test = command.loader(data.test_images, 1000, transform=flat)
    trainer = Trainer(
        model,
        Adam(),
        one_cycle(0.003, command.epochs * len(train)),
        bound,
        forward=lambda model, x: (*model(x), x),
        captured=True,
        checkpoint=command.checkpoint,
    )
    trainer.fit(train, epochs=command.epochs, evaluation=test, **command.fitting, unit="images")
    command.curves("vae", trainer.history)
    loss = trainer.history[-1]["evaluation_loss"]
    noise = command.tensor(np.random.default_rng(command.seed).normal(size=(60, LATENT)))
    images = sigmoid(model.decoder(noise)).reshape(60, 28, 28).numpy()
    command.show_images("vae", images, 5, 12)
    command.result(f"{loss:.1f} nats an image", good=loss < 112)


if __name__ == "__main__":
    run(main)
