"""The examples of operations and optimizers of one's own: they check themselves, on every device and as a user calls
them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from autograph import Dense, Parameter, Tensor, load_checkpoint, save_checkpoint
from autograph.errors import AutographError
from examples import custom_operation, custom_optimizer
from krnlpy import Device, ScalarType, bf16, config, f16, f32
from tests.support import process
from tests.support.devices import requires

ROOT = Path(__file__).resolve().parents[2]
DTYPES = [f32, f16, bf16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(7, 5), (4,), (2, 3, 4), (0, 3), (1, 1)], ids=str)
def test_an_operation_of_ones_own(dtype: ScalarType, shape: tuple[int, ...], device: Device) -> None:
    requires(device, dtype)
    custom_operation.check(device, dtype, shape)


def test_a_network_with_it_learns(device: Device) -> None:
    steps = 3 if device.info.kind == "interpreter" else 150
    first, last, slopes = custom_operation.learn(device, steps)
    assert last < first if steps == 3 else last < first / 20
    assert slopes.shape == (16,) and (slopes != 1).any()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_optimizer_of_ones_own(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    custom_optimizer.check(device, dtype)


def test_it_resumes_bit_for_bit(device: Device) -> None:
    losses, right = custom_optimizer.check_resuming(device, 4 if device.info.kind == "interpreter" else 60)
    assert losses[-1] < losses[0] and right > 50


def test_its_state_moves_and_is_loaded_elsewhere(device: Device, tmp_path: Path) -> None:
    model, optimizer = Dense(3, 2, seed=0), custom_optimizer.Yogi()
    gradient = Tensor.ones((3, 2))
    optimizer.update(model.weight, gradient, 0.1)
    save_checkpoint(tmp_path / "m", model, optimizer)
    model.to_device(device)
    loaded = Dense(3, 2, seed=1, device=device)
    load_checkpoint(tmp_path / "m", loaded, optimizer)
    for there in (model, loaded):
        state = there.weight.state
        assert {key: (value.shape, value.dtype, value.device) for key, value in state.items()} == {
            "mean": ((3, 2), f32, device),
            "square": ((3, 2), f32, device),
        }
        optimizer.update(there.weight, gradient.to_device(device), 0.1)
    np.testing.assert_array_equal(model.weight.numpy(), loaded.weight.numpy())


@pytest.mark.skipif(config.debug, reason="kernels that are checked in debug mode can't be captured")
def test_it_waits_for_nothing(device: Device) -> None:
    """A capture refuses whatever reads back."""
    optimizer, gradient = custom_optimizer.Yogi(), Tensor.ones(3, f32, device)
    eager, captured = (Parameter(Tensor.zeros(3, f32, device)) for _ in range(2))
    for parameter in (eager, captured):
        optimizer.update(parameter, gradient, 0.1)
    with device.capture() as graph:
        optimizer.update(captured, gradient, graph.parameter("rate", 0.0))
    for _ in range(2):
        optimizer.update(eager, gradient, 0.1)
        graph.replay(rate=0.1)
    np.testing.assert_array_equal(captured.numpy(), eager.numpy())


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("custom_operation", [r"mean squared error 0\.\d+, after 2 steps \d\.\d+", "slopes, 1 at first: .*"]),
        ("custom_optimizer", [r"irises: loss .* after 2 steps .* of 150 are told right", "stopped after .* same bits"]),
    ],
)
def test_command_line(name: str, lines: list[str]) -> None:
    found = process.output(f"examples/{name}.py", "--device", "host", "--steps", "2").splitlines()
    assert [line.split(":")[0] for line in found[:3]] == ["f32", "f16", "bf16"]
    assert len(found) == 5
    for line, pattern in zip(found[3:], lines, strict=True):
        assert re.fullmatch(pattern, line)


@pytest.mark.parametrize("name", ["custom_operation", "custom_optimizer"])
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [(["--device", "no such thing"], 1, "error: "), (["--steps", "0"], 2, "learning takes at least")],
)
def test_errors_are_one_line(name: str, arguments: list[str], status: int, message: str) -> None:
    done = process.run(f"examples/{name}.py", *arguments)
    assert done.returncode == status and message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("wrong", [{"beta1": -1}, {"beta2": 1}, {"epsilon": 0}])
def test_numbers_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(AutographError, match="expected betas below 1"):
        custom_optimizer.Yogi(**wrong)
