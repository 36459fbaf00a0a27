from __future__ import annotations

import pytest
from conformance.launcher import Launcher

from krnlpy.interpreter import open_interpreter


@pytest.fixture
def launch() -> Launcher:
    """Launches kernels in the interpreter."""
    return Launcher(open_interpreter())
