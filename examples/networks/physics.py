"""A network learns the swing of a damped spring from its equation alone: ``python examples/networks/physics.py``.

It gives the displacement u at a time t; it is trained to obey ``u'' + 2 d u' + w**2 u = 0`` with ``u(0) = 1`` and
``u'(0) = 0``, where u' and u'' are derivatives of the network by its input, and the loss is derived by its weights
once more. No value of the solution is shown to it. After M. Raissi, P. Perdikaris, G. E. Karniadakis,
"Physics-informed neural networks", Journal of Computational Physics 378 (2019).

Within a minute on two cores it is off by less than 0.02 (the swing begins at 1).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autograph import Adam, Dense, Sequential, Tensor, capture, grad
from autograph.nn import Tanh, seeded
from autograph.optim.schedules import cosine
from examples.networks._command import Command

DAMPING, FREQUENCY = 0.5, 2.0


def exact(t: np.ndarray) -> np.ndarray:
    """The solution."""
    w = np.sqrt(FREQUENCY**2 - DAMPING**2)
    result: np.ndarray = np.exp(-DAMPING * t) * (np.cos(w * t) + DAMPING / w * np.sin(w * t))
    return result


def train(command: Command, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Times, and what the trained network gives there."""
    with seeded(command.seed):
        layers = [Dense(1, 32, bias=True), Tanh(), Dense(32, 32, bias=True), Tanh(), Dense(32, 1, bias=True)]
    network, optimizer = Sequential(*layers), Adam()
    network.to_device(command.device)

    def total(t: Tensor) -> Tensor:
        result: Tensor = network(t).sum()
        return result

    velocity = grad(total)  # each u depends on its own t only

    def total_velocity(t: Tensor) -> Tensor:
        result: Tensor = velocity(t).sum()
        return result

    acceleration = grad(total_velocity)

    @capture
    def step(t: Tensor, start: Tensor, rate: float) -> Tensor:
        network.init_parameter_grads()
        u, du, ddu = network(t), velocity(t), acceleration(t)
        equation = ddu + 2 * DAMPING * du + FREQUENCY**2 * u
        loss: Tensor = (equation**2).mean() + (10 * (network(start) - 1) ** 2 + velocity(start) ** 2).sum()
        loss.backward()
        network.update(rate, optimizer)
        return loss

    times = np.linspace(0, 6, 120, dtype=np.float32)[:, np.newaxis]
    t, start = (Tensor.from_numpy(array, command.device) for array in (times, np.zeros((1, 1), np.float32)))
    schedule = cosine(0.005, steps)
    for i in command.track(range(steps)):
        loss = step(t, start, schedule(i))
        if i % 500 == 0:
            command.say(f"step {i}: loss {loss.item():.6f}")
    return times[:, 0], network(t).numpy()[:, 0]


def main() -> None:
    command = Command(__doc__, steps=6000)
    times, found = train(command, command.steps)
    error = np.abs(found - exact(times)).max()
    command.result(f"greatest error {error:.4f}", good=error < 0.02)
    with command.picture("physics") as axes:
        axes.plot(times, exact(times), label="solution")
        axes.plot(times, found, "--", label="network")
        axes.set(xlabel="t", ylabel="u")
        axes.legend()


if __name__ == "__main__":
    main()
