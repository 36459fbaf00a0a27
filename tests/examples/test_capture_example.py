"""The example of graphs: it checks itself, on every device, and as a user calls it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples import capture
from krnlpy import Device

ROOT = Path(__file__).resolve().parents[2]


def test_results(device: Device) -> None:
    capture.simulate(device, 40, 2 if device.info.kind == "interpreter" else 7)


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "examples/capture.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_command_line() -> None:
    done = call("--device", "host", "--size", "100", "--frames", "3")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"host: 50 steps a frame: .* replayed [\d.]+ ms: [\d.]+ times as fast\n", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [(["--device", "no such thing"], 1, "error: "), (["--size", "2"], 2, "at least 3 points")],
)
def test_errors_are_one_line(arguments: list[str], status: int, message: str) -> None:
    done = call(*arguments)
    assert done.returncode == status and message in done.stderr.splitlines()[-1]
