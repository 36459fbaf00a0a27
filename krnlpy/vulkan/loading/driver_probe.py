"""Drivers that end the process which asks them for their devices: tried in processes of their own, and named."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from .apart import PYTHON_RAISED, run_apart
from .drivers import all_manifests

SECONDS = 60.0
"""After which a driver is given up."""

_ASK = "from krnlpy import vulkan; vulkan.enumerate_devices()"


def crashes() -> list[str]:
    """A sentence for each driver that cannot be asked without harm; [] where all together can."""
    how = _end(None)
    if how is None:
        return []
    ways = [(path, _end(path)) for path in all_manifests()]
    found = [f"{path}: its driver {way} when it is asked for devices" for path, way in ways if way]
    return found or [f"asking the Vulkan loader for devices {how}, though each driver by itself does not"]


def _end(manifest: Path | None) -> str | None:
    """How a process ends that asks one driver, or all; None where it ends well."""
    environment = dict(os.environ)
    if manifest is not None:
        environment = {k: v for k, v in environment.items() if k not in ("VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES")}
        environment["VK_DRIVER_FILES"] = environment["VK_ICD_FILENAMES"] = str(manifest)
    try:
        status = run_apart(_ASK, environment, SECONDS)
    except subprocess.TimeoutExpired:
        return f"does not answer for {SECONDS:g} s"
    if status in (None, 0, PYTHON_RAISED):  # what raises is raised again where it can be told
        return None
    return f"ends the process ({_named(status)})"


def _named(status: int) -> str:
    if status < 0:
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"
    return f"status {status:#x}" if status > 0xFF else f"status {status}"
