"""The text of a kernel is the same in each process: shipped and cached kernels are found by its hash."""

from __future__ import annotations

from tests.support import process

PROGRAM = """
from hashlib import sha256
from krnlpy import Global, GlobalMut, f32, kernel, kernel_from_source
from krnlpy.dsl import global_id

loops = kernel_from_source('''
@kernel
def loops(x: Global[f32], y: GlobalMut[f32]) -> None:
    i = global_id()
    for k in range(4):
        third = k * 3
        first = k + 1
        second = x[i] * k
        fourth = k
    y[i] = first + second + third + fourth
    for k in range(2):
        fifth, sixth, seventh = k, x[i], k + i
    y[i] += fifth * sixth + seventh
''', {"Global": Global, "GlobalMut": GlobalMut, "f32": f32, "global_id": global_id, "kernel": kernel})
for stage in ("ir", "glsl", "llvm"):
    print(sha256(str(loops.inspect(stage=stage)).encode()).hexdigest())
"""


def test_whatever_the_hashes_of_names() -> None:
    found = {process.output("-c", PROGRAM, PYTHONHASHSEED=str(seed)) for seed in range(4)}
    assert len(found) == 1
