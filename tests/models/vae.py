"""A variational autoencoder of small black and white pictures (Kingma and Welling, 2014)."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import Adam, Dense, Layer, Tensor, exp, relu, softplus, split
from krnlpy import Device

from .case import Arrays, Case

PIXELS, HIDDEN, LATENT, BATCH = 64, 32, 4, 16


class Autoencoder(Layer):
    def __init__(self, device: Device) -> None:
        self.encoder = Dense(PIXELS, HIDDEN, bias=True, seed=0, device=device)
        self.moments = Dense(HIDDEN, 2 * LATENT, bias=True, seed=1, device=device)
        self.decoder = Dense(LATENT, HIDDEN, bias=True, seed=2, device=device)
        self.pixels = Dense(HIDDEN, PIXELS, bias=True, seed=3, device=device)

    def forward(self, x: Tensor, noise: Tensor) -> Any:
        mean, log_variance = split(self.moments(relu(self.encoder(x))), 2, axis=1)
        latent = mean + noise * exp(log_variance / 2)
        return self.pixels(relu(self.decoder(latent))), mean, log_variance


def loss(model: Layer, x: Tensor, noise: Tensor) -> Any:
    logits, mean, log_variance = model(x, noise)
    entropy = (softplus(logits) - x * logits).sum(axis=1)
    divergence = (exp(log_variance) + mean * mean - 1 - log_variance).sum(axis=1) / 2
    return (entropy + divergence).mean()


def peer(torch: Any, p: dict[str, Any], x: Any, noise: Any) -> Any:
    functional = torch.nn.functional

    def dense(x: Any, name: str) -> Any:
        return x @ p[f"{name}.weight"] + p[f"{name}.bias"]

    mean, log_variance = dense(functional.relu(dense(x, "encoder")), "moments").chunk(2, dim=1)
    latent = mean + noise * torch.exp(log_variance / 2)
    logits = dense(functional.relu(dense(latent, "decoder")), "pixels")
    entropy = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)
    divergence = (log_variance.exp() + mean * mean - 1 - log_variance).sum(dim=1) / 2
    return (entropy + divergence).mean()


def batch(step: int) -> Arrays:
    """Bars, and the noise that is added to the latent numbers: the same for both libraries."""
    rng = np.random.default_rng(step)
    pictures = np.zeros((BATCH, 8, 8), np.float32)
    for picture in pictures:
        picture[rng.integers(8)] = 1
        picture[:, rng.integers(8)] = 1
    return pictures.reshape(BATCH, PIXELS), rng.normal(size=(BATCH, LATENT)).astype(np.float32)


CASE = Case(Autoencoder, loss, peer, batch, Adam, lambda torch, p: torch.optim.Adam(p, lr=0.005), 0.005)
