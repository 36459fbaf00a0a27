"""The five kernels of the migration page: krnlpy's compute what they should, on every device.

Those of numba.cuda and Taichi are fenced as ``py``, ours as ``python``: only these run as tests.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from krnlpy import Device

from .pages import ROOT, blocks, on, run

PAGE = "docs/migrating.md"


def test_every_kernel_is_in_every_language() -> None:
    text = (ROOT / PAGE).read_text()
    for language, decorator in (("CUDA C", "__global__"), ("numba.cuda", "@cuda.jit"), ("Taichi", "@ti.kernel")):
        found = re.findall(rf"\*\*{language}\*\*.*\n\n```\w+\n([^`]*)```", text)
        assert len(found) == 5
        assert all(decorator in block for block in found)
    assert len(blocks(PAGE)) == 1 + 5


def test_krnlpy(tmp_path: Path, device: Device) -> None:
    page = run(tmp_path, on(device, "\n".join(blocks(PAGE))))
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
