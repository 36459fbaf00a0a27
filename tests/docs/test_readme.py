"""README's Python runs as it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from krnlpy import Device

from .pages import blocks, on, run

BLOCKS = blocks("README.md")


def test_kernels(tmp_path: Path, capsys: pytest.CaptureFixture[str], device: Device) -> None:
    module = run(tmp_path, *on(device, *BLOCKS[:2]))
    assert module.device == device
    assert np.array_equal(module.y.numpy(), 2 * np.arange(1000, dtype=np.float32) + 1)
    assert capsys.readouterr().out.startswith("[1.000e+00 3.000e+00")
    rng = np.random.default_rng(0)
    a, b = rng.random((40, 33), np.float32), rng.random((33, 50), np.float32)
    c = module.Buffer.zeros((40, 50), module.f32, module.device)
    a_buffer, b_buffer = (module.Buffer.from_numpy(m).to_device(module.device) for m in (a, b))
    module.matmul.with_groups(4, 3)(a_buffer, b_buffer, c)
    # 33 products of numbers below 1 and their sum, in f32: an error of at most 33 * 33 * 2**-24 = 6.5e-5.
    np.testing.assert_allclose(c.numpy(), a.astype(np.float64) @ b.astype(np.float64), atol=7e-5)


def test_network(tmp_path: Path) -> None:
    data = """
import numpy as np
from autograph import Tensor

x = Tensor.from_numpy(np.random.default_rng(0).random((20, 1, 28, 28), np.float32)).to_device(Device.best())
t = Tensor.from_numpy(np.arange(20, dtype=np.uint8) % 10).to_device(Device.best())
"""
    module = run(tmp_path, BLOCKS[2].replace("model = LeNet5(", data + "\nmodel = LeNet5("))
    # Ten classes, an untrained network: a loss near that of a guess, ln(10) = 2.3.
    assert 1.5 < module.loss.item() < 4
    assert module.model.parameter_count == 46_920
    assert module.model(module.x).cross_entropy_loss(module.t).item() < module.loss.item()
