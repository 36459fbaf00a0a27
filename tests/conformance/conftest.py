"""One suite for all targets: each test runs on every device there is."""

from __future__ import annotations

import pytest

from krnlpy import Device
from tests.support.launching import Launcher


@pytest.fixture
def launch(device: Device) -> Launcher:
    """Launches kernels on each device in turn."""
    return Launcher(device.backend)
