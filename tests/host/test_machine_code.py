"""What LLVM is to make of kernels, told from their machine code for x86-64 CPUs."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import pytest

from krnlpy import Global, Item, ItemMut, Out, f32
from krnlpy.dsl import floor, global_id, global_threads, local_array
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.llvm import emit
from krnlpy.dsl.llvm.builder import Instructions
from krnlpy.host.compiler import Compiler
from krnlpy.host.effort import IS_CLOSE, Efforts, bound_by_table
from krnlpy.host.threads.module import text as pool_text
from tests.support.launching import lower

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="the code is of another kind of CPU"
)


def _assembly(kernel: Callable[..., Any], cpu: str) -> str:
    program = lower(kernel, unchecked=True)
    options = emit.LlvmOptions(False, Instructions(half=True, scaling=False))
    text = emit.emit(program, Variant(0, (True,) * len(program.buffers)), {}, (64, 1, 1), options).text
    Compiler()  # sets LLVM up
    effort = Efforts(cpu, "").of(text)
    module = llvm.parse_assembly(bound_by_table(text), llvm.create_context())
    module.triple, module.data_layout = effort.machine.triple, str(effort.machine.target_data)
    effort.optimize(module)
    return str(effort.machine.emit_assembly(module))


def greatest(x: Global[f32], y: Out[f32]) -> None:
    tops = local_array(f32, 512)
    for start in range(0, x.shape[0] // 512 * 512, 512):
        for k in range(512):
            value = x[start + k]
            tops[k] = value if value != value or value > tops[k] else tops[k]
    for i in range(global_id(), y.size, global_threads()):
        y[i] = tops[i % 512]


def rounded_down(x: Item[f32], y: ItemMut[f32]) -> None:
    y = floor(x) * 0.3


@pytest.mark.parametrize("cpu", ["znver3", "haswell"])
def test_what_is_chosen_is_stored_whole(cpu: str) -> None:
    code = _assembly(greatest, cpu)
    assert "vcmp" in code, "in vectors"
    assert "vmaskmov" not in code


@pytest.mark.skipif(not IS_CLOSE, reason="modules are loaded in pieces")
def test_constants_take_no_address_of_64_bits_and_libraries_no_distance() -> None:
    code = _assembly(rounded_down, "x86-64")  # which has no instruction for floor
    assert "floorf@GOTPCREL" in code
    assert "movabsq" not in code
    assert "@PLT" not in code


@pytest.mark.skipif(not IS_CLOSE, reason="modules are loaded in pieces")
def test_no_module_calls_libraries_by_distance() -> None:
    """The pool's declares functions of its own; a call by distance ends the process when it is loaded."""
    assert "@PLT" not in Compiler().assembly(pool_text())
