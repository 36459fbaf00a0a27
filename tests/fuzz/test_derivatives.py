"""Derivatives of random functions agree with differences of the functions."""

from __future__ import annotations

import pytest

from krnlpy import Device, Feature
from tests.support.tiers import deep

from .derivatives import POINTS, compare


def check(device: Device, seeds: range) -> None:
    compared = 0
    for seed in seeds:
        found = compare(seed, device)
        assert not found.fault, f"python -m tests.fuzz --derivatives --count 1 --seed {seed}\n{found.fault}"
        compared += found.compared
    assert compared > POINTS * len(seeds)  # of three times as many, some lie at kinks


def test_on_the_host() -> None:
    check(Device.host(), range(8))


@deep
def test_on_devices(device: Device) -> None:
    if device.info.backend != "vulkan" or Feature.FLOAT64 not in device.info.features:
        pytest.skip("the host is looked at for each change; the interpreter takes minutes; f64 is needed")
    check(device, range(10, 12))


def test_a_long_function() -> None:
    """A function of 390,000 characters of LLVM IR, at which one of LLVM's passes once ended the process."""
    assert not compare(1483, Device.host()).fault
