"""Drivers that end or hold up the process that asks them, and are asked in another one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from krnlpy.vulkan.loading import apart, driver_probe


def test_drivers_that_answer() -> None:
    assert driver_probe.crashes() == {}


@pytest.mark.parametrize(
    ("program", "end"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ends the process (SIGSEGV)"),
        ("import os; os._exit(134)", "ends the process (status 134)"),
        ("import time; time.sleep(60)", "does not answer for 0.5 s"),
        ("raise RuntimeError('told where it is raised again')", None),
        ("pass", None),
    ],
)
def test_how_a_process_ends(program: str, end: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_probe, "_ASK", program)
    if "sleep" in program:
        monkeypatch.setattr(driver_probe, "SECONDS", 0.5)
    assert driver_probe._end(None) == end


def test_the_driver_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    monkeypatch.setattr(driver_probe, "all_manifests", lambda: [one, two])
    monkeypatch.setattr(driver_probe, "_end", lambda path: "ends" if path in (None, two) else None)
    assert driver_probe.crashes() == {two: f"{two}: its driver ends when it is asked for devices"}
    monkeypatch.setattr(driver_probe, "_end", lambda path: "ends" if path is None else None)
    assert driver_probe.crashes() == {
        None: "asking the Vulkan loader for devices ends, though each driver by itself does not"
    }


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert driver_probe.crashes() == {}


def test_a_frozen_program_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert apart.run_apart("raise SystemExit(7)", {}, 60.0) is None
    monkeypatch.setattr(sys, "frozen", False)
    assert apart.run_apart("raise SystemExit(7)", {}, 60.0) == 7


def test_status_of_windows() -> None:
    assert driver_probe.named(0xC0000005) == "status 0xc0000005"
    assert driver_probe.named(-250) == "signal 250"
