"""Activations, embeddings, and layers of other shapes and of layers, beside PyTorch."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import Dense, Embedding, Layer, Parallel, PRelu, Relu, Residual, Sequential, Tensor, Unflatten
from autograph.errors import AutographError, AxisError, DtypeError, ShapeError
from krnlpy import Device
from krnlpy.scalar import bf16, f32
from tests.support.tiers import sampled
from tests.support.typed import present, untyped

from .peers import agree

pytestmark = pytest.mark.one_vulkan_device

# Numbers from -5 to 5, none where a function has a kink. The functions are right to some ulp of f32: 1e-5.
X = np.random.default_rng(0).uniform(-5, 5, (2, 4, 3))

# The layer with its arguments, and those of the peer, by its name.
ACTIVATIONS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("Relu", {}, "ReLU", {}),
    ("LeakyRelu", {"slope": 0.2}, "LeakyReLU", {"negative_slope": 0.2}),
    ("Elu", {"alpha": 1.5}, "ELU", {"alpha": 1.5}),
    ("Gelu", {}, "GELU", {}),
    ("Softmax", {"axis": 1}, "Softmax", {"dim": 1}),
    ("PRelu", {"channels": 4}, "PReLU", {"num_parameters": 4}),
    ("Gelu", {"approximate": "tanh"}, "GELU", {"approximate": "tanh"}),
    ("Relu6", {}, "ReLU6", {}),
    ("HardShrink", {"threshold": 1.5}, "Hardshrink", {"lambd": 1.5}),
    ("SoftShrink", {"threshold": 1.5}, "Softshrink", {"lambd": 1.5}),
    ("TanhShrink", {}, "Tanhshrink", {}),
    ("Threshold", {"threshold": 1.5, "value": -2.0}, "Threshold", {"threshold": 1.5, "value": -2.0}),
    ("Celu", {"alpha": 0.5}, "CELU", {"alpha": 0.5}),
    ("Selu", {}, "SELU", {}),
    ("Silu", {}, "SiLU", {}),
    ("Mish", {}, "Mish", {}),
    ("Sigmoid", {}, "Sigmoid", {}),
    ("LogSigmoid", {}, "LogSigmoid", {}),
    ("HardSigmoid", {}, "Hardsigmoid", {}),
    ("HardSwish", {}, "Hardswish", {}),
    ("HardTanh", {"low": -2.0, "high": 3.0}, "Hardtanh", {"min_val": -2.0, "max_val": 3.0}),
    ("Softplus", {}, "Softplus", {}),
    ("Softsign", {}, "Softsign", {}),
    ("Tanh", {}, "Tanh", {}),
    ("Softmax", {}, "Softmax", {"dim": -1}),
    ("LogSoftmax", {"axis": 0}, "LogSoftmax", {"dim": 0}),
    ("PRelu", {"slope": 0.1}, "PReLU", {"init": 0.1}),
]


@pytest.mark.parametrize(("name", "settings", "peer", "others"), sampled(ACTIVATIONS, 6))
def test_activations(name: str, settings: Any, peer: str, others: Any, device: Device) -> None:
    torch = pytest.importorskip("torch")
    other = getattr(torch.nn, peer)(**others)
    agree(getattr(ag, name)(**settings), other, X, device, {"slope": "weight"}, rtol=1e-5, atol=1e-5)


def test_activations_say_what_they_take() -> None:
    assert repr(Sequential(ag.Elu(2), ag.Elu(), ag.HardTanh(high=3), ag.Softmax(axis=0))).splitlines()[1:] == [
        "  layers.0: Elu(alpha=2)",
        "  layers.1: Elu()",
        "  layers.2: HardTanh(high=3)",
        "  layers.3: Softmax(axis=0)",
    ]
    with pytest.raises(AutographError, match=r"Elu\(alpha.*: got an unexpected keyword argument 'beta'"):
        ag.Elu(beta=1)
    with pytest.raises(AutographError, match=r"Tanh.*too many positional"):
        ag.Tanh(1)
    with pytest.raises(DtypeError, match="Tanh takes a tensor, not list"):
        ag.Tanh()(untyped([1]))
    with pytest.raises(ShapeError, match=r"PRelu of 3 channels takes x of shape \[n, 3, \.\.\.\], not \(2, 4\)"):
        PRelu(3)(Tensor.ones((2, 4)))
    elu = ag.Elu(2)
    for other in (copy.deepcopy(elu), pickle.loads(pickle.dumps(elu))):
        assert repr(other) == "Elu(alpha=2)"


OTHERS: list[tuple[str, Callable[[], Layer], Callable[[Any], Any], tuple[int, ...]]] = [
    ("PixelShuffle", lambda: ag.PixelShuffle(2), lambda t: t.nn.PixelShuffle(2), (2, 8, 3, 2)),
    ("PixelUnshuffle", lambda: ag.PixelUnshuffle(2), lambda t: t.nn.PixelUnshuffle(2), (2, 3, 4, 6)),
    ("Unflatten", lambda: Unflatten(1, (2, -1)), lambda t: t.nn.Unflatten(1, (2, -1)), (3, 8, 2)),
    (
        "grouped",
        lambda: ag.Conv2(4, 6, 3, groups=2, stride=(2, 1), padding=1, dilation=(1, 2), bias=True, seed=0),
        lambda t: t.nn.Conv2d(4, 6, 3, groups=2, stride=(2, 1), padding=1, dilation=(1, 2)),
        (2, 4, 6, 7),
    ),
    (
        "depthwise",
        lambda: ag.Conv1(3, 6, 3, groups=3, padding="same", padding_mode="reflect", seed=0),
        lambda t: t.nn.Conv1d(3, 6, 3, groups=3, padding="same", padding_mode="reflect", bias=False),
        (2, 3, 8),
    ),
    (
        "transposed",
        lambda: ag.ConvTranspose2(
            4, 6, 3, stride=2, padding=1, output_padding=(1, 0), groups=2, dilation=2, bias=True, seed=0
        ),
        lambda t: t.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=(1, 0), groups=2, dilation=2),
        (2, 4, 4, 3),
    ),
    (
        "volumes",
        lambda: ag.ConvTranspose3(2, 3, (1, 2, 2), stride=(1, 2, 1), seed=0),
        lambda t: t.nn.ConvTranspose3d(2, 3, (1, 2, 2), stride=(1, 2, 1), bias=False),
        (1, 2, 2, 3, 2),
    ),
]


@pytest.mark.parametrize(("name", "make", "peer", "shape"), sampled(OTHERS, 4))
def test_other_layers(name: str, make: Any, peer: Any, shape: Any, device: Device) -> None:
    torch = pytest.importorskip("torch")
    # Sums of at most 36 products of numbers of size 1 to 10: 36 * 100 * 6e-8.
    agree(make(), peer(torch), np.random.default_rng(0).standard_normal(shape), device, rtol=1e-4, atol=2e-4)


def test_embedding(device: Device) -> None:
    """Three steps, in which the padding's row neither changes nor is given a gradient."""
    torch = pytest.importorskip("torch")
    layer = Embedding(7, 3, padding_index=2, seed=0, device=device)
    assert not layer.weight.numpy()[2].any() and layer.weight.numpy()[[0, 6]].all()
    peer = torch.nn.Embedding(7, 3, padding_idx=2)
    with torch.no_grad():
        peer.weight.copy_(torch.from_numpy(layer.weight.numpy().copy()))
    other = torch.optim.SGD(peer.parameters(), lr=0.1)
    for step in range(3):
        indices = np.array([[1, 2, 2], [step, 6, 1]], np.int32)
        layer.init_parameter_grads()
        other.zero_grad()
        y, z = layer(Tensor.from_numpy(indices, device)), peer(torch.from_numpy(indices))
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-6)
        (y * y).sum().backward()
        (z * z).sum().backward()
        np.testing.assert_allclose(present(layer.weight.grad).numpy(), peer.weight.grad.numpy(), rtol=1e-6)
        layer.update(0.1, ag.SGD())
        other.step()
        np.testing.assert_allclose(layer.weight.numpy(), peer.weight.detach().numpy(), rtol=1e-6)
    assert repr(layer) == "Embedding(7, 3, padding_index=2)  21 parameters"
    with pytest.raises(ShapeError, match=r"Embedding\(padding_index=7\) of 7 vectors"):
        Embedding(7, 3, padding_index=7)
    with pytest.raises(AutographError, match="features=0"):
        Embedding(7, 0)


def test_residual_and_parallel(device: Device) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    first, second, third = (Dense(3, 3, seed=i, device=device) for i in range(3))
    a, b, c = (layer.weight.numpy() for layer in (first, second, third))
    given = Tensor.from_numpy(x, device)
    np.testing.assert_allclose(Residual(first, None, Relu())(given).numpy(), x + np.maximum(x @ a, 0), rtol=1e-5)
    block = Residual(first, second, shortcut=third)
    np.testing.assert_allclose(block(given).numpy(), x @ a @ b + x @ c, rtol=1e-4, atol=1e-5)
    assert [name for name, _ in block.named_parameters()] == ["layers.0.weight", "layers.1.weight", "shortcut.weight"]
    side = Parallel(first, second)
    np.testing.assert_allclose(side(given).numpy(), np.concatenate([x @ a, x @ b], 1), rtol=1e-5)
    several = Parallel(first, second, axis=None)(given)
    assert isinstance(several, tuple) and len(several) == 2
    side.init_parameter_grads()
    side(given).sum().backward()
    np.testing.assert_allclose(present(first.weight.grad).numpy(), x.T @ np.ones((2, 3), np.float32), rtol=1e-5)


def test_layers_of_layers_that_do_not_fit() -> None:
    model = Sequential(Dense(3, 2), Relu(), Dense(2, 1))
    assert isinstance(model[1:], Sequential) and model[1:][1] is model[2] and len(model[:-1]) == 2
    with pytest.raises(AutographError, match=r"Residual: argument 0 is <class .*; expected layers or None"):
        Residual(untyped(Relu))
    with pytest.raises(AutographError, match=r"Residual\(shortcut=1\): expected a layer or None"):
        Residual(Relu(), shortcut=untyped(1))
    with pytest.raises(ShapeError, match="'a' is not an index of a Parallel of 1 layers"):
        Parallel(Relu())[untyped("a")]
    with pytest.raises(AxisError):
        Parallel(Relu(), axis=3)(Tensor.ones(2))
    for layer in (Unflatten(1, (2, 3)), Unflatten(0, (-1, 3)), Unflatten(0, (-1, -1)), Unflatten(0, (-2, -1))):
        with pytest.raises((ShapeError, AxisError), match="Unflatten"):
            layer(Tensor.ones((4, 5)))
    with pytest.raises(ShapeError, match="expected integers"):
        Unflatten(0, untyped("ab"))
    with pytest.raises(ShapeError, match="factor=0"):
        ag.PixelShuffle(0)


@pytest.mark.parametrize("dtype", [f32, bf16], ids=str)
def test_initializers(dtype: Any, device: Device) -> None:
    """Their ranges and deviations; one seed is one start on every device, rounded for other dtypes."""
    init, shape = ag.initializers, (60, 3, 4, 5)
    fan_in, fan_out = 3 * 4 * 5, 60 * 4 * 5

    def weight(initialize: Any, **options: Any) -> Any:
        return ag.Conv2(3, 60, (4, 5), seed=1, initialize=initialize, **options).weight.numpy()

    # 3600 draws: a deviation is right to 1 / sqrt(2 * 3600) = 1.2 %, a mean to deviation / 60; 5 times that.
    for initialize, std, bound in (
        (init.xavier_uniform(), np.sqrt(2 / (fan_in + fan_out)), np.sqrt(6 / (fan_in + fan_out))),
        (init.xavier_normal(2), 2 * np.sqrt(2 / (fan_in + fan_out)), None),
        (init.kaiming_uniform(0.5), np.sqrt(2 / 1.25 / fan_in), np.sqrt(6 / 1.25 / fan_in)),
        (init.kaiming_normal(fan="out"), np.sqrt(2 / fan_out), None),
        (init.scaled_uniform(), np.sqrt(2 / fan_in / 3), np.sqrt(2 / fan_in)),
        (init.uniform(-3, 3), np.sqrt(3), 3),
        (init.normal(0, 0.02), 0.02, None),
        (init.truncated_normal(std=0.5, low=-1, high=1), 0.5 * 0.8796, 1),  # of a normal cut at two deviations
    ):
        values = weight(initialize)
        assert abs(values.std() / std - 1) < 0.06 and abs(values.mean()) < std / 12
        assert bound is None or (abs(values).max() <= bound and abs(values).max() > 0.99 * bound)
        found = weight(initialize, device=device, dtype=dtype)
        np.testing.assert_array_equal(found, values.astype(dtype.dtype))
    rows = weight(init.orthogonal(2)).reshape(60, 60)
    np.testing.assert_allclose(rows @ rows.T, 4 * np.eye(60), atol=1e-5)
    tall = Dense(5, 3, initialize=init.orthogonal()).weight.numpy()
    np.testing.assert_allclose(tall.T @ tall, np.eye(3), atol=1e-6)
    assert (weight(init.constant(0.5)) == 0.5).all()
    np.testing.assert_array_equal(weight(None), weight(init.scaled_uniform()))

    layer = Dense(3, 2, bias=True, initialize=lambda shape, fans, rng: np.full(shape, fans.inputs * 10 + fans.outputs))
    assert (layer.weight.numpy() == 32).all() and not present(layer.bias).numpy().any()
    grouped = ag.Conv1(4, 6, 5, groups=2, initialize=lambda shape, fans, rng: np.full(shape, 100 * fans[0] + fans[1]))
    assert (grouped.weight.numpy() == 100 * 2 * 5 + 3 * 5).all()
    with pytest.raises(ShapeError, match=r"initialize gave weights of shape \(2,\); expected \(3, 2\)"):
        Dense(3, 2, initialize=lambda shape, fans, rng: np.zeros(2))
    with pytest.raises(AutographError, match="initialize='xavier'; expected a function"):
        Dense(3, 2, initialize=untyped("xavier"))
    for wrong in (
        lambda: init.xavier_uniform(untyped("x")),
        lambda: init.kaiming_normal(fan=untyped("both")),
        lambda: init.uniform(1, 1),
        lambda: init.constant(float("nan")),
    ):
        with pytest.raises(AutographError, match="expected"):
            wrong()
