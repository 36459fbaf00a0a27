"""Whether anything is broken: a minute's walk through both packages, on every device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import autograph
from autograph import SGD, Conv2, Dense, Flatten, Layer, MaxPool2, Relu, Tensor
from krnlpy import Buffer, Device, Global, GlobalMut, ItemMut, KernelSyntaxError, f32, kernel, u32
from krnlpy.dsl import barrier, exp, global_id, group_array, thread_id
from tests.support import process
from tests.support.kernels import saxpy


@kernel(threads=32)
def reverse_groups(x: Global[u32], y: GlobalMut[u32]) -> None:
    """Each group's elements in reverse order."""
    kept = group_array(u32, 32)
    kept[thread_id()] = x[global_id()]
    barrier()
    y[global_id()] = kept[31 - thread_id()]


@kernel
def wrong(x: ItemMut[f32]) -> None:
    x = exp("x")  # type: ignore[type-var, assignment]


def test_kernels(device: Device) -> None:
    x = np.arange(1000, dtype=np.float32)
    y = Buffer.zeros(1000, f32, device)
    saxpy(2.0, Buffer.from_numpy(x, device), y)
    np.testing.assert_array_equal(y.numpy(), 2 * x)
    numbers = np.arange(96, dtype=np.uint32)
    out = Buffer.zeros(96, u32, device)
    reverse_groups.with_groups(3)(Buffer.from_numpy(numbers, device), out)
    np.testing.assert_array_equal(out.numpy(), numbers.reshape(3, 32)[:, ::-1].reshape(-1))


def test_graphs(device: Device) -> None:
    x, y = Buffer.ones(64, f32, device), Buffer.zeros(64, f32, device)
    with device.capture() as graph:
        saxpy(0.5, x, y)
    for _ in range(4):
        graph.replay()
    assert y.numpy().tolist() == [2.0] * 64


def test_mistakes_are_told(device: Device) -> None:
    with pytest.raises(KernelSyntaxError, match=r"test_tiny\.py:\d+: "):
        wrong(Buffer.zeros(4, f32, device))


class Net(Layer):
    def __init__(self, device: Device, seed: int = 0) -> None:
        super().__init__()
        self.conv = Conv2(1, 2, (3, 3), device=device, seed=seed)
        self.relu = Relu()
        self.pool = MaxPool2((2, 2))
        self.flatten = Flatten()
        self.dense = Dense(2 * 5 * 5, 4, bias=True, device=device, seed=seed)


def test_training(device: Device, tmp_path: Path) -> None:
    """A network learns four images by heart, and is the same after it was saved and loaded."""
    rng = np.random.default_rng(0)
    images = Tensor.from_numpy(rng.random((4, 1, 12, 12), dtype=np.float32), device)
    classes = Tensor.from_numpy(np.arange(4, dtype=np.uint8), device)
    model, optimizer, losses = Net(device), SGD(momentum=0.9), []
    for _ in range(6):
        model.init_parameter_grads()
        loss = model(images).cross_entropy_loss(classes)
        loss.backward()
        model.update(0.05, optimizer)
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    autograph.save_checkpoint(tmp_path / "model", model=model)
    again = Net(device, seed=1)
    autograph.load_checkpoint(tmp_path / "model", model=again)
    np.testing.assert_array_equal(again(images).numpy(), model(images).numpy())


def test_command() -> None:
    assert "host" in process.output("-m", "krnlpy", "info")
