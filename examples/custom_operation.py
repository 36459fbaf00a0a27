"""An operation of one's own, written as a function of numbers, and a layer made of it.

The operation is Swish with a learned slope for each feature, ``y = x / (1 + exp(-slope * x))`` (Ramachandran, Zoph and
Le, "Searching for activation functions", 2017). Its gradients are derived, and checked against central differences;
then a network with it learns a curve.

    python examples/custom_operation.py --device 0
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from autograph import SGD, Dense, Layer, Parameter, Sequential, Tensor, elementwise
from krnlpy import Device, DTypeLike, bf16, f16, f32, scalar_type
from krnlpy.dsl import exp
from krnlpy.errors import DeviceError

STEPS = 300


@elementwise
def swish(x: Any, slope: Any) -> Any:
    """``x / (1 + exp(-slope * x))``."""
    return x / (1.0 + exp(-slope * x))


class Swish(Layer):
    """Swish of ``[batch, features]``, with a slope for each feature that is learned and starts at 1."""

    def __init__(self, features: int, device: Device | None = None, dtype: DTypeLike = f32) -> None:
        self.slope = Parameter(Tensor.ones(features, dtype, device))

    def forward(self, x: Tensor) -> Tensor:
        """The activations, of the input's shape."""
        result: Tensor = swish(x, self.slope)
        return result


def reference(x: np.ndarray[Any, Any], slope: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same with NumPy, in f64."""
    result: np.ndarray[Any, Any] = x / (1 + np.exp(-slope * x))
    return result


def check(device: Device, dtype: DTypeLike, shape: tuple[int, ...] = (7, 5)) -> float:
    """Compares value and gradients with NumPy and central differences; returns the greatest difference."""
    rng, numpy_dtype = np.random.default_rng(0), scalar_type(dtype).dtype

    def draw(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        return rng.uniform(-2, 2, shape).astype(numpy_dtype).astype(np.float64)

    x, slope, dy = draw(shape), draw(shape[-1:]), draw(shape)
    tensors = [Parameter(Tensor.from_numpy(array.astype(numpy_dtype), device)) for array in (x, slope)]
    for tensor in tensors:
        tensor.init_grad()
    y = swish(*tensors)
    y.backward(Tensor.from_numpy(dy.astype(numpy_dtype), device))

    step = 1e-5  # central differences are off by about its square
    expected = [
        reference(x, slope),
        dy * (reference(x + step, slope) - reference(x - step, slope)) / (2 * step),
        (dy * (reference(x, slope + step) - reference(x, slope - step)) / (2 * step)).sum(
            axis=tuple(range(x.ndim - 1))
        ),
    ]
    found = [y.numpy(), *(tensor.take_grad() for tensor in tensors)]
    resolution = float(ml_dtypes.finfo(numpy_dtype).eps)  # type: ignore[no-untyped-call]
    # All numbers on the way are below 8, and a dozen f32 operations, of which exp is the worst with 4 ulp, are off by
    # less than 2**-20 together. Results are rounded to the dtype, the slope's gradient after a sum of rounded numbers.
    terms = x.size // slope.size
    tolerance = 8 * (2.0**-20 + resolution / 2) * np.array([1, 1, terms + 1])
    worst = 0.0
    for array, other, limit in zip(found, expected, tolerance, strict=True):
        difference = np.abs(np.asarray(array).astype(np.float64) - other).max(initial=0)
        assert difference <= limit, f"{dtype}: off by {difference}, more than {limit}"
        worst = max(worst, float(difference))
    return worst


def learn(device: Device, steps: int) -> tuple[float, float, np.ndarray[Any, Any]]:
    """Fits a curve. Returns the mean squared error at first and at last, and the slopes that were learned."""
    x = np.linspace(-1, 1, 128, dtype=np.float32)[:, np.newaxis]
    inputs, targets = Tensor.from_numpy(x, device), Tensor.from_numpy(np.sin(4 * x), device)
    activation = Swish(16, device)
    model = Sequential(
        Dense(1, 16, bias=True, device=device, seed=0), activation, Dense(16, 1, bias=True, device=device, seed=1)
    )
    optimizer, losses = SGD(0.9), []
    for _ in range(steps):
        model.init_parameter_grads()  # opens the gradients, empty
        error = model(inputs) - targets
        loss = (error * error).sum() / len(x)
        loss.backward()
        model.update(0.05, optimizer)
        losses.append(loss)
    return float(losses[0].item()), float(losses[-1].item()), activation.slope.numpy()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="host", help="host, interpreter, an index or a part of a name")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of learning, at least 1 (default: {STEPS})")
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error("learning takes at least one step")
    selector = arguments.device
    try:
        device = Device(int(selector) if selector.isdecimal() else selector)
    except DeviceError as error:
        sys.exit(f"error: {error}")
    for dtype in (f32, f16, bf16):
        print(f"{dtype}: value and gradients are those of NumPy within {check(device, dtype):.1e}")
    first, last, slopes = learn(device, arguments.steps)
    print(f"mean squared error {first:.4f}, after {arguments.steps} steps {last:.4f}")
    print(f"slopes, 1 at first: from {slopes.min():.2f} to {slopes.max():.2f}")


if __name__ == "__main__":
    main()
