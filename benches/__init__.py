"""Benchmarks of krnlpy and autograph beside their peers: ``python -m benches list``."""

from __future__ import annotations

NAMES = (
    "lenet5",
    "operations",
    "products",
    "saxpy",
    "fill",
    "transfer",
    "alloc",
    "memory",
    "launch",
    "graph",
    "imports",
    "first",
)
"""The benchmarks; each is the module of this name, whose first line says what it measures."""
