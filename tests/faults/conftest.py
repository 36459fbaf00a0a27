"""Programs in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import process


@pytest.fixture
def environment() -> dict[str, Any]:
    """What a program of a test runs in: this process's environment, with its cache of kernels, and the package."""
    return process.environment()


@pytest.fixture
def python(tmp_path: Path, environment: dict[str, Any]) -> Callable[..., str]:
    """Runs a program; returns what it prints. It must end as it is said to, and say nothing else on stderr."""

    def run(program: str, *arguments: object, status: int = 0, stderr: str = "", **changed: str) -> str:
        script = tmp_path / "program.py"
        script.write_text(program)
        done = process.run(script, *arguments, **{**environment, **changed})
        assert (done.returncode, done.stderr) == (status, stderr), f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
