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
    "rnn": (
        lambda m: m.RNN(4, 5, 2, bidirectional=True),
        lambda m: m.RNN(4, 5, 2, bidirectional=True, batch_first=True),
        (2, 3, 4),
    ),
    "lstm": (
        lambda m: m.LSTM(4, 5, 2, bidirectional=True),
        lambda m: m.LSTM(4, 5, 2, bidirectional=True, batch_first=True),
        (2, 3, 4),
    ),
    "gru": (lambda m: m.GRU(4, 5, bias=False), lambda m: m.GRU(4, 5, bias=False, batch_first=True), (2, 3, 4)),
    "embedding": (lambda m: m.Embedding(5, 4), lambda m: m.Embedding(5, 4), ()),
    "encoder": (
        lambda m: m.TransformerBlock(6, 2, 10),
        lambda m: m.TransformerEncoderLayer(6, 2, 10, 0.0, "gelu", batch_first=True, norm_first=True),
        (2, 3, 6),
    ),
    "rms norm": (lambda m: m.RMSNorm(6, epsilon=1e-5), lambda m: m.RMSNorm(6, eps=1e-5), (3, 6)),
}


@pytest.mark.parametrize(("make", "make_peer", "shape"), LAYERS.values(), ids=LAYERS)
def test_weights_of_a_layer(make: Make, make_peer: Make, shape: tuple[int, ...], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32) if shape else rng.integers(0, 5, (2, 3)).astype(np.int32)
    peer, model = make_peer(torch.nn), make(ours)
    with torch.no_grad():
        for tensor in (*peer.parameters(), *peer.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
            else:
                tensor.fill_(7)
    assert load_weights(model, peer.state_dict(), convention="pytorch").is_complete
    expected, found = peer.eval()(torch.from_numpy(x)), model.eval()(Tensor.from_numpy(x))
    if isinstance(expected, tuple):
        expected, found = expected[0], found[0]
    # Sums of at most 36 products of numbers below 5, in f32.
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-5, atol=36 * 5 * 2.0**-22)
    save_safetensors(tmp_path / "x", model, convention="pytorch")
    again = make_peer(torch.nn)
    again.load_state_dict(package.load_file(tmp_path / "x"), strict=True)
    for name, tensor in peer.state_dict().items():
        if name != "num_batches_tracked" or peer.momentum is None:
            assert torch.equal(again.state_dict()[name], tensor), name


def test_attention_and_a_decoder(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x, context = (rng.normal(size=(2, n, 6)).astype(np.float32) for n in (3, 4))
    given = [torch.from_numpy(x), torch.from_numpy(context)], [Tensor.from_numpy(x), Tensor.from_numpy(context)]
    peer = torch.nn.TransformerDecoderLayer(6, 2, 10, 0.0, "gelu", batch_first=True)
    model = ours.TransformerBlock(6, 2, 10, cross=True, norm_first=False)
    assert load_weights(model, peer.state_dict(), convention="pytorch").is_complete
    np.testing.assert_allclose(model(*given[1]).numpy(), peer(*given[0]).detach().numpy(), atol=1e-5)
    attention = torch.nn.MultiheadAttention(6, 3, batch_first=True)
    mine = ours.MultiHeadAttention(6, 3)
    assert load_weights(mine, attention.state_dict(), convention="pytorch").is_complete
    expected = attention(given[0][0], given[0][1], given[0][1])[0].detach().numpy()
    np.testing.assert_allclose(mine(*given[1]).numpy(), expected, atol=1e-5)
    save_safetensors(tmp_path / "x", mine, convention="pytorch")
    torch.nn.MultiheadAttention(6, 3).load_state_dict(package.load_file(tmp_path / "x"), strict=True)
