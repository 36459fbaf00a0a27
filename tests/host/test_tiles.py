"""Small local arrays become registers on the host, and no sum is added in another order for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, Spec, config, f32, f64, i32, kernel
from krnlpy.dsl import fma, global_id, local_array


@kernel(threads=4, unchecked=True)
def tile(a: Global[f32, 2], b: Global[f32, 2], out: GlobalMut[f32, 2], ROWS: Spec[i32], COLUMNS: Spec[i32]) -> None:
    """A thread has ROWS x COLUMNS elements of the product of ``a`` transposed and ``b``."""
    total = local_array(f32, (ROWS, COLUMNS))
    row = global_id() * ROWS
    if row < a.shape[1]:
        for k in range(a.shape[0]):
            for i in range(ROWS):
                left = a[k, row + i]
                for j in range(COLUMNS):
                    total[i, j] = fma(left, b[k, j], total[i, j])
        for i in range(ROWS):
            for j in range(COLUMNS):
                if j < b.shape[1]:
                    out[row + i, j] = total[i, j]


@kernel(threads=4)
def sums(a: Global[f32, 2], out: GlobalMut[f32]) -> None:
    """Row by row, by way of an array; each sum from left to right."""
    lanes = local_array(f32, 16)
    row = global_id()
    if row < a.shape[0]:
        for first in range(0, a.shape[1], 16):
            for lane in range(16):
                lanes[lane] = a[row, first + lane] * 0.5
            for lane in range(16):
                out[row] += lanes[lane]
            for lane in range(16):
                lanes[0] += lanes[lane]
            out[row] += lanes[0]


TILES = [(1, 8), (4, 8), (2, 16), (3, 24), (5, 4), (3, 7), (1, 1), (8, 32)]


@pytest.mark.parametrize(("rows", "columns"), TILES)
def test_tiles_compute_what_they_should(device: Device, rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows * columns)
    a, b = (rng.integers(-9, 10, (21, n)).astype(np.float32) for n in (6 * rows, columns))
    out = Buffer.zeros((6 * rows, columns), f32, device)
    tile.specialize(ROWS=rows, COLUMNS=columns).with_global_threads(6)(
        Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), out
    )
    np.testing.assert_array_equal(out.numpy(), a.T @ b)  # whole numbers: exact in any order


@pytest.mark.parametrize(("rows", "columns"), [t for t in TILES if t[0] * t[1] <= 96])
def test_tiles_are_registers(rows: int, columns: int) -> None:
    code = tile.specialize(ROWS=rows, COLUMNS=columns).inspect("llvm", device=Device.host())
    assert "alloca [" not in code
    if columns % 4 == 0:
        assert "<8 x float>" in code or "<4 x float>" in code


def test_large_arrays_stay_loops() -> None:
    """A tile of 64 KiB written out would be 16,384 statements."""
    code = tile.specialize(ROWS=64, COLUMNS=256).inspect("llvm", device=Device.host())
    assert len(code.splitlines()) < 1000


def test_sums_keep_their_order(device: Device) -> None:
    rng = np.random.default_rng(1)
    a = (rng.standard_normal((9, 64)) * 10.0 ** rng.integers(-3, 4, (9, 64))).astype(np.float32)
    out = Buffer.zeros(9, f32, device)
    sums.with_global_threads(9)(Buffer.from_numpy(a, device), out)
    want = np.zeros(9, np.float32)
    for row in range(9):
        for first in range(0, 64, 16):
            lanes = a[row, first : first + 16] * np.float32(0.5)
            for lane in range(16):
                want[row] += lanes[lane]
            for lane in range(16):
                lanes[0] += lanes[lane]
            want[row] += lanes[0]
    np.testing.assert_array_equal(out.numpy(), want)


@kernel(threads=1)
def no_vectors(x: Global[f64], y: GlobalMut[f64, 2]) -> None:
    """LLVM can make vectors of none of its loops over the array."""
    own = local_array(f64, 8)
    for r in range(x.shape[0]):
        for k in range(8):
            own[k] = pow(x[r], f64(k))
        for k in range(8):
            own[k] = own[(k + 7) % 8] + 1.0
        for k in range(8):
            y[r, k] = own[k]


def test_loops_that_cannot_be_vectors_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """LLVM would say so on stderr."""
    monkeypatch.setattr(config, "cache_dir", tmp_path)
    x = np.array([2.0, 3.0])
    out = Buffer.zeros((2, 8), f64, Device.host())
    no_vectors.with_groups(1)(Buffer.from_numpy(x, Device.host()), out)
    for row, base in zip(out.numpy(), x.tolist(), strict=True):
        own = [base**k for k in range(8)]
        for k in range(8):
            own[k] = own[(k + 7) % 8] + 1.0
        assert row.tolist() == own
    assert capfd.readouterr().err == ""


def test_loops_that_check_each_index_are_no_vectors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(config, "cache_dir", tmp_path)
    monkeypatch.setattr(config, "debug", True)
    out = Buffer.zeros(4, f32, Device.host())
    sums.with_global_threads(4)(Buffer.from_numpy(np.ones((4, 32), np.float32), Device.host()), out)
    assert out.numpy().tolist() == [33.0] * 4
    assert capfd.readouterr().err == ""
