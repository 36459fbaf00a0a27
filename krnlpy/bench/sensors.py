"""Clock, temperature and power of a device while it is timed, where the system tells: Linux's files, and nvidia-smi.

A thread looks twice a second, which takes some ten microseconds; nvidia-smi is a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from krnlpy.device_info import DeviceInfo

SYSTEM: Final = Path("/")
_PERIOD: Final = 0.5
_NVIDIA: Final = 0x10DE
_OF_CPUS: Final = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
"""Drivers whose temperatures are a CPU's."""

Reading = Mapping[str, float]
"""``clock_mhz``, ``temperature_c`` and ``power_w``, of which some may be missing."""


class Sensors:
    """Watches a device, from when it is made until it is stopped.

    Args:
        info: of the device.
        system: the root of the system's files.
    """

    def __init__(self, info: DeviceInfo, system: Path = SYSTEM) -> None:
        self._readings: list[Reading] = []
        self._is_timed, self._stopped = threading.Event(), threading.Event()
        self._smi = _nvidia_smi(info)
        read = _reader(info, system)
        self._thread = threading.Thread(target=self._watch, args=(read,), daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def timing(self) -> Iterator[None]:
        """Only what is read in such a block counts."""
        self._is_timed.set()
        try:
            yield
        finally:
            self._is_timed.clear()

    def stop(self) -> dict[str, float]:
        """The lowest and the highest clock, the highest temperature and the highest power; those that are known."""
        self._stopped.set()
        if self._smi is not None:
            self._smi.terminate()
        self._thread.join(5)
        if self._smi is not None:
            self._smi.communicate()
        return summary(self._readings)

    def _watch(self, read: Callable[[], Reading]) -> None:
        if self._smi is not None and self._smi.stdout is not None:
            for line in self._smi.stdout:
                self._note(_of_smi(line))
            return
        while not self._stopped.wait(_PERIOD):
            self._note(read())

    def _note(self, reading: Reading) -> None:
        if self._is_timed.is_set():
            self._readings.append(reading)


def summary(readings: Iterable[Reading]) -> dict[str, float]:
    """Of readings, the lowest and the highest.

    >>> summary([{"clock_mhz": 1000.0, "power_w": 20.0}, {"clock_mhz": 900.0}])
    {'lowest_clock_mhz': 900.0, 'highest_clock_mhz': 1000.0, 'highest_power_w': 20.0}
    """
    found: dict[str, float] = {}
    readings = list(readings)
    for name in ("clock_mhz", "temperature_c", "power_w"):
        values = [reading[name] for reading in readings if name in reading]
        if values and name == "clock_mhz":
            found["lowest_clock_mhz"] = round(min(values), 1)
        if values:
            found[f"highest_{name}"] = round(max(values), 1)
    return found


def _reader(info: DeviceInfo, system: Path) -> Callable[[], Reading]:
    if info.kind in ("host", "cpu"):
        return lambda: _of_cpu(system)
    for card in sorted((system / "sys/class/drm").glob("card[0-9]*")):
        ids = [_number(card / "device" / name) for name in ("vendor", "device")]
        if ids == [info.extra.get("vendor_id"), info.extra.get("device_id")]:
            return lambda: _of_card(card)
    return dict


def _of_cpu(system: Path) -> Reading:
    """Of the processors that this process may use, the fastest; the hottest sensor of the CPU."""
    found: dict[str, float] = {}
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    folder = system / "sys/devices/system/cpu"
    clocks = [_number(folder / f"cpu{index}/cpufreq/scaling_cur_freq") for index in mine]
    known = [clock / 1e3 for clock in clocks if clock is not None]
    if known:
        found["clock_mhz"] = max(known)
    hot = [
        value / 1e3
        for chip in (system / "sys/class/hwmon").glob("hwmon*")
        if _text(chip / "name") in _OF_CPUS
        for path in chip.glob("temp*_input")
        if (value := _number(path)) is not None
    ]
    if hot:
        found["temperature_c"] = max(hot)
    return found


def _of_card(card: Path) -> Reading:
    """Of a card whose driver is the kernel's: amdgpu, i915 or xe."""
    chip = next((card / "device/hwmon").glob("hwmon*"), card)
    found = {}
    for name, scale, paths in (
        ("clock_mhz", 1e6, [chip / "freq1_input"]),
        ("clock_mhz", 1.0, [card / "gt_act_freq_mhz", card / "device/tile0/gt0/freq0/act_freq"]),
        ("temperature_c", 1e3, [chip / "temp1_input", chip / "temp2_input"]),
        ("power_w", 1e6, [chip / "power1_average", chip / "power1_input"]),
    ):
        value = next((value for path in paths if (value := _number(path)) is not None), None)
        if value is not None:
            found[name] = value / scale
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _number(path: Path) -> int | None:
    try:
        return int(_text(path), 0)
    except ValueError:
        return None


def _nvidia_smi(info: DeviceInfo) -> subprocess.Popen[str] | None:
    path = shutil.which("nvidia-smi")
    if info.extra.get("vendor_id") != _NVIDIA or path is None:
        return None
    listed = subprocess.run([path, "--query-gpu=index,name", "--format=csv,noheader"], capture_output=True, text=True)
    lines = [line.split(", ", 1) for line in listed.stdout.splitlines() if ", " in line]
    index = next((index for index, name in lines if name.strip() == info.name), None)
    if index is None:
        return None
    query = "--query-gpu=clocks.sm,temperature.gpu,power.draw"
    return subprocess.Popen(
        [path, query, "--format=csv,noheader,nounits", "-i", index, "-lms", str(round(1e3 * _PERIOD))],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def _of_smi(line: str) -> Reading:
    found = {}
    for name, text in zip(("clock_mhz", "temperature_c", "power_w"), line.split(","), strict=False):
        with contextlib.suppress(ValueError):  # "[N/A]"
            found[name] = float(text)
    return found
