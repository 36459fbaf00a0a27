"""Layers: children, names, initial weights, moving and casting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import SGD, Conv2, Dense, Flatten, Identity, Layer, MaxPool2, Parameter, Relu, Sequential, Tensor
from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Device
from krnlpy.scalar import bf16, f32, i32
from tests.autograph.lenet5 import LeNet5
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present, untyped

pytestmark = one_vulkan_device


def test_lenet5_has_46920_parameters() -> None:
    model = LeNet5()
    assert model.parameter_count == 46_920
    assert [(name, p.shape) for name, p in model.named_parameters()] == [
        ("conv1.weight", (6, 1, 5, 5)),
        ("conv2.weight", (16, 6, 5, 5)),
        ("dense1.weight", (256, 128)),
        ("dense2.weight", (128, 84)),
        ("dense3.weight", (84, 10)),
        ("dense3.bias", (10,)),
    ]


def test_repr_is_the_tree() -> None:
    assert str(LeNet5()).splitlines() == [
        "LeNet5  46,920 parameters",
        "  conv1: Conv2(1, 6, (5, 5))  150 parameters",
        "  relu1: Relu()",
        "  pool1: MaxPool2((2, 2))",
        "  conv2: Conv2(6, 16, (5, 5))  2,400 parameters",
        "  relu2: Relu()",
        "  pool2: MaxPool2((2, 2))",
        "  flatten: Flatten()",
        "  dense1: Dense(256, 128)  32,768 parameters",
        "  relu3: Relu()",
        "  dense2: Dense(128, 84)  10,752 parameters",
        "  relu4: Relu()",
        "  dense3: Dense(84, 10, bias=True)  850 parameters",
    ]
    assert repr(MaxPool2(3, stride=(1, 2))) == "MaxPool2((3, 3), stride=(1, 2))"
    assert repr(Conv2(1, 1, 3, padding=1, bias=True)).startswith("Conv2(1, 1, (3, 3), padding=(1, 1), bias=True)")


def test_one_seed_is_one_model_on_every_device(device: Device) -> None:
    expected = LeNet5(seed=3)
    for dtype in (f32, bf16):
        model = LeNet5(device, dtype, seed=3)
        for (name, found), value in zip(model.named_parameters(), expected.parameters(), strict=True):
            assert found.device == device
            np.testing.assert_array_equal(found.numpy(), value.numpy().astype(dtype.dtype), err_msg=name)


def test_initial_weights_fill_their_range() -> None:
    weight = Dense(200, 300, seed=1).weight.numpy()
    a = np.sqrt(2 / 200)
    # 60,000 draws: the ends are missed by more than 0.1 % with a probability below e**-30; the mean of such draws
    # has a deviation of a / sqrt(3 * 60000) = a / 424.
    assert weight.min() >= -a and weight.max() < a
    assert weight.min() < -0.999 * a and weight.max() > 0.999 * a
    assert abs(weight.mean()) < a / 60
    bound = np.sqrt(2 / (3 * 4 * 5))
    assert np.abs(present(Conv2(3, 50, (4, 5), bias=True, seed=1).bias).numpy()).max() < bound


def test_seeds() -> None:
    def weight(seed: Any) -> Any:
        return Dense(4, 4, seed=seed).weight.numpy()

    np.testing.assert_array_equal(weight(1), weight(1))
    assert not np.array_equal(weight(1), weight(2))
    assert not np.array_equal(weight(None), weight(None))
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(weight(rng), weight(1))
    assert not np.array_equal(weight(rng), weight(1))


class Block(Layer):
    def __init__(self, skip: Any) -> None:
        self.first = Dense(3, 3, seed=0)
        self.skip = skip
        self.rest: Any = [Relu(), Dense(3, 3, bias=True, seed=1)]
        self.nothing = None
        self.scale = Parameter(Tensor.full((), 2.0))
        self.name = "a block"

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.first(x)
        for layer in self.rest:
            y = layer(y)
        return x + y * self.scale if self.skip else y


def test_children_are_layers_parameters_and_lists_of_them() -> None:
    block = Block(True)
    names = ["first.weight", "rest.1.weight", "rest.1.bias", "scale"]
    assert [name for name, _ in block.named_parameters()] == names
    x = Tensor.ones((2, 3))
    y = np.maximum(x.numpy() @ block.first.weight.numpy(), 0) @ block.rest[1].weight.numpy()
    np.testing.assert_allclose(block(x).numpy(), 1 + 2 * (y + block.rest[1].bias.numpy()), rtol=1e-5)


def test_lists_and_nothing_run_in_order() -> None:
    class Sequence(Layer):
        def __init__(self) -> None:
            self.one = None
            self.layers: Any = [Dense(3, 2, seed=0), None, Relu()]
            self.flatten = Flatten()
            self.identity = Identity()

    model = Sequence()
    x = Tensor.from_numpy(np.eye(3, dtype=np.float32))
    np.testing.assert_array_equal(model(x).numpy(), np.maximum(model.layers[0].weight.numpy(), 0))


def test_children_lie_in_lists_of_lists_too() -> None:
    class Nest(Layer):
        def __init__(self) -> None:
            self.blocks: Any = [[Dense(2, 3, seed=0), Relu()], (None, [Dense(3, 2, seed=1)]), "no layer", 5]
            self.scales: Any = (Parameter(Tensor.ones(())), [Parameter(Tensor.full((), 3.0))])

        def forward(self, x: Tensor) -> Tensor:
            first, relu = self.blocks[0]
            y: Tensor = self.blocks[1][1][0](relu(first(x))) * self.scales[1][0]
            return y

    model = Nest()
    names = ["blocks.0.0.weight", "blocks.1.1.0.weight", "scales.0", "scales.1.0"]
    assert [name for name, _ in model.named_parameters()] == names
    assert str(model).splitlines() == [
        "Nest  14 parameters",
        "  blocks.0.0: Dense(2, 3)  6 parameters",
        "  blocks.0.1: Relu()",
        "  blocks.1.1.0: Dense(3, 2)  6 parameters",
    ]
    model.init_parameter_grads()
    model(Tensor.ones((1, 2))).sum().backward()
    assert [p.grad is not None for p in model.parameters()] == [True, True, False, True]
    model.update(0.1, SGD())
    model.cast(bf16)
    assert all(p.dtype is bf16 for p in model.parameters())


@pytest.mark.parametrize("bias", [True, False])
def test_an_optional_layer_is_none_or_there(bias: Any) -> None:
    class Optional(Layer):
        def __init__(self) -> None:
            self.first = Dense(2, 2, seed=0) if bias else None
            self.then = Relu()

    model, x = Optional(), Tensor.from_numpy(np.array([[-1, 2]], np.float32))
    expected = x.numpy() @ present(model.first).weight.numpy() if bias else x.numpy()
    np.testing.assert_allclose(model(x).numpy(), np.maximum(expected, 0), rtol=1e-6)
    assert model.parameter_count == (4 if bias else 0)


class LeakyRelu(Layer):
    def forward(self, x: Tensor) -> Tensor:
        return x.relu() - (-x).relu() * 0.5


@pytest.mark.parametrize(("alternative", "expected"), [(Relu(), [0, 2]), (Identity(), [-4, 2]), (LeakyRelu(), [-2, 2])])
def test_an_alternative_is_whichever_layer_was_assigned(alternative: Any, expected: Any) -> None:
    """What an enum of layers is in the seed."""

    class Activated(Layer):
        def __init__(self, activation: Any) -> None:
            self.activation = activation
            self.flatten = Flatten()

    x = Tensor.from_numpy(np.array([[-4, 2]], np.float32))
    np.testing.assert_array_equal(Activated(alternative)(x).numpy(), [expected])


def test_a_forward_takes_and_gives_what_it_likes() -> None:
    class Both(Layer):
        """Of two inputs, as a tuple, two outputs."""

        def __init__(self) -> None:
            self.left, self.right = Dense(2, 1, seed=0), Dense(3, 1, seed=1)

        def forward(self, x: Any) -> Any:
            return self.left(x[0]), self.right(x[1])

    left, right = Both()(untyped((Tensor.ones((4, 2)), Tensor.ones((4, 3)))))
    assert left.shape == right.shape == (4, 1)


def test_layers_take_any_arguments() -> None:
    class Scaled(Layer):
        def forward(self, x: Tensor, factor: float, *, offset: float = 0) -> Tensor:
            return x * factor + offset

    class Chain(Layer):
        def __init__(self) -> None:
            self.first, self.then = Scaled(), Relu()

    x = Tensor.from_numpy(np.array([-1, 2], np.float32))
    assert Scaled()(x, 2, offset=1).numpy().tolist() == [-1, 5]
    assert Chain()(x, 2, offset=1).numpy().tolist() == [0, 5]
    assert Layer()(x) is x
    with pytest.raises(AutographError, match="takes one argument"):
        Layer()(x, 2)


def test_sequential() -> None:
    dense = Dense(3, 2, seed=0)
    model = Sequential(dense, None, Relu(), Sequential(Identity(), Flatten()))
    x = Tensor.from_numpy(np.eye(3, dtype=np.float32))
    np.testing.assert_array_equal(model(x).numpy(), np.maximum(dense.weight.numpy(), 0))
    assert len(model) == 3 and model[0] is dense and [type(layer) for layer in model] == [Dense, Relu, Sequential]
    assert [name for name, _ in model.named_parameters()] == ["layers.0.weight"]
    assert str(model).splitlines() == [
        "Sequential  6 parameters",
        "  layers.0: Dense(3, 2)  6 parameters",
        "  layers.1: Relu()",
        "  layers.2: Sequential",
        "    layers.0: Identity()",
        "    layers.1: Flatten()",
    ]
    assert Sequential()(x) is x
    with pytest.raises(AutographError, match=r"argument 1 is <class .*Relu'>, a type; expected layers or None"):
        Sequential(Dense(1, 1), untyped(Relu))


def test_a_shared_parameter_is_trained_once() -> None:
    class Tied(Layer):
        def __init__(self) -> None:
            self.a = Dense(2, 2, seed=0)
            self.b = Dense(2, 2, seed=0)
            self.b.weight = self.a.weight

    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["a.weight"]
    assert model.parameter_count == 4
    before = model.a.weight.numpy()
    model.init_parameter_grads()
    model(Tensor.ones((1, 2))).sum().backward()
    gradient = present(model.a.weight.grad).numpy()
    model.update(0.5, SGD())
    np.testing.assert_allclose(model.a.weight.numpy(), before - 0.5 * gradient, rtol=1e-6)


def test_a_layer_that_contains_itself_is_refused() -> None:
    model = Sequential(Dense(2, 2), Sequential(Relu()))
    setattr(model[1], "parent", model)  # noqa: B010
    with pytest.raises(AutographError, match=r"the layer layers\.1\.parent contains itself"):
        model.init_parameter_grads()


def test_parameters_without_a_forward() -> None:
    class Lonely(Layer):
        def __init__(self) -> None:
            self.weight = Parameter(Tensor.ones(2))

    with pytest.raises(AutographError, match=r"Lonely has the parameter weight but no forward"):
        Lonely()(Tensor.ones(2))


def test_update_closes_the_slots(device: Device) -> None:
    model: Layer = LeNet5(device)
    x = Tensor.ones((1, 1, 28, 28), f32, device)
    if device.info.kind == "interpreter":
        model, x = Dense(3, 2, device=device, seed=0), Tensor.ones((1, 3), f32, device)
    assert not model(x).tracked
    model.init_parameter_grads()
    model(x).sum().backward()
    model.update(0.1, SGD(0.5))
    assert not any(p.tracked for p in model.parameters())
    assert not model(x).tracked


def test_moving_and_casting(device: Device) -> None:
    model = Dense(3, 2, bias=True, seed=0)
    x = Tensor.ones((1, 3))
    model.init_parameter_grads()
    model(x).sum().backward()
    model.update(0.1, SGD(0.9))
    weight, velocity = model.weight.numpy(), model.weight.state["velocity"].numpy()
    model.to_device(device)
    assert model.weight.device == model.weight.state["velocity"].device == device
    np.testing.assert_array_equal(model.weight.state["velocity"].numpy(), velocity)
    model.cast(bf16)
    assert model.weight.dtype is bf16 and present(model.bias).dtype is bf16
    np.testing.assert_array_equal(model.weight.numpy(), weight.astype(bf16.dtype))
    assert model(x.to_device(device).cast(bf16)).dtype is bf16


def test_what_does_not_fit() -> None:
    with pytest.raises(AutographError, match=r"Dense: inputs=0; expected a whole number of at least 1"):
        Dense(0, 3)
    with pytest.raises(AutographError, match=r"outputs=2\.5"):
        Conv2(1, untyped(2.5), 3)
    with pytest.raises(ShapeError, match="filter="):
        Conv2(1, 1, (3, 0))
    with pytest.raises(DtypeError, match="weights are floats, not i32"):
        Dense(1, 1, dtype=i32)
    with pytest.raises(ShapeError, match="3 columns do not fit 4 rows"):
        Dense(4, 2)(Tensor.ones((2, 3)))
    assert Dense(1, 1).weight.device == Device.host()
