"""What is in a layer: walks, buffers, containers, modes, freezing, tying, and what takes the place of a child."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest

from autograph import (
    SGD,
    Dense,
    Layer,
    LayerBuffer,
    Parameter,
    Relu,
    Sequential,
    Tensor,
    load_checkpoint,
    random,
    save_checkpoint,
)
from autograph.errors import AutographError, CheckpointError, DtypeError
from autograph.files.container import read_container, write_container
from krnlpy import Device
from krnlpy.scalar import bf16, f32, i32
from tests.support.tiers import one_vulkan_device
from tests.support.typed import untyped

pytestmark = one_vulkan_device


class Centered(Layer):
    """Less the running mean of what it saw in training, plus noise in training."""

    other: LayerBuffer
    noise: random.Generator

    def __init__(self, seed: int = 0) -> None:
        self.dense = Dense(3, 2, seed=seed)
        self.mean = LayerBuffer(Tensor.zeros(3))
        self.count = LayerBuffer(Tensor.full((), 0))
        self.generator = random.Generator(seed)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.count.assign(self.count + 1)
            self.mean.scaled_add(0.5, x.mean(0) - self.mean)
            x = x + random.normal(self.generator, x.shape, device=x.device)
        y: Tensor = self.dense(x - self.mean)
        return y


class Nest(Layer):
    def __init__(self) -> None:
        self.blocks: Any = {"first": [Dense(2, 3), (Relu(), None)], "scales": {"a": Parameter(Tensor.ones(2))}}
        self.settings: Any = {1: "not a child", "b.c": 5, 2: []}
        self.mean: Any = [{"mean": LayerBuffer(Tensor.zeros(2))}, random.Generator(1)]
        self.again: Any = self.blocks["first"][0]


def test_walks_go_through_containers_of_any_nesting() -> None:
    model = Nest()
    assert [name for name, _ in model.named_layers()] == ["", "blocks.first.0", "blocks.first.1.0"]
    assert [name for name, _ in model.named_parameters()] == ["blocks.first.0.weight", "blocks.scales.a"]
    assert [name for name, _ in model.named_buffers()] == ["mean.0.mean"]
    assert [name for name, _ in model.named_generators()] == ["mean.1"]
    assert list(model.children()) == [model.again, model.blocks["first"][1][0], model.again]
    assert model.parameter_count == 8
    seen: list[Layer] = []
    assert model.apply(seen.append) is model
    assert seen == [layer for _, layer in model.named_layers()] and seen[0] is model
    model.blocks["x.y"] = [Relu()]
    with pytest.raises(AutographError, match=r"blocks has the key 'x\.y' for a child; expected a string without dots"):
        model.parameters()
    model.blocks = {3: Relu()}
    with pytest.raises(AutographError, match="blocks has the key 3"):
        model.parameters()


def test_layers_that_are_shared_are_visited_once() -> None:
    """Without that, a walk of these would take 2**60 visits."""
    layer: Layer = Dense(1, 1)
    for _ in range(60):
        layer = Sequential(layer, layer)
    assert layer.parameter_count == 1 and len(list(layer.named_layers())) == 61
    assert not layer.eval().training


def test_modes() -> None:
    model = Sequential(Relu(), Sequential(Relu()))
    layers = [layer for _, layer in model.named_layers()]
    assert all(layer.training for layer in layers)
    assert model.eval() is model and not any(layer.training for layer in layers)
    assert model.train() is model and all(layer.training for layer in layers)
    with pytest.raises(AutographError, match=r"train\(mode=1\): expected True or False"):
        model.train(untyped(1))


def test_buffers_are_changed_moved_and_cast_but_not_trained(device: Device) -> None:
    model = Centered()
    model.to_device(device)
    assert model.mean.device == model.count.device == device
    x = Tensor.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3), device)
    model.init_parameter_grads()
    model(x).sum().backward()
    assert not model.mean.tracked
    model.update(0.1, SGD())
    model.eval()(x)
    np.testing.assert_array_equal(model.mean.numpy(), [0.75, 1.25, 1.75])
    assert model.count.item() == 1 and model.parameter_count == 6
    model.cast(bf16)
    assert model.mean.dtype is bf16 and model.count.dtype is i32
    assert isinstance(model.mean, LayerBuffer) and not isinstance(model.mean + 1, LayerBuffer)
    with pytest.raises(DtypeError, match="LayerBuffer takes a Tensor, not ndarray"):
        LayerBuffer(untyped(np.ones(2)))


def test_copies_have_buffers_of_their_own() -> None:
    model = Centered()
    model.dense.weight.freeze()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert isinstance(other.mean, LayerBuffer) and other.dense.weight.frozen
        other.mean.fill(1)
        assert model.mean.numpy().tolist() == [0, 0, 0]
    shallow = copy.copy(model.mean)
    assert isinstance(shallow, LayerBuffer)
    shallow.fill(2)
    assert model.mean.numpy().tolist() == [0, 0, 0]


def test_checkpoints_have_buffers_and_generators(device: Device, tmp_path: Path) -> None:
    """Training goes on as if it had not stopped, noise and running mean included."""

    def train(model: Centered, first: int) -> list[float]:
        losses = []
        for step in range(first, first + 2):
            x = Tensor.from_numpy(np.random.default_rng(step).random((2, 3), np.float32), device)
            model.init_parameter_grads()
            loss = (model(x) * model(x)).sum()
            loss.backward()
            model.update(0.01, SGD())
            losses.append(loss.item())
        return losses

    whole, resumed = Centered(), Centered(seed=3)
    for model in (whole, resumed):
        model.to_device(device)
    train(whole, 0)
    save_checkpoint(tmp_path / "m", whole, SGD())
    load_checkpoint(tmp_path / "m", resumed, SGD())
    assert train(whole, 2) == train(resumed, 2)
    assert whole.mean.numpy().tolist() == resumed.mean.numpy().tolist()

    resumed.other = LayerBuffer(Tensor.zeros(1))
    resumed.noise = random.Generator(0)
    resumed.mean.set(Tensor.zeros(2))
    before = resumed.dense.weight.numpy().copy()
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(tmp_path / "m", resumed)
    for part in ("other is missing in the file", "noise is missing", "mean is f32 (3,) in the file, f32 (2,) in the"):
        assert part in str(error.value)
    np.testing.assert_array_equal(resumed.dense.weight.numpy(), before)


def test_old_checkpoints_without_buffers_are_read(tmp_path: Path) -> None:
    """Files from before there were buffers: of models that have none now either, and of some with generators."""

    class Old(Layer):
        def __init__(self) -> None:
            self.dense, self.generator = Dense(2, 2), random.Generator(4)

    model, path = Old(), tmp_path / "m"
    save_checkpoint(path, model)
    content = cbor2.loads(read_container(path))
    for name in ("buffers", "generators"):
        del content[name]
    write_container(path, cbor2.dumps(content))
    model.generator.key()
    load_checkpoint(path, model)
    assert model.generator.counter == 1
    for name, value, message in (
        ("buffers", [], "buffers or generators are not maps"),
        ("buffers", {"mean": 1}, "mean is not an array"),
        ("generators", 1, "buffers or generators are not maps"),
        ("generators", {"generator": {"seed": -1, "counter": 0}}, "the generator generator: seed=-1"),
        ("generators", {"generator": 7}, "the generator generator: the state"),
    ):
        write_container(path, cbor2.dumps({**content, name: value}))
        with pytest.raises(CheckpointError, match=f"does not hold a checkpoint: {message}"):
            load_checkpoint(path, model)


def test_frozen_parameters_are_not_trained() -> None:
    model = Sequential(Dense(3, 3, seed=0), Dense(3, 2, bias=True, seed=1))
    first: Any = model[0]
    last: Any = model[1]
    assert first.freeze() is first
    before = [p.numpy().copy() for p in model.parameters()]
    model.init_parameter_grads()
    loss = model(Tensor.ones((1, 3))).sum()
    loss.backward()
    assert [p.grad is None for p in model.parameters()] == [True, False, False]
    model.update(0.1, SGD(0.9))
    after = [p.numpy() for p in model.parameters()]
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [True, False, False]
    assert not first.weight.state
    with pytest.raises(AutographError, match="a frozen parameter has no gradient slot"):
        first.weight.init_grad()
    last.bias.init_grad()
    last.bias.freeze()
    assert not last.bias.tracked
    model.unfreeze()
    model.init_parameter_grads()
    assert all(p.tracked for p in model.parameters())


class Tied(Layer):
    """An autoencoder whose decoder has the encoder's weights."""

    def __init__(self, seed: int) -> None:
        self.encode = Dense(3, 2, seed=seed)
        self.tied = Dense(3, 2, seed=seed)
        self.tied.weight = self.encode.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.encode(x)
        return y @ self.tied.weight.T


def test_tied_weights_are_saved_once_and_loaded_tied(tmp_path: Path) -> None:
    model, other = Tied(0), Tied(1)
    assert model.parameter_count == 6
    save_checkpoint(tmp_path / "m", model)
    load_checkpoint(tmp_path / "m", other)
    assert other.tied.weight is other.encode.weight
    np.testing.assert_array_equal(other.tied.weight.numpy(), model.encode.weight.numpy())
    copied = copy.deepcopy(model)
    assert copied.tied.weight is copied.encode.weight
    model.init_parameter_grads()
    x = Tensor.from_numpy(np.array([[1, 2, 3]], np.float32))
    model(x).sum().backward()
    w, gradient = model.encode.weight.numpy(), model.encode.weight.grad
    ones = np.ones((1, 3), np.float32)  # d(sum(x w wT)) = xT (1 w) + 1T (x w)
    assert gradient is not None
    np.testing.assert_allclose(gradient.numpy(), x.numpy().T @ (ones @ w) + ones.T @ (x.numpy() @ w), rtol=1e-5)


def test_what_takes_the_place_of_a_child_is_its_like() -> None:
    model = Centered()
    weight, step = model.dense.weight, Tensor.ones((3, 2))
    with pytest.raises(AutographError, match=r"Dense\.weight is a Parameter, and would become a Tensor, which is not"):
        model.dense.weight = untyped(model.dense.weight - 0.1 * step)
    with pytest.raises(AutographError, match=r"a Parameter is not changed by \+= or -=.*; \.scaled_add\(factor"):
        model.dense.weight -= 0.1 * step
    with pytest.raises(AutographError, match="a LayerBuffer is not changed by"):
        model.mean *= 0.9
    for parameter in model.parameters():  # a loop that would train nothing
        with pytest.raises(AutographError, match="a Parameter is not changed by"):
            parameter += step
    with pytest.raises(AutographError, match=r"`weight\.assign\(tensor\)` or .* `Parameter\(tensor\)` is a new one"):
        model.dense.weight = untyped(step.numpy())
    with pytest.raises(AutographError, match=r"Centered\.mean is a LayerBuffer, .* `LayerBuffer\(tensor\)` is a new"):
        model.mean = untyped(model.mean * 0.9)
    with pytest.raises(AutographError, match=r"Centered\.mean is a LayerBuffer, and would become a Parameter"):
        model.mean = untyped(Parameter(Tensor.zeros(3)))
    with pytest.raises(AutographError, match=r"Centered\.dense is a Layer, and would become a function; expected a"):
        model.dense = untyped(lambda x: x)
    assert model.dense.weight is weight and weight.frozen is False
    model.dense.weight = Parameter(step)
    model.mean = LayerBuffer(Tensor.ones(3))
    model.dense = untyped(None)
    model.dense = Dense(3, 2)
    del model.dense
    model.dense = untyped(abs)
    assert model.mean.numpy().tolist() == [1, 1, 1] and model.mean.dtype is f32
