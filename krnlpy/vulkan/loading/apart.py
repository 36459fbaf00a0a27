"""Code in a process of its own, which a driver may end without harm."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

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
    done = output_apart(["-c", code], environment, seconds, keeps_output=False)
    return None if done is None else done.returncode


def output_apart(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float, keeps_output: bool = True
) -> subprocess.CompletedProcess[str] | None:
    """A Python process with some arguments, when it has ended; None where none can be started.

    Args:
        environment: of the process.
        seconds: after which it is given up.
        keeps_output: whether what it prints is wanted.

    Raises:
        subprocess.TimeoutExpired: it was given up; has what it had printed.
    """
    # A program that was frozen is its own interpreter: asked for another process, it starts once more.
    if not sys.executable or getattr(sys, "frozen", False):
        return None
    to = subprocess.PIPE if keeps_output else subprocess.DEVNULL
    try:
        return subprocess.run(
            [sys.executable, *arguments],
            env={**environment, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "KRNLPY_VALIDATE": "0"},
            stdin=subprocess.DEVNULL,
            stdout=to,
            stderr=to,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except OSError:
        return None


__all__ = ["PYTHON_RAISED", "output_apart", "run_apart"]
