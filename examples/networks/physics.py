"""A network learns the swing of a damped spring from its equation alone: ``python examples/networks/physics.py``.

It gives the displacement u at a time t; it is trained to obey ``u'' + 2 d u' + w**2 u = 0`` with ``u(0) = 1`` and
``u'(0) = 0``, where u' and u'' are derivatives of the network by its input, and the loss is derived by its weights
once more. No value of the solution is shown to it. After M. Raissi, P. Perdikaris, G. E. Karniadakis,
"Physics-informed neural networks", Journal of Computational Physics 378 (2019).

In half a minute on two cores it is off by less than 0.02 (the swing begins at 1).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autograph import Adam, Dense, Layer, Sequential, Tensor, grad
from autograph.nn import Tanh, seeded
from autograph.optim.schedules import cosine
from autograph.train import Trainer
from examples.networks._command import Command, run

DAMPING, FREQUENCY = 0.5, 2.0


def exact(t: np.ndarray) -> np.ndarray:
    """The solution."""
    w = np.sqrt(FREQUENCY**2 - DAMPING**2)
    result: np.ndarray = np.exp(-DAMPING * t) * (np.cos(w * t) + DAMPING / w * np.sin(w * t))
    return result


def derived(network: Layer, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """How far the equation is from 0 at some times, and u and u' at the start."""

    def total(t: Tensor) -> Tensor:
        result: Tensor = network(t).sum()
        return result

    velocity = grad(total)  # each u depends on its own t only

    def total_velocity(t: Tensor) -> Tensor:
        result: Tensor = velocity(t).sum()
        return result

    t, start = batch
    equation = grad(total_velocity)(t) + 2 * DAMPING * velocity(t) + FREQUENCY**2 * network(t)
    return equation, network(start), velocity(start)


def loss(equation: Tensor, start: Tensor, velocity: Tensor) -> Tensor:
    result: Tensor = (equation**2).mean() + (10 * (start - 1) ** 2 + velocity**2).sum()
    return result


def main() -> None:
    command = Command(__doc__, steps=6000)
    with seeded(command.seed):
        layers = [Dense(1, 32, bias=True), Tanh(), Dense(32, 32, bias=True), Tanh(), Dense(32, 1, bias=True)]
    network = Sequential(*layers)
    network.to_device(command.device)
    times = np.linspace(0, 6, 120)[:, np.newaxis]
    t, start = command.tensor(times), command.tensor([[0]])
    trainer = Trainer(
        network, Adam(), cosine(0.02, command.steps), loss, forward=derived, captured=True,
        checkpoint=command.checkpoint,
    )  # fmt: skip
    trainer.fit([(t, start)], steps=command.steps, steps_per_epoch=500, **command.fitting)
    found = network(t).numpy()
    with command.picture("physics") as axes:
        axes.plot(times, exact(times), label="solution")
        axes.plot(times, found, "--", label="network")
        axes.set(xlabel="t", ylabel="u")
        axes.legend()
    error = np.abs(found - exact(times)).max()
    command.result(f"greatest error {error:.4f}", good=error < 0.02)


if __name__ == "__main__":
    run(main)
