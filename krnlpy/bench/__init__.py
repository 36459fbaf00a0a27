"""What `krnlpy bench` measures and reports. Packages add benchmarks by the entry point group ``krnlpy.benchmarks``."""

from .benchmark import Benchmark, Case, Peak, Work

__all__ = ["Benchmark", "Case", "Peak", "Work"]
