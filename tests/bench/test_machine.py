"""What a machine says of itself."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
from llvmlite import binding

from krnlpy.bench import machine

KEYS = {"cpu", "llvm_cpu", "instructions", "cores", "host_threads", "load", "system", "settings"}


def test_the_machine_says_what_it_is(monkeypatch: Any) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: {"avx2": True, "avx512f": True, "amx-bf16": False})
    found = machine.machine()
    assert set(found) == KEYS
    assert found["cpu"] and found["cores"] >= 1 and found["load"] >= 0 and found["host_threads"] >= 1
    assert found["instructions"] == ["AVX2", "AVX-512"]
    assert found["settings"]["OMP_NUM_THREADS"] == "3"
    assert machine.kind(found) == "avx512"


def test_the_instructions_are_those_that_the_system_names() -> None:
    path = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not path.exists():
        pytest.skip("no system that names an x86 CPU's instructions")
    flags = set(next(line for line in path.read_text().splitlines() if line.startswith("flags")).split())
    names = {"AVX2": "avx2", "AVX-512": "avx512f", "AVX-512 bf16": "avx512_bf16", "AMX bf16": "amx_bf16"}
    found = machine.machine()["instructions"]
    assert [title for title in names if title in found] == [title for title, flag in names.items() if flag in flags]


def test_a_battery_that_is_used_is_seen(tmp_path: Path) -> None:
    assert not machine.is_on_battery(tmp_path / "not there")
    (tmp_path / "BAT0").mkdir()
    (tmp_path / "BAT0" / "status").write_text("Charging\n")
    assert not machine.is_on_battery(tmp_path)
    (tmp_path / "BAT0" / "status").write_text("Discharging\n")
    assert machine.is_on_battery(tmp_path)
