"""The ports of others' kernels: each checks itself, on every device, and says where it comes from."""

from __future__ import annotations

import importlib
import re

import pytest

from krnlpy import Device
from tests.support import process
from tests.support.process import ROOT

PORTS = ROOT / "examples" / "kernels" / "ports"

# A size for devices and a smaller one for the interpreter.
SIZES = {
    "bvh_rays": (70, 10),
    "cloth": (12, 5),
    "fft": (128, 8),
    "flash_attention": (48, 16),
    "ising": (34, 10),
    "kmeans": (1001, 40),
    "lattice_boltzmann": (24, 8),
    "levenshtein": (21, 7),
    "lu_pivots": (70, 7),
    "marching_cubes": (15, 6),
    "mpm88": (200, 2),
    "needleman_wunsch": (48, 32),
    "path_tracer": (16, 6),
    "radix_sort": (1003, 10),
    "raymarch": (20, 10),
    "sha256": (70, 5),
    "solar_system": (70, 5),
    "sph": (200, 10),
    "stable_fluids": (28, 6),
    "union_find": (33, 9),
}


def test_every_port_is_tested() -> None:
    assert {path.stem for path in PORTS.glob("[!_]*.py")} == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_results(device: Device, name: str) -> None:
    """The ports' own checks, which tell tolerances and reasons."""
    example = importlib.import_module(f"examples.kernels.ports.{name}").example
    for work in example(device, SIZES[name][device.info.kind == "interpreter"]):
        work.launch()
        work.check()


@pytest.mark.parametrize("name", SIZES)
def test_sources_and_licences_are_stated(name: str) -> None:
    text = (PORTS / f"{name}.py").read_text(encoding="utf-8")
    docstring = text.split('"""')[1]
    assert re.search(r"^https://github\.com/\S+$", docstring, re.MULTILINE)
    assert re.search(r"\((Apache License 2\.0|MIT License|BSD 3-Clause|public domain|licence of .*)\)", docstring)
    assert re.search(r'^if __name__ == "__main__":\n    main\(example, size=[\d_]+\)$', text, re.MULTILINE)


def test_command_line() -> None:
    printed = process.output("examples/kernels/ports/sha256.py", "--device", "host", "--size", 100)
    assert re.fullmatch(r"SHA-256: host, size 100, [\d.e+-]+ ms, [\d.e+-]+ Mblocks/s\n", printed)
