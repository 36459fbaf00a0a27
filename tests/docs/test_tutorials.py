"""The tutorial of kernels: its matrix product is right on every device, and its mistake is told as the page shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from krnlpy import Device, KernelTypeError

from .pages import blocks, on, run

PAGE = "docs/tutorial-kernels.md"


def test_kernels(tmp_path: Path, device: Device) -> None:
    module = run(tmp_path, on(device, "\n".join(blocks(PAGE)[:4])))
    # Whole numbers below 2**24: exact.
    np.testing.assert_array_equal(module.c.numpy(), module.a.numpy() @ module.b.numpy())
    np.testing.assert_array_equal(module.sums.numpy(), [256, 256, 256, 232])


def test_the_mistake(tmp_path: Path) -> None:
    (shown,) = blocks(PAGE, "text")
    program = (
        "from krnlpy import *\n\n@kernel\ndef scale(n: i64, x: Item[f32], y: ItemMut[f32]):\n"
        "    # The mistake:\n    y = x * n\n"
    )
    module = run(tmp_path, program)
    x = module.Buffer.ones(3, module.f32)
    with pytest.raises(KernelTypeError) as error:
        module.scale(2, x, x)
    # The file has another name here, and the code is shown with its own indentation.
    message = str(error.value).replace(str(tmp_path / "page_example.py"), "kernels.py").splitlines()
    assert [line.strip() for line in message] == [line.strip() for line in shown.splitlines()]
