"""What a real GPU's compiler makes of the kernels that autograph ships: tools/radv.py, and what it finds."""

from __future__ import annotations

import pytest

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


def test_instructions_are_read() -> None:
    found = radv.report("k", "m", STATISTICS, TEXT)
    assert (found.registers, found.spills, found.scratch_bytes, found.group_bytes) == (36, 3, 64, 512)
    assert (found.fused, found.products, found.sums, found.matrix) == (3, 1, 1, 1)  # of integers there is none
    assert (found.loads, found.group_loads) == ({2: 1, 4: 1, 16: 1}, {8: 1, 16: 1})
    assert found.loop == radv.Loop(instructions=5, multiply_adds=3)  # one of them twice in an instruction
    assert found.text == TEXT


@deep
@pytest.mark.parametrize("family", radv.FAMILIES)
def test_shipped_kernels_stay_in_registers(family: str) -> None:
    if radv.manifest() is None:
        pytest.skip("RADV of Mesa 25 is not there (tools/drivers.sh --extra)")
    found = radv.reports(["autograph"], family)
    assert len(found) > 100
    assert {(r.name, r.scratch_bytes, r.spills) for r in found if r.scratch_bytes or r.spills} == set()
    products = [r for r in found if r.name.startswith("matmul_")]
    assert products and all(r.fused for r in products)
