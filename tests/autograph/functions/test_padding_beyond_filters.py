"""Convolution whose padding is wider than the filters reach, with strides: where gradients fall outside the images.

The host's kernels are not checked while they run, so that what they would write outside is memory of others. Here the
interpreter runs the same kernels, and checks each access; the host itself computes in a process of its own.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from autograph.functions.convolution import correlation, host
from krnlpy import Device, f32
from tests.autograph.reference import check, conv2, draw
from tests.support import process

CASES = [
    # filter, stride, padding, dilation along one axis: they reach (filter - 1) * dilation pixels
    *((1, stride, padding, 1) for stride, padding in itertools.product((1, 2, 3), (1, 2, 4))),
    *((2, stride, padding, 1) for stride, padding in itertools.product((1, 2, 3), (2, 3))),
    *((2, stride, 3, 2) for stride in (2, 3, 4)),
    (3, 2, 3, 1),
    (3, 2, 2, 1),  # not beyond
]


def gradients_are_right(case: tuple[int, int, int, int], device: Device) -> None:
    across, (filter, stride, padding, dilation) = CASES[(CASES.index(case) + 4) % len(CASES)], case
    options = {
        name: (vertical, horizontal)
        for name, vertical, horizontal in zip(("stride", "padding", "dilation"), across[1:], case[1:], strict=True)
    }
    x, w = draw(1, (2, 2, 5, 6), f32), draw(2, (3, 2, across[0], filter), f32)
    check(lambda x, w: x.conv2(w, **options), lambda x, w: conv2(x, w, **options), [x, w], f32, device)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_hosts_kernels_stay_inside(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "direct", host)
    gradients_are_right(case, Device.interpreter())


def test_the_host() -> None:
    process.output("-m", f"tests.autograph.functions.{Path(__file__).stem}")


def test_devices(device: Device) -> None:
    if device.is_host:
        pytest.skip("in a process of its own, above")
    for case in CASES[::5]:  # others have no such kernels, and each case compiles three
        gradients_are_right(case, device)


if __name__ == "__main__":
    for case in CASES:
        gradients_are_right(case, Device.host())
