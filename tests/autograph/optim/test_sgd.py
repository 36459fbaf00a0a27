"""Stochastic gradient descent."""

from __future__ import annotations

import numpy as np
import pytest

from autograph import SGD, Parameter, Tensor
from autograph.errors import AutographError, DtypeError
from krnlpy import Device, ScalarType, bf16, f16, f32, i32
from tests.autograph.reference import draw, tensor
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps(momentum: float, device: Device) -> None:
    w, v = draw(1, (3, 5), f32), np.zeros((3, 5))
    p = Parameter(tensor(w, f32, device))
    optimizer = SGD(momentum)
    for step in range(4):
        g = draw(2 + step, (3, 5), f32)
        optimizer.update(p, tensor(g, f32, device), 0.1)
        v = momentum * v + g
        w = w - 0.1 * v
    # Each of 4 steps rounds w and v, below 4, and products of them, five times in all.
    np.testing.assert_allclose(p.numpy(), w, rtol=0, atol=4 * 5 * 4 * 2.0**-24)
    assert ("velocity" in p.state) == bool(momentum)


@pytest.mark.parametrize("dtype", [bf16, f16], ids=str)
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_steps_below_the_resolution_of_a_narrow_type_add_up(dtype: ScalarType, momentum: float, device: Device) -> None:
    p = Parameter(Tensor.ones(2, dtype, device))
    optimizer = SGD(momentum)
    for _ in range(64):
        # 2**-14 a step (twice with momentum 0.5) moves neither 1 + 2**-7 of bf16 nor 1 + 2**-10 of f16.
        optimizer.update(p, Tensor.ones(2, dtype, device), 2.0**-14)
    expected = 1 - 64 * 2.0**-14 * (1 if not momentum else 2) + (2.0**-14 * 2 if momentum else 0)
    found = p.state["master"].numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=64 * 2.0**-24)
    np.testing.assert_array_equal(p.numpy(), found.astype(dtype.dtype))


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_narrow_weight_that_was_set_is_not_overwritten(momentum: float, device: Device) -> None:
    p = Parameter(Tensor.ones(2, bf16, device))
    optimizer = SGD(momentum)
    optimizer.update(p, Tensor.zeros(2, bf16, device), 0.5)
    p.fill(3)
    optimizer.update(p, Tensor.ones(2, bf16, device), 0.5)
    np.testing.assert_array_equal(p.numpy().astype(float), [2.5, 2.5])


def test_velocity_ends_with_momentum(device: Device) -> None:
    p, gradient = Parameter(Tensor.zeros(1, f32, device)), Tensor.ones(1, f32, device)
    for momentum in (0.5, 0.0, 0.5):  # the last step begins with no velocity
        SGD(momentum).update(p, gradient, 1.0)
        assert p.state.keys() == ({"velocity"} if momentum else set())
    assert p.item() == -3.0


def test_gradients_of_any_strides(device: Device) -> None:
    p = Parameter(Tensor.zeros((2, 3), f32, device))
    g = np.arange(6.0).reshape(3, 2)
    SGD(0.5).update(p, tensor(g, f32, device).T, 1.0)
    SGD(0.5).update(p, Tensor.ones(3, f32, device).broadcast_to((2, 3)), 1.0)
    np.testing.assert_array_equal(p.numpy(), -g.T - (0.5 * g.T + 1))


def test_a_shared_value_is_not_changed(device: Device) -> None:
    p = Parameter(Tensor.zeros(3, f32, device))
    before = p.detach()
    SGD().update(p, Tensor.ones(3, f32, device), 1.0)
    np.testing.assert_array_equal(before.numpy(), [0, 0, 0])


def test_what_does_not_fit(device: Device) -> None:
    with pytest.raises(AutographError, match=r"momentum=1.0; expected a number from 0 to below 1"):
        SGD(1.0)
    with pytest.raises(DtypeError, match="sgd takes f16, bf16, f32, f64, not i32"):
        SGD().update(Parameter(Tensor.zeros(1, i32)), Tensor.zeros(1, i32), 1.0)
