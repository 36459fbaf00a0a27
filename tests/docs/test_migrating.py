"""The krnlpy kernels of the migration page run as they stand, on every device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pages import blocks, on, run

from krnlpy import Device

BLOCKS = blocks("docs/migrating.md")
COMMON, OTHERS = BLOCKS[0], BLOCKS[1:]
KRNLPY = OTHERS[2::3]  # numba.cuda, Taichi, krnlpy, five times


def test_every_kernel_is_in_every_language() -> None:
    assert len(OTHERS) == 15
    assert all("@cuda.jit" in block for block in OTHERS[0::3])
    assert all("@ti.kernel" in block for block in OTHERS[1::3])
    assert all("@kernel" in block for block in KRNLPY)


def test_krnlpy(tmp_path: Path, device: Device) -> None:
    page = run(tmp_path, COMMON, *on(device, *KRNLPY))
    assert page.device == device
    # A product, exact as it is by 2, and a sum, rounded to f32.
    np.testing.assert_array_equal(page.saxpy_result, page.y + 2 * page.x)
    # The middle row's first pixel is c = -2, which stays; the corner's leaves at once: |c| > 2.
    assert page.counts[32, 0] == 50 and page.counts[0, 0] == 1
    # 30 products of positive numbers and their sum in turn, each rounded by 2**-24.
    np.testing.assert_allclose(page.c, page.a.astype(np.float64) @ page.b, rtol=31 * 2**-24)
    # Eight additions of the tree, and two of NumPy.
    np.testing.assert_allclose(page.total, page.x.sum(dtype=np.float64), rtol=10 * 2**-24)
    np.testing.assert_array_equal(page.histogram_result, np.bincount(page.data, minlength=page.bins))
