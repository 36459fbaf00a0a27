"""What a benchmark ran on, peers included: a report without it cannot be compared."""

from __future__ import annotations

import datetime
import importlib.metadata
import subprocess
from pathlib import Path
from typing import Any

from benches.peer_process import FOLDERS
from krnlpy.bench import machine

PACKAGES = ("numpy", "torch", *machine.PACKAGES[1:])
PEERS_APART = ("jax", "tinygrad", "taichi", "numba-vulkan")
"""Of peers in processes of their own, the version is that of ``BENCH_PEERS``."""


def describe() -> dict[str, Any]:
    """When, where and of what: to be asked for before a benchmark makes the machine busy."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.machine(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of Python, of this code and of the packages that take part; those not installed are left out."""
    installed = machine.versions(PACKAGES)
    found = {"python": installed.pop("python"), "krnlpy": _revision(), **installed}
    for distribution in importlib.metadata.distributions(path=FOLDERS):
        if (name := distribution.metadata["Name"].replace("_", "-")) in PEERS_APART:
            found.setdefault(name, distribution.version)
    return found


def _revision() -> str:
    """Commit of the checkout that holds this file, with ``+`` where it has changes; else the installed version."""
    root = Path(__file__).resolve().parent.parent
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=True)
        # Results and the tables made of them are no change of the code.
        changed = [*git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!benches/results", ":!*.md"]
        changes = subprocess.run(changed, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        try:
            return importlib.metadata.version("krnlpy")
        except importlib.metadata.PackageNotFoundError:
            return "unknown"
    return commit.stdout.strip() + ("+" if changes.stdout.strip() else "")
