"""LeNet5 on MNIST: a training step of 100 images, and inference of 1,000, in f32 and bf16.

The same model (46,920 parameters) starts from the same weights everywhere. The images lie on the device, already
numbers of the type in question; each iteration takes the next batch. A training step is forward pass, loss, backward
pass and SGD with momentum; nothing is read back, and nobody waits for the device before the end of a sample. Of bf16
parameters, autograph updates an f32 copy; PyTorch has none and updates the rounded parameters. PyTorch runs in each of
its ways (eager, compiled, ...), autograph in its two, eager and captured; ratios are to PyTorch's fastest.

Verified against NumPy with 64 bits: the losses of steps on one batch, and the logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any, Literal
from unittest.mock import patch

import numpy as np

from autograph import SGD, Captured, Tensor, capture
from autograph.data import Mnist, load_mnist
from benches.harness import Case, Runner, VerificationError
from benches.lenet5_reference import Reference
from benches.lenet5_work import LEARNING_RATE, MOMENTUM, VERIFIED_RATE, Array, Batch, Work
from benches.peer_process import ProcessRunner
from benches.selection import JAX, TINYGRAD, TORCH, TORCH_CUDA, Peer, Selection
from examples.lenet5 import LeNet5
from krnlpy import Device, ScalarType, bf16, config, f32, scalar_type

PEERS = (TORCH, TORCH_CUDA, JAX, TINYGRAD)
TORCH_WAYS = {
    "training": ("eager", "channels_last", "compile", "compile + channels_last"),
    "inference": (
        "eager",
        "channels_last",
        "compile",
        "compile + channels_last",
        "compile + freezing",
        "optimize_for_inference",
    ),
}
"""What PyTorch calls the ways in which it can run; see :mod:`benches.lenet5_torch`."""


@dataclass(frozen=True)
class Tolerance:
    """Greatest difference to what 64 bits give.

    Sums have up to 57,600 terms (the gradient of the first filters). In f32, which rounds by 2**-24, a gradient is off
    by sqrt(57600) * 2**-24 = 1.4e-5 where errors are random. Losses, of which a step takes a few hundredths, hence
    differ by less than 1e-6 a step; a loss of 2.3 by itself is rounded by 1.2e-7.

    bf16 rounds weights and activations by up to 2**-9: ten roundings from image to logit. Where the loss is kept in
    bf16, as PyTorch does, it is rounded by up to 2**-7 between 2 and 4; updates of weights that are kept in bf16 are
    lost in part.

    Attributes:
        losses: of the losses of the verified steps.
        logits: relative to the greatest logit.
    """

    losses: float
    logits: float


TOLERANCES = {scalar_type(f32): Tolerance(1e-5, 1e-5), scalar_type(bf16): Tolerance(2**-5, 10 * 2**-9)}


def cases(selection: Selection) -> Iterator[Case]:
    """Training and inference, f32 and bf16."""
    data = load_mnist(download=False, progress=False)
    for dtype in TOLERANCES:
        weights = initial_weights(dtype)
        yield _training_case(selection, data, dtype, weights)
        yield _inference_case(selection, data, dtype, weights)


def initial_weights(dtype: ScalarType) -> dict[str, Array]:
    """The weights that the model starts with on every device, by the names of :class:`Reference`."""
    names = ("conv1", "conv2", "dense1", "dense2", "dense3", "bias")
    parameters = LeNet5(Device.host(), dtype).parameters()
    return {name: p.numpy().astype(np.float32) for name, p in zip(names, parameters, strict=True)}


def _training_case(selection: Selection, data: Mnist, dtype: ScalarType, weights: Mapping[str, Array]) -> Case:
    work = Work(weights, _batches(data.train_images, data.train_classes, 100, 50, dtype), dtype.name)
    return Case(
        "LeNet5 training",
        {"batch": 100, "dtype": dtype.name},
        selection.in_ways("torch", TORCH_WAYS["training"]).contenders(
            "autograph",
            {"eager": partial(Training, work), "captured": partial(Training, work, captured=True)},
            partial(_peer, "training", work),
        ),
        partial(judge_losses, _expected_losses(work), TOLERANCES[dtype]),
        amount=100,
        unit="images",
    )


def _inference_case(selection: Selection, data: Mnist, dtype: ScalarType, weights: Mapping[str, Array]) -> Case:
    work = Work(weights, _batches(data.test_images, data.test_classes, 1000, 10, dtype), dtype.name)
    return Case(
        "LeNet5 inference",
        {"batch": 1000, "dtype": dtype.name},
        selection.in_ways("torch", TORCH_WAYS["inference"]).contenders(
            "autograph",
            {"eager": partial(Inference, work), "captured": partial(Inference, work, captured=True)},
            partial(_peer, "inference", work),
        ),
        partial(judge_logits, Reference(weights).logits(work.batches[0][0]), TOLERANCES[dtype]),
        amount=1000,
        unit="images",
    )


def _peer(what: Literal["training", "inference"], work: Work, peer: Peer) -> Runner:
    if peer.runs_apart:
        with work.file() as path:
            return ProcessRunner(f"benches.lenet5_{peer.name}", what, path, counts_wait=True)
    from benches import lenet5_torch

    open_ = {"training": lenet5_torch.Training, "inference": lenet5_torch.Inference}[what]
    return open_(work, peer.device, peer.way)


def judge_losses(expected: Array, tolerance: Tolerance, losses: list[float]) -> None:
    """Compares the losses of the first steps."""
    right = np.abs(np.array(losses) - expected) <= tolerance.losses  # NaN is not
    if not right.all():
        step = int(np.argmin(right))
        raise VerificationError(
            f"the loss of step {step + 1} is {losses[step]:.6f},"
            f" expected {expected[step]:.6f} within {tolerance.losses:g}"
        )


def judge_logits(expected: Array, tolerance: Tolerance, logits: Array) -> None:
    """Compares logits."""
    np.testing.assert_allclose(logits, expected, rtol=0, atol=tolerance.logits * float(np.abs(expected).max()))


def _expected_losses(work: Work) -> Array:
    reference = Reference(work.weights)
    steps = range(work.verified_steps)
    return np.array([reference.step(*work.batches[0], VERIFIED_RATE, MOMENTUM) for _ in steps])


def _batches(images: Array, classes: Array, size: int, count: int, dtype: ScalarType) -> list[Batch]:
    """Batches as contenders get them: images f32 with values of the dtype, from 0 to 1; classes u8."""
    count = min(count, len(images) // size)
    values = (images[: count * size].astype(np.float32) / 255).astype(dtype.dtype).astype(np.float32)
    return [(values[i : i + size], classes[i : i + size]) for i in range(0, count * size, size)]


class _Autograph(Runner):
    """A model and its batches on a device."""

    def __init__(self, work: Work, device: Device) -> None:
        dtype = scalar_type(work.dtype)
        self.device = device
        self.model = LeNet5(device, dtype)
        self.batches = [
            (Tensor.from_numpy(x.astype(dtype.dtype), device), Tensor.from_numpy(t, device)) for x, t in work.batches
        ]
        self.turn, self.verified_steps = cycle(self.batches), work.verified_steps

    def wait(self) -> None:
        self.device.wait()

    def facts(self) -> Mapping[str, float]:
        with count_calls(self.device) as counts:
            self.run(1)
        self.wait()
        return {**counts, "threads": config.host_threads} if self.device.is_host else counts


class Training(_Autograph):
    """Steps of SGD with momentum."""

    def __init__(self, work: Work, device: Device, captured: bool = False) -> None:
        super().__init__(work, device)
        self.optimizer = SGD(momentum=MOMENTUM)
        self.step = capture(self.eager_step) if captured else self.eager_step

    def result(self) -> list[float]:
        """The losses of the first steps, all on the first batch."""
        return [float(self.step(*self.batches[0], VERIFIED_RATE).item()) for _ in range(self.verified_steps)]

    def run(self, iterations: int) -> None:
        for x, t in islice(self.turn, iterations):
            self.step(x, t, LEARNING_RATE)

    def eager_step(self, x: Tensor, t: Tensor, learning_rate: float) -> Tensor:
        self.model.init_parameter_grads()
        loss: Tensor = self.model(x).cross_entropy_loss(t)
        loss.backward()
        self.model.update(learning_rate, self.optimizer)
        return loss


class Inference(_Autograph):
    """Logits of a batch."""

    def __init__(self, work: Work, device: Device, captured: bool = False) -> None:
        super().__init__(work, device)
        self.infer = capture(self.model) if captured else self.model

    def result(self) -> Array:
        for _ in range(3 if isinstance(self.infer, Captured) else 1):  # the third is replayed
            logits: Array = self.infer(self.batches[0][0]).numpy().astype(np.float64)
        return logits

    def run(self, iterations: int) -> None:
        for x, _ in islice(self.turn, iterations):
            self.infer(x)


@contextmanager
def count_calls(device: Device) -> Iterator[dict[str, float]]:
    """Counts what is asked of a device: a step should launch kernels, and neither read back nor wait."""
    counts = {"launch": 0.0, "upload": 0.0, "download": 0.0, "wait": 0.0}
    backend = device.backend

    def counted(name: str) -> Any:
        original = getattr(backend, name)

        def call(*arguments: Any, **named: Any) -> Any:
            counts[name] += 1
            return original(*arguments, **named)

        return call

    # On the object: labels and the like may stand there already, in the place of the class's methods.
    patches = [patch.object(backend, name, counted(name)) for name in counts]
    for each in patches:
        each.start()
    try:
        yield counts
    finally:
        for each in patches:
            each.stop()
