"""The same numbers as PyTorch, where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import SGD, Parameter, Tensor
from krnlpy import Device, f32
from tests.autograph.lenet5 import LeNet5
from tests.autograph.reference import draw, tensor

torch = pytest.importorskip("torch")


def pair(array: Any, device: Device) -> Any:
    ours, theirs = Parameter(tensor(array, f32, device)), torch.tensor(array, dtype=torch.float32, requires_grad=True)
    ours.init_grad()
    return ours, theirs


def close(ours: Any, theirs: Any, terms: int) -> None:
    # Both sum at most `terms` products below 1 in f32, each in its own order.
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=0, atol=4 * terms * terms**0.5 * 2.0**-24)


@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2}, {"padding": (1, 2)}, {"dilation": (2, 1)}, {"stride": (2, 1), "padding": 1, "dilation": 2}],
    ids=str,
)
def test_conv2(options: dict[str, Any], device: Device) -> None:
    x, a = pair(draw(1, (2, 3, 8, 7), f32), device)
    w, b = pair(draw(2, (4, 3, 3, 2), f32), device)
    bias, c = pair(draw(3, (4,), f32), device)
    y, z = x.conv2(w, bias, **options), torch.nn.functional.conv2d(a, b, c, **options)
    close(y, z, 20)
    g = draw(4, y.shape, f32)
    y.backward(tensor(g, f32, device))
    z.backward(torch.tensor(g, dtype=torch.float32))
    for ours, theirs in ((x, a), (w, b), (bias, c)):
        close(ours.grad, theirs.grad, 200)


@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2}, {"padding": 2}, {"dilation": 3}, {"stride": 2, "padding": 1, "dilation": 2}],
    ids=str,
)
def test_conv1(options: dict[str, Any], device: Device) -> None:
    x, a = pair(draw(1, (2, 3, 11), f32), device)
    w, b = pair(draw(2, (4, 3, 3), f32), device)
    bias, c = pair(draw(3, (4,), f32), device)
    y, z = x.conv1(w, bias, **options), torch.nn.functional.conv1d(a, b, c, **options)
    close(y, z, 10)
    g = draw(4, y.shape, f32)
    y.backward(tensor(g, f32, device))
    z.backward(torch.tensor(g, dtype=torch.float32))
    for ours, theirs in ((x, a), (w, b), (bias, c)):
        close(ours.grad, theirs.grad, 26)


@pytest.mark.parametrize(("filter", "stride"), [(2, None), (3, 1), (2, 3)], ids=str)
def test_max_pool1(filter: tuple[int, int], stride: Any, device: Device) -> None:
    x, a = pair(np.round(draw(5, (2, 3, 11), f32) * 2), device)
    y, z = x.max_pool1(filter, stride), torch.nn.functional.max_pool1d(a, filter, stride)
    close(y, z, 1)
    g = draw(6, y.shape, f32)
    y.backward(tensor(g, f32, device))
    z.backward(torch.tensor(g, dtype=torch.float32))
    close(x.grad, a.grad, 3)


@pytest.mark.parametrize(("filter", "stride"), [(2, None), (3, 1), ((2, 3), (3, 2))], ids=str)
def test_max_pool2(filter: tuple[int, int], stride: Any, device: Device) -> None:
    # Of many equal values, both take the first.
    x, a = pair(np.round(draw(5, (2, 3, 9, 8), f32) * 2), device)
    y, z = x.max_pool2(filter, stride), torch.nn.functional.max_pool2d(a, filter, stride)
    close(y, z, 1)
    g = draw(6, y.shape, f32)
    y.backward(tensor(g, f32, device))
    z.backward(torch.tensor(g, dtype=torch.float32))
    close(x.grad, a.grad, 9)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cross_entropy(reduction: str, device: Device) -> None:
    x, a = pair(draw(7, (9, 5), f32, -3, 3), device)
    classes = np.random.default_rng(8).integers(0, 5, 9)
    y = x.cross_entropy_loss(classes, reduction)
    z = torch.nn.functional.cross_entropy(a, torch.tensor(classes), reduction=reduction)
    np.testing.assert_allclose(y.item(), z.item(), rtol=32 * 2.0**-24)
    y.backward()
    z.backward()
    close(x.grad, a.grad, 8)


def test_a_few_steps_of_lenet5(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("millions of products")
    model, optimizer = LeNet5(device, seed=2), SGD(0.9)
    nn = torch.nn
    other = nn.Sequential(
        nn.Conv2d(1, 6, 5, bias=False), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 128, bias=False), nn.ReLU(), nn.Linear(128, 84, bias=False), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    with torch.no_grad():
        for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
            value = torch.tensor(ours.numpy())
            theirs.copy_(value.T if value.ndim == 2 else value)
    sgd = torch.optim.SGD(other.parameters(), lr=0.01, momentum=0.9)
    for step in range(5):
        rng = np.random.default_rng(step)
        x = rng.uniform(0, 1, (16, 1, 28, 28)).astype(np.float32)
        t = rng.integers(0, 10, 16)
        model.init_parameter_grads()
        loss = model(Tensor.from_numpy(x, device)).cross_entropy_loss(t)
        loss.backward()
        model.update(0.01, optimizer)
        sgd.zero_grad()
        expected = nn.functional.cross_entropy(other(torch.tensor(x)), torch.tensor(t))
        expected.backward()
        sgd.step()
        # Sums of up to 256 terms in different orders, through five layers: 2**-24 * 256 each, growing a little with
        # each step.
        np.testing.assert_allclose(loss.item(), expected.item(), rtol=5 * 256 * 2.0**-24)
