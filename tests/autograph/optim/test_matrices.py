"""Optimizers that need more of a parameter than a number at a time: LAMB beside its paper, Muon beside PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Dense, Parameter, Tensor
from autograph.errors import AutographError
from autograph.optim import LAMB, AdamW, Muon, Update
from krnlpy import Device, ScalarType, bf16, f32
from tests.support.tiers import deep, one_vulkan_device, sampled

pytestmark = one_vulkan_device

STEPS = 100
LENGTHS = ("adamw", "original")


def slope(rng: np.random.Generator, weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A noisy gradient towards 0.5."""
    found = (weight - 0.5) * rng.uniform(0.5, 1.5, weight.shape) + rng.normal(0, 0.05, weight.shape)
    return np.asarray(found, np.float32)


@pytest.mark.parametrize(("dtype", "decay"), sampled([(f32, 0.1), (bf16, 0.1), (f32, 0.0), (bf16, 0.0)], 3))
def test_lamb_is_the_papers(dtype: ScalarType, decay: float, device: Device) -> None:
    rng = np.random.default_rng(0)
    weight = rng.uniform(-1, 1, (3, 5)).astype(dtype.dtype).astype(np.float64)
    ours = Parameter(Tensor.from_numpy(weight.astype(dtype.dtype), device))
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    steps = 5 if device.info.kind == "interpreter" else STEPS
    for step in range(1, steps + 1):
        gradient = slope(rng, weight).astype(dtype.dtype)
        LAMB(weight_decay=decay).update(ours, Tensor.from_numpy(gradient, device), 0.01)
        g = gradient.astype(np.float64)
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
        change = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-6) + decay * weight
        weight = weight - 0.01 * np.linalg.norm(weight) / np.linalg.norm(change) * change
    # A step is at most 0.01 of the weights' norm, below 4, and loses some 2**-19 of it; a weight is rounded each time.
    found = ours.state["master"] if dtype is bf16 else ours
    np.testing.assert_allclose(found.numpy(), weight, rtol=0, atol=steps * (0.04 * 2.0**-19 + 2.0**-24))


def test_lamb_without_weights_or_steps(device: Device) -> None:
    """Where a norm is 0, the other one decides nothing."""
    p = Parameter(Tensor.zeros(2, device=device))
    LAMB(weight_decay=0.0).update(p, Tensor.ones(2, device=device), 0.25)
    np.testing.assert_allclose(p.numpy(), -0.25, rtol=1e-5)
    p = Parameter(Tensor.ones(2, device=device))
    LAMB(weight_decay=0.0).update(p, Tensor.zeros(2, device=device), 0.25)
    np.testing.assert_array_equal(p.numpy(), 1)
    for optimizer in (LAMB(), Muon()):
        optimizer.update(Parameter(Tensor.zeros((0, 2), device=device)), Tensor.zeros((0, 2), device=device), 0.25)


def orthogonal(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    x = x / np.linalg.norm(x)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x


@pytest.mark.parametrize(("shape", "length"), sampled([(s, x) for s in ((3, 5), (6, 4)) for x in LENGTHS], 3))
def test_muon_is_its_authors(shape: tuple[int, int], length: Any, device: Device) -> None:
    rng = np.random.default_rng(0)
    weight = rng.uniform(-1, 1, shape).astype(np.float32).astype(np.float64)
    ours = Parameter(Tensor.from_numpy(weight.astype(np.float32), device))
    mean = np.zeros_like(weight)
    steps = 5 if device.info.kind == "interpreter" else STEPS
    size = 0.2 * max(shape) ** 0.5 if length == "adamw" else max(1, shape[1] / shape[0]) ** 0.5
    for _ in range(steps):
        gradient = slope(rng, weight)
        Muon(length=length).update(ours, Tensor.from_numpy(gradient, device), 0.02)
        mean = 0.95 * mean + 0.05 * gradient
        ahead = 0.95 * mean + 0.05 * gradient
        change = orthogonal(ahead if shape[0] < shape[1] else ahead.T)
        weight = weight * (1 - 0.02 * 0.1) - 0.02 * size * (change if shape[0] < shape[1] else change.T)
    # The polynomial's slope at 0, 3.4^5 = 477, is how much an error of 2**-22 of the products may grow on the way.
    np.testing.assert_allclose(ours.numpy(), weight, rtol=0, atol=steps * 0.02 * size * 477 * 2.0**-22)


@deep
def test_muon_is_pytorchs(device: Device) -> None:
    torch = pytest.importorskip("torch")
    if device.info.kind == "interpreter":
        pytest.skip("takes the interpreter a minute")
    rng = np.random.default_rng(0)
    weight = rng.uniform(-1, 1, (4, 6)).astype(np.float32)
    theirs = torch.nn.Parameter(torch.from_numpy(weight.T.copy()))  # of outputs and inputs
    peer = torch.optim.Muon([theirs], lr=0.02)
    ours = Parameter(Tensor.from_numpy(weight, device))
    for _ in range(STEPS):
        gradient = slope(rng, theirs.detach().numpy().T)
        theirs.grad = torch.from_numpy(gradient.T.copy())
        peer.step()
        Muon(length="original").update(ours, Tensor.from_numpy(gradient, device), 0.02)
    # PyTorch orthogonalizes in bf16: each step, 0.02 * 1.2 long, is off by some 5 %, to any side.
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy().T, rtol=0, atol=STEPS**0.5 * 0.02 * 1.2 * 0.05 * 2)


def test_other_parameters_go_by_adamw(device: Device) -> None:
    model, other = (Dense(3, 2, bias=True, seed=0, device=device) for _ in range(2))
    for one in (model, other):
        one.init_parameter_grads()
        one(Tensor.ones((2, 3), device=device)).sum().backward()
    model.update(0.1, Muon())
    other.update(0.1, AdamW(weight_decay=0.1))
    assert model.bias is not None and other.bias is not None
    np.testing.assert_array_equal(model.bias.numpy(), other.bias.numpy())
    assert model.weight.state.keys() == {"momentum"}


@pytest.mark.parametrize("optimizer", [LAMB(), Muon()], ids=lambda v: type(v).__name__)
def test_a_factor(optimizer: Any, device: Device) -> None:
    """A gradient times it; where it is 0, nothing changes."""
    gradient = Tensor.from_numpy(np.array([[1, -2], [3, 0.5]], np.float32), device)
    one, two = (Parameter(Tensor.ones((2, 2), device=device)) for _ in range(2))
    optimizer.update_all({"w": one}, 0.1)  # without a gradient
    for parameter, value, factor in ((one, gradient, 1.0), (two, gradient * 4, 0.25)):
        parameter.init_grad()
        assert parameter.node is not None
        parameter.node.gradient = value
        optimizer.update_all({"w": parameter}, 0.1, scale=0.5, factor=Tensor.full((), factor, f32, device))
    np.testing.assert_array_equal(one.numpy(), two.numpy())
    before = {name: np.array(tensor.numpy()) for name, tensor in one.state.items()}
    assert one.node is not None
    one.node.gradient = Tensor.full((2, 2), np.nan, device=device)
    optimizer.update_all({"w": one}, 0.1, factor=Tensor.zeros((), f32, device))
    np.testing.assert_array_equal(one.numpy(), two.numpy())
    for name, kept in before.items():
        np.testing.assert_array_equal(one.state[name].numpy(), kept)


def test_captured(device: Device) -> None:
    for optimizer in (LAMB(), Muon()):
        eager, captured = (Parameter(Tensor.ones((2, 3), device=device)) for _ in range(2))
        gradient = Tensor.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3) - 2, device)
        for parameter in (eager, captured):
            optimizer.update(parameter, gradient, 0.1)
        with device.capture() as graph:
            optimizer.update(captured, gradient, graph.parameter("rate", 0.0))
        for rate in (0.1, 0.2):
            optimizer.update(eager, gradient, rate)
            graph.replay(rate=rate)
        np.testing.assert_array_equal(captured.numpy(), eager.numpy())


def test_what_does_not_fit() -> None:
    with pytest.raises(AutographError, match="Muon: length='x'; expected 'adamw' or 'original'"):
        Muon(length="x")  # type: ignore[arg-type]
    with pytest.raises(AutographError, match="Muon: iterations=0"):
        Muon(iterations=0)
    with pytest.raises(AutographError, match="LAMB: beta1=1"):
        LAMB(1.0)
    assert Update(Parameter(Tensor.ones(1)), Tensor.ones(1)).parameter.item() == 1
