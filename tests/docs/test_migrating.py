"""The five kernels of the migration page: krnlpy's compute what they should, on every device.

Those of numba.cuda, Taichi and Warp are fenced as ``py``, ours as ``python``: only these run as tests.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from krnlpy import Device, Global, ItemMut, KernelTypeError, f32, i32, kernel
from krnlpy.dsl import vec2, vec3

from .pages import ROOT, blocks, on, run

PAGE = "docs/migrating.md"

Vectors = TypeVar("Vectors", vec2, vec3)


def test_every_kernel_is_in_every_language() -> None:
    text = (ROOT / PAGE).read_text()
    for language, decorator in (
        ("CUDA C", "__global__"),
        ("numba.cuda", "@cuda.jit"),
        ("Taichi", "@ti.kernel"),
        ("Warp", "@wp.kernel"),
    ):
        found = re.findall(rf"\*\*{language}\*\*.*\n\n```\w+\n([^`]*)```", text)
        assert len(found) == 5
        assert all(decorator in block for block in found)
    assert len(blocks(PAGE)) == 1 + 5


def test_what_is_not_there() -> None:
    text = (ROOT / PAGE).read_text().replace("\n", " ")

    @kernel
    def quotient(x: ItemMut[i32]) -> None:
        x = x / 2  # type: ignore[assignment]

    assert "the quotient `/` of two whole numbers (write `//`, or make one a float)" in text
    with pytest.raises(KernelTypeError, match="write //"):
        quotient.inspect("ir")
    assert "a type variable over vectors" in text
    with pytest.raises(KernelTypeError, match="TypeVar"):

        @kernel
        def longest(x: ItemMut[Vectors]) -> None:
            x = x * 2.0

    assert "a kernel's buffer that may be `None`" in text
    with pytest.raises(KernelTypeError, match="never None"):

        @kernel
        def counted(x: ItemMut[i32], counts: Global[i32] | None) -> None:
            x += 1

    assert "In Taichi `x = 1; x = 3.14` leaves 3" in text

    @kernel
    def narrowed(y: ItemMut[f32]) -> None:
        x = 1
        x = 3.14  # type: ignore[assignment]
        y = x

    with pytest.raises(KernelTypeError, match="does not fit x"):
        narrowed.inspect("ir")


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
