"""Benchmarks that pretend, and reports of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from krnlpy import Device
from krnlpy.bench.benchmark import Benchmark, Case, Peak, Work
from krnlpy.bench.results import DeviceResults, Report, Result

MACHINE: dict[str, Any] = {
    "cpu": "abacus",
    "llvm_cpu": "beads",
    "instructions": ("AVX2",),
    "cores": 4,
    "host_threads": 4,
    "load": 0.5,
    "others": 0.1,
    "system": "wood",
    "settings": {},
}


class Pretended(Work):
    """Takes no time, and says that it takes some."""

    def __init__(self, device: Device, seconds: float, error: Exception | None = None) -> None:
        super().__init__(device)
        self.seconds, self.error = seconds, error

    def verify(self) -> None:
        if self.error is not None:
            raise self.error

    def run(self, iterations: int) -> None:
        raise AssertionError("it has its own sample()")

    def sample(self, iterations: int) -> float:
        return self.seconds * iterations


def case(size: int, seconds: float = 0.001, error: Exception | None = None, peak: Peak | None = None) -> Case:
    """One that does ``size`` bytes."""
    return Case({"bytes": size}, size, lambda device: Pretended(device, seconds, error), peak, 1000)


def benchmark(name: str, *series: Sequence[Case], **more: Any) -> Benchmark:
    """One with these cases."""
    return Benchmark(name, f"{name} is done", f"What {name} means.", "B/s", lambda: series, **more)


def failing(name: str, open_: Callable[[Device], Work]) -> Benchmark:
    """One whose only case opens so."""
    return benchmark(name, [Case({"bytes": 1}, 1.0, open_)])


def result(name: str = "copy", seconds: float = 0.001, size: int = 1000, **more: Any) -> Result:
    """A steady one."""
    samples = tuple(seconds * factor for factor in (1, 1, 1.01, 1, 0.99, 1, 1))
    given = Result(name, 1, {"bytes": size}, "steady", "B/s", float(size), "", 3, samples, 0.0, 1.0, "copy 4 MiB")
    return replace(given, **more)


def report(*results: Result, name: str = "card", **more: Any) -> Report:
    """Of one device."""
    device = DeviceResults(0, name, "discrete", "vulkan", "maker", "driver 1.0", "1.3.0", 1 << 30, 1.5, results)
    made = Report("2026-11-30T01:02:03+00:00", False, "0.1.0", MACHINE, {"python": "3.11"}, (), (device,))
    return replace(made, **more)
