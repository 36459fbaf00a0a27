"""Kernels for which LLVM makes less of an effort compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from krnlpy import Global, GlobalMut, Item, ItemMut, bf16, config, f16, f32, f64, func, i32, scalar_type
from krnlpy.dsl import atomic_add, barrier, exp, global_id, group_array, local_array, sin, subgroup_add, thread_id
from krnlpy.host import effort
from krnlpy.host.compiler import Compiler
from tests.support.launching import lower

from .launch import launch

LIMITS = {
    "full": (1 << 40, 1 << 40, 0),
    "long": (0, 1 << 40, 0),
    "very long": (0, 0, 1 << 40),
    "many variables": (0, 0, 0),
}


@func
def smallest_divisor(n: i32) -> i32:
    k = 2
    while k * k <= n:
        if n % k == 0:
            return k
        k += 1
    return n


def items(x: Item[f32], y: ItemMut[f16], z: ItemMut[bf16], w: ItemMut[f64]) -> None:
    y = f16(exp(x) + x * 0.3)
    z = bf16(sin(x) - x / 3.0)
    w += f64(x) * f64(smallest_divisor(i32(x * 10.0)))


def groups(x: Global[f32], y: GlobalMut[f32], total: GlobalMut[i32]) -> None:
    shared = group_array(f32, 32)
    own = local_array(f32, 4)
    t = thread_id()
    shared[t] = x[global_id()]
    barrier()
    for k in range(4):
        own[k] = shared[(t + k) % 32] * 0.7 + own[k]
    for k in range(4):
        y[global_id()] += own[k] * shared[31 - t]
    atomic_add(total[0], subgroup_add(t))


@pytest.mark.parametrize("limits", LIMITS)
def test_results(limits: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "cache_dir", tmp_path)  # what was compiled before was so with another effort
    for name, limit in zip(("_LONG", "_VERY_LONG", "_PROMOTED"), LIMITS[limits], strict=True):
        monkeypatch.setattr(effort, name, limit)
    x = np.linspace(1, 9, 96, dtype=np.float32)
    y, z, w = np.zeros(96, np.float16), np.zeros(96, scalar_type(bf16).dtype), np.zeros(96)
    launch(items, x, y, z, w)
    np.testing.assert_allclose(y.astype(np.float64), np.exp(x) + x * np.float32(0.3), rtol=2**-10)
    np.testing.assert_allclose(z.astype(np.float64), np.sin(x) - x / 3, rtol=2**-8, atol=2**-8)
    tens = (x * np.float32(10)).astype(np.int32)
    divisors = [next((k for k in range(2, n) if k * k <= n and n % k == 0), n) for n in tens.tolist()]
    np.testing.assert_array_equal(w, x.astype(np.float64) * divisors)
    sums, total = np.zeros(96, np.float32), np.zeros(1, np.int32)
    launch(groups, x, sums, total, threads=(32, 1, 1), groups=(3, 1, 1))
    rows = x.reshape(3, 32).astype(np.float64)
    want = [sum(0.7 * np.roll(row, -k) * row[::-1] for k in range(4)) for row in rows]
    np.testing.assert_allclose(sums, np.concatenate(want), rtol=8 * 2**-24)
    lanes = lower(groups).subgroup_threads or 8
    assert total[0] == 3 * sum(range(32)) * lanes


def test_longer_kernels_get_less() -> None:
    efforts = effort.Efforts(Compiler().cpu, Compiler().features)
    full, long, very_long = (efforts.of(" " * (n << 10)) for n in (256, 257, 769))
    assert full is efforts.full and not full.passes
    assert set(long.passes) > set(very_long.passes)
    assert efforts.of(" " * (768 << 10)) is long


def test_very_long_kernels_with_many_variables_keep_them_in_memory() -> None:
    efforts = effort.Efforts(Compiler().cpu, Compiler().features)
    variables, blocks = "  %v = alloca float\n" * 2000, "  br label %join\n" * 2000
    rest = " " * (769 << 10) + "\n"
    assert "sroa" in efforts.of(rest + variables + blocks).passes
    assert "sroa" not in efforts.of(rest + variables + blocks + "  br label %join\n").passes
    assert efforts.of(variables + blocks + "  br label %join\n") is efforts.full, "not so long"
