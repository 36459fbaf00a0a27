"""Each layer that PyTorch has too: its weights there and back through files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph.nn as ours
from autograph import Tensor, load_weights, save_safetensors

Make = Callable[[Any], Any]

LAYERS: dict[str, tuple[Make, Make, tuple[int, ...]]] = {
    "dense": (lambda m: m.Dense(5, 5, bias=True), lambda m: m.Linear(5, 5), (3, 5)),
    "conv": (
        lambda m: m.Conv2(4, 6, 3, groups=2, bias=True, padding=1),
        lambda m: m.Conv2d(4, 6, 3, groups=2, padding=1),
        (2, 4, 5, 5),
    ),
    "transposed": (
        lambda m: m.ConvTranspose1(4, 6, 3, stride=2, groups=2, bias=True),
        lambda m: m.ConvTranspose1d(4, 6, 3, stride=2, groups=2),
        (2, 4, 5),
    ),
    "batch norm": (lambda m: m.BatchNorm2(3), lambda m: m.BatchNorm2d(3), (2, 3, 4, 4)),
    "counting batch norm": (
        lambda m: m.BatchNorm1(3, momentum=None),
        lambda m: m.BatchNorm1d(3, momentum=None),
        (4, 3),
    ),
    "untracked batch norm": (
        lambda m: m.BatchNorm1(3, track_statistics=False),
        lambda m: m.BatchNorm1d(3, track_running_stats=False),
        (4, 3),
    ),
    "layer norm": (lambda m: m.LayerNorm(6), lambda m: m.LayerNorm(6), (3, 6)),
    "group norm": (lambda m: m.GroupNorm(2, 6), lambda m: m.GroupNorm(2, 6), (3, 6, 2)),
    "rms norm": (lambda m: m.RMSNorm(6, epsilon=1e-5), lambda m: m.RMSNorm(6, eps=1e-5), (3, 6)),
}


@pytest.mark.parametrize(("make", "make_peer", "shape"), LAYERS.values(), ids=LAYERS)
def test_weights_of_a_layer(make: Make, make_peer: Make, shape: tuple[int, ...], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    peer, model = make_peer(torch.nn), make(ours)
    with torch.no_grad():
        for tensor in (*peer.parameters(), *peer.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
            else:
                tensor.fill_(7)
    assert load_weights(model, peer.state_dict(), convention="pytorch").is_complete
    expected = peer.eval()(torch.from_numpy(x)).detach().numpy()
    # Sums of at most 36 products of numbers below 5, in f32.
    np.testing.assert_allclose(model.eval()(Tensor.from_numpy(x)).numpy(), expected, rtol=1e-5, atol=36 * 5 * 2.0**-22)
    save_safetensors(tmp_path / "x", model, convention="pytorch")
    again = make_peer(torch.nn)
    again.load_state_dict(package.load_file(tmp_path / "x"), strict=True)
    for name, tensor in peer.state_dict().items():
        if name != "num_batches_tracked" or peer.momentum is None:
            assert torch.equal(again.state_dict()[name], tensor), name
