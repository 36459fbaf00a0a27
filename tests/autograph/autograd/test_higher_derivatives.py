"""Gradients as functions, and gradients of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Dense, Parameter, Tensor, elementwise, exp, grad, sin, tanh, value_and_grad
from autograph.autograd import differentiable
from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Device, f32, f64, i32
from tests.support.typed import present, untyped

X = np.array([0.3, 0.7, -0.2])


def tensor(array: Any, device: Device | None = None, dtype: Any = f32) -> Tensor:
    return Tensor.from_numpy(np.asarray(array)).cast(dtype).to_device(device or Device.host())


def test_first_second_and_third(device: Device) -> None:
    def f(x: Tensor) -> Any:
        return (exp(x) * sin(x)).sum()

    def total(g: Any) -> Any:
        return lambda x: g(x).sum()

    first = grad(f)
    second = grad(total(first))
    third = grad(total(second))
    x, e = tensor(X, device), np.exp(X)
    np.testing.assert_allclose(first(x).numpy(), e * (np.sin(X) + np.cos(X)), rtol=4e-6)
    np.testing.assert_allclose(second(x).numpy(), 2 * e * np.cos(X), rtol=4e-6)
    np.testing.assert_allclose(third(x).numpy(), 2 * e * (np.cos(X) - np.sin(X)), rtol=8e-6)


def test_through_products_sums_shapes_and_broadcasts() -> None:
    """The second derivative of a quartic form, by its matrix form in NumPy."""
    rng = np.random.default_rng(0)
    a, x = rng.standard_normal((3, 3)), rng.standard_normal((3, 1))

    def f(x: Tensor) -> Any:
        y = (Tensor.from_numpy(a) @ x.reshape(3, 1)).T
        z = y[0, 0:3:2].broadcast_to(2, 2)
        return (z * z * z * z).sum()

    def slope(x: Tensor) -> Any:
        return (grad(f)(x) * Tensor.from_numpy(np.array([1.0, 2.0, 3.0]))).sum()

    rows = a[[0, 2]]
    y = rows @ x[:, 0]
    expected = 24 * (rows.T * y**2) @ rows @ np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(grad(slope)(Tensor.from_numpy(x[:, 0])).numpy(), expected, rtol=1e-12)


def test_gradients_of_parameters_through_an_input_gradient(device: Device) -> None:
    """As a network that solves a differential equation is trained: the loss is of the slope of what it computes."""
    layer = Dense(1, 4, device=device, seed=0)
    layer.init_parameter_grads()
    x = tensor([[0.5], [1.0]], device)

    def network(x: Tensor) -> Any:
        return tanh(layer(x)).sum()

    slope = grad(network)(x)
    (slope * slope).sum().backward()
    found = present(layer.weight.take_grad())
    w, inputs = layer.weight.numpy().astype(np.float64).reshape(1, 4), np.array([[0.5], [1.0]])

    def loss(w: Any) -> Any:
        return (((1 - np.tanh(inputs @ w) ** 2) @ w.T) ** 2).sum()

    step, expected = 1e-5, np.zeros_like(w)
    for i in range(4):
        e = np.zeros_like(w)
        e[0, i] = step
        expected[0, i] = (loss(w + e) - loss(w - e)) / (2 * step)
    # Differences are off by 1e-10 of the third derivative; f32 by some 20 roundings of numbers below 4.
    np.testing.assert_allclose(found.numpy().reshape(1, 4), expected, rtol=2e-5, atol=2e-6)


def test_value_of_several_arguments_and_of_one_that_is_not_used() -> None:
    x, y, z = tensor([1, 2]), tensor([3, 4]), tensor([5])
    value, (dz, dx) = value_and_grad(lambda x, y, z: (x * y).sum(), (2, 0))(x, y, z)
    assert value.item() == 11 and not value.tracked
    assert dz.numpy().tolist() == [0] and dx.numpy().tolist() == [3, 4]
    assert not dx.tracked


def test_slots_of_parameters_are_left_alone() -> None:
    parameter = Parameter(tensor([2.0]))
    parameter.init_grad()
    assert grad(lambda x: (x * parameter).sum())(tensor([3.0])).item() == 2
    assert parameter.grad is None
    assert grad(lambda x: (x * x).sum())(parameter).item() == 4
    assert parameter.grad is None


def halves(x: Tensor) -> Tensor:
    """An operation whose gradient function is not said to be recorded."""
    return differentiable(x.detach() * 0.5, [(x, lambda gradient: gradient * 0.5)])


def test_what_cannot_be_derived_again_says_so(device: Device) -> None:
    x = Tensor.ones((2, 3), f32, device)

    def f(x: Tensor) -> Any:
        y = halves(x)
        return (y * y).sum()

    assert grad(f)(x).shape == x.shape
    with pytest.raises(AutographError, match="the gradient of halves has no gradient"):
        grad(lambda x: grad(f)(x).sum())(x)


def test_an_unused_part_that_cannot_be_derived_again_is_no_error() -> None:
    def f(x: Tensor, y: Tensor) -> Tensor:
        return (y * y * y).sum() + halves(x).sum()

    x, y = Tensor.ones((1, 4)), tensor([2.0])
    assert grad(lambda y: grad(f, 1)(x, y).sum())(y).item() == 12


@elementwise
def kinked(x: Any) -> Any:
    return x if x > 0 else 2 * x


def test_second_derivatives_of_what_is_linear_are_zero() -> None:
    second = grad(lambda x: grad(lambda x: kinked(x).sum())(x).sum())
    assert second(tensor([1.0, -1.0])).numpy().tolist() == [0, 0]


def test_what_grad_refuses() -> None:
    x = tensor([1.0, 2.0])
    for wrong in (
        lambda: grad(untyped(3)),
        lambda: grad(exp, -1),
        lambda: grad(exp, (0, 0)),
        lambda: grad(exp, untyped("x")),
    ):
        with pytest.raises(AutographError, match="grad"):
            wrong()
    with pytest.raises(AutographError, match="grad by argument 1: 1 were given"):
        grad(lambda x: x.sum(), 1)(x)
    with pytest.raises(DtypeError, match="grad by argument 0, which is a tensor of i32"):
        grad(lambda x: x.sum())(x.cast(i32))
    with pytest.raises(DtypeError, match="grad by argument 0, which is float"):
        grad(lambda x: x)(1.0)
    with pytest.raises(ShapeError, match=r"gives a tensor of shape \(2,\): expected one element"):
        grad(lambda x: x * x)(x)
    with pytest.raises(DtypeError, match="expected a tensor of floats"):
        grad(untyped(lambda x: 3.0))(x)
    assert x.cast(f64).dtype is f64
