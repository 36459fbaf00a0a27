"""The example of graphs: it checks itself, on every device, and as a user calls it."""

from __future__ import annotations

import re

import pytest

from examples import capture
from krnlpy import Device
from tests.support import process


def test_results(device: Device) -> None:
    capture.simulate(device, 40, 2 if device.info.kind == "interpreter" else 7)


def test_command_line() -> None:
    printed = process.output("examples/capture.py", "--device", "host", "--size", "100", "--frames", "3")
    assert re.fullmatch(r"host: 50 steps a frame: .* replayed [\d.]+ ms: [\d.]+ times as fast\n", printed)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [(["--device", "no such thing"], 1, "error: "), (["--size", "2"], 2, "at least 3 points")],
)
def test_errors_are_one_line(arguments: list[str], status: int, message: str) -> None:
    done = process.run("examples/capture.py", *arguments)
    assert done.returncode == status and message in done.stderr.splitlines()[-1]
