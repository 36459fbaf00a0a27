"""Normalisations beside PyTorch: values, gradients, running statistics, training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from autograph import (
    SGD,
    BatchNorm1,
    BatchNorm2,
    BatchNorm3,
    Dense,
    Dropout,
    GroupNorm,
    InstanceNorm1,
    InstanceNorm2,
    InstanceNorm3,
    Layer,
    LayerNorm,
    RMSNorm,
    Sequential,
    Tensor,
    capture,
)
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from krnlpy import Device, ScalarType
from krnlpy.scalar import bf16, f16, f32, f64
from tests.support.devices import requires
from tests.support.tiers import deep, one_vulkan_device, sampled
from tests.support.typed import present, untyped

from .peers import agree, contents

pytestmark = pytest.mark.one_vulkan_device

# Layer, the peer's class and arguments, and the input's shape. Statistics of 5 to 40 numbers of size 1 to 4 are right
# to some ulp of f32 (6e-8); gradients are differences of such, which three steps add up: 1e-4, and 1e-5 near 0.
CASES: list[tuple[Callable[[], Layer], str, tuple[Any, ...], tuple[int, ...]]] = [
    (lambda: BatchNorm1(3), "BatchNorm1d", (3,), (5, 3)),
    (lambda: BatchNorm2(3), "BatchNorm2d", (3,), (2, 3, 4, 5)),
    (lambda: LayerNorm(6), "LayerNorm", (6,), (4, 6)),
    (lambda: GroupNorm(2, 4), "GroupNorm", (2, 4), (2, 4, 5)),
    (lambda: InstanceNorm1(3), "InstanceNorm1d", (3,), (2, 3, 7)),
    (lambda: RMSNorm(6), "RMSNorm", (6, 1e-5), (4, 6)),
    (lambda: BatchNorm1(3, momentum=None), "BatchNorm1d", (3, 1e-5, None), (5, 3, 4)),
    (lambda: BatchNorm2(3, momentum=0.3, epsilon=1e-3), "BatchNorm2d", (3, 1e-3, 0.3), (2, 3, 4, 5)),
    (lambda: BatchNorm3(3, affine=False), "BatchNorm3d", (3, 1e-5, 0.1, False), (2, 3, 2, 3, 4)),
    (lambda: BatchNorm1(3, track_statistics=False), "BatchNorm1d", (3, 1e-5, 0.1, True, False), (5, 3)),
    (lambda: LayerNorm((3, 4), epsilon=1e-3), "LayerNorm", ((3, 4), 1e-3), (2, 5, 3, 4)),
    (lambda: LayerNorm(5, bias=False), "LayerNorm", (5, 1e-5, True, False), (2, 3, 5)),
    (lambda: LayerNorm(5, affine=False), "LayerNorm", (5, 1e-5, False), (2, 3, 5)),
    (lambda: RMSNorm((2, 3), affine=False), "RMSNorm", ((2, 3), 1e-5, False), (4, 2, 3)),
    (lambda: GroupNorm(3, 6, affine=False), "GroupNorm", (3, 6, 1e-5, False), (2, 6, 3, 4)),
    (lambda: InstanceNorm1(3, track_statistics=True), "InstanceNorm1d", (3, 1e-5, 0.1, False, True), (2, 3, 7)),
    (lambda: InstanceNorm2(3, affine=True), "InstanceNorm2d", (3, 1e-5, 0.1, True), (2, 3, 4, 5)),
    (
        lambda: InstanceNorm3(2, affine=True, track_statistics=True, momentum=0.2),
        "InstanceNorm3d",
        (2, 1e-5, 0.2, True, True),
        (3, 2, 2, 3, 4),
    ),
]


@pytest.mark.parametrize(("make", "name", "arguments", "shape"), sampled(CASES, 5))
def test_beside_pytorch(make: Any, name: str, arguments: Any, shape: Any, device: Device) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal(shape) * 2 + 1
    agree(make(), getattr(torch.nn, name)(*arguments), x, device, {"batches": "num_batches_tracked"})


@one_vulkan_device
@pytest.mark.parametrize("dtype", [bf16, pytest.param(f16, marks=deep), pytest.param(f64, marks=deep)], ids=str)
def test_layers_of_other_dtypes(dtype: ScalarType, device: Device) -> None:
    """As those of f32, but rounded: to 2**-11 or 2**-8, twice, with weights that are rounded, too."""
    requires(device, dtype)
    x = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    for make in (partial(BatchNorm1, 4), partial(LayerNorm, 5), partial(RMSNorm, 5), partial(GroupNorm, 2, 4)):
        exact, rounded = make(device=device), make(device=device, dtype=dtype)
        for mode in (True, False):
            expected = exact.train(mode)(Tensor.from_numpy(x, device)).numpy()
            found = rounded.train(mode)(Tensor.from_numpy(x.astype(dtype.dtype), device))
            assert found.dtype is dtype
            bound = {f16: 2**-9, bf16: 2**-6, f64: 1e-5}[dtype]
            np.testing.assert_allclose(found.numpy().astype(np.float64), expected, rtol=bound, atol=2 * bound)
        moved = make(dtype=f32)
        moved.to_device(device)
        moved.cast(dtype)
        again = moved(Tensor.from_numpy(x.astype(dtype.dtype), device)).numpy()
        np.testing.assert_array_equal(again, rounded.train()(Tensor.from_numpy(x.astype(dtype.dtype), device)).numpy())


def test_statistics_of_16_bits(device: Device) -> None:
    """They are computed in f32 and rounded to bf16, to 2**-9, once a batch."""
    requires(device, bf16)
    layer = BatchNorm1(2, dtype=bf16, device=device)
    x = Tensor.from_numpy(np.array([[1, 10], [2, 30], [6, 20]], np.float32), device).cast(bf16)
    assert layer(x).dtype is bf16
    statistics = contents(layer)
    np.testing.assert_allclose(statistics["running_mean"].astype(np.float32), [0.3, 2], rtol=2**-8)
    np.testing.assert_allclose(statistics["running_var"].astype(np.float32), [0.9 + 0.7, 0.9 + 10], rtol=2**-8)


def test_statistics_of_another_dtype(device: Device) -> None:
    requires(device, f64)
    layer = BatchNorm1(2, affine=False, device=device)
    layer(Tensor.from_numpy(np.array([[1.0, 10], [3, 30]]), device))
    np.testing.assert_allclose(present(layer.running_mean).numpy(), [0.2, 2], rtol=1e-6)
    assert present(layer.running_mean).dtype is f32


def test_a_captured_function_moves_statistics_and_drops_anew(device: Device) -> None:
    """As it does eagerly, bit for bit, with the mean over all batches too; and evaluation in between is another one."""

    def model() -> Sequential:
        layers = Dense(3, 2, seed=0), BatchNorm1(2), Dropout(0.5, seed=1), BatchNorm1(2, momentum=None)
        result = Sequential(*layers)
        result.to_device(device)
        return result

    def step(model: Layer, x: Tensor) -> Tensor:
        if not model.training:
            y: Tensor = model(x)
            return y
        model.init_parameter_grads()
        loss: Tensor = (model(x) * x[:, :2]).sum()
        loss.backward()
        model.update(0.1, SGD())
        return loss

    eager, captured = model(), model()
    run = capture(step)
    for i in range(6):
        x = Tensor.from_numpy(np.random.default_rng(i).random((4, 3), np.float32), device)
        eager.train(i != 3)
        captured.train(i != 3)
        np.testing.assert_array_equal(run(captured, x).numpy(), step(eager, x).numpy(), err_msg=str(i))
    expected = contents(eager)
    assert expected["layers.3.batches"] == 5
    for name, value in contents(captured).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_captured_step_moves_the_statistics(device: Device) -> None:
    """As steps one by one do, bit for bit."""

    def step(model: Layer, x: Tensor) -> Tensor:
        model.init_parameter_grads()
        loss: Tensor = model(x).sum()
        loss.backward()
        model.update(0.1, SGD())
        return loss

    batches = [Tensor.from_numpy(np.random.default_rng(i).random((4, 3), np.float32), device) for i in range(3)]
    eager, captured = (Sequential(Dense(3, 2, seed=0), BatchNorm1(2), Dense(2, 1, seed=1)) for _ in range(2))
    for model in (eager, captured):
        model.to_device(device)
    for x in batches:
        step(eager, x)
    step(captured, batches[0])
    with device.capture() as graph:
        step(captured, Tensor(graph.parameter("x", batches[0].buffer)))
    for x in batches[1:]:
        graph.replay(x=x.buffer)
    expected = contents(eager)
    assert "layers.1.running_var" in expected
    for name, value in contents(captured).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_what_does_not_fit() -> None:
    for make in (BatchNorm2, InstanceNorm2):
        with pytest.raises(ShapeError, match=r"2 takes x of .*, not .*\(2, 3, 4\)"):
            make(3)(Tensor.ones((2, 3, 4)))
    with pytest.raises(ShapeError, match=r"BatchNorm1 takes x of shape \[n, 3\] or \[n, 3, w\], not \(2, 4\)"):
        BatchNorm1(3)(Tensor.ones((2, 4)))
    with pytest.raises(ShapeError, match="one element a channel has no variance"):
        BatchNorm1(3)(Tensor.ones((1, 3)))
    assert BatchNorm1(3).eval()(Tensor.ones((1, 3))).shape == (1, 3)
    with pytest.raises(ShapeError, match="one element a channel has no variance"):
        InstanceNorm1(3)(Tensor.ones((2, 3, 1)))
    with pytest.raises(ShapeError, match=r"GroupNorm takes x of shape \[n, 4, \.\.\.\], not \(2, 3\)"):
        GroupNorm(2, 4)(Tensor.ones((2, 3)))
    with pytest.raises(ShapeError, match="GroupNorm of 4 channels: not in 3 equal groups"):
        GroupNorm(3, 4)
    with pytest.raises(ShapeError, match=r"LayerNorm takes x of shape \[\.\.\., 3, 4\], not \(4,\)"):
        LayerNorm((3, 4))(Tensor.ones(4))
    with pytest.raises(ShapeError, match=r"RMSNorm\(shape=0\)"):
        RMSNorm(0)
    with pytest.raises(AutographError, match=r"BatchNorm1\(momentum=2\): expected a number from 0 to 1, or None"):
        BatchNorm1(3, momentum=2)
    with pytest.raises(AutographError, match="channels=0"):
        BatchNorm3(0)
    with pytest.raises(DtypeError, match="weights are floats"):
        LayerNorm(3, dtype="i32")
    with pytest.raises(DtypeError, match="takes a tensor"):
        BatchNorm1(3)(untyped([1]))
    with pytest.raises(DeviceError, match=r"BatchNorm1 on .* move one with to_device"):
        BatchNorm1(3, affine=False)(Tensor.ones((2, 3), device=Device.interpreter()))
