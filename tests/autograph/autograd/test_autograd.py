"""The tape: what is recorded, in which order it runs, and what is refused."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.autograd import differentiable
from autograph.errors import AutographError, ShapeError
from krnlpy import Device, DTypeLike, Item, ItemMut, bf16, f32, kernel
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = one_vulkan_device


def parameter(value: Any, device: Device, dtype: DTypeLike = f32) -> Any:
    result = Parameter(Tensor.full((), value, dtype, device))
    result.init_grad()
    return result


def test_a_tensor_used_twice_gets_both_gradients(device: Device) -> None:
    x = parameter(3, device)
    y = x * x
    (y * y + y).backward()  # x**4 + x**2
    assert x.grad.item() == 4 * 27 + 2 * 3


def test_gradients_wait_for_all_uses(device: Device) -> None:
    # Uses at different depths: without counting, the short way's gradient would be handed on twice.
    x = parameter(2, device)
    y = x * 3
    (((y + 1) * y) * y + y).backward()  # y**3 + y**2 + y at y = 6
    assert x.grad.item() == 3 * (3 * 36 + 2 * 6 + 1)


def test_other_graphs_do_not_disturb(device: Device) -> None:
    x = parameter(2, device)
    y = x * 3
    never_run = y * 5
    (y * y).backward()
    assert x.grad.item() == 36
    with pytest.raises(AutographError, match="already called"):
        never_run.backward()


def test_gradients_accumulate_over_passes(device: Device) -> None:
    x = parameter(2, device)
    (x * 3).backward()
    (x * 4).backward()
    assert x.grad.item() == 7
    assert x.take_grad().item() == 7
    assert x.grad is None and not x.tracked


def test_gradients_are_each_parameters_own(device: Device) -> None:
    x, y = parameter(2, device), parameter(3, device)
    given = Tensor.ones((), f32, device)
    (x + y).backward(given)
    x.grad.fill(7)  # in place, as clipping does
    assert (x.grad.item(), y.grad.item(), given.item()) == (7, 1, 1)
    x.backward(given)
    x.grad.fill(9)
    assert given.item() == 1


def test_a_second_backward_is_an_error(device: Device) -> None:
    y = parameter(2, device) * 3
    y.backward()
    with pytest.raises(AutographError, match="already called"):
        y.backward()


def test_nothing_is_recorded_without_a_slot(device: Device) -> None:
    x = Parameter(Tensor.full((), 2.0, f32, device))
    y = (x * 3).relu() + x
    assert not y.tracked
    with pytest.raises(AutographError, match="init_parameter_grads"):
        y.backward()


def test_a_gradient_is_needed_for_several_elements(device: Device) -> None:
    x = Parameter(Tensor.ones((2, 3), f32, device))
    x.init_grad()
    y = x * 2
    with pytest.raises(ShapeError, match=r"pass backward\(gradient\)"):
        y.backward()
    with pytest.raises(ShapeError, match=r"gradient of shape \(3,\)"):
        y.backward(Tensor.ones(3, f32, device))
    y.backward(Tensor.full((2, 3), 5.0, f32, device))
    np.testing.assert_array_equal(present(x.grad).numpy(), np.full((2, 3), 10))


def test_the_graph_is_freed_as_it_runs(device: Device) -> None:
    class Witness:
        pass

    x = parameter(2, device)
    witness = Witness()
    seen = weakref.ref(witness)
    y = differentiable(x.detach() * 1, [(x, partial(lambda kept, gradient: gradient, witness))])
    del witness
    gc.disable()  # freed by reference counts alone, not by chance
    try:
        assert seen() is not None
        y.backward()
        assert seen() is None
    finally:
        gc.enable()


def test_a_dropped_graph_is_freed(device: Device) -> None:
    x = parameter(2, device)
    y = x * 3
    node = y.node
    count = len(gc.get_referrers(node))
    z = y * y
    assert len(gc.get_referrers(node)) > count
    del z
    assert len(gc.get_referrers(node)) == count


def test_a_long_chain(device: Device) -> None:
    x = parameter(1, device)
    y = x
    for _ in range(3_000):
        y = differentiable(y.detach(), [(y, lambda gradient: gradient)])
    y.backward()
    assert x.grad.item() == 1


def test_values_of_the_forward_pass_are_kept(device: Device) -> None:
    x = parameter(3, device)
    y = x * x
    x.fill(100)
    y.backward()
    assert x.grad.item() == 6
    assert x.item() == 100


@kernel
def square_kernel(x: Item[f32], y: ItemMut[f32]) -> None:
    y = x * x


@kernel
def square_gradient(x: Item[f32], dy: Item[f32], dx: ItemMut[f32]) -> None:
    dx = 2 * x * dy


def test_an_operation_of_ones_own(device: Device) -> None:
    def square(x: Tensor) -> Any:
        value = Tensor.empty(x.shape, x.dtype, x.device)
        square_kernel(x.buffer, value.writable())
        saved = x.detach()

        def gradient_of_x(gradient: Tensor) -> Tensor:
            dx = Tensor.empty(saved.shape, saved.dtype, saved.device)
            square_gradient(saved.buffer, gradient.buffer, dx.writable())
            return dx

        return differentiable(value, [(x, gradient_of_x)])

    x = Parameter(Tensor.from_numpy(np.array([1, -2, 3], np.float32), device))
    x.init_grad()
    square(x * 2).sum().backward()
    np.testing.assert_array_equal(present(x.grad).numpy(), [8, -16, 24])


@pytest.mark.parametrize("wrong", [lambda g: g.sum(), lambda g: g.cast(bf16)], ids=["shape", "dtype"])
def test_a_wrong_gradient_is_refused(wrong: Any, device: Device) -> None:
    x = Parameter(Tensor.ones(2, f32, device))
    x.init_grad()
    y = differentiable(x.detach() + 1, [(x, wrong)])
    with pytest.raises(AutographError, match="they must be alike"):
        y.backward(Tensor.ones(2, f32, device))
