"""Gradient functions run with recording off: what they compute of tracked tensors is tracked by nothing."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from typing import Any

import pytest

from autograph import Parameter, Tensor
from autograph.autograd import differentiable
from autograph.errors import AutographError
from autograph.tensor.base import Node
from krnlpy import Device, f32
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = one_vulkan_device


def opened(device: Device, value: Any) -> Parameter:
    result = Parameter(Tensor.full((), value, f32, device))
    result.init_grad()
    return result


def squared(p: Any) -> Any:
    """With a gradient function that uses the parameter itself, not what it is kept as."""
    return differentiable(p.detach() * p.detach(), [(p, lambda gradient: 2 * gradient * p)])


def test_the_gradient_is_never_tracked(device: Device) -> None:
    p = opened(device, 3.0)
    for passes in range(1, 4):
        squared(p).backward()
        assert present(p.grad).item() == 6 * passes
        assert p.grad is not None and not p.grad.tracked and not (p.grad * 2).tracked


def test_a_gradient_that_is_the_parameter_is_not_tracked(device: Device) -> None:
    p = opened(device, 3.0)
    for passes in range(1, 4):
        differentiable(p.detach(), [(p, lambda gradient: p)]).backward()
        assert present(p.grad).item() == 3 * passes
        assert not present(p.grad).tracked and type(p.grad) is Tensor


def test_no_graph_is_kept(device: Device) -> None:
    p = opened(device, 3.0)
    counts = []
    for _ in range(4):
        squared(p).backward()
        gc.collect()
        counts.append(sum(type(one) is Node for one in gc.get_objects()))
    assert len(set(counts)) == 1


def test_every_operation_in_a_gradient_function_is_untracked(device: Device) -> None:
    p = opened(device, 2.0)
    seen: list[Any] = []

    def gradient_of_p(gradient: Tensor) -> Tensor:
        x = p.reshape((1, 1))
        results = [p, x, x @ x, x.sum(), x.relu(), p + 1, p.cast("bf16"), x.broadcast_to((2, 2)), x[0], x.copy(), -p]
        results.append(p.sum(out=Tensor.zeros((), f32, device)))
        results.append(differentiable(p.detach(), [(p, lambda gradient: gradient)]))
        seen.extend(result.tracked for result in results)
        return gradient * p

    differentiable(p.detach(), [(p, gradient_of_p)]).backward()
    assert len(seen) == 13 and not any(seen)
    assert p.tracked and (p * 2).tracked


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_recording_goes_on_after_an_error(error: Any, device: Device) -> None:
    p = opened(device, 2.0)

    def fails(gradient: Tensor) -> Tensor:
        raise error

    with pytest.raises(error):
        differentiable(p.detach(), [(p, fails)]).backward()
    assert (p.grad, (p * 2).tracked) == (None, True)
    (p * 2).backward()
    assert present(p.grad).item() == 2


def test_a_backward_inside_a_gradient_function(device: Device) -> None:
    """Of a graph that was recorded before; what is computed inside has none."""
    p, q = opened(device, 2.0), opened(device, 3.0)
    other = q * 5

    def gradient_of_p(gradient: Tensor) -> Tensor:
        other.backward()
        with pytest.raises(AutographError, match="gradient functions run with recording off"):
            (q * 2).backward()
        assert not (q * 2).tracked  # the inner one did not switch it on
        return gradient

    differentiable(p.detach(), [(p, gradient_of_p)]).backward()
    assert (present(p.grad).item(), present(q.grad).item()) == (1, 5)


def test_what_a_gradient_function_holds_is_freed(device: Device) -> None:
    p = opened(device, 2.0)

    class Witness:
        pass

    witness = Witness()
    seen = weakref.ref(witness)
    y = differentiable(p.detach(), [(p, partial(lambda kept, gradient: gradient * p, witness))])
    del witness
    gc.disable()
    try:
        y.backward()
        assert seen() is None and present(p.grad).item() == 2
    finally:
        gc.enable()


def test_gradient_functions_that_can_be_derived_are_not_recorded_either(device: Device) -> None:
    p = opened(device, 3.0)
    seen: list[bool] = []

    def gradient_of_p(gradient: Tensor) -> Tensor:
        seen.append((p * gradient).tracked)
        return gradient

    differentiable(p.detach(), [(p, gradient_of_p)], higher_order=True).backward()
    assert seen == [False] and not present(p.grad).tracked
