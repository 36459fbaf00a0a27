"""How long vectors are on the host, and how many of them its registers hold."""

from __future__ import annotations

from krnlpy import Device, ScalarType

_TILE_BYTES = 1024
"""The compiler keeps no larger array in registers."""


def vectors_of(wide: ScalarType, device: Device) -> list[int]:
    """Lengths of vectors, the longest first."""
    most = max(32, device.info.vector_bytes)
    return [bytes // wide.size for bytes in (64, 32, 16) if bytes <= most]


def lanes_of(width: int, wide: ScalarType, device: Device) -> int:
    """The length of vectors for rows of a width; 0 if that is shorter than any. Longer ones take more time, but not as
    much more as they are longer."""
    fitting = [n for n in vectors_of(wide, device) if n <= width]
    return min(fitting, key=lambda n: (-(-width // n) * (n + 8), n), default=0)


def sums_of(lanes: int, wide: ScalarType, device: Device, most: int) -> int:
    """How many vectors of sums registers hold, beside operands: CPUs with vectors of 64 bytes have 32 registers."""
    if device.info.vector_bytes >= 64:
        return min(most, _TILE_BYTES // (lanes * wide.size))
    return max(1, min(12, 384 // (lanes * wide.size)))
