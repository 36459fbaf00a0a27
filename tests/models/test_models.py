"""The losses of five models beside PyTorch's over 20 steps."""

from __future__ import annotations

import numpy as np
import pytest

from krnlpy import Device
from tests.support.tiers import deep, one_vulkan_device

from . import iris, lstm, resnet, transformer, vae
from .case import Case

CASES = {"iris": iris.CASE, "lstm": lstm.CASE, "resnet": resnet.CASE, "transformer": transformer.CASE, "vae": vae.CASE}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_losses_on_the_host(case: Case) -> None:
    _compare(case, Device.host(), 20)


@one_vulkan_device
def test_losses_of_a_small_one(device: Device) -> None:
    _compare(vae.CASE, device, 1 if device.info.kind == "interpreter" else 20)


@deep
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_losses(case: Case, device: Device) -> None:
    _compare(case, device, 1 if device.info.kind == "interpreter" else 20)


def _compare(case: Case, device: Device, steps: int) -> None:
    torch = pytest.importorskip("torch")
    exact = case.peer_losses(torch, steps, torch.float64)
    rounded = case.peer_losses(torch, steps, torch.float32)
    found = case.losses(device, steps)
    # What rounding to f32 does to PyTorch's own losses says how a model spreads errors from step to step; another order
    # of the same sums may do several times as much.
    spread = np.maximum.accumulate(np.abs(np.subtract(rounded, exact))) + 2.0**-22 * np.abs(exact)
    assert (np.abs(np.subtract(found, exact)) <= 16 * spread).all(), (found, rounded, exact)
    if steps > 1:
        assert sum(found[-5:]) < sum(found[:5])
