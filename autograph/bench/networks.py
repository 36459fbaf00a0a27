"""Networks: a captured step of training, and captured inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import numpy as np

from autograph.captures import capture
from autograph.nn import Layer
from autograph.optim import SGD
from autograph.tensor.tensor import Tensor
from krnlpy import Device, ScalarType, bf16, f32, f64, scalar_type
from krnlpy.bench import Benchmark, Case, Work

from . import models
from .references import Array

_MOMENTUM: Final = 0.9
_TOLERANCES: Final = {scalar_type(f32): 2.0**-10, scalar_type(bf16): 2.0**-5}
"""Of losses and logits, beside the greatest. Numbers are rounded by 2**-24 and 2**-9, some dozen times on the way, and
norms of batches amplify what small batches differ."""


@dataclass(frozen=True)
class Network:
    """A network with what it is fed.

    Attributes:
        model: makes it on a device, of a type.
        inputs: of a batch, from a generator; floats become the type.
        classes: how many there are; the targets have the inputs' leading axes.
        target_shape: of a batch.
        rate: of learning, of the steps that are verified.
        flops: of a forward pass of a batch.
    """

    model: Callable[[Device, Any], Layer]
    inputs: Callable[[np.random.Generator], Array]
    classes: int
    target_shape: tuple[int, ...]
    rate: float
    flops: float

    def batch(self) -> tuple[Array, Array]:
        """Inputs, and the classes that are to be found."""
        rng = np.random.default_rng(0)
        return self.inputs(rng), rng.integers(0, self.classes, self.target_shape, np.int32)


class _OnDevice:
    """A network on a device: steps and logits, captured where that is asked for."""

    def __init__(self, network: Network, dtype: ScalarType, device: Device, momentum: float, is_training: bool) -> None:
        self.network, self.optimizer = network, SGD(momentum)
        self.model = network.model(device, dtype).train(is_training)
        inputs, classes = network.batch()
        if np.issubdtype(inputs.dtype, np.floating):
            inputs = inputs.astype(dtype.dtype)
        self.x, self.t = Tensor.from_numpy(inputs, device), Tensor.from_numpy(classes, device)

    def step(self, x: Tensor, t: Tensor, learning_rate: float) -> Tensor:
        """One of training; returns the loss before it."""
        self.model.init_parameter_grads()
        loss = self.loss(x, t)
        loss.backward()
        self.model.update(learning_rate, self.optimizer)
        return loss

    def loss(self, x: Tensor, t: Tensor) -> Tensor:
        """Of a batch."""
        logits: Tensor = self.model(x)
        loss: Tensor = logits.reshape(-1, self.network.classes).cross_entropy_loss(t.flatten())
        return loss


def first_rate(network: Network) -> float:
    """Of a step that is as long as three steps along one gradient are with momentum."""
    return network.rate * (1 + _MOMENTUM + _MOMENTUM**2)


def judge(found: Array, network: Network, dtype: ScalarType, is_training: bool) -> None:
    """Compares losses before and after a step of :func:`first_rate`, or logits, with what 64 bits give.

    Raises:
        AssertionError: they differ.
    """
    expected = _expected(network, dtype, is_training)
    tolerance = _TOLERANCES[dtype] * float(np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@cache
def _expected(network: Network, dtype: ScalarType, is_training: bool) -> Array:
    """What 64 bits give: the model as it starts in the type, on the host in f64, and not captured.

    Of training, the loss before and after a step of :func:`first_rate`.
    """
    reference = _OnDevice(network, dtype, Device.host(), 0.0, is_training)
    reference.model.cast(f64)
    x = reference.x.cast(f64) if reference.x.dtype.is_float else reference.x
    if not is_training:
        return np.asarray(reference.model(x).numpy())
    rate = first_rate(network)
    return np.array([reference.step(x, reference.t, rate).item(), reference.loss(x, reference.t).item()])


class _Networks(Work):
    def __init__(self, network: Network, dtype: ScalarType, is_training: bool, device: Device) -> None:
        super().__init__(device)
        self.dtype, self.is_training = dtype, is_training
        self.found = _OnDevice(network, dtype, device, _MOMENTUM, is_training)
        self.step, self.infer = capture(self.found.step), capture(self.found.model)

    def verify(self) -> None:
        """The first call is run as it is, the second is recorded, the third is replayed."""
        network, x, t = self.found.network, self.found.x, self.found.t
        if self.is_training:
            # The third alone changes the parameters, by the sum of the gradients that all three have found.
            results = [self.step(x, t, rate) for rate in (0.0, 0.0, network.rate, 0.0)][2:]
            found = np.array([float(loss.cast(f32).item()) for loss in results])
        else:
            found = [self.infer(x) for _ in range(3)][2].cast(f32).numpy()
        judge(found, network, self.dtype, self.is_training)

    def run(self, iterations: int) -> None:
        x, t = self.found.x, self.found.t
        for _ in range(iterations):
            if self.is_training:
                self.step(x, t, 1e-4)  # numbers stay finite, however often it is done
            else:
                self.infer(x)


def _images(batch: int, *shape: int) -> Callable[[np.random.Generator], Array]:
    return lambda rng: rng.standard_normal((batch, *shape), np.float32)


def _text(batch: int, length: int) -> Callable[[np.random.Generator], Array]:
    return lambda rng: rng.integers(0, models.CHARACTERS, (batch, length), np.int32)


@cache
def lenet5(batch: int) -> Network:
    """With a batch of images."""
    return Network(models.lenet5, _images(batch, 1, 28, 28), 10, (batch,), 0.1, 0.56e6 * batch)


@cache
def _resnet20(batch: int) -> Network:
    return Network(models.ResNet20, _images(batch, 3, 32, 32), 10, (batch,), 0.05, 82e6 * batch)


@cache
def _transformer(layers: int, width: int, length: int, batch: int) -> Network:
    weights = 12 * layers * width**2 + models.CHARACTERS * width
    flops = batch * length * (2.0 * weights + 4.0 * layers * length * width)
    model = partial(models.Transformer, layers, width, length)
    return Network(model, _text(batch, length), models.CHARACTERS, (batch, length), 0.05, flops)


def _cases(networks: Sequence[tuple[Mapping[str, str | int], Network, int]], dtypes: Any) -> list[list[Case]]:
    """Inference and training of networks that become larger; the last of each is how much a batch counts."""
    return [
        [
            Case(
                {"pass": "training" if is_training else "inference", "dtype": dtype.name, **configuration},
                count,
                partial(_Networks, network, dtype, is_training),
                flops=network.flops * (3 if is_training else 1),
            )
            for configuration, network, count in networks
        ]
        for dtype in map(scalar_type, dtypes)
        for is_training in (False, True)
    ]


_TRANSFORMERS: Final = ((2, 128, 64, 8), (6, 384, 256, 2), (6, 384, 256, 16), (6, 384, 256, 64))

NETWORKS: Final = (
    Benchmark(
        "lenet5",
        "LeNet5: inference and training",
        "Images of 28 x 28 a second. A step of training is forward pass, cross-entropy, backward pass and SGD with"
        " momentum; both are captured, and nothing is read back. The network is small: a device that is not filled by"
        " 100 images shows what its launches cost. Verified against the same network in f64 on the host.",
        "images/s",
        lambda: _cases([({"batch": n}, lenet5(n), n) for n in (100, 1000)], (f32, bf16)),
        peers={"torch": "autograph.bench.peers.pytorch"},
    ),
    Benchmark(
        "resnet20",
        "ResNet-20 on images of 32 x 32: inference and training",
        "Images of 32 x 32 a second of the residual network with 20 layers (He et al., 2016), captured, with norms of"
        " batches. Inference uses the running statistics. Verified against the same network in f64 on the host.",
        "images/s",
        lambda: _cases([({"batch": n}, _resnet20(n), n) for n in (8, 32, 128)], (f32,)),
    ),
    Benchmark(
        "transformer",
        "a transformer that reads characters: inference and training",
        "Characters a second of a causal transformer with norms first and 64 features a head, captured. Inference reads"
        " whole texts at once. Verified against the same network in f64 on the host.",
        "tokens/s",
        lambda: _cases(
            [
                (
                    {"size": f"{layers} layers, {width} wide", "text": f"{batch} of {length}"},
                    _transformer(layers, width, length, batch),
                    batch * length,
                )
                for layers, width, length, batch in _TRANSFORMERS
            ],
            (f32,),
        ),
    ),
)  # fmt: skip
