"""Weights by autograph's and PyTorch's names and layouts: there, back, in part, and never the wrong way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograph import (
    Conv2,
    ConvTranspose1,
    Dense,
    Flatten,
    Layer,
    Parameter,
    Relu,
    Sequential,
    Tensor,
    load_safetensors,
    load_weights,
    save_safetensors,
)
from autograph.errors import CheckpointError
from krnlpy import Device
from tests.support.tiers import one_vulkan_device

pytestmark = pytest.mark.one_vulkan_device


class Net(Layer):
    def __init__(self, seed: int = 0, device: Device | None = None, dtype: str = "f32") -> None:
        self.body = Sequential(
            Conv2(1, 4, 3, bias=True, seed=seed, device=device, dtype=dtype), Relu(), Flatten(), Relu()
        )
        self.heads = [Dense(16, 16, bias=True, seed=seed + i, device=device, dtype=dtype) for i in (1, 2)]
        self.scale = Parameter(Tensor.full((16,), 0.5 + seed, device=device).cast(dtype))

    def forward(self, x: Tensor) -> Any:
        x = self.body(x)
        for head in self.heads:
            x = head(x)
        return x * self.scale


def values(model: Layer) -> list[bytes]:
    return [parameter.numpy().tobytes() for parameter in model.parameters()]


def torch_net(torch: Any) -> Any:
    nn = torch.nn

    class Peer(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.ReLU())
            self.heads = nn.ModuleList([nn.Linear(16, 16), nn.Linear(16, 16)])
            self.scale = nn.Parameter(torch.rand(16))

        def forward(self, x: Any) -> Any:
            x = self.body(x)
            for head in self.heads:
                x = head(x)
            return x * self.scale

    torch.manual_seed(0)
    return Peer()


IMAGES = np.random.default_rng(0).normal(size=(3, 1, 4, 4)).astype(np.float32)
# Sums of at most 16 products of numbers below 4, twice, in f32.
ROUNDING = 16 * 4 * 2.0**-22


@one_vulkan_device
def test_a_modules_weights(device: Device, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("safetensors.torch")
    peer = torch_net(torch)
    package.save_file(peer.state_dict(), tmp_path / "peer")
    expected = peer(torch.from_numpy(IMAGES)).detach().numpy()
    for source in (tmp_path / "peer", peer.state_dict()):
        model = Net(device=device)
        report = load_weights(model, source, convention="pytorch")
        assert report.is_complete
        assert len(report.loaded) == 7
        np.testing.assert_allclose(model(Tensor.from_numpy(IMAGES, device)).numpy(), expected, rtol=0, atol=ROUNDING)


def test_a_module_loads_ours(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("safetensors.torch")
    model, peer = Net(seed=3), torch_net(torch)
    save_safetensors(tmp_path / "x", model, {"epoch": "3"}, convention="pytorch")
    peer.load_state_dict(package.load_file(tmp_path / "x"), strict=True)
    found = peer(torch.from_numpy(IMAGES)).detach().numpy()
    np.testing.assert_allclose(model(Tensor.from_numpy(IMAGES)).numpy(), found, rtol=0, atol=ROUNDING)
    again = Net(seed=9)  # the file says how it is laid out
    load_weights(again, tmp_path / "x")
    assert values(again) == values(model)


def test_our_own_convention(tmp_path: Path) -> None:
    model, again = Net(seed=3), Net(seed=9)
    save_safetensors(tmp_path / "x", model)
    load_weights(again, tmp_path / "x")
    assert values(again) == values(model)
    assert sorted(load_safetensors(tmp_path / "x")) == sorted(name for name, _ in model.named_parameters())


def test_square_matrices_are_never_guessed(tmp_path: Path) -> None:
    model = Net()
    before = values(model)
    tensors = {f"heads.{i}.weight": np.ones((16, 16), np.float32) for i in range(2)}
    save_safetensors(tmp_path / "x", tensors)
    for source in (tensors, tmp_path / "x"):
        with pytest.raises(CheckpointError, match=r'has heads.0.weight, heads.1.weight otherwise.*convention="'):
            load_weights(model, source, strict=False)
    assert values(model) == before
    # Where nothing is laid out otherwise, nothing needs to be said.
    filters = ConvTranspose1(2, 3, 4)
    assert load_weights(filters, {"weight": np.ones((2, 3, 4), np.float32)}).loaded == ["weight"]


def test_reports(tmp_path: Path) -> None:
    model = Net()
    before = values(model)
    tensors = {
        "body.0.weight": np.ones((4, 1, 3, 3), np.float32),
        "heads.0.weight": np.ones((16, 8), np.float32),
        "heads.0.bias": np.ones(16, np.int32),
        "fc.weight": np.ones(3, np.float32),
    }
    save_safetensors(tmp_path / "x", tensors)
    with pytest.raises(CheckpointError, match="is left as it was") as caught:
        load_weights(model, tmp_path / "x", convention="pytorch")
    assert values(model) == before
    report = load_weights(model, tmp_path / "x", convention="pytorch", strict=False)
    assert str(report).partition("\n")[2] in str(caught.value)
    assert report.loaded == ["body.layers.0.weight"]
    assert report.missing == ["scale", "body.layers.0.bias", "heads.1.weight", "heads.1.bias"]
    assert report.unexpected == ["fc.weight"]
    assert report.mismatched == [
        "heads.0.weight: f32 (16, 8) in the file, f32 (16, 16) wanted",
        "heads.0.bias: i32 (16,) in the file, f32 (16,) wanted",
    ]
    assert [a == b for a, b in zip(values(model), before, strict=True)] == [False, *[True] * 6]


def test_other_names(tmp_path: Path) -> None:
    model, again = Net(seed=3), Net(seed=9)
    save_safetensors(tmp_path / "x", model, convention="pytorch")
    theirs = {
        name.replace("body", "model.encoder").replace("heads.0", "heads.1x").replace("heads.1.", "heads.0."): tensor
        for name, tensor in load_safetensors(tmp_path / "x").items()
    }
    theirs = {name.replace("1x", "1"): tensor for name, tensor in theirs.items()}
    names = {"model": "", "encoder": "body", "heads.0": "heads.1", "heads.1": "heads.0"}
    load_weights(again, theirs, convention="pytorch", names=names)
    assert values(again) == values(model)
    report = load_weights(again, theirs, convention="pytorch", names={"model.encoder": None}, strict=False)
    assert report.missing == ["body.layers.0.weight", "body.layers.0.bias"]
    assert not report.unexpected
    load_weights(again, {"x": model.scale}, names=lambda name: "scale" if name == "x" else None, strict=False)
    with pytest.raises(CheckpointError, match="for a and for b"):
        load_weights(again, {"a": model.scale, "b": model.scale}, names=lambda _: "scale")
    for wrong in ({"": "x"}, {"a": 1}, 7, lambda _: 7):
        with pytest.raises(CheckpointError, match="expected"):
            load_weights(again, {"a": model.scale}, names=wrong)  # type: ignore[arg-type]


def test_tied_parameters(tmp_path: Path) -> None:
    class Tied(Layer):
        def __init__(self) -> None:
            self.first = Dense(3, 3, seed=0)
            self.second = Dense(3, 3, seed=1)
            self.second.weight = self.first.weight

    model, again = Tied(), Tied()
    save_safetensors(tmp_path / "x", model, convention="pytorch")
    assert list(load_safetensors(tmp_path / "x")) == ["first.weight", "second.weight"]
    again.first.weight.fill(0)
    load_weights(again, tmp_path / "x")
    assert values(again) == values(model)
    report = load_weights(again, load_safetensors(tmp_path / "x", names=["first.weight"]), convention="pytorch")
    assert report.is_complete


def test_dtypes_are_the_models(tmp_path: Path) -> None:
    model = Net(dtype="bf16")
    save_safetensors(tmp_path / "x", Net(seed=3))
    load_weights(model, tmp_path / "x")
    assert {str(parameter.dtype) for parameter in model.parameters()} == {"bf16"}
    expected = Net(seed=3)
    expected.cast("bf16")
    assert values(model) == values(expected)


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="takes a Layer"):
        load_weights(Tensor.ones(2), {})  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="x is a object"):
        load_weights(Net(), {"x": object()})
    with pytest.raises(CheckpointError, match="expected 'autograph' or 'pytorch'"):
        load_weights(Net(), {}, convention="keras")  # type: ignore[arg-type]
