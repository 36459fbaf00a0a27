"""Other settings for some of a model's parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import Dense, Sequential, Tensor, load_checkpoint, save_checkpoint
from autograph.errors import AutographError, DtypeError
from autograph.optim import LAMB, SGD, AdamW, Muon
from krnlpy import Device
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device


def network(device: Device) -> Sequential:
    return Sequential(Dense(3, 4, bias=True, seed=0, device=device), Dense(4, 2, bias=True, seed=1, device=device))


def test_groups_are_pytorchs(device: Device) -> None:
    torch = pytest.importorskip("torch")
    model = network(device)
    theirs = {
        name: torch.nn.Parameter(torch.from_numpy(p.numpy().astype(np.float64))) for name, p in model.named_parameters()
    }
    peer = torch.optim.AdamW(
        [
            {"params": [theirs["layers.0.bias"], theirs["layers.1.bias"]], "weight_decay": 0.0},
            {"params": [theirs["layers.1.weight"]], "lr": 0.2},
            {"params": [theirs["layers.0.weight"]]},
        ],
        lr=0.02,
        weight_decay=0.1,
    )
    optimizer = AdamW(weight_decay=0.1).group("*.bias", weight_decay=0.0).group("layers.1.*", rate=10.0)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for _ in range(5):
        model.init_parameter_grads()
        (model(Tensor.from_numpy(x, device)) ** 2).sum().backward()
        model.update(0.02, optimizer)
        y = torch.from_numpy(x.astype(np.float64)) @ theirs["layers.0.weight"] + theirs["layers.0.bias"]
        y = y @ theirs["layers.1.weight"] + theirs["layers.1.bias"]
        peer.zero_grad()
        (y**2).sum().backward()
        peer.step()
    for name, parameter in model.named_parameters():
        # Steps are 0.2 long at most; where a gradient is near 0, its rounding decides a part of the step's length.
        np.testing.assert_allclose(parameter.numpy(), theirs[name].detach().numpy(), rtol=0, atol=1e-4)


def test_frozen_and_other_optimizers(device: Device) -> None:
    model = network(device)
    before = {name: np.array(p.numpy()) for name, p in model.named_parameters()}
    optimizer = Muon().group("layers.0.*", frozen=True).group("*.bias", optimizer=SGD(), momentum=0.5)
    model.init_parameter_grads()
    model(Tensor.ones((1, 3), device=device)).sum().backward()
    model.update(0.5, optimizer)
    parameters = dict(model.named_parameters())
    for name, value in before.items():
        assert np.array_equal(parameters[name].numpy(), value) == name.startswith("layers.0."), name
    assert parameters["layers.1.bias"].state.keys() == {"velocity"}
    np.testing.assert_array_equal(parameters["layers.1.bias"].numpy(), before["layers.1.bias"] - 0.5)
    assert not parameters["layers.0.weight"].state and not parameters["layers.0.weight"].tracked


def test_the_first_group_that_matches_counts(device: Device) -> None:
    model = network(device)
    before = dict(model.named_parameters())["layers.1.bias"].numpy()
    model.init_parameter_grads()
    model(Tensor.ones((1, 3), device=device)).sum().backward()
    model.update(1.0, SGD().group("layers.1.*", rate=0.25).group("*.bias", rate=0.5))
    np.testing.assert_allclose(dict(model.named_parameters())["layers.1.bias"].numpy(), before - 0.25, atol=1e-6)


def test_captured_and_saved(device: Device, tmp_path: Any) -> None:
    optimizer = AdamW().group("*.bias", rate=2.0, weight_decay=0.0)
    models = eager, captured = network(device), network(device)
    x = Tensor.ones((2, 3), device=device)

    def step(model: Sequential, rate: Any) -> None:
        model.init_parameter_grads()
        model(x).sum().backward()
        model.update(rate, optimizer)

    for model in models:
        step(model, 0.1)
    save_checkpoint(tmp_path / "m", captured, optimizer)
    load_checkpoint(tmp_path / "m", captured, optimizer)
    step(captured, 0.1)
    step(eager, 0.1)
    with device.capture() as graph:
        step(captured, graph.parameter("rate", 0.0))
    for rate in (0.2, 0.1):
        step(eager, rate)
        graph.replay(rate=rate)
    for a, b in zip(eager.parameters(), captured.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_pattern_that_matches_nothing_changes_nothing(device: Device) -> None:
    model = network(device)
    before = dict(model.named_parameters())["layers.0.weight"].numpy()
    model.init_parameter_grads()
    model(Tensor.ones((1, 3), device=device)).sum().backward()
    with pytest.raises(AutographError, match=r"group\('\*.biases'\): matches none of layers.0.weight, layers.0.bias"):
        model.update(0.1, SGD().group("*.bias", rate=0.0).group("*.biases", rate=2.0))
    np.testing.assert_array_equal(dict(model.named_parameters())["layers.0.weight"].numpy(), before)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: SGD().group("*.bias", weight_deca=0.0),
            AutographError,
            "SGD has no setting weight_deca; it has momentum",
        ),
        (lambda: AdamW().group("*", beta1=2), AutographError, "AdamW: beta1=2"),
        (lambda: AdamW().group(), AutographError, r"group\(\): expected patterns of parameters' names"),
        (lambda: AdamW().group(3), AutographError, r"group\(3,\)"),  # type: ignore[arg-type]
        (lambda: AdamW().group("*", rate=-1), AutographError, "rate=-1; expected a number of at least 0"),
        (lambda: LAMB().group("*", optimizer="sgd"), DtypeError, "optimizer='sgd'"),  # type: ignore[arg-type]
        (lambda: LAMB().group("*", optimizer=SGD().group("*")), DtypeError, "without groups"),
    ],
)
def test_what_does_not_fit(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
