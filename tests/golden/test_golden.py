"""The GLSL of chosen kernels is kept beside them, so that a review sees what a change of the compiler does."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest

from krnlpy.dsl.glsl import emit as glsl
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.spirv import glslang
from krnlpy.features import FLOAT_PRESERVE
from krnlpy.kernels.inspection import choose_types
from krnlpy.kernels.kernel import Kernel

from . import kernels

FOLDER = Path(__file__).parent
NATIVE = glsl.GlslOptions(
    storage8=True, storage16=True, debug=False, max_parameter_bytes=128, float_preserve=FLOAT_PRESERVE
)
PACKED = glsl.GlslOptions(storage8=False, storage16=False, debug=False, max_parameter_bytes=0)
DEBUG = glsl.GlslOptions(storage8=True, storage16=True, debug=True, max_parameter_bytes=128)

# The file's name: the kernel, its options, its types, and the axes of strided items (0: contiguous; 2 for globals).
CASES: dict[str, tuple[Kernel, glsl.GlslOptions, dict[str, str], int]] = {
    "saxpy": (kernels.saxpy, NATIVE, {}, 0),
    "saxpy_strided": (kernels.saxpy, NATIVE, {}, 2),
    "scale_items_bf16": (kernels.scale_items, NATIVE, {"T": "bf16"}, 0),
    "scale_items_f16_packed": (kernels.scale_items, PACKED, {"T": "f16"}, 0),
    "packed_bytes": (kernels.packed_bytes, PACKED, {}, 0),
    "native_bytes": (kernels.packed_bytes, NATIVE, {}, 0),
    "matmul_f32": (kernels.matmul, NATIVE, {"T": "f32"}, 0),
    "matmul_debug": (kernels.matmul, DEBUG, {"T": "f32"}, 0),
    "reduction": (kernels.reduction, NATIVE, {}, 0),
    "spec_arrays": (kernels.spec_arrays, NATIVE, {}, 0),
    "transpose_strided": (kernels.transpose, NATIVE, {}, 2),
    "functions": (kernels.functions, NATIVE, {}, 0),
    "loops": (kernels.loops, NATIVE, {}, 0),
    "branches": (kernels.branches, NATIVE, {}, 0),
    "casts": (kernels.casts, NATIVE, {}, 0),
    "subgroups": (kernels.subgroups, NATIVE, {}, 0),
}


def generated(name: str) -> str:
    kernel, options, types, rank = CASES[name]
    program = kernel.definition.program(choose_types(kernel.signature, types), kernel.configuration.threads)
    item_rank = rank if program.items else 0
    return glsl.emit(program, Variant(item_rank, (not rank,) * len(program.buffers)), options).source


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str, pytestconfig: pytest.Config) -> None:
    file = FOLDER / f"{name}.glsl"
    now = generated(name)
    if pytestconfig.getoption("--update-golden"):
        file.write_text(now)
        return
    before = file.read_text() if file.exists() else ""
    if now != before:
        diff = difflib.unified_diff(before.splitlines(), now.splitlines(), f"{name}.glsl", "generated now", lineterm="")
        lines = ["the GLSL changed; if it should, run `pytest tests/golden --update-golden` and commit", *diff]
        pytest.fail("\n".join(lines), pytrace=False)


@pytest.mark.parametrize("name", CASES)
def test_golden_code_compiles(name: str) -> None:
    assert glslang.compile_glsl(generated(name), name)


def test_no_file_is_left_over() -> None:
    assert {file.stem for file in FOLDER.glob("*.glsl")} == set(CASES)


_TYPE = r"(?:float|double|u?int(?:64_t)?|bool)"


@pytest.mark.parametrize("name", CASES)
def test_no_dead_code(name: str) -> None:
    """Every function is called, every variable read: what is defined is named a second time."""
    code = re.sub("//.*", "", generated(name))
    code = re.sub(r"buffer Report \{.*?\}", "", code, flags=re.DOTALL)  # its words lie as the host reads them
    functions = re.findall(rf"^(?:void|{_TYPE}) (\w+)\(", code, re.MULTILINE)
    variables = re.findall(rf"^ +(?:const )?{_TYPE} (\w+)(?: =|;)", code, re.MULTILINE)
    assert functions and "main" in functions
    for defined in {*functions, *variables} - {"main"}:
        assert len(re.findall(rf"\b{defined}\b", code)) > 1, f"{defined} is not used"
