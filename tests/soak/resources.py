"""What a process holds."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path


def resident_bytes() -> int:
    """The process's memory that is in RAM; 0 where nothing tells."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


def open_files() -> int:
    """How many files the process has open; 0 where nothing tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def settle() -> None:
    """Gives back all that nobody uses: what is left is held."""
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):  # where the library is glibc
        ctypes.CDLL(None).malloc_trim(0)
