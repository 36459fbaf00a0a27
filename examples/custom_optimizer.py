"""An optimizer of one's own: Yogi, as a function of numbers, with state that moves and is saved with the model.

Yogi is that of Zaheer et al., "Adaptive methods for nonconvex optimization", 2018. Its steps are checked against NumPy;
a network then learns the irises, is stopped, saved and loaded, and goes on bit for bit as if it had not been.

    python examples/custom_optimizer.py --device 0
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from autograph import Dense, Parameter, Relu, Sequential, Tensor, load_checkpoint, save_checkpoint
from autograph.data import load_iris
from autograph.errors import AutographError
from autograph.optim import RuleOptimizer, UpdateRule
from krnlpy import Device, DTypeLike, bf16, f16, f32, scalar_type
from krnlpy.dsl import sign, sqrt
from krnlpy.errors import DeviceError

STEPS = 100
RATE = 0.02


def yogi(w: Any, g: Any, mean: Any, square: Any, rate: Any, beta1: Any, beta2: Any, epsilon: Any) -> Any:
    """A weight, and what is kept for it, after a step."""
    m = beta1 * mean + (1 - beta1) * g
    v = square - (1 - beta2) * sign(square - g * g) * g * g
    return w - rate * m / (sqrt(v) + epsilon), m, v


RULE = UpdateRule(yogi, state=["mean", "square"])


class Yogi(RuleOptimizer):
    """Steps along the mean of the gradients, divided by the root of something like the mean of their squares, which
    shrinks slowly. Of f16 and bf16 parameters the rule keeps an f32 copy.

    Args:
        beta1, beta2: how much remains from step to step, from 0 to below 1.
        epsilon: is added to the root.

    Raises:
        AutographError: a number is out of range.
    """

    def __init__(self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-3) -> None:
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1 and epsilon > 0):
            raise AutographError(f"Yogi: {beta1=}, {beta2=}, {epsilon=}; expected betas below 1, and epsilon above 0")
        settings = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon}
        super().__init__(RULE, settings, tuple(settings.values()))


def check(device: Device, dtype: DTypeLike, steps: int = 20) -> float:
    """Compares some steps with NumPy in f64; returns the greatest difference."""
    rng, numpy_dtype = np.random.default_rng(0), scalar_type(dtype).dtype
    beta1, beta2, epsilon = 0.9, 0.999, 1e-3
    optimizer = Yogi(beta1, beta2, epsilon)
    weight = rng.uniform(-1, 1, (3, 5)).astype(numpy_dtype).astype(np.float64)
    parameter = Parameter(Tensor.from_numpy(weight.astype(numpy_dtype), device))
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    for _ in range(steps):
        gradient = rng.uniform(-1, 1, weight.shape).astype(numpy_dtype)
        optimizer.update(parameter, Tensor.from_numpy(gradient, device), RATE)
        g = gradient.astype(np.float64)
        mean = beta1 * mean + (1 - beta1) * g
        square = square - (1 - beta2) * np.sign(square - g * g) * g * g
        weight -= RATE * mean / (np.sqrt(square) + epsilon)
    resolution = float(ml_dtypes.finfo(numpy_dtype).eps)  # type: ignore[no-untyped-call]
    # In f32 the error of 1 - beta2 is 2**-15 of it; so is that of a step, which is at most 4 times RATE. The weight,
    # below 2, is rounded to its dtype at the end.
    tolerance = steps * 4 * RATE * 2.0**-15 + resolution
    difference = float(np.abs(parameter.numpy().astype(np.float64) - weight).max())
    assert difference <= tolerance, f"{dtype}: off by {difference}, more than {tolerance}"
    return difference


class Training:
    """A network, its optimizer and the irises on a device."""

    def __init__(self, device: Device) -> None:
        iris = load_iris()
        features = (iris.features - iris.features.mean(axis=0)) / iris.features.std(axis=0)
        self.features, self.classes = Tensor.from_numpy(features, device), Tensor.from_numpy(iris.classes, device)
        self.model = Sequential(
            Dense(4, 10, bias=True, device=device, seed=0), Relu(), Dense(10, 3, bias=True, device=device, seed=1)
        )
        self.optimizer = Yogi()

    def run(self, steps: int) -> list[float]:
        """The losses of some steps."""
        losses = []
        for _ in range(steps):
            self.model.init_parameter_grads()  # opens the gradients, empty
            loss = self.model(self.features).cross_entropy_loss(self.classes)
            loss.backward()
            self.model.update(RATE, self.optimizer)
            losses.append(loss)
        return [float(loss.item()) for loss in losses]

    def right(self) -> int:
        """How many of the flowers are told right."""
        share: Tensor = self.model(self.features).accuracy(self.classes)
        return round(len(self.classes) * share.item())


def check_resuming(device: Device, steps: int) -> tuple[list[float], int]:
    """Trains without a stop and with one, compares bit for bit, and returns the losses and how many are right."""
    whole = Training(device)
    losses = whole.run(steps)
    stopped = Training(device)
    before = stopped.run(steps // 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "iris.checkpoint"
        save_checkpoint(path, stopped.model, stopped.optimizer, steps=steps // 2)
        resumed = Training(device)
        done = load_checkpoint(path, resumed.model, resumed.optimizer)["steps"]
    assert before + resumed.run(steps - done) == losses
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    return losses, whole.right()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="host", help="host, interpreter, an index or a part of a name")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of learning, at least 2 (default: {STEPS})")
    arguments = parser.parse_args()
    if arguments.steps < 2:
        parser.error("to be stopped in between, learning takes at least two steps")
    selector = arguments.device
    try:
        device = Device(int(selector) if selector.isdecimal() else selector)
    except DeviceError as error:
        sys.exit(f"error: {error}")
    for dtype in (f32, f16, bf16):
        print(f"{dtype}: 20 steps are those of NumPy within {check(device, dtype):.1e}")
    losses, right = check_resuming(device, arguments.steps)
    print(
        f"irises: loss {losses[0]:.4f}, after {arguments.steps} steps {losses[-1]:.4f}; {right} of 150 are told right"
    )
    print("stopped after half of them, saved, loaded and gone on: the same bits")


if __name__ == "__main__":
    main()
