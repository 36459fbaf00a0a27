"""What a device does at most, as it was measured: the roof above every kernel's figures.

Source: S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore
architectures", 2009.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from krnlpy.errors import BenchmarkError

from .protocol import Backend


@dataclass(frozen=True)
class Roofline:
    """Rates that a device reached.

    Attributes:
        copy_bandwidth: bytes read and written a second, where a buffer that fits no cache is copied.
        fma_rates: operations a second of multiply-adds in registers (each is two), by type.
        matrix_rates: operations a second of cooperative matrices, by the type of the factors; empty without them.

    >>> roof = Roofline(2e11, {"f32": 1e13}, {})
    >>> roof.attainable(0.25), roof.attainable(1000.0)
    (50000000000.0, 10000000000000.0)
    """

    copy_bandwidth: float
    fma_rates: Mapping[str, float]
    matrix_rates: Mapping[str, float]

    def __post_init__(self) -> None:
        each = (self.fma_rates, self.matrix_rates)
        if not all(isinstance(rates, Mapping) for rates in each) or not isinstance(self.copy_bandwidth, int | float):
            raise BenchmarkError(f"Roofline: expected a bandwidth and two mappings of rates; got {self!r}")

    def attainable(self, intensity: float, dtype: str = "f32", matrices: bool = False) -> float:
        """Operations a second that a kernel can reach: those of the arithmetic, or of the memory if it is less.

        Args:
            intensity: operations for each byte that is read or written.
            dtype: of the arithmetic.
            matrices: whether it is done by cooperative matrices.

        Raises:
            BenchmarkError: the device does not compute with the type.

        >>> Roofline(2e11, {"f32": 1e13}, {}).attainable(0.25)
        50000000000.0
        """
        rates = self.matrix_rates if matrices else self.fma_rates
        if not isinstance(intensity, int | float) or dtype not in rates:
            known = ", ".join(rates) or "none"
            raise BenchmarkError(f"attainable({intensity!r}, {dtype!r}): expected a number and a type of {known}")
        return min(intensity * self.copy_bandwidth, rates[dtype])


rooflines: Final[WeakKeyDictionary[Backend, Roofline]] = WeakKeyDictionary()
"""Those that were measured in this process."""
