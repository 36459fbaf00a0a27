"""LeNet5 in plain NumPy, 64 bits: the judge of what the contenders of :mod:`benches.lenet5` compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray[Any, Any]


class Reference:
    """The model, with SGD and momentum.

    Args:
        weights: by name: ``conv1``, ``conv2`` as OIHW, ``dense1`` to ``dense3`` as ``[in, out]``, ``bias``.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.weights = {name: weight.astype(np.float64) for name, weight in weights.items()}
        self.velocities = {name: np.zeros_like(weight) for name, weight in self.weights.items()}

    def logits(self, x: Array) -> Array:
        """Of images ``[batch, 1, 28, 28]``: ``[batch, 10]``."""
        return self._forward(x)[0]

    def step(self, x: Array, t: Array, learning_rate: float, momentum: float) -> float:
        """Trains on a batch and returns its mean cross-entropy, as it was before."""
        logits, saved = self._forward(x)
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        rows = np.arange(len(t))
        gradient = np.exp(log_probabilities)
        gradient[rows, t] -= 1
        for name, g in self._backward(gradient / len(t), saved).items():
            self.velocities[name] = momentum * self.velocities[name] + g
            self.weights[name] -= learning_rate * self.velocities[name]
        return float(-log_probabilities[rows, t].mean())

    def _forward(self, x: Array) -> tuple[Array, list[Array]]:
        w = self.weights
        x = x.astype(np.float64)
        a1 = np.maximum(_convolve(x, w["conv1"]), 0)
        p1 = _pool(a1)
        a2 = np.maximum(_convolve(p1, w["conv2"]), 0)
        p2 = _pool(a2)
        h0 = p2.reshape(len(x), -1)
        h1 = np.maximum(h0 @ w["dense1"], 0)
        h2 = np.maximum(h1 @ w["dense2"], 0)
        return h2 @ w["dense3"] + w["bias"], [x, a1, p1, a2, p2, h0, h1, h2]

    def _backward(self, gradient: Array, saved: list[Array]) -> dict[str, Array]:
        w = self.weights
        x, a1, p1, a2, p2, h0, h1, h2 = saved
        g2 = (gradient @ w["dense3"].T) * (h2 > 0)
        g1 = (g2 @ w["dense2"].T) * (h1 > 0)
        gp2 = (g1 @ w["dense1"].T).reshape(p2.shape)
        ga2 = _pool_gradient(gp2, a2) * (a2 > 0)
        gp1 = _convolve(np.pad(ga2, ((0, 0), (0, 0), (4, 4), (4, 4))), w["conv2"].swapaxes(0, 1)[:, :, ::-1, ::-1])
        ga1 = _pool_gradient(gp1, a1) * (a1 > 0)
        return {
            "conv1": _filter_gradient(x, ga1),
            "conv2": _filter_gradient(p1, ga2),
            "dense1": h0.T @ g1,
            "dense2": h1.T @ g2,
            "dense3": h2.T @ gradient,
            "bias": gradient.sum(axis=0),
        }


def _convolve(x: Array, w: Array) -> Array:
    windows = sliding_window_view(x, w.shape[2:], axis=(2, 3))  # [n, c, y, x, fy, fx]
    return np.moveaxis(np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3))), 3, 1)


def _filter_gradient(x: Array, gradient: Array) -> Array:
    windows = sliding_window_view(x, gradient.shape[2:], axis=(2, 3))  # [n, c, fy, fx, y, x]
    return np.tensordot(gradient, windows, ((0, 2, 3), (0, 4, 5)))


def _pool(x: Array) -> Array:
    n, c, height, width = x.shape
    pooled: Array = x.reshape(n, c, height // 2, 2, width // 2, 2).max(axis=(3, 5))
    return pooled


def _pool_gradient(gradient: Array, x: Array) -> Array:
    """To the first of the greatest of each window: in plain parts of an image, all four may be equal."""
    n, c, height, width = gradient.shape
    windows = x.reshape(n, c, height, 2, width, 2).swapaxes(3, 4).reshape(n, c, height, width, 4)
    first = windows.argmax(axis=4)[..., None] == np.arange(4)
    spread = (gradient[..., None] * first).reshape(n, c, height, width, 2, 2)
    result: Array = spread.swapaxes(3, 4).reshape(x.shape)
    return result
