"""The workload that docs/runtime.md shows comes to the kernels that the page says."""

from __future__ import annotations

from pathlib import Path

from krnlpy.cli.compile_backend import CompileBackend

from .pages import blocks, run

(WORKLOAD,) = (block for block in blocks("docs/runtime.md") if "def workload" in block)


def test_workload(tmp_path: Path) -> None:
    backend = CompileBackend("discrete", tmp_path)
    run(tmp_path, WORKLOAD).workload(backend.device())
    names = [name for name, _ in backend.shaders.values()]
    # Two layouts, each with and without float controls, and for the narrow type with and without 16-bit storage.
    assert (names.count("axpy_f32"), names.count("axpy_bf16")) == (4, 8)
