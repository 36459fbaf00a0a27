"""The examples of buffers: each checks itself, on every device; each command line as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

import krnlpy
from examples import several_devices, zero_copy
from krnlpy import Device
from tests.support import process

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("shape", [(1, 2), (37, 53)])
def test_zero_copy(device: Device, shape: tuple[int, int]) -> None:
    lines = zero_copy.run(device, *shape)
    assert len(lines) == 3 and repr(device) in lines[0]


@pytest.mark.parametrize("elements", [1, 2, 1003])
def test_several_devices(elements: int) -> None:
    devices = [Device.interpreter(), *(Device(i) for i in range(len(krnlpy.devices()))), Device.host()]
    result, sizes = several_devices.run(devices, elements)
    several_devices.check(result)
    assert result.size == elements == sum(sizes)


def test_split() -> None:
    assert several_devices.split(10, [1.0, 3.0]) == [slice(0, 2), slice(2, 10)]
    assert several_devices.split(3, [1.0] * 7)[-1].stop == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("zero_copy.py", "--device", "host"), "NumPy: array"),
        (("several_devices.py", "--elements", "999"), "Device.host()"),
    ],
    ids=["zero_copy", "several_devices"],
)
def test_command_lines(arguments: tuple[str, ...], expected: str) -> None:
    assert expected in process.output(f"examples/{arguments[0]}", *arguments[1:])
