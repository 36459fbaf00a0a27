"""A step that is given up in the middle leaves nothing to the next one; gradients add up where that is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import SGD, Dense, Layer, Relu, Tensor
from autograph.autograd import differentiable
from krnlpy import Device, f32
from tests.autograph.reference import draw, tensor
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = one_vulkan_device


class Model(Layer):
    def __init__(self, device: Device) -> None:
        self.first = Dense(3, 4, bias=True, device=device, seed=0)
        self.relu = Relu()
        self.second = Dense(4, 2, device=device, seed=1)


def batch(device: Device, seed: int) -> Any:
    return tensor(draw(seed, (5, 3), f32), f32, device), np.arange(5) % 2


def loss_of(model: Any, device: Device, seed: int) -> Any:
    x, classes = batch(device, seed)
    return model(x).cross_entropy_loss(classes)


def step(model: Any, device: Device, seed: int) -> None:
    model.init_parameter_grads()
    loss_of(model, device, seed).backward()
    model.update(0.1, SGD(0.9))


def values(model: Any) -> Any:
    return [parameter.numpy().tobytes() for parameter in model.parameters()]


def skipped_after_backward(model: Any, device: Device) -> None:
    """As a guard against losses that are no number does it."""
    model.init_parameter_grads()
    (loss_of(model, device, 9) * float("nan")).backward()
    assert all(np.isnan(parameter.grad.numpy()).all() for parameter in model.parameters())


def interrupted_in_backward(model: Any, device: Device) -> None:
    def interrupt(gradient: Tensor) -> Tensor:
        raise KeyboardInterrupt

    model.init_parameter_grads()
    loss_of(model, device, 8).backward()
    before = [parameter.grad.numpy() for parameter in model.parameters()]
    hidden = model.first(batch(device, 9)[0])
    stopped = differentiable(hidden.detach() * 1, [(hidden, interrupt)])
    with pytest.raises(KeyboardInterrupt):
        model.second(stopped).sum().backward()
    # The step before is still there, and nothing of the one that was interrupted, which had got to the second layer.
    for parameter, gradient in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.grad.numpy(), gradient)


def failed_in_forward(model: Any, device: Device) -> None:
    model.init_parameter_grads()
    loss_of(model, device, 8).backward()
    model.init_parameter_grads()
    model(batch(device, 9)[0])


@pytest.mark.parametrize("skip", [skipped_after_backward, interrupted_in_backward, failed_in_forward])
def test_a_skipped_step_leaves_nothing_behind(skip: Any, device: Device) -> None:
    skips, does_not = Model(device), Model(device)
    for model in (skips, does_not):
        step(model, device, 1)
    skip(skips, device)
    for model in (skips, does_not):
        step(model, device, 2)
    assert values(skips) == values(does_not)


def test_gradients_of_several_passes_add_up(device: Device) -> None:
    model = Model(device)
    gradients = []
    for seeds in ([1], [2], [1, 2]):
        model.init_parameter_grads()
        for seed in seeds:
            loss_of(model, device, seed).backward()
        gradients.append([present(parameter.grad).numpy() for parameter in model.parameters()])
    for first, second, both in zip(*gradients, strict=True):
        np.testing.assert_array_equal(both, first + second)


def test_a_slot_is_emptied_without_losing_what_was_recorded(device: Device) -> None:
    """Whether the forward pass or the opening comes first makes no difference to an open slot."""
    model = Model(device)
    model.init_parameter_grads()
    loss_of(model, device, 1).backward()
    expected = [present(parameter.grad).numpy() for parameter in model.parameters()]
    loss = loss_of(model, device, 1)
    model.init_parameter_grads()
    assert all(parameter.tracked and parameter.grad is None for parameter in model.parameters())
    loss.backward()
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        np.testing.assert_array_equal(present(parameter.grad).numpy(), gradient)


def test_a_gradient_that_is_held_stays_as_it_is(device: Device) -> None:
    model = Dense(2, 1, device=device, seed=0)
    model.init_parameter_grads()
    model(Tensor.ones((1, 2), f32, device)).sum().backward()
    held = model.weight.grad
    model.init_parameter_grads()
    model(Tensor.full((1, 2), 3.0, f32, device)).sum().backward()
    assert (present(held).numpy() == 1).all() and (present(model.weight.grad).numpy() == 3).all()
