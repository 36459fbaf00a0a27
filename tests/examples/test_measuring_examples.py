"""The examples of tuning and profiling: they check themselves, on every device and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples import autotune, profile_kernels
from krnlpy import Device, config
from tests.support import process


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


def test_autotune_command_line(tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    options = ["examples/autotune.py", "--size", "50"]
    assert "GFLOP/s" in process.run(*options, "--save", saved, KRNLPY_CACHE_DIR=str(tmp_path / "a")).stdout
    (choice,) = json.loads(saved.read_text())["choices"]
    choice["config"] = {"TILE": 32, "EACH": 4, "threads": [32, 8]}
    saved.write_text(json.dumps({"krnlpy_tuning": 1, "kernel": "matmul", "choices": [choice]}))
    printed = process.output(*options, "--load", str(saved), KRNLPY_CACHE_DIR=str(tmp_path / "b"))
    assert "'threads': (32, 8)" in printed


def test_profile_command_line(tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    printed = process.output("examples/profile_kernels.py", "--size", "50", "--steps", "8", "--trace", str(trace))
    assert "product" in printed and "step" in printed
    assert {event["ph"] for event in json.loads(trace.read_text())["traceEvents"]} == {"M", "X"}
