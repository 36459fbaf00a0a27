"""Python programs in processes of their own. They import this checkout, and a warning of theirs is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def environment(**changed: str) -> dict[str, Any]:
    """This process's environment, in which Python finds the checkout first, with some of it changed."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **changed}


def command(*arguments: object) -> list[str]:
    """``python ARGUMENTS`` as a list; a crash prints where it happened."""
    return [sys.executable, "-W", "error", "-X", "faulthandler", *map(str, arguments)]


def run(
    *arguments: object, input: str | None = None, cwd: Path = ROOT, **changed: Any
) -> subprocess.CompletedProcess[str]:
    """Runs ``python ARGUMENTS`` in a changed environment until it ends, however it ends."""
    return subprocess.run(
        command(*arguments),
        input=input,
        cwd=cwd,
        env=environment(**changed),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def output(*arguments: object, input: str | None = None, cwd: Path = ROOT, **changed: Any) -> str:
    """What ``python ARGUMENTS`` prints; it must succeed and say nothing on stderr."""
    done = run(*arguments, input=input, cwd=cwd, **changed)
    assert (done.returncode, done.stderr) == (0, ""), f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def start(*arguments: object, cwd: Path = ROOT, **changed: Any) -> subprocess.Popen[str]:
    """Starts ``python ARGUMENTS`` in a changed environment, with pipes for all of its streams."""
    return subprocess.Popen(
        command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environment(**changed),
        text=True,
    )
