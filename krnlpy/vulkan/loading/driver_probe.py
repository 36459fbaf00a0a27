"""Drivers that end the process which asks them for their devices: tried in processes of their own, and named."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .apart import PYTHON_RAISED, run_apart
from .drivers import all_manifests

SECONDS = 60.0
"""After which a driver is given up."""

_ASK = "from krnlpy import vulkan; vulkan.enumerate_devices()"


def crashes() -> dict[Path | None, str]:
    """A sentence for each driver that cannot be asked without harm, by its manifest; {} where all together can. None
    stands for all together, where each by itself can."""
    how = _end(None)
    if how is None:
        return {}
    ways = [(path, _end(path)) for path in all_manifests()]
    found: dict[Path | None, str] = {
        path: f"{path}: its driver {way} when it is asked for devices" for path, way in ways if way
    }
    return found or {None: f"asking the Vulkan loader for devices {how}, though each driver by itself does not"}


def only(manifests: Sequence[Path], environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which the loader looks at these drivers and at no others."""
    named = os.pathsep.join(map(str, manifests))
    kept = {name: value for name, value in environment.items() if name != "VK_ADD_DRIVER_FILES"}
    return {**kept, "VK_DRIVER_FILES": named, "VK_ICD_FILENAMES": named}


def _end(manifest: Path | None) -> str | None:
    """How a process ends that asks one driver, or all; None where it ends well."""
    environment = dict(os.environ) if manifest is None else only([manifest], os.environ)
    try:
        status = run_apart(_ASK, environment, SECONDS)
    except subprocess.TimeoutExpired:
        return f"does not answer for {SECONDS:g} s"
    if status in (None, 0, PYTHON_RAISED):  # what raises is raised again where it can be told
        return None
    return f"ends the process ({named(status)})"


def named(status: int) -> str:
    """The exit status of a process that was ended: a signal's name where it was one."""
    if status < 0:
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"
    return f"status {status:#x}" if status > 0xFF else f"status {status}"
