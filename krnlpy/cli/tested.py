"""On what hardware and drivers the tests of this version have passed."""

from __future__ import annotations

import platform
import re
from typing import Final

TESTED: Final = {
    r"llvmpipe Mesa 22\.3\.": "lavapipe of Mesa 22.3",
    r"llvmpipe Mesa 25\.0\.": "lavapipe of Mesa 25.0",
    r"SwiftShader driver": "SwiftShader",
    r"LLVM .*llvmlite": "host: x86-64 with AVX2, and with AVX-512",
    r"CPython 3\.11": "interpreter: CPython 3.11",
}
"""Patterns of the drivers, as ``DeviceInfo.driver`` begins, and what they are."""

_MACHINES: Final = ("x86_64", "AMD64")


def is_tested(driver: str) -> bool:
    """Whether the whole suite has passed on a driver.

    >>> is_tested("llvmpipe Mesa 25.0.7 (LLVM 15.0.6)"), is_tested("NVIDIA 580.82")
    (True, False)
    """
    is_host = driver.startswith("LLVM ")
    return any(re.match(pattern, driver) for pattern in TESTED) and (not is_host or platform.machine() in _MACHINES)
