"""What a device does at most, measured in seconds: for ``Device.roofline``."""

from __future__ import annotations

from typing import Final

from krnlpy.backend.roofline import Roofline
from krnlpy.device import Device
from krnlpy.errors import BenchmarkError

from .basics import BASICS
from .benchmark import chosen
from .results import Result
from .running import Pace, measured_on

_PACE: Final = Pace(10.0, 0.3, 0.01)
_CACHED: Final = 64 << 20
"""A buffer of fewer bytes may lie in a cache, two of which a copy has."""


def measured(device: Device) -> Roofline:
    """Measures the peaks of a device.

    Raises:
        BenchmarkError: a result is wrong, there is no figure, or the device is the interpreter.
    """
    results = measured_on(device, chosen(["copy", "fma", "matrix"], BASICS), _PACE).results
    wrong = [result for result in results if result.status in ("wrong", "failed")]
    if wrong:
        raise BenchmarkError(
            f"{device!r}: {wrong[0].benchmark} {wrong[0].label} is {wrong[0].status}: {wrong[0].reason}"
        )
    copies = [result for result in results if result.benchmark == "copy" and result.is_timed]
    if not copies:
        raise BenchmarkError(f"{device!r}: no copy could be measured")
    largest = min(_CACHED, max(int(result.configuration["bytes"]) for result in copies))
    copies = [result for result in copies if int(result.configuration["bytes"]) >= largest]
    return Roofline(max(result.value for result in copies), _rates(results, "fma"), _rates(results, "matrix"))


def _rates(results: tuple[Result, ...], benchmark: str) -> dict[str, float]:
    """The highest of each type."""
    rates: dict[str, float] = {}
    for result in results:
        if result.benchmark == benchmark and result.is_timed:
            dtype = str(result.configuration["dtype"])
            rates[dtype] = max(rates.get(dtype, 0.0), result.value)
    return rates
