"""What a real GPU's compiler makes of the kernels that autograph ships: tools/radv.py, and what it finds."""

from __future__ import annotations

from typing import Literal

import pytest

from krnlpy import Global, GlobalMut, f16, f32, kernel
from krnlpy.dsl import (
    CooperativeMatrix,
    barrier,
    cooperative_multiply_add,
    fma,
    global_id,
    group_array,
    group_id,
    local_array,
    thread_id,
)
from tests.support.tiers import deep
from tools import radv

STATISTICS = {
    "VGPRs": 36,
    "Spilled SGPRs": 1,
    "Spilled VGPRs": 2,
    "Scratch size": 64,
    "LDS size": 512,
    "Instructions": 12,
}
TEXT = """
BB0:
\tbuffer_load_b128 v[0:3], v4, s[0:3], 0 offen                 ; e05c0000
\tbuffer_load_dword v5, v4, s[0:3], 0 offen                    ; e05c0000
\tbuffer_load_d16_u16 v5, v4, s[0:3], 0 offen                  ; e05c0000
\tv_mul_f32_e32 v1, 0x4f7ffffe, v1                             ; 100202ff 4f7ffffe
BB1:
\tds_load_b128 v[6:9], v4                                      ; d9fc0000
\tds_read2_b32 v[6:7], v4 offset1:1                            ; d9fc0000
\ts_delay_alu instid0(VALU_DEP_1)                              ; bf870001
\tv_dual_fmac_f32 v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6     ; c8000000
\tv_fma_mix_f32 v1, v2, v3, v4                                 ; cc200000
\ts_cbranch_scc1 BB1                                           ; bfa2fff0
\tv_mul_f32_e32 v1, v2, v3                                     ; 10020202
\tv_add_f32_e32 v1, v2, v3                                     ; 06020202
\tv_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7]    ; cc404000
\ts_endpgm                                                     ; bfb00000
"""
PROGRAM = """
BB1
/* logical preds: BB0, BB4, / linear preds: BB0, BB4, / kind: uniform, loop-header, */
\t v1: (SzInfNaNPreserve)%295:v[130] = v_fmac_f32 %604:s[22], %617:v[147], %8:v[130]
\t v4: %5:v[0-3] = buffer_load_dwordx4 %1:s[0-3], %2:v[4], 0 offen storage:buffer
\ts_branch block:BB1
"""


def test_instructions_are_read() -> None:
    found = radv.report("k", "m", STATISTICS, TEXT)
    assert (found.registers, found.spills, found.scratch_bytes, found.group_bytes) == (36, 3, 64, 512)
    assert (found.fused, found.products, found.sums, found.matrix) == (3, 1, 1, 1)  # of integers there is none
    assert (found.loads, found.group_loads) == ({2: 1, 4: 1, 16: 1}, {8: 1, 16: 1})
    assert found.loop == radv.Loop(instructions=5, multiply_adds=3)  # one of them twice in an instruction
    assert found.text == TEXT
    found = radv.report("k", "m", STATISTICS, PROGRAM)
    assert (found.loop, found.fused, found.loads) == (radv.Loop(3, 1), 1, {16: 1})


@kernel(threads=64, unchecked=True)
def tile(x: Global[f32, 2], y: Global[f32, 2], out: GlobalMut[f32, 3]) -> None:
    total = local_array(f32, (16, 8))
    for k in range(x.shape[0]):
        for r in range(16):
            for c in range(8):
                total[r, c] = fma(x[k, global_id() * 16 + r], y[k, c], total[r, c])
    for r in range(16):
        for c in range(8):
            out[global_id(), r, c] = total[r, c]


@pytest.fixture
def family(request: pytest.FixtureRequest) -> str:
    """A family of GPUs, where their compiler is there."""
    if radv.manifest() is None:
        pytest.skip("RADV of Mesa 25 is not there (tools/drivers.sh --extra)")
    return str(request.param)


families = pytest.mark.parametrize("family", radv.FAMILIES, indirect=True)


@deep
@families
def test_large_local_arrays_are_registers(family: str) -> None:
    (found,) = radv.reports([f"{__file__}:tile"], family)
    assert (found.scratch_bytes, found.spills, found.fused) == (0, 0, 16 * 8)
    assert found.loads.get(16, 0) >= 4 and found.loads.keys() <= {16}  # 16 and 8 neighbours at once
    assert found.loop is not None and found.loop.instructions < 2 * found.loop.multiply_adds


Left = CooperativeMatrix[f16, Literal[16], Literal[16], Literal["a"]]
Right = CooperativeMatrix[f16, Literal[16], Literal[16], Literal["b"]]
Sum = CooperativeMatrix[f32, Literal[16], Literal[16], Literal["accumulator"]]


@kernel(threads=32)
def staged_product(a: Global[f16, 2], b: Global[f16, 2], c: GlobalMut[f32, 2]) -> None:
    left, right = group_array(f16, (16, 24)), group_array(f16, (16, 24))
    row, column = group_id(1) * 16, group_id(0) * 16
    total = Sum(0.0)
    for k in range(0, a.shape[1], 16):
        for i in range(thread_id(), 256, 32):
            left[i // 16, i % 16] = a[row + i // 16, k + i % 16]
            right[i // 16, i % 16] = b[k + i // 16, column + i % 16]
        barrier()
        total = cooperative_multiply_add(Left.load(left, 0, 0), Right.load(right, 0, 0), total)
        barrier()
    total.store(c, row, column)


@deep
@pytest.mark.parametrize("family", ["navi31"], indirect=True)  # Mesa 25 lists no matrices of the others
def test_factors_in_group_memory_stay_on_matrix_units(family: str) -> None:
    (found,) = radv.reports([f"{__file__}:staged_product"], family)
    assert (found.matrix, found.scratch_bytes, found.spills) == (1, 0, 0)
    assert found.group_bytes == 2 * 16 * 24 * 2  # of f16


@deep
@families
def test_shipped_kernels_stay_in_registers(family: str) -> None:
    found = radv.reports(["autograph"], family)
    assert len(found) > 100
    assert {(r.name, r.scratch_bytes, r.spills) for r in found if r.scratch_bytes or r.spills} == set()
    for name in ("matmul_f32", "matmul_f16", "matmul_bf16", "slide_f32", "slide_f16", "slide_bf16"):
        kernels = [r for r in found if r.name.startswith(name)]
        assert kernels and all(r.fused for r in kernels)
