"""What goes with a step: limits of gradients, averages of weights, scaled losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import Dense, Parameter, Tensor, capture
from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.optim import (
    SGD,
    Adam,
    LossScale,
    MovingAverage,
    Muon,
    clip_gradients_by_norm,
    clip_gradients_by_value,
)
from krnlpy import Device, ScalarType, bf16, f16, f32, f64
from tests.support.devices import requires
from tests.support.tiers import deep, one_vulkan_device, sampled

pytestmark = one_vulkan_device


class Bag:
    """Parameters with gradients: small ones, one of many numbers, one of no elements."""

    def __init__(self, device: Device, dtype: Any = f32, large: int = 40) -> None:
        rng = np.random.default_rng(0)
        self.gradients = [
            np.asarray(rng.normal(size=shape), np.float32).astype(dtype.dtype)
            for shape in [(3, 5), (), (0,), (large,), *[(n,) for n in range(1, 30)]]
        ]
        self.kept = [Parameter(Tensor.zeros(g.shape, dtype, device)) for g in self.gradients]
        self.fill()

    def fill(self) -> None:
        for parameter, array in zip(self.kept, self.gradients, strict=True):
            parameter.init_grad()
            assert parameter.node is not None
            parameter.node.gradient = Tensor.from_numpy(array, parameter.device)

    def parameters(self) -> list[Parameter]:
        return self.kept

    def found(self) -> list[np.ndarray[Any, Any]]:
        return [parameter.grad.numpy() for parameter in self.kept if parameter.grad is not None]


def size_for(device: Device) -> int:
    return 40 if device.info.kind == "interpreter" else (1 << 14) + 5


@pytest.mark.parametrize(("dtype", "limit"), sampled([(f32, 0.5), (bf16, 0.5), (f64, 1e4), (bf16, 1e4), (f64, 0.5)], 3))
def test_clipping_by_norm(limit: float, dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    bag = Bag(device, dtype, size_for(device))
    exact = [g.astype(np.float64) for g in bag.gradients]
    norm = np.sqrt(sum(float((g * g).sum()) for g in exact))
    first = bag.kept[0].grad
    assert first is not None
    shared = first.detach()
    found = clip_gradients_by_norm(bag, limit)
    # Sums of squares in f32, by halves: some 2**-20 of them.
    assert found.shape == () and found.item() == pytest.approx(norm, rel=2.0**-20)
    share, digits = min(1.0, limit / (norm + 1e-6)), 2.0**-8 if dtype is bf16 else 2.0**-19
    for a, b in zip(bag.found(), exact, strict=True):
        np.testing.assert_allclose(a.astype(np.float64), b * share, rtol=digits, atol=0)
    np.testing.assert_array_equal(shared.numpy().astype(np.float64), exact[0])  # who shares a gradient keeps it


@deep
def test_clipping_is_pytorchs(device: Device) -> None:
    torch = pytest.importorskip("torch")
    bag = Bag(device)
    theirs = [torch.nn.Parameter(torch.zeros(g.shape)) for g in bag.gradients]
    for parameter, gradient in zip(theirs, bag.gradients, strict=True):
        parameter.grad = torch.from_numpy(np.array(gradient))
    norm = torch.nn.utils.clip_grad_norm_(theirs, 2.5)
    assert clip_gradients_by_norm(bag, 2.5).item() == pytest.approx(norm.item(), rel=2.0**-20)
    for a, b in zip(bag.found(), theirs, strict=True):
        np.testing.assert_allclose(a, b.grad.numpy(), rtol=2.0**-19)


def test_clipping_by_value(device: Device) -> None:
    bag = Bag(device)
    clip_gradients_by_value(bag, 0.25)
    for a, g in zip(bag.found(), bag.gradients, strict=True):
        np.testing.assert_array_equal(a, np.clip(g, -0.25, 0.25))


@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_gradients_without_a_norm_stay(wrong: float, device: Device) -> None:
    bag = Bag(device)
    bag.gradients[0][1, 1] = wrong
    bag.fill()
    assert not np.isfinite(clip_gradients_by_norm(bag, 1.0).item())
    for a, b in zip(bag.found(), bag.gradients, strict=True):
        np.testing.assert_array_equal(a, b)


def test_clipping_without_gradients(device: Device) -> None:
    model = Dense(2, 3, device=device)
    assert clip_gradients_by_norm(model, 1.0).item() == 0
    clip_gradients_by_value(model, 1.0)
    assert model.weight.grad is None


@pytest.mark.parametrize("dtype", [f32, bf16], ids=str)
def test_moving_average(dtype: ScalarType, device: Device) -> None:
    model = Dense(3, 2, bias=True, seed=0, device=device)
    model.cast(dtype)
    assert model.bias is not None
    average, optimizer = MovingAverage(model, 0.75), SGD()
    exact = model.weight.numpy().astype(np.float64)
    for step in range(4):
        for parameter in model.parameters():
            optimizer.update(parameter, Tensor.full(parameter.shape, 0.5**step, dtype, device), 0.01)
        average.update()
        weight = model.weight.state["master"] if dtype is bf16 else model.weight
        exact += 0.25 * (weight.numpy().astype(np.float64) - exact)
    assert average.state()["weight"].dtype is f32
    np.testing.assert_allclose(average.state()["weight"].numpy(), exact, rtol=0, atol=4 * 2.0**-23)
    before = np.array(model.weight.numpy())
    with average.swapped_in():
        np.testing.assert_array_equal(model.weight.numpy(), average.state()["weight"].numpy().astype(dtype.dtype))
        with pytest.raises(AutographError, match="swapped in"):
            average.update()
        with pytest.raises(AutographError, match="swapped in already"), average.swapped_in():
            pass
    np.testing.assert_array_equal(model.weight.numpy(), before)
    other = MovingAverage(Dense(3, 2, bias=True, seed=1), 0.75)
    other.restore(average.state())
    np.testing.assert_array_equal(other.state()["bias"].numpy(), average.state()["bias"].numpy())


def test_a_captured_average(device: Device) -> None:
    models = [Dense(3, 2, seed=0, device=device) for _ in range(2)]
    averages = [MovingAverage(model, 0.5) for model in models]
    x = Tensor.ones((2, 3), device=device)

    def step(model: Dense, average: MovingAverage) -> None:
        model.init_parameter_grads()
        model(x).sum().backward()
        clip_gradients_by_norm(model, 0.5)
        model.update(0.1, Adam())
        average.update()

    for model, average in zip(models, averages, strict=True):
        step(model, average)
    with averages[1].swapped_in():  # evaluated in between
        models[1](x)
    with device.capture() as graph:
        step(models[1], averages[1])
    for _ in range(2):
        step(models[0], averages[0])
        graph.replay()
    for a, b in zip(averages[0].state().values(), averages[1].state().values(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    np.testing.assert_array_equal(models[0].weight.numpy(), models[1].weight.numpy())


def narrow(device: Device) -> Dense:
    model = Dense(2, 1, seed=0, device=device)
    model.cast(f16)
    return model


def scaled_step(model: Dense, optimizer: LossScale, value: float, rate: Any = 0.5) -> None:
    device = model.weight.device
    model.init_parameter_grads()
    optimizer.scaled(model(Tensor.full((1, 2), value, f16, device)).sum()).backward()
    model.update(rate, optimizer)


@pytest.mark.parametrize(("inner",), sampled([(Adam().group("weight", rate=0.5),), (SGD(0.5),), (Adam(),)], 3))
def test_loss_scale(inner: Any, device: Device) -> None:
    """Tiny gradients count, infinite ones are skipped, and the scale follows."""
    model, exact = narrow(device), narrow(device)
    optimizer = LossScale(inner, scale=1024.0, every=2)
    scales = []
    for value in (2.0**-20, 60000.0, 2.0**-20, 2.0**-20, 2.0**-20):
        scaled_step(model, optimizer, value)
        scales.append(optimizer.state()["scale"])
        if value < 1:
            exact.init_parameter_grads()
            assert exact.weight.node is not None
            exact.weight.node.gradient = Tensor.full((2, 1), value, f32, device)
            exact.update(0.5, inner)
    assert scales == [1024, 512, 512, 1024, 1024]
    for name in exact.weight.state:
        np.testing.assert_array_equal(model.weight.state[name].numpy(), exact.weight.state[name].numpy())
    other = LossScale(inner)
    other.restore(optimizer.state())
    assert other.state() == {"scale": 1024.0, "good": 1.0}


def test_unscaled_and_clipped(device: Device) -> None:
    model, optimizer = narrow(device), LossScale(SGD(), scale=256.0)
    before = model.weight.numpy().astype(np.float32)
    model.init_parameter_grads()
    optimizer.scaled(model(Tensor.from_numpy(np.array([[3, 4]], np.float16), device)).sum()).backward()
    optimizer.unscale(model)
    assert clip_gradients_by_norm(model, 1.0).item() == 5.0
    model.update(0.5, optimizer)
    np.testing.assert_allclose(model.weight.state["master"].numpy()[:, 0], before[:, 0] - [0.3, 0.4], atol=2.0**-11)
    kept = np.array(model.weight.numpy())
    model.init_parameter_grads()
    optimizer.scaled(model(Tensor.full((1, 2), 60000, f16, device)).sum()).backward()
    optimizer.unscale(model)
    clip_gradients_by_norm(model, 1.0)
    model.update(0.5, optimizer)
    np.testing.assert_array_equal(model.weight.numpy(), kept)
    assert optimizer.state() == {"scale": 128.0, "good": 0.0}


def test_a_captured_loss_scale(device: Device) -> None:
    model, eager = narrow(device), narrow(device)
    optimizers = [LossScale(Adam(), scale=1024.0, every=2) for _ in range(2)]
    values = [1.0, 60000.0, 2.0, 0.5]
    for one, optimizer in zip((model, eager), optimizers, strict=True):
        scaled_step(one, optimizer, 1.0)
    x = Tensor.full((1, 2), 1.0, f16, device)
    with device.capture() as graph:
        model.init_parameter_grads()
        batch = Tensor(graph.parameter("x", x.buffer))
        optimizers[0].scaled(model(batch).sum()).backward()
        model.update(graph.parameter("rate", 0.5), optimizers[0])
    for value in values:
        graph.replay(x=Tensor.full((1, 2), value, f16, device).buffer, rate=0.25)
        scaled_step(eager, optimizers[1], value, 0.25)
    np.testing.assert_array_equal(model.weight.state["master"].numpy(), eager.weight.state["master"].numpy())
    assert optimizers[0].state() == optimizers[1].state()


@pytest.mark.parametrize("make", [lambda: LossScale(Adam(), every=2), Muon], ids=["LossScale", "Muon"])
def test_captured_functions(make: Callable[[], Any], device: Device) -> None:
    """Limits, steps, averages and scales are part of what is captured."""
    found = []
    for is_captured in (False, True):
        model, optimizer = Dense(3, 2, bias=True, seed=0, device=device), make()
        average = MovingAverage(model, 0.5)

        def step(x: Tensor, rate: float, model: Any = model, optimizer: Any = optimizer, average: Any = average) -> Any:
            model.init_parameter_grads()
            loss = (model(x) ** 2).mean()
            (optimizer.scaled(loss) if isinstance(optimizer, LossScale) else loss).backward()
            if isinstance(optimizer, LossScale):
                optimizer.unscale(model)
            norm = clip_gradients_by_norm(model, 1.0)
            model.update(rate, optimizer)
            average.update()
            return norm

        taken = capture(step) if is_captured else step
        for i in range(4):
            norm = taken(Tensor.full((2, 3), 1.0 + i, device=device), 0.1 / (i + 1)).item()
        state = optimizer.state() if isinstance(optimizer, LossScale) else None
        found.append((norm, state, model.weight.tolist(), average.state()["bias"].tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: clip_gradients_by_norm(Dense(1, 1), 0), AutographError, "limit=0; expected a number above 0"),
        (lambda: clip_gradients_by_value(Dense(1, 1), float("nan")), AutographError, "limit=nan"),
        (lambda: clip_gradients_by_norm("x", 1.0), DtypeError, "takes a layer, not str"),  # type: ignore[arg-type]
        (lambda: MovingAverage(Dense(1, 1), 1.0), AutographError, "decay=1.0; expected a number from 0 to below 1"),
        (lambda: MovingAverage(3), DtypeError, "takes a layer, not int"),  # type: ignore[arg-type]
        (lambda: MovingAverage(Dense(1, 1)).restore({}), AutographError, "of other parameters: weight"),
        (lambda: MovingAverage(Dense(1, 1)).restore({"weight": Tensor.ones(3)}), ShapeError, r"has the shape \(3,\)"),
        (lambda: LossScale("sgd"), DtypeError, "not str"),  # type: ignore[arg-type]
        (lambda: LossScale(SGD(), growth=1), AutographError, "growth=1; expected a number above 1"),
        (lambda: LossScale(SGD(), backoff=1), AutographError, "backoff=1; expected a number above 0 and below 1"),
        (lambda: LossScale(SGD()).scaled(Tensor.ones((), "i32")), DtypeError, "not i32"),
        (lambda: LossScale(SGD()).restore({"scale": 1.0}), AutographError, "expected numbers for scale and good"),
    ],
)
def test_what_does_not_fit(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
