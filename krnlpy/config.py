"""The settings of a process. Each is read from an environment variable once, and may be set afterwards.

>>> import krnlpy
>>> krnlpy.config.debug = False
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .errors import ConfigError


def _flag(name: str, default: bool = False) -> bool:
    text = os.environ.get(name, "").lower()
    return text not in ("0", "false", "no", "off") if text else default


def _bytes(name: str, default: int, most: int = 1 << 32) -> int:
    text = os.environ.get(name, "")
    if text and not (text.isdecimal() and int(text) <= most):
        raise ConfigError(f"{name}={text}: expected a number of bytes, at most {most}")
    return int(text) if text else default


def _threads(name: str) -> int:
    text = os.environ.get(name, "")
    if text.isdecimal() and int(text):
        return int(text)
    if text not in ("", "0"):
        raise ConfigError(f"{name}={text}: expected a number of threads, or 0 for one a core")
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _level(name: str) -> str:
    text = os.environ.get(name, "").lower()
    if text not in _LEVELS:
        raise ConfigError(f"{name}={text}: expected {', '.join(_LEVELS[1:])}")
    return text


_LEVELS = ("", "debug", "info", "warning", "error", "critical")

debug: bool = _flag("KRNLPY_DEBUG")
"""``KRNLPY_DEBUG``: check indices and asserts while kernels run, and raise :class:`KernelIndexError` and
:class:`KernelAssertionError`; launches of kernels that have any wait. The compiler checks its own programs too."""

print_bytes: int = _bytes("KRNLPY_PRINT_BYTES", 1 << 20)
"""``KRNLPY_PRINT_BYTES``: room for what one launch prints on a device: 16 bytes for each ``print``, and 4 or 8 for each
value in it. What does not fit is lost, and a warning counts it."""

validate: bool = _flag("KRNLPY_VALIDATE")
"""``KRNLPY_VALIDATE``: open Vulkan devices under the validation layer with synchronization validation."""

log: str = _level("KRNLPY_LOG")
"""``KRNLPY_LOG``: ``debug``, ``info``, ``warning``, ``error`` or ``critical``: the level of the logger ``krnlpy``,
which then writes to standard error. Read when the first device is opened."""

serialize: bool = _flag("KRNLPY_SERIALIZE")
"""``KRNLPY_SERIALIZE``: devices that are opened wait after each kernel, so that an error is raised by the call that
caused it, and names its kernel. For finding what breaks a device; slow."""

autotune: bool = _flag("KRNLPY_AUTOTUNE", default=True)
"""``KRNLPY_AUTOTUNE=0``: tuned kernels measure nothing, and remember nothing from other processes: they use what was
set or loaded for them, else the first of their configurations that the device can run."""

interpret: bool = _flag("KRNLPY_INTERPRET")
"""``KRNLPY_INTERPRET``: every ``Device`` that is made is an interpreter, so that a program can be debugged as it is:
each access to memory is checked, and ``breakpoint()`` and pdb work in kernels. ``Device.host()`` shares memory with
NumPy as ever; ``Device(0)`` and others keep theirs to themselves, as GPUs do, and need neither the GPU nor a driver."""

probes: bool = _flag("KRNLPY_PROBES", default=True)
"""``KRNLPY_PROBES=0``: drivers are taken to compute rightly, and not tried. Read when a device builds its first
kernel with loops or operations of subgroups."""

check_overflow: bool = _flag("KRNLPY_CHECK_OVERFLOW")
"""``KRNLPY_CHECK_OVERFLOW``: whole numbers that wrap raise :class:`KernelOverflowError` in the interpreter. Off unless
asked for, since hashes and random numbers wrap on purpose."""

cache_dir: Path | None
"""``KRNLPY_CACHE_DIR``: where compiled kernels are kept; None (``KRNLPY_NO_CACHE=1``) keeps none."""

cache_bytes: int = _bytes("KRNLPY_CACHE_BYTES", 256 << 20, most=1 << 50)
"""``KRNLPY_CACHE_BYTES``: how much is kept there of SPIR-V, and how much of machine code; beyond, what was not used for
the longest time is removed."""

host_threads: int = _threads("KRNLPY_HOST_THREADS")
"""``KRNLPY_HOST_THREADS``: threads of the host backend; as many as there are usable cores if not set."""


def __getattr__(name: str) -> Any:
    if name != "cache_dir":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    folder = None
    if not _flag("KRNLPY_NO_CACHE"):
        given = os.environ.get("KRNLPY_CACHE_DIR")
        if not given:
            import platformdirs  # with all that it imports in turn it takes longer than krnlpy itself

            given = platformdirs.user_cache_dir("krnlpy")
        folder = Path(given)
    return globals().setdefault("cache_dir", folder)


def __dir__() -> list[str]:
    return sorted({*globals(), "cache_dir"})
