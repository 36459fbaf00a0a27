"""Clock, temperature and power of a system that is made up."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from krnlpy import Device
from krnlpy.bench import sensors
from krnlpy.bench.sensors import Sensors


def put(root: Path, **files: str) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")


def info(kind: Any = "discrete", **extra: int) -> Any:
    return replace(Device.host().info, kind=kind, name="NVIDIA Card", extra=extra)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "_PERIOD", 0.005)


def watched(found: Sensors, seconds: float = 0.1) -> dict[str, float]:
    with found.timing():
        time.sleep(seconds)
    return found.stop()


def test_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2}, raising=False)
    clocks = {f"sys/devices/system/cpu/cpu{i}/cpufreq/scaling_cur_freq": mhz for i, mhz in enumerate(("1", "9", "3"))}
    put(tmp_path, **{name: f"{mhz}000000" for name, mhz in clocks.items()})
    put(tmp_path, **{"sys/class/hwmon/hwmon0/name": "nvme", "sys/class/hwmon/hwmon0/temp1_input": "99000"})
    put(tmp_path, **{"sys/class/hwmon/hwmon1/name": "k10temp", "sys/class/hwmon/hwmon1/temp1_input": "61500"})
    expected = {"lowest_clock_mhz": 3000.0, "highest_clock_mhz": 3000.0, "highest_temperature_c": 61.5}
    assert watched(Sensors(info("host"), tmp_path)) == expected
    assert watched(Sensors(info("cpu"), tmp_path)) == expected


def test_a_card_of_the_kernel(tmp_path: Path) -> None:
    for card, device in (("card0", "0x1"), ("card1", "0x744c")):
        put(tmp_path / "sys/class/drm" / card / "device", vendor="0x1002", device=device)
    chip = tmp_path / "sys/class/drm/card1/device/hwmon/hwmon5"
    put(chip, freq1_input="2400000000", temp1_input="70000", power1_average="301000000")
    found = watched(Sensors(info(vendor_id=0x1002, device_id=0x744C), tmp_path))
    assert (found["highest_clock_mhz"], found["highest_temperature_c"], found["highest_power_w"]) == (2400, 70, 301)
    intel = tmp_path / "sys/class/drm/card2"
    put(intel / "device", vendor="0x8086", device="0x56a0")
    put(intel, gt_act_freq_mhz="2050")
    assert watched(Sensors(info(vendor_id=0x8086, device_id=0x56A0), tmp_path))["highest_clock_mhz"] == 2050


def test_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in *index,name*) echo "0, Another"; echo "1, NVIDIA Card"; exit;; esac\n'
        'case "$*" in *"-i 1 "*) while :; do echo "1980, 55, [N/A]"; sleep 0.01; done;; esac\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = watched(Sensors(info(vendor_id=0x10DE)), 0.5)
    assert found == {"lowest_clock_mhz": 1980.0, "highest_clock_mhz": 1980.0, "highest_temperature_c": 55.0}


def test_nothing_is_known_and_nothing_counts_that_is_not_timed(tmp_path: Path) -> None:
    assert watched(Sensors(info(vendor_id=1, device_id=2), tmp_path)) == {}
    put(tmp_path, **{"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "not a number"})
    assert watched(Sensors(info("host"), tmp_path)) == {}
    put(tmp_path, **{"sys/class/hwmon/hwmon1/name": "k10temp", "sys/class/hwmon/hwmon1/temp1_input": "61500"})
    idle = Sensors(info("host"), tmp_path)
    time.sleep(0.05)
    assert idle.stop() == {}
