"""scikit-learn takes tensors, where it is installed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from krnlpy import Device, Feature
from tests.support import process
from tests.support.devices import requires
from tests.support.tiers import one_vulkan_device

ROOT = Path(__file__).resolve().parents[2]


@one_vulkan_device
@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="scikit-learn is not installed")
def test_the_example(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("an element at a time it takes minutes")
    requires(device, Feature.INT64)  # in which scikit-learn counts
    name = str(device.info.index) if device.info.index is not None else device.name
    done = process.run(str(ROOT / "examples" / "scikit_learn.py"), "--device", name)
    assert done.returncode == 0, done.stderr
    found = re.match(r"97\.3% right on .*, 97\.3% by NumPy; similarities differ by at most (.*)$", done.stdout)
    assert found and float(found[1]) < 1e-6, done.stdout  # of at most 1, and of 4 products
