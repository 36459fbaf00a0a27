"""Captured functions do what the functions do, bit for bit, whatever changes from call to call, or say they can't."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from autograph import (
    SGD,
    Adam,
    BatchNorm1,
    Dense,
    Dropout,
    Layer,
    Parameter,
    Relu,
    Sequential,
    Tensor,
    capture,
    dropout,
    flip,
    random,
)
from autograph.errors import CaptureError
from krnlpy import Device

pytestmark = pytest.mark.one_vulkan_device

Function = Callable[..., Any]


def numbers(device: Device, *shape: int, seed: int = 0) -> Tensor:
    return Tensor.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32), device)


def plain(value: Any) -> Any:
    """A result as what can be compared."""
    if isinstance(value, Tensor):
        return value.numpy().tolist()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def check(make: Callable[[], tuple[Function, Callable[[], Any]]], calls: list[tuple[Any, ...]], graphs: int) -> None:
    """The same calls of a function and of it captured give the same results and leave the same state.

    ``make`` gives a new function each time, and another one that shows the state.
    """
    function, state = make()
    expected = [(plain(function(*call)), plain(state())) for call in calls]
    function, state = make()
    captured = capture(function)
    results = []
    found = []
    for call in calls:
        results.append(captured(*call))
        found.append((plain(results[-1]), plain(state())))
    assert found == expected
    # Results are by themselves: later calls change none.
    assert [plain(result) for result in results] == [result for result, _ in expected]
    assert len(captured.graphs) == graphs


def stateless(function: Function) -> Callable[[], tuple[Function, Callable[[], Any]]]:
    return lambda: (function, lambda: None)


@dataclass
class Batch:
    x: Tensor
    scale: float


def test_arguments(device: Device) -> None:
    """Tensors and floats wherever they stand; all else is a kind of its own."""

    def function(x: Tensor, batch: Batch, parts: dict[str, Any], power: int, *, flag: bool = False) -> dict[str, Any]:
        y = x + batch.x
        for part in parts["list"]:
            y = y * part
        y.scaled_add(batch.scale, x)
        for _ in range(power):
            y = y * y
        return {"sum": [y.sum(), y], "flag": flag, "none": None}

    def call(seed: int, power: int = 1) -> tuple[Any, ...]:
        x, y, z = (numbers(device, 3, seed=10 * seed + i) for i in range(3))
        return x, Batch(y, 0.5 * seed), {"list": [z, x]}, power

    check(stateless(function), [call(0), call(1), call(2), call(3, 2), call(4, 2), call(5), call(6, 2)], graphs=2)


def test_arithmetic_with_floats(device: Device) -> None:
    """Rounded as Python rounds it."""

    def function(x: Tensor, a: float, b: float) -> Tensor:
        y = x * (1 - a) + (-a) ** 2 / 3 * x
        y.scaled_add(a % b * 2.0 - 1, x)
        return (a + b) * y - abs(a - b) // 0.125

    calls = [(numbers(device, 3, seed=i), 0.1 * i + 0.3, 0.7 / (i + 1)) for i in range(4)]
    check(stateless(function), calls, graphs=1)


def test_kinds_of_tensors(device: Device) -> None:
    calls = [(numbers(device, n),) for n in (3, 4, 3, 4, 4, 3)]
    calls += [(numbers(device, 3).cast("i32"),) for _ in range(3)]
    # Strides are no kind.
    calls += [(numbers(device, 3, 2)[:, 1],), (flip(numbers(device, 3)),)]
    check(stateless(lambda x: x + x), calls, graphs=3)


def test_one_tensor_twice(device: Device) -> None:
    """It is one tensor in the function, too."""

    @capture
    def function(x: Tensor, y: Tensor) -> Tensor:
        x.scaled_add(1.0, y)
        return x + y

    for seed in range(4):
        x, y = numbers(device, 3, seed=seed), numbers(device, 3, seed=9)
        before, other = x.numpy().copy(), y.numpy()
        np.testing.assert_array_equal(function(x, y).numpy(), before + other + other)
        np.testing.assert_array_equal(x.numpy(), before + other)
        before = y.numpy().copy()
        np.testing.assert_array_equal(function(y, y).numpy(), 4 * before)
        np.testing.assert_array_equal(y.numpy(), 2 * before)
    assert len(function.graphs) == 2


def test_arguments_are_changed(device: Device) -> None:
    """Who holds the tensor sees the change, who holds its elements does not."""

    @capture
    def double(x: Tensor) -> None:
        x.scaled_add(1.0, x.detach())

    for seed in range(4):
        x = numbers(device, 3, seed=seed)
        before, view = x.numpy().copy(), x[1:]
        double(x)
        np.testing.assert_array_equal(x.numpy(), 2 * before)
        np.testing.assert_array_equal(view.numpy(), before[1:])


def test_state(device: Device) -> None:
    """A tensor that is no argument is changed at each call, and its holders keep what they held."""

    def make() -> tuple[Function, Callable[[], Any]]:
        total = Tensor.zeros(3, device=device)
        held: list[Tensor] = []

        def function(x: Tensor) -> Tensor:
            total.scaled_add(1.0, x)
            return total * 2

        def state() -> Any:
            held.append(total.detach())
            return [*held, total]

        return function, state

    # The tensor gets other memory at each call, since its elements are held: so each call but the first records.
    check(make, [(numbers(device, 3, seed=i),) for i in range(5)], graphs=4)


class Net(Layer):
    def __init__(self, device: Device, seed: int = 0) -> None:
        self.layers = Sequential(Dense(4, 8, bias=True, seed=seed), Relu(), Dense(8, 1, seed=seed + 1))
        self.to_device(device)


def trained(device: Device, optimizer: Any) -> tuple[Function, Callable[[], Any]]:
    model = Net(device)

    def step(x: Tensor, rate: float) -> Tensor:
        model.init_parameter_grads()
        loss: Tensor = (model(x) * model(x)).mean()
        loss.backward()
        model.update(rate, optimizer)
        return loss

    return step, lambda: [parameter * 1 for parameter in model.parameters()]


class Averaged:
    """An optimizer whose state is bound anew at each step."""

    def settings(self) -> dict[str, Any]:
        return {}

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        old = parameter.state.get("average")
        parameter.state["average"] = gradient if old is None else old * 0.5 + gradient
        parameter.scaled_add(-0.125, parameter.state["average"])


@pytest.mark.parametrize("optimizer", [SGD(momentum=0.9), Adam(), Averaged()])
def test_training(device: Device, optimizer: Any) -> None:
    calls = [(numbers(device, 5, 4, seed=i), 0.1 / (i + 1)) for i in range(5)]
    check(lambda: trained(device, optimizer), calls, graphs=1)


def test_snapshots_of_parameters(device: Device) -> None:
    """Arrays and tensors of a parameter's elements keep them."""
    step, _ = trained(device, SGD())
    captured, x = capture(step), numbers(device, 5, 4)
    model = next(cell.cell_contents for cell in step.__closure__ or () if isinstance(cell.cell_contents, Net))
    weight = next(model.parameters())
    held: list[tuple[Any, Any]] = []
    for i in range(6):
        captured(x, 0.1)
        if i % 2:
            snapshot, array = weight.detach(), weight.numpy()
            held.append((snapshot, array.copy()))
            held.append((Tensor.from_numpy(array), array.copy()))
    for tensor, values in held:
        np.testing.assert_array_equal(tensor.numpy(), values)
    assert not np.array_equal(held[0][1], held[-1][1])


def test_parameters_that_are_replaced(device: Device) -> None:
    """A model that is loaded, or an optimizer that begins again, is noticed."""

    def make() -> tuple[Function, Callable[[], Any]]:
        model, optimizer = Net(device), SGD(momentum=0.9)
        count = 0

        def step(x: Tensor) -> Tensor:
            model.init_parameter_grads()
            loss: Tensor = (model(x) * model(x)).mean()
            loss.backward()
            model.update(0.1, optimizer)
            return loss

        def state() -> Any:
            nonlocal count
            count += 1
            if count == 3:
                for parameter in model.parameters():
                    parameter.set(Tensor.full(parameter.shape, 0.25, device=device))
            if count == 5:
                for parameter in model.parameters():
                    parameter.state = {}
            return [parameter * 1 for parameter in model.parameters()]

        return step, state

    check(make, [(numbers(device, 5, 4, seed=i),) for i in range(8)], graphs=3)


def test_gradients_that_are_left(device: Device) -> None:
    """The gradients of a captured backward pass, used outside."""

    def make() -> tuple[Function, Callable[[], Any]]:
        model = Net(device)

        def function(x: Tensor) -> Tensor:
            model.init_parameter_grads()
            loss: Tensor = (model(x) * model(x)).mean()
            loss.backward()
            return loss

        def state() -> Any:
            gradients = [parameter.grad for parameter in model.parameters()]
            kept = [plain(gradient) for gradient in gradients]
            model.update(0.1, SGD())
            return kept

        return function, state

    check(make, [(numbers(device, 5, 4, seed=i),) for i in range(5)], graphs=1)


@pytest.mark.parametrize("within", [True, False])
def test_accumulation(device: Device, within: bool) -> None:
    """Gradients of several batches, added within the function or from call to call."""

    def make() -> tuple[Function, Callable[[], Any]]:
        model = Net(device)

        def step(*batches: Tensor) -> None:
            if within:
                model.init_parameter_grads()
            for x in batches:
                (model(x) * model(x)).mean().backward()
            if within:
                model.update(0.1, SGD())

        def state() -> Any:
            if within:
                return [parameter * 1 for parameter in model.parameters()]
            return [parameter.grad for parameter in model.parameters()]

        if not within:
            model.init_parameter_grads()
        return step, state

    if within:
        check(make, [(numbers(device, 5, 4, seed=i), numbers(device, 5, 4, seed=9 + i)) for i in range(4)], graphs=1)
    else:
        check(make, [(numbers(device, 5, 4, seed=i),) for i in range(6)], graphs=0)


def test_random_numbers(device: Device) -> None:
    """Draws go on from call to call, and the generator with them."""

    def make() -> tuple[Function, Callable[[], Any]]:
        generator = random.Generator(7)

        def function(x: Tensor) -> Tensor:
            return dropout(x, 0.5, generator) + random.uniform(generator, x.shape, device=device)

        return function, lambda: generator.counter

    check(make, [(numbers(device, 40, seed=i),) for i in range(5)], graphs=1)

    @capture
    def spawning(x: Tensor, generator: random.Generator) -> Tensor:
        return random.uniform(generator.spawn(1)[0], x.shape, device=device)

    generator, x = random.Generator(1), numbers(device, 3)
    spawning(x, generator)
    with pytest.raises(CaptureError, match="makes generators"):
        spawning(x, generator)
    assert generator.counter == 1


class Scaled(Layer):
    def __init__(self) -> None:
        self.factor = Parameter(Tensor.full((), 2.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor if self.training else x + self.factor


def test_modes(device: Device) -> None:
    def make() -> tuple[Function, Callable[[], Any]]:
        model, count = Scaled(), 0
        model.to_device(device)

        def state() -> None:
            nonlocal count
            count += 1
            model.train(count % 6 < 3)

        return (lambda x: model(x)), state

    check(make, [(numbers(device, 3, seed=i),) for i in range(14)], graphs=2)


def test_methods(device: Device) -> None:
    class Tripled(Scaled):
        @capture
        def triple(self, x: Tensor) -> Tensor:
            return x * self.factor + x

    models = [Tripled(), Tripled()]
    models[1].factor.fill(3)
    for model in models:
        model.to_device(device)
    x = Tensor.ones(2, device=device)
    for _ in range(4):
        assert [model.triple(x).tolist() for model in models] == [[3, 3], [4, 4]]
    assert len(Tripled.triple.graphs) == 2


def test_running_statistics(device: Device) -> None:
    def make() -> tuple[Function, Callable[[], Any]]:
        dense = Dense(4, 3, seed=0)
        model = Sequential(dense, BatchNorm1(3), Dropout(0.5, seed=1))
        model.to_device(device)
        count = 0

        def step(x: Tensor) -> Tensor:
            model.init_parameter_grads()
            loss: Tensor = (model(x) * model(x)).mean()
            loss.backward()
            model.update(0.1, SGD())
            return loss

        def state() -> Any:
            nonlocal count
            count += 1
            if count == 4:
                dense.weight.freeze()
            return [buffer * 1 for buffer in model.buffers()], [parameter * 1 for parameter in model.parameters()]

        return step, state

    check(make, [(numbers(device, 5, 4, seed=i),) for i in range(8)], graphs=2)


def test_within_each_other(device: Device) -> None:
    inner = capture(lambda x: x * 2)
    outer = capture(lambda x: inner(x) + inner(x + 1))
    for seed in range(4):
        x = numbers(device, 3, seed=seed)
        assert outer(x).tolist() == (x * 2 + (x + 1) * 2).tolist()
    assert len(outer.graphs) == 1
    assert inner.graphs == []


def test_an_exception_in_the_middle(device: Device) -> None:
    """It leaves all as it was before the call, and the next call works."""
    model, generator = Net(device), random.Generator(3)
    fails = False

    @capture
    def step(x: Tensor) -> Tensor:
        model.init_parameter_grads()
        loss: Tensor = (dropout(model(x), 0.5, generator) * model(x)).mean()
        loss.backward()
        model.update(0.1, SGD(momentum=0.5))
        if fails:
            raise KeyError("in the middle")
        return loss

    x = numbers(device, 5, 4)
    step(x)
    before, counter = [p.numpy().copy() for p in model.parameters()], generator.counter
    velocities = [p.state["velocity"].numpy().copy() for p in model.parameters()]
    fails = True
    with pytest.raises(KeyError):
        step(x)
    assert generator.counter == counter
    assert all(p.grad is None and not p.tracked for p in model.parameters())
    for parameter, values, velocity in zip(model.parameters(), before, velocities, strict=True):
        np.testing.assert_array_equal(parameter.numpy(), values)
        np.testing.assert_array_equal(parameter.state["velocity"].numpy(), velocity)
    fails = False
    for _ in range(3):
        step(x)
    assert len(step.graphs) == 1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, rate: x * x.sum().item(), "item|result|captur"),
        (lambda x, rate: x * 2 if x.sum() > 0 else x, "captur"),
        (lambda x, rate: x + Tensor.from_numpy(np.ones(3, np.float32), x.device), "captur"),
        (lambda x, rate: x * math.sqrt(rate), "changes between replays"),
        (lambda x, rate: x if rate > 0 else -x, "changes between replays"),
        (lambda x, rate: x.numpy().sum(), "captur"),
    ],
)
def test_what_cannot_be_captured(device: Device, function: Function, message: str) -> None:
    captured, x = capture(function), numbers(device, 3)
    captured(x, 0.5)
    with pytest.raises(Exception, match=message) as caught:
        captured(x, 0.5)
    assert isinstance(caught.value, TypeError | RuntimeError | ValueError), caught.value
    assert capture(lambda x: x + 1)(x).shape == (3,)  # nothing is left of it


def test_wrong_arguments(device: Device) -> None:
    captured, x = capture(lambda x, y: x), numbers(device, 3)
    with pytest.raises(CaptureError, match=r"argument\[1\] is a ndarray: Tensor.from_numpy"):
        captured(x, np.ones(3))
    with pytest.raises(CaptureError, match=r"argument\[1\]\['a'\] is a set"):
        captured(x, {"a": {1}})
    with pytest.raises(CaptureError, match="takes a function"):
        capture(3)  # type: ignore[arg-type]
    weight = Parameter(numbers(device, 3))
    weight.init_grad()
    with pytest.raises(CaptureError, match="detach"):
        captured(x, weight * 2)
    other = Device.interpreter() if device.is_host else Device.host()
    captured(x, numbers(other, 3))
    with pytest.raises(CaptureError, match="one device"):
        captured(x, numbers(other, 3))


def test_the_result_of_a_forward_pass_that_is_recorded(device: Device) -> None:
    weight = Parameter(numbers(device, 3))
    captured = capture(lambda x: x * weight)
    weight.init_grad()
    captured(weight.detach())
    with pytest.raises(CaptureError, match="backward"):
        captured(weight.detach())


def test_many_kinds(device: Device) -> None:
    captured = capture(lambda x, n: x * n)
    x = Tensor.ones(1, device=device)
    for n in range(20):
        assert [captured(x, n).item() for _ in range(2)] == [n, n]
    assert len(captured.graphs) == 16


def test_elementwise_operations_become_one_kernel(device: Device) -> None:
    @capture
    def function(x: Tensor, bias: Tensor) -> Tensor:
        return ((((x + bias) * x).relu() - bias) * 0.5 + x).relu()

    x, bias = numbers(device, 6, 7), numbers(device, 1, 7, seed=1)
    results = [function(x, bias).numpy().tolist() for _ in range(3)]
    assert results[0] == results[1] == results[2]
    (graph,) = function.graphs
    assert len(graph) == 1, graph.explain()
