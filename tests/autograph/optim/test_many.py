"""All parameters of a model at once: the same bits as one by one, by few launches."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from autograph import SGD, Layer, Parameter, Tensor
from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.optim import Adam, NAdam, Update, UpdateRule
from krnlpy import Device, bf16, f16, f32, hooks
from krnlpy.errors import LaunchError
from tests.support.tiers import one_vulkan_device, sampled

pytestmark = one_vulkan_device


class Bag(Layer):
    """Parameters of several shapes and dtypes: more small ones than one launch takes, and a large one."""

    def __init__(self, device: Device, large: int = (1 << 14) + 3) -> None:
        rng = np.random.default_rng(0)
        shapes: list[tuple[int, ...]] = [(3, 5), (), (7,), (0, 2), (2, 3, 2), *[(n + 1,) for n in range(12)], (large,)]
        self.parameters_ = [
            Parameter(Tensor.from_numpy(np.asarray(rng.normal(size=shape), np.float32), device).cast(dtype))
            for shape, dtype in [*((shape, f32) for shape in shapes), ((4,), f16), ((2, 2), bf16), ((3,), bf16)]
        ]

    def slope(self, seed: int) -> None:
        """Leaves gradients, one of them transposed."""
        rng = np.random.default_rng(seed)
        self.init_parameter_grads()
        for parameter in self.parameters_:
            array = np.asarray(rng.normal(size=parameter.shape[::-1]), np.float32)
            assert parameter.node is not None
            gradient = Tensor.from_numpy(array, parameter.device).cast(parameter.dtype)
            parameter.node.gradient = gradient.transpose(*range(gradient.ndim)[::-1])


def everything(model: Bag) -> list[np.ndarray[Any, Any]]:
    found = []
    for parameter in model.parameters_:
        found.append(np.array(parameter.numpy()))
        found += [np.array(parameter.state[name].numpy()) for name in sorted(parameter.state)]
    return found


@pytest.mark.parametrize(("optimizer",), sampled([(NAdam(),), (SGD(),), (Adam(),), (SGD(0.9),)], 3))
def test_all_at_once_are_one_by_one(optimizer: Any, device: Device) -> None:
    large = 40 if device.info.kind == "interpreter" else (1 << 14) + 3
    together = Bag(device, large)
    single = deepcopy(together)
    for step in range(2):
        together.slope(step)
        together.update(0.1, optimizer)
        single.slope(step)
        for parameter in single.parameters_:
            assert parameter.grad is not None
            optimizer.update(parameter, parameter.grad, 0.1)
    for a, b in zip(everything(together), everything(single), strict=True):
        np.testing.assert_array_equal(a, b)


def test_small_parameters_share_launches() -> None:
    model = Bag(Device.host())
    for _ in range(2):
        model.slope(0)
        launches: list[hooks.Launch] = []
        with hooks.on_launch(launches.append):
            model.update(0.1, Adam())
    # The tick; 14 small ones of f32, six a launch; two that are transposed, the large one, one of f16, two of bf16.
    assert len(launches) <= 10, [launch.kernel for launch in launches]


def test_captured(device: Device) -> None:
    eager = Bag(device, 40)
    eager.slope(0)
    eager.update(0.1, Adam())
    captured = deepcopy(eager)
    captured.slope(1)
    with device.capture() as graph:
        captured.update(graph.parameter("rate", 0.0), Adam())
    for rate in (0.1, 0.2):
        eager.slope(1)
        eager.update(rate, Adam())
        graph.replay(rate=rate)
    for a, b in zip(everything(eager), everything(captured), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_factor(device: Device) -> None:
    """It multiplies gradients; by 0 nothing is changed, not even the clock, whatever the gradients are."""
    model = Bag(device, 40)
    twice = deepcopy(model)
    for bag, factor in ((model, 2.0), (twice, 1.0)):
        bag.slope(0)
        for parameter in bag.parameters_:
            assert parameter.node is not None and parameter.grad is not None
            if factor == 1.0:
                parameter.node.gradient = parameter.grad * 2
        Adam().update_all(dict(bag.named_parameters()), 0.1, factor=Tensor.full((), factor, f32, device))
    for a, b in zip(everything(model), everything(twice), strict=True):
        np.testing.assert_array_equal(a, b)
    model.parameters_[0].fill(3)
    before = everything(model)
    model.slope(1)
    for parameter in model.parameters_:
        assert parameter.node is not None
        parameter.node.gradient = Tensor.full(parameter.shape, np.inf, parameter.dtype, device)
    Adam().update_all(dict(model.named_parameters()), 0.1, factor=Tensor.zeros((), f32, device))
    for a, b in zip(everything(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_changes_where_one_is_wrong(device: Device) -> None:
    model = Bag(device, 40)
    model.slope(0)
    model.update(0.1, Adam())
    model.slope(1)
    before = everything(model)
    with pytest.raises(LaunchError, match="rate is f32; got 'x'"):
        model.update("x", Adam())  # type: ignore[arg-type]
    last = model.parameters_[-1]
    assert last.node is not None
    last.node.gradient = Tensor.ones(5, bf16, device)
    with pytest.raises(ShapeError, match=r"a gradient of shape \(5,\)"):
        model.update(0.1, Adam())
    for a, b in zip(everything(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_gradients_of_the_type_that_is_computed_in(device: Device) -> None:
    narrow, wide = (Parameter(Tensor.ones(3, dtype, device)) for dtype in (bf16, f32))
    gradient = Tensor.full(3, 1 + 2.0**-20, f32, device)
    for parameter in (narrow, wide):
        Adam().update(parameter, gradient, 2.0**-9)
    np.testing.assert_array_equal(narrow.state["master"].numpy(), wide.numpy())
    with pytest.raises(DtypeError, match="a gradient of f16 for a parameter of bf16"):
        Adam().update(narrow, Tensor.ones(3, f16, device), 0.1)


def test_rules_that_are_not_whole() -> None:
    def rule(w: Any, g: Any, rate: Any) -> Any:
        return w - rate * g

    for settings in ({"derived": ["x"]}, {"derive": rule}, {"derived": ["x"], "derive": rule}):
        with pytest.raises(AutographError, match="derived and derive come together, and with a clock"):
            UpdateRule(rule, **settings)
    p = Parameter(Tensor.ones(2))
    with pytest.raises(ShapeError, match=r"a factor of shape \(2,\); expected one element"):
        UpdateRule(rule).update_all([Update(p, Tensor.ones(2))], 0.1, factor=Tensor.ones(2))
