"""No gradient goes through integers: what holds whole numbers is never tracked, however it was computed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from autograph import SGD, Dense, Layer, Parameter, Tensor
from autograph.autograd import differentiable
from autograph.errors import AutographError, DtypeError
from krnlpy import SCALAR_TYPES, Device, ScalarType
from krnlpy.scalar import bf16, f16, f32, f64, i32, u8
from tests.autograph.reference import tensor
from tests.support.devices import requires
from tests.support.tiers import one_vulkan_device, sampled
from tests.support.typed import present

pytestmark = one_vulkan_device

FLOATS = [f16, bf16, f32, f64]
INTEGERS = [type for type in SCALAR_TYPES if type.is_integer]


def opened(values: Any, dtype: ScalarType, device: Device) -> Parameter:
    result = Parameter(tensor(values, dtype, device))
    result.init_grad()
    return result


@pytest.mark.parametrize("source", FLOATS, ids=str)
def test_the_fractional_part_has_gradient_1(source: ScalarType, device: Device) -> None:
    requires(device, source)
    x = opened([0.25, 1.75, -2.5], source, device)
    y = x - x.cast(i32).cast(source)
    np.testing.assert_array_equal(y.numpy().astype(float), [0.25, 0.75, -0.5])
    y.sum().backward()
    assert present(x.grad).numpy().astype(float).tolist() == [1, 1, 1]


@pytest.mark.parametrize(("source", "dtype"), sampled([*itertools.product(FLOATS, INTEGERS)], 3), ids=str)
def test_conversions_to_integers_are_not_tracked(source: ScalarType, dtype: ScalarType, device: Device) -> None:
    requires(device, source, dtype)
    x = opened([1.5, 2.5], source, device)
    for y in (x.cast(dtype), x.scaled_cast(3, dtype), (x * 2).cast(dtype)):
        assert y.dtype is dtype and not y.tracked
        # Nor is what they are computed to, whichever operation does it.
        computed = [y + y, y * 2, -y, y.relu(), y.sum(), y.reshape((2, 1)), y[::-1], y.copy(), y.one_hot(100)]
        assert not any(z.tracked or z.cast(f32).tracked for z in computed)
        with pytest.raises(AutographError, match="no gradient goes through integers"):
            y.cast(f32).sum().backward()
    # Other ways of the same parameter are not disturbed.
    (x * 2 + x.cast(dtype).cast(source)).sum().backward()
    assert present(x.grad).numpy().astype(float).tolist() == [2, 2]


def test_an_operation_of_ones_own_with_whole_results_is_not_tracked(device: Device) -> None:
    def floor(x: Tensor) -> Any:
        return differentiable(x.detach().cast(i32), [(x, lambda gradient: pytest.fail("was asked for a gradient"))])

    x = opened([1.5], f32, device)
    assert not floor(x).tracked
    (x * floor(x).cast(f32)).sum().backward()
    assert present(x.grad).item() == 1


def test_a_parameter_of_integers_has_no_gradient(device: Device) -> None:
    p = Parameter(tensor([1, 2], i32, device))
    with pytest.raises(DtypeError, match="a parameter of i32 has no gradient; expected a float type"):
        p.init_grad()
    assert not p.tracked and p.grad is None and p.take_grad() is None


def test_a_parameter_with_an_open_slot_does_not_become_integers(device: Device) -> None:
    p = opened([1.5, 2.5], f32, device)
    p.sum().backward()
    with pytest.raises(DtypeError, match=r"open gradient slot as u8; take_grad\(\) closes it"):
        p.move(dtype=u8)
    assert p.dtype is f32 and p.numpy().tolist() == [1.5, 2.5] and present(p.grad).numpy().tolist() == [1, 1]
    p.take_grad()
    p.move(dtype=u8)
    assert p.numpy().tolist() == [1, 2]


def test_a_model_keeps_whole_numbers_as_they_are(device: Device) -> None:
    class Counting(Layer):
        def __init__(self) -> None:
            self.dense = Dense(2, 1, device=device, seed=0)
            self.steps = Parameter(Tensor.zeros((), i32, device))

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.dense(x)
            return y

    model = Counting()
    model.init_parameter_grads()
    model(Tensor.ones((1, 2), f32, device)).sum().backward()
    before = model.dense.weight.numpy().copy()
    model.steps.add_assign(Tensor.ones((), i32, device))
    model.update(0.5, SGD())
    assert model.steps.item() == 1
    np.testing.assert_array_equal(model.dense.weight.numpy(), before - 0.5)
