"""Parameters and models on the move: values, gradients and the optimizer's state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import SGD, Dense, Layer, Parameter, Relu, Tensor
from autograph.errors import AutographError, DtypeError
from krnlpy import Device, DTypeLike, ScalarType, bf16, f16, f32, i32
from tests.autograph.reference import draw, tensor
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device


def parameter(device: Device, dtype: DTypeLike = f32, seed: int = 0) -> Any:
    result = Parameter(tensor(draw(seed, (3, 2), dtype), dtype, device))
    result.init_grad()
    return result


def other(device: Device) -> Any:
    """Another device, so that each device is moved from and to."""
    return Device("interpreter") if device.info.kind == "host" else Device.host()


@pytest.mark.parametrize("slot", ["closed", "empty", "full"])
def test_moving_keeps_the_slot_as_it_is(slot: str, device: Device) -> None:
    p = parameter(device)
    if slot == "full":
        (p * 2).sum().backward()
    elif slot == "closed":
        p.take_grad()
    value, there = p.numpy().copy(), other(device)
    p.move(device=there)
    assert p.device == there and p.tracked == (slot != "closed")
    np.testing.assert_array_equal(p.numpy(), value)
    if slot == "full":
        assert p.grad.device == there
        np.testing.assert_array_equal(p.grad.numpy(), np.full((3, 2), 2))
    else:
        assert p.grad is None
    if slot == "closed":
        p.init_grad()
    # Gradients of before and after add up.
    (p * 3).sum().backward()
    np.testing.assert_array_equal(p.take_grad().numpy(), np.full((3, 2), 5 if slot == "full" else 3))


@pytest.mark.parametrize("dtype", [bf16, f16], ids=str)
def test_casting_converts_the_gradient(dtype: ScalarType, device: Device) -> None:
    p = parameter(device)
    value = p.numpy().copy()
    gradient = draw(1, (3, 2), f32)
    (p * tensor(gradient, f32, device)).sum().backward()
    p.move(dtype=dtype)
    assert p.dtype is p.grad.dtype is dtype and p.tracked
    np.testing.assert_array_equal(p.numpy(), value.astype(dtype.dtype))
    np.testing.assert_array_equal(p.grad.numpy(), gradient.astype(np.float32).astype(dtype.dtype))
    p.sum().backward()
    assert p.grad.dtype is dtype
    SGD(0.5).update(p, p.take_grad(), 0.1)


def test_device_and_dtype_at_once(device: Device) -> None:
    p = parameter(device)
    p.sum().backward()
    p.state["memory"] = Tensor.ones((3, 2), f32, device)
    there = other(device)
    p.move(there, bf16)
    assert p.device == p.grad.device == p.state["memory"].device == there
    assert p.dtype is p.grad.dtype is bf16
    assert p.state["memory"].dtype is f32  # its precision is the optimizer's choice


def test_where_moving_fails_nothing_has_changed(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    p = parameter(device)
    p.sum().backward()
    p.state["memory"] = Tensor.ones((3, 2), f32, device)
    before, there = (p.buffer, p.grad, p.state), other(device)
    to_device, calls = Tensor.to_device, []

    def fails_at_last(self: Any, target: Any) -> Any:
        calls.append(self)
        if len(calls) == 3:
            raise MemoryError
        return to_device(self, target)

    monkeypatch.setattr(Tensor, "to_device", fails_at_last)
    with pytest.raises(MemoryError):
        p.move(there)
    assert all(a is b for a, b in zip((p.buffer, p.grad, p.state), before, strict=True))


def test_what_was_computed_before_cannot_run_backwards(device: Device) -> None:
    p = parameter(device)
    y = (p * 2).sum()
    p.move(dtype=bf16)
    with pytest.raises(AutographError, match="they must be alike"):
        y.backward()


class Model(Layer):
    def __init__(self, device: Device | None) -> None:
        self.dense1 = Dense(3, 4, bias=True, seed=0, device=device)
        self.relu = Relu()
        self.dense2 = Dense(4, 2, seed=1, device=device)


def backward(model: Any, seed: int) -> None:
    weight = model.dense1.weight
    x = Tensor.from_numpy(draw(seed, (5, 3), f32).astype(weight.dtype.dtype), weight.device)
    model(x).cross_entropy_loss(np.arange(5) % 2).backward()


def step(model: Any, seed: int) -> None:
    model.init_parameter_grads()
    backward(model, seed)
    model.update(0.1, SGD(0.9))


def test_training_goes_on_where_a_model_is_moved_to(device: Device) -> None:
    """Also in the middle of a step, between the gradients of two batches."""
    stays, moves = Model(device), Model(other(device))
    for model in (stays, moves):
        step(model, 1)
        model.init_parameter_grads()
        backward(model, 2)
    moves.to_device(device)
    for model in (stays, moves):
        backward(model, 3)
        model.update(0.1, SGD(0.9))
    for a, b in zip(stays.parameters(), moves.parameters(), strict=True):
        assert b.device == b.state["velocity"].device == device
        # Three batches, each a sum of at most 5 products below 1 for each weight, rounded in another order; the
        # learning rate takes a tenth of that, the momentum less than triples it.
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=3 * 10 * 5 * 0.3 * 2.0**-24)


def test_a_cast_model_trains_on_with_its_velocity(device: Device) -> None:
    model = Model(device)
    step(model, 1)
    velocity = model.dense1.weight.state["velocity"].numpy().copy()
    model.cast(bf16)
    assert all(p.dtype is bf16 for p in model.parameters())
    np.testing.assert_array_equal(model.dense1.weight.state["velocity"].numpy(), velocity)
    step(model, 2)
    assert set(model.dense1.weight.state) == {"velocity", "master"}
    model.cast(f32)
    step(model, 3)
    assert set(model.dense1.weight.state) == {"velocity"}


def test_an_optimizer_without_momentum_forgets_the_velocity(device: Device) -> None:
    p = parameter(device)
    SGD(0.5).update(p, Tensor.ones((3, 2), f32, device), 0.1)
    SGD().update(p, Tensor.ones((3, 2), f32, device), 0.1)
    assert p.state == {}


def test_a_model_of_integers_is_refused() -> None:
    model = Model(None)
    with pytest.raises(DtypeError, match="a model of i32 cannot be trained; expected a float type"):
        model.cast(i32)
    assert model.dense1.weight.dtype is f32
