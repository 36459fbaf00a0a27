"""Layers: children, names, initial weights, moving and casting."""

import numpy as np
import pytest
from lenet5 import LeNet5

from autograph import SGD, Conv2, Dense, Flatten, Identity, Layer, MaxPool2, Parameter, Relu, Tensor
from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Device, bf16, f32, i32


def test_lenet5_has_46920_parameters():
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


def test_repr_is_the_tree():
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


def test_one_seed_is_one_model_on_every_device(device):
    expected = LeNet5(seed=3)
    for dtype in (f32, bf16):
        model = LeNet5(device, dtype, seed=3)
        for (name, found), value in zip(model.named_parameters(), expected.parameters(), strict=True):
            assert found.device == device
            np.testing.assert_array_equal(found.numpy(), value.numpy().astype(dtype.dtype), err_msg=name)


def test_initial_weights_fill_their_range():
    weight = Dense(200, 300, seed=1).weight.numpy()
    a = np.sqrt(2 / 200)
    # 60,000 draws: the ends are missed by more than 0.1 % with a probability below e**-30; the mean of such draws
    # has a deviation of a / sqrt(3 * 60000) = a / 424.
    assert weight.min() >= -a and weight.max() < a
    assert weight.min() < -0.999 * a and weight.max() > 0.999 * a
    assert abs(weight.mean()) < a / 60
    bound = np.sqrt(2 / (3 * 4 * 5))
    assert np.abs(Conv2(3, 50, (4, 5), bias=True, seed=1).bias.numpy()).max() < bound


def test_seeds():
    def weight(seed):
        return Dense(4, 4, seed=seed).weight.numpy()

    np.testing.assert_array_equal(weight(1), weight(1))
    assert not np.array_equal(weight(1), weight(2))
    assert not np.array_equal(weight(None), weight(None))
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(weight(rng), weight(1))
    assert not np.array_equal(weight(rng), weight(1))


class Block(Layer):
    def __init__(self, skip):
        self.first = Dense(3, 3, seed=0)
        self.skip = skip
        self.rest = [Relu(), Dense(3, 3, bias=True, seed=1)]
        self.nothing = None
        self.scale = Parameter(Tensor.full((), 2.0))
        self.name = "a block"

    def forward(self, x):
        y = self.first(x)
        for layer in self.rest:
            y = layer(y)
        return x + y * self.scale if self.skip else y


def test_children_are_layers_parameters_and_lists_of_them():
    block = Block(True)
    names = ["first.weight", "rest.1.weight", "rest.1.bias", "scale"]
    assert [name for name, _ in block.named_parameters()] == names
    x = Tensor.ones((2, 3))
    y = np.maximum(x.numpy() @ block.first.weight.numpy(), 0) @ block.rest[1].weight.numpy()
    np.testing.assert_allclose(block(x).numpy(), 1 + 2 * (y + block.rest[1].bias.numpy()), rtol=1e-5)


def test_lists_and_nothing_run_in_order():
    class Sequence(Layer):
        def __init__(self):
            self.one = None
            self.layers = [Dense(3, 2, seed=0), None, Relu()]
            self.flatten = Flatten()
            self.identity = Identity()

    model = Sequence()
    x = Tensor.from_numpy(np.eye(3, dtype=np.float32))
    np.testing.assert_array_equal(model(x).numpy(), np.maximum(model.layers[0].weight.numpy(), 0))


def test_a_shared_parameter_is_trained_once():
    class Tied(Layer):
        def __init__(self):
            self.a = Dense(2, 2, seed=0)
            self.b = Dense(2, 2, seed=0)
            self.b.weight = self.a.weight

    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["a.weight"]
    assert model.parameter_count == 4
    before = model.a.weight.numpy()
    model.init_parameter_grads()
    model(Tensor.ones((1, 2))).sum().backward()
    gradient = model.a.weight.grad.numpy()
    model.update(0.5, SGD())
    np.testing.assert_allclose(model.a.weight.numpy(), before - 0.5 * gradient, rtol=1e-6)


def test_parameters_without_a_forward():
    class Lonely(Layer):
        def __init__(self):
            self.weight = Parameter(Tensor.ones(2))

    with pytest.raises(AutographError, match=r"Lonely has the parameter weight but no forward"):
        Lonely()(Tensor.ones(2))


def test_update_closes_the_slots(device):
    model = LeNet5(device)
    x = Tensor.ones((1, 1, 28, 28), f32, device)
    if device.info.kind == "interpreter":
        model, x = Dense(3, 2, device=device, seed=0), Tensor.ones((1, 3), f32, device)
    assert not model(x).tracked
    model.init_parameter_grads()
    model(x).sum().backward()
    model.update(0.1, SGD(0.5))
    assert not any(p.tracked for p in model.parameters())
    assert not model(x).tracked


def test_moving_and_casting(device):
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
    assert model.weight.dtype is bf16 and model.bias.dtype is bf16
    np.testing.assert_array_equal(model.weight.numpy(), weight.astype(bf16.dtype))
    assert model(x.to_device(device).cast(bf16)).dtype is bf16


def test_what_does_not_fit():
    with pytest.raises(AutographError, match=r"Dense: inputs=0; expected a whole number of at least 1"):
        Dense(0, 3)
    with pytest.raises(AutographError, match=r"outputs=2\.5"):
        Conv2(1, 2.5, 3)
    with pytest.raises(ShapeError, match="filter="):
        Conv2(1, 1, (3, 0))
    with pytest.raises(DtypeError, match="weights are floats, not i32"):
        Dense(1, 1, dtype=i32)
    with pytest.raises(ShapeError, match="3 columns do not fit 4 rows"):
        Dense(4, 2)(Tensor.ones((2, 3)))
    assert Dense(1, 1).weight.device == Device.host()
