"""The examples of tuning and profiling: they check themselves, on every device and from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples import autotune, profile_kernels
from krnlpy import Device, config

ROOT = Path(__file__).resolve().parents[2]


def test_autotune(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_dir", tmp_path)
    monkeypatch.setattr(autotune.matmul._tuning, "seconds", 0.0)
    size = 20 if device.info.backend == "interpreter" else 70
    chosen = autotune.run(device, size)
    assert chosen in autotune.CONFIGS
    if device.info.backend == "interpreter":
        assert chosen == autotune.CONFIGS[0]


def test_profile(device: Device) -> None:
    size, steps = (30, 8) if device.info.backend == "interpreter" else (200, 20)
    _, p = profile_kernels.solve(device, size, steps)
    calls = {row.name: row.calls for row in p.summary()}
    assert calls["product"] == calls["improve"] == steps
    read = {record.bytes_read for record in p.records if record.name == "product"}
    assert read == {4 * (size * size + size)}
    assert {record.label for record in p.records if record.kind == "kernel"} == {"step"}


def call(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_autotune_command_line(tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    options = ["examples/autotune.py", "--size", "50"]
    assert "GFLOP/s" in call(*options, "--save", str(saved), KRNLPY_CACHE_DIR=str(tmp_path / "a"))
    (choice,) = json.loads(saved.read_text())["choices"]
    choice["config"] = {"TILE": 32, "EACH": 4, "threads": [32, 8]}
    saved.write_text(json.dumps({"krnlpy_tuning": 1, "kernel": "matmul", "choices": [choice]}))
    output = call(*options, "--load", str(saved), KRNLPY_CACHE_DIR=str(tmp_path / "b"))
    assert "'threads': (32, 8)" in output


def test_profile_command_line(tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    output = call("examples/profile_kernels.py", "--size", "50", "--steps", "8", "--trace", str(trace))
    assert "product" in output and "step" in output
    assert {event["ph"] for event in json.loads(trace.read_text())["traceEvents"]} == {"M", "X"}
