from __future__ import annotations

import pytest

from krnlpy.interpreter import open_interpreter
from tests.support.launching import Launcher


@pytest.fixture
def launch() -> Launcher:
    """Launches kernels in the interpreter."""
    return Launcher(open_interpreter())
