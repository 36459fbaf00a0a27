"""An optimizer of one's own: Adam, one kernel a step, with state that moves and is saved with the model.

Adam is that of Kingma and Ba, "Adam: a method for stochastic optimization", 2015. Its steps are checked against NumPy;
a network then learns the irises, is stopped, saved and loaded, and goes on bit for bit as if it had not been.

    python examples/custom_optimizer.py --device 0
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import ml_dtypes
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from autograph import Dense, Parameter, Relu, Sequential, Tensor, load_checkpoint, save_checkpoint
from autograph.data import load_iris
from krnlpy import Device, DTypeLike, Item, ItemMut, bf16, f16, f32, i32, kernel, scalar_type
from krnlpy.dsl import expm1, sqrt
from krnlpy.errors import DeviceError

if TYPE_CHECKING:
    F: Any
else:
    F = TypeVar("F", f16, bf16, f32)

STEPS = 100
RATE = 0.02


@kernel
def count_kernel(step: ItemMut[i32]) -> None:
    step += 1


@kernel
def adam_kernel(
    rate: f32,
    beta1: f32,
    beta2: f32,
    log_beta1: f32,
    log_beta2: f32,
    epsilon: f32,
    step: Item[i32],
    gradient: Item[F],
    mean: ItemMut[f32],
    square: ItemMut[f32],
    weight: ItemMut[F],
) -> None:
    m = beta1 * mean + (1 - beta1) * gradient
    v = beta2 * square + (1 - beta2) * gradient * gradient
    mean = m
    square = v
    # 1 - beta**step, without the difference of numbers that are almost equal.
    unbiased_mean = m / -expm1(log_beta1 * f32(step))
    unbiased_square = v / -expm1(log_beta2 * f32(step))
    weight -= rate * unbiased_mean / (sqrt(unbiased_square) + epsilon)


class Adam:
    """Steps along the mean of the gradients, divided by the root of the mean of their squares.

    Means and squares are f32 whatever the parameter. (Steps that are too small to change a rounded f16 or bf16 weight
    are lost; :class:`autograph.SGD` shows how an f32 copy of the weight is kept.)

    Args:
        beta1, beta2: how much of the means remains from step to step, above 0 and below 1.
        epsilon: is added to the root.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        if not (0 < beta1 < 1 and 0 < beta2 < 1 and epsilon > 0):
            raise ValueError(f"Adam: {beta1=}, {beta2=}, {epsilon=}; expected betas between 0 and 1, epsilon above 0")
        # As the kernel has them, so that their logarithms belong to them.
        self.beta1, self.beta2 = float(np.float32(beta1)), float(np.float32(beta2))
        self.epsilon = float(epsilon)

    def settings(self) -> dict[str, float | int | str | bool]:
        """The settings, by name: what a checkpoint tells of the optimizer."""
        return {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """Changes a parameter by its gradient, on its device; nothing is read back, not even the count of steps."""
        state = parameter.state
        if "step" not in state:
            state["step"] = Tensor.zeros((), i32, parameter.device)
            state["mean"] = Tensor.zeros(parameter.shape, f32, parameter.device)
            state["square"] = Tensor.zeros(parameter.shape, f32, parameter.device)
        step = state["step"].writable()
        count_kernel(step)
        adam_kernel(
            learning_rate,
            self.beta1,
            self.beta2,
            math.log(self.beta1),
            math.log(self.beta2),
            self.epsilon,
            step.broadcast_to(parameter.shape),
            gradient.buffer,
            state["mean"].writable(),
            state["square"].writable(),
            parameter.writable(),
        )


def check(device: Device, dtype: DTypeLike, steps: int = 20) -> float:
    """Compares some steps with NumPy in f64; returns the greatest difference."""
    rng, numpy_dtype = np.random.default_rng(0), scalar_type(dtype).dtype
    optimizer = Adam()
    weight = rng.uniform(-1, 1, (3, 5)).astype(numpy_dtype).astype(np.float64)
    parameter = Parameter(Tensor.from_numpy(weight.astype(numpy_dtype), device))
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    for step in range(1, steps + 1):
        gradient = rng.uniform(-1, 1, weight.shape).astype(numpy_dtype)
        optimizer.update(parameter, Tensor.from_numpy(gradient, device), RATE)
        mean = optimizer.beta1 * mean + (1 - optimizer.beta1) * gradient.astype(np.float64)
        square = optimizer.beta2 * square + (1 - optimizer.beta2) * gradient.astype(np.float64) ** 2
        corrected = mean / (1 - optimizer.beta1**step), square / (1 - optimizer.beta2**step)
        weight -= RATE * corrected[0] / (np.sqrt(corrected[1]) + optimizer.epsilon)
    resolution = float(ml_dtypes.finfo(numpy_dtype).eps)  # type: ignore[no-untyped-call]
    # A step is at most 4 times RATE, of which the rounding of a dozen f32 operations loses 2**-20; the weight, below 2,
    # is then rounded to its dtype.
    tolerance = steps * (RATE * 2.0**-18 + resolution)
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
        self.optimizer = Adam()

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
