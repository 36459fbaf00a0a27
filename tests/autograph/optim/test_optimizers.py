"""The optimizers beside PyTorch's over 100 steps, and what they keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import SGD, Parameter, Tensor, load_checkpoint, save_checkpoint
from autograph.errors import AutographError
from autograph.nn import Dense
from autograph.optim import Adadelta, Adagrad, Adam, AdamW, Lion, NAdam, RAdam, RMSprop, UpdateRule
from krnlpy import Device, ScalarType, bf16, f16, f32, f64
from tests.autograph.reference import tensor
from tests.support.devices import requires
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device

STEPS = 100

CASES: list[tuple[Any, str, dict[str, Any], float]] = [
    (SGD(0.9, weight_decay=0.1, nesterov=True), "SGD", {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True}, 0.05),
    (SGD(weight_decay=0.1), "SGD", {"weight_decay": 0.1}, 0.05),
    (SGD(0.9, dampening=0.25), "SGD", {"momentum": 0.9, "dampening": 0.25}, 0.05),
    (Adam(), "Adam", {}, 0.05),
    (Adam(0.8, 0.99, 1e-6, weight_decay=0.1), "Adam", {"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}, 0.05),
    (AdamW(weight_decay=0.1), "AdamW", {"weight_decay": 0.1}, 0.05),
    (NAdam(), "NAdam", {}, 0.05),
    (NAdam(0.8, 0.99, weight_decay=0.1), "NAdam", {"betas": (0.8, 0.99), "weight_decay": 0.1}, 0.05),
    (RAdam(), "RAdam", {}, 0.05),
    (RAdam(0.8, 0.9999, weight_decay=0.1), "RAdam", {"betas": (0.8, 0.9999), "weight_decay": 0.1}, 0.05),
    (RAdam(0.5, 0.7), "RAdam", {"betas": (0.5, 0.7)}, 0.05),
    (RMSprop(), "RMSprop", {}, 0.01),
    (
        RMSprop(0.9, momentum=0.5, weight_decay=0.1, centered=True),
        "RMSprop",
        {"alpha": 0.9, "momentum": 0.5, "weight_decay": 0.1, "centered": True},
        0.001,
    ),
    (RMSprop(centered=True), "RMSprop", {"centered": True}, 0.001),
    (RMSprop(momentum=0.9), "RMSprop", {"momentum": 0.9}, 0.001),
    (Adagrad(weight_decay=0.1), "Adagrad", {"weight_decay": 0.1}, 0.1),
    (Adadelta(weight_decay=0.1), "Adadelta", {"weight_decay": 0.1}, 1.0),
]


def slope(rng: np.random.Generator, weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A noisy gradient towards 0.5, which shrinks and changes sign on the way."""
    found: np.ndarray[Any, Any] = (weight - 0.5) * rng.uniform(0.5, 1.5, weight.shape) + rng.normal(
        0, 0.05, weight.shape
    )
    return found


@pytest.mark.parametrize(
    ("optimizer", "name", "settings", "rate"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_steps_are_pytorchs(optimizer: Any, name: str, settings: dict[str, Any], rate: float, device: Device) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    weight = rng.uniform(-1, 1, (3, 5)).astype(np.float32)
    steps = 5 if device.info.kind == "interpreter" else STEPS
    # PyTorch computes in f64; both get the same gradients, which are of the weights that PyTorch has.
    theirs = torch.nn.Parameter(torch.from_numpy(weight.astype(np.float64)))
    peer = getattr(torch.optim, name)([theirs], lr=rate, **settings)
    ours = Parameter(Tensor.from_numpy(weight, device))
    for _ in range(steps):
        gradient = slope(rng, theirs.detach().numpy()).astype(np.float32)
        theirs.grad = torch.from_numpy(gradient.astype(np.float64))
        peer.step()
        optimizer.update(ours, Tensor.from_numpy(gradient, device), rate)
    # A step is at most some 4 rates long, and loses some 2**-20 of its length by a dozen f32 operations; the weight,
    # below 2, is rounded once a step. Errors of means fade, those of the weight add up.
    tolerance = steps * (4 * rate * 2.0**-20 + 2.0**-24)
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=0, atol=tolerance)


def test_lion(device: Device) -> None:
    rng = np.random.default_rng(0)
    weight = rng.uniform(-1, 1, 7)
    mean, ours = np.zeros(7), Parameter(tensor(weight, f32, device))
    weight = ours.numpy().astype(np.float64)
    steps = 5 if device.info.kind == "interpreter" else STEPS
    for _ in range(steps):
        gradient = rng.normal(size=7).astype(np.float32)
        gradient[0] = 0  # and no mean: no step
        Lion(weight_decay=0.1).update(ours, Tensor.from_numpy(gradient, device), 0.01)
        weight = weight * (1 - 0.01 * 0.1) - 0.01 * np.sign(0.9 * mean + 0.1 * gradient)
        mean = 0.99 * mean + 0.01 * gradient
    np.testing.assert_allclose(ours.numpy(), weight, rtol=0, atol=steps * 4 * 2.0**-24)


@pytest.mark.parametrize("dtype", [f16, bf16, f64], ids=str)
def test_other_dtypes(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    rng = np.random.default_rng(0)
    narrow, exact = (Parameter(Tensor.ones((2, 3), t, device)) for t in (dtype, f32))
    for _ in range(8):
        gradient = rng.normal(size=(2, 3)).astype(dtype.dtype)
        Adam().update(narrow, Tensor.from_numpy(gradient, device), 2.0**-9)
        Adam().update(exact, Tensor.from_numpy(gradient.astype(np.float32), device), 2.0**-9)
    kept = narrow.state["master"] if dtype.size == 2 else narrow
    assert kept.dtype is (f32 if dtype.size == 2 else f64)
    # Of f16 and bf16 the copy takes the very steps of f32; f64 differs by the roundings of f32.
    np.testing.assert_allclose(kept.numpy(), exact.numpy(), rtol=0, atol=0 if dtype.size == 2 else 8 * 2.0**-22)
    np.testing.assert_array_equal(narrow.numpy(), kept.numpy().astype(dtype.dtype))


def test_what_is_kept_is_the_last_optimizers(device: Device) -> None:
    p, gradient = Parameter(Tensor.ones(2, f32, device)), Tensor.ones(2, f32, device)
    for optimizer, names in [
        (Adam(), {"mean", "square_mean", "step"}),
        (RMSprop(), {"square_mean"}),
        (SGD(0.5), {"velocity"}),
        (SGD(), set()),
        (NAdam(), {"mean", "square_mean", "step", "momentum_product"}),
    ]:
        optimizer.update(p, gradient, 0.1)
        assert p.state.keys() == names
    assert p.state["step"].item() == 1


def test_state_is_saved_and_moved(device: Device, tmp_path: Any) -> None:
    optimizer, gradient = NAdam(), Tensor.ones((3, 2))
    model = Dense(3, 2, seed=0)
    optimizer.update(model.weight, gradient, 0.1)
    save_checkpoint(tmp_path / "m", model, optimizer)
    loaded = Dense(3, 2, seed=1, device=device)
    load_checkpoint(tmp_path / "m", loaded, optimizer)
    model.to_device(device)
    for there in (model, loaded):
        optimizer.update(there.weight, gradient.to_device(device), 0.1)
        assert there.weight.state["step"].item() == 2
    np.testing.assert_array_equal(model.weight.numpy(), loaded.weight.numpy())


def test_a_cast_parameter_goes_on(device: Device) -> None:
    requires(device, f64)
    p = Parameter(Tensor.ones(2, f32, device))
    Adam().update(p, Tensor.ones(2, f32, device), 0.25)
    p.move(dtype=f64)
    Adam().update(p, Tensor.ones(2, f64, device), 0.25)
    assert p.state["mean"].dtype is f64 and p.state["step"].item() == 2
    np.testing.assert_allclose(p.numpy(), 0.5, rtol=0, atol=1e-6)


def test_steps_are_counted_in_a_graph(device: Device) -> None:
    """Nothing is read back, so that a step can be captured."""
    eager, captured = (Parameter(Tensor.zeros(3, f32, device)) for _ in range(2))
    gradient, optimizer = Tensor.from_numpy(np.array([1, -2, 3], np.float32), device), NAdam()
    for parameter in (eager, captured):
        optimizer.update(parameter, gradient, 0.1)
    with device.capture() as graph:
        optimizer.update(captured, gradient, graph.parameter("rate", 0.0))
    for _ in range(2):
        optimizer.update(eager, gradient, 0.1)
        graph.replay(rate=0.1)
    np.testing.assert_array_equal(captured.numpy(), eager.numpy())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(nesterov=True), "nesterov=True without momentum"),
        (lambda: SGD(dampening=0.1), "dampening=0.1 without momentum"),
        (lambda: SGD(0.9, dampening=0.1, nesterov=True), "nesterov=True with dampening=0.1"),
        (lambda: Adam(beta1=1), r"Adam: beta1=1; expected a number from 0 to below 1"),
        (lambda: AdamW(weight_decay=-1), "AdamW: weight_decay=-1; expected a number from 0$"),
        (lambda: RAdam(beta2=0), "RAdam: beta2="),
        (lambda: NAdam(epsilon=float("nan")), "NAdam: epsilon=nan"),
        (lambda: RMSprop(alpha="x"), "RMSprop: alpha='x'"),  # type: ignore[arg-type]
    ],
)
def test_settings_out_of_range(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(AutographError, match=message):
        make()


def test_a_rule_that_does_not_compile_is_a_kernel_error() -> None:
    from krnlpy import KernelError

    def rule(weight: Any, gradient: Any, rate: Any) -> Any:
        return weight - rate * gradient @ gradient

    p = Parameter(Tensor.ones(2))
    with pytest.raises(KernelError, match="@"):
        UpdateRule(rule).update(p, Tensor.ones(2), 0.1)
    np.testing.assert_array_equal(p.numpy(), [1, 1])
