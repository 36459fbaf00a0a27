"""Code in a process of its own, which a driver may end without harm."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

PYTHON_RAISED = 1
"""Python's exit status after an exception."""


def run_apart(code: str, environment: Mapping[str, str], seconds: float) -> int | None:
    """The exit status of a Python process that runs some code; None where no process of Python can be started.

    Args:
        environment: of the process.
        seconds: after which it is given up.

    Raises:
        subprocess.TimeoutExpired: it was given up.
    """
    # A program that was frozen is its own interpreter: asked for another process, it starts once more.
    if not sys.executable or getattr(sys, "frozen", False):
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "KRNLPY_VALIDATE": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except OSError:
        return None
    return done.returncode


__all__ = ["PYTHON_RAISED", "run_apart"]
