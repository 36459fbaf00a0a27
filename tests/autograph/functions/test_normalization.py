"""Layer, group, instance and batch norm: values and gradients beside their formulas in f64, and beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph
import autograph.functions.launch
from autograph import Parameter, Tensor, gradcheck
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.rows import parts
from krnlpy import Device, bf16, f16, f32, f64
from tests.support.devices import limit_reach, requires
from tests.support.typed import present, untyped

Array = np.ndarray[Any, Any]
EPSILON = 1e-3


def normal(x: Array, axes: tuple[int, ...], centers: bool = True) -> Array:
    rest = x - x.mean(axes, keepdims=True) if centers else x
    return np.asarray(rest / np.sqrt((rest * rest).mean(axes, keepdims=True) + EPSILON))


def slope(x: Array, g: Array, axes: tuple[int, ...], centers: bool = True) -> Array:
    """The gradient of x for that of what is normal."""
    rest = x - x.mean(axes, keepdims=True) if centers else x
    scale = 1 / np.sqrt((rest * rest).mean(axes, keepdims=True) + EPSILON)
    inner = g - (g.mean(axes, keepdims=True) if centers else 0)
    return np.asarray(scale * (inner - rest * scale**2 * (g * rest).mean(axes, keepdims=True)))


def check(
    operation: Callable[..., Any], x: Array, axes: tuple[int, ...], beside: tuple[int, ...], device: Device,
    centers: bool = True, biased: bool = True, dtype: Any = f32, groups: Any = None,
) -> None:  # fmt: skip
    """Value and gradients for random weights and biases of the shape ``beside``, which broadcasts to that of x."""
    rng = np.random.default_rng(1)
    x = x.astype(np.float32).astype(np.float64)
    w, b = (rng.uniform(0.5, 2, beside).astype(np.float32).astype(np.float64) for _ in range(2))
    dy: Array = np.asarray(rng.standard_normal(x.shape)).astype(np.float32).astype(np.float64)
    flat = tuple(n for n in beside if n > 1) or (1,)
    tensors = [
        Parameter(Tensor.from_numpy(a).cast(dtype).to_device(device)) for a in (x, w.reshape(flat), b.reshape(flat))
    ]
    for tensor in tensors:
        tensor.init_grad()
    y = operation(*tensors if biased else tensors[:2])
    y.backward(Tensor.from_numpy(dy).cast(dtype).to_device(device))
    form = groups or x.shape
    in_form = (lambda a: a.reshape(form)) if groups else (lambda a: a)
    n = normal(in_form(x), axes, centers).reshape(x.shape)
    # Sums of up to some hundred terms of some ulp each.
    bound: Any = {"rtol": 1e-5, "atol": 2e-5} if dtype is f32 else {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(y.numpy(), n * w + (b if biased else 0), **bound)
    dx = slope(in_form(x), in_form(dy * w), axes, centers).reshape(x.shape)
    np.testing.assert_allclose(present(tensors[0].grad).numpy(), dx, **bound)
    over = tuple(i for i in range(x.ndim) if ((1,) * (x.ndim - len(beside)) + beside)[i] == 1)
    np.testing.assert_allclose(present(tensors[1].grad).numpy().reshape(-1), (dy * n).sum(over).reshape(-1), **bound)
    if biased:
        np.testing.assert_allclose(present(tensors[2].grad).numpy().reshape(-1), dy.sum(over).reshape(-1), **bound)


def random(*shape: int) -> Array:
    return 3 + 2 * np.random.default_rng(0).standard_normal(shape)


def test_layer_norm(device: Device) -> None:
    def f(axis: Any) -> Any:
        return lambda x, w, b: autograph.layer_norm(x, w, b, axis=axis, epsilon=EPSILON)

    # Rows of which a thread has several, more than a block of 16, and longer than the lanes.
    check(f(-1), random(37, 6), (1,), (6,), device)
    check(f(-1), random(3, 150), (1,), (150,), device)
    check(f((1, 2)), random(4, 3, 5), (1, 2), (3, 5), device)
    check(f(0), random(5, 3), (0,), (5, 1), device)


def test_rms_norm(device: Device) -> None:
    def f(axis: Any) -> Any:
        return lambda x, w: autograph.rms_norm(x, w, axis=axis, epsilon=EPSILON)

    check(f(-1), random(2, 20, 6), (2,), (6,), device, centers=False, biased=False)
    check(f(1), random(2, 5, 3), (1,), (5, 1), device, centers=False, biased=False)


def test_group_and_instance_norm(device: Device) -> None:
    def grouped(x: Tensor, w: Tensor, b: Tensor) -> Any:
        return autograph.group_norm(x, 2, w, b, epsilon=EPSILON)

    def alone(x: Tensor, w: Tensor, b: Tensor) -> Any:
        return autograph.instance_norm(x, w, b, epsilon=EPSILON)

    check(grouped, random(2, 4, 3), (2, 3), (4, 1), device, groups=(2, 2, 2, 3))
    check(alone, random(2, 3, 2, 4), (2, 3), (3, 1, 1), device)
    check(grouped, random(3, 4), (2,), (4,), device, groups=(3, 2, 2))


def test_batch_norm(device: Device) -> None:
    def f(x: Tensor, w: Tensor, b: Tensor) -> Any:
        return autograph.batch_norm_training(x, w, b, epsilon=EPSILON)[0]

    x = random(4, 3, 5)
    check(f, x, (0, 2), (3, 1), device)
    check(f, random(6, 3), (0,), (3,), device)
    t = Tensor.from_numpy(x.astype(np.float32), device)
    y, mean, var = autograph.batch_norm_training(t, epsilon=EPSILON)
    np.testing.assert_allclose(y.numpy(), normal(x, (0, 2)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mean.numpy(), x.mean((0, 2)), rtol=1e-6)
    np.testing.assert_allclose(var.numpy(), x.var((0, 2)), rtol=1e-5)
    again = autograph.batch_norm_inference(t, mean, var, epsilon=EPSILON)
    np.testing.assert_allclose(again.numpy(), y.numpy(), rtol=1e-6, atol=1e-6)

    def given(x: Tensor, w: Tensor, b: Tensor) -> Any:
        return autograph.batch_norm_inference(x, mean, var, w, b, epsilon=EPSILON)

    w, b = (Parameter(Tensor.from_numpy(np.array(v, np.float32), device)) for v in ([1, 2, 3], [0, 5, 7]))
    w.init_grad()
    given(t, w, b).sum().backward()
    np.testing.assert_allclose(present(w.grad).numpy(), y.numpy().sum((0, 2)), rtol=1e-4, atol=1e-4)


def test_without_weights_and_of_nothing(device: Device) -> None:
    x = random(3, 40)
    t = Tensor.from_numpy(x.astype(np.float32), device)
    np.testing.assert_allclose(autograph.layer_norm(t, epsilon=EPSILON).numpy(), normal(x, (1,)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(autograph.rms_norm(t, epsilon=EPSILON).numpy(), normal(x, (1,), False), rtol=1e-5)
    np.testing.assert_allclose(
        autograph.group_norm(t, 4, epsilon=EPSILON).numpy(),
        normal(x.reshape(3, 4, 10), (2,)).reshape(3, 40),
        rtol=1e-5,
        atol=1e-5,
    )
    for empty in (Tensor.zeros((0, 3), device=device), Tensor.zeros((0, 2, 4), device=device)):
        assert autograph.layer_norm(empty).shape == autograph.group_norm(empty, 1).shape == empty.shape
    b = Parameter(Tensor.zeros(40, device=device))
    b.init_grad()
    autograph.layer_norm(t, None, b).sum().backward()
    np.testing.assert_array_equal(present(b.grad).numpy(), np.full(40, 3))


def test_types(device: Device) -> None:
    """Great numbers close together: their squares are beyond f16, and their mean in f16 or bf16 is not exact."""
    x = (300 + np.arange(512) % 2).astype(np.float32).reshape(2, 256)
    for dtype in (f16, bf16):
        t = Tensor.from_numpy(x, device).cast(dtype)
        w = Parameter(Tensor.ones(256, dtype, device))
        w.init_grad()
        exact = t.numpy().astype(np.float64)
        y = autograph.layer_norm(t, w, epsilon=EPSILON)
        assert y.dtype is t.dtype
        np.testing.assert_allclose(y.numpy().astype(np.float64), normal(exact, (1,)), rtol=2.0**-7)
        y.sum().backward()
        assert present(w.grad).dtype is t.dtype
        for axis in (0, 1):
            found = autograph.rms_norm(t, axis=axis, epsilon=EPSILON).numpy().astype(np.float64)
            np.testing.assert_allclose(found, normal(exact, (axis,), False), rtol=2.0**-7)
        z, mean, var = autograph.batch_norm_training(t.T, epsilon=EPSILON)
        assert z.dtype is t.dtype and mean.dtype is var.dtype is Tensor.zeros(1, f32).dtype
        np.testing.assert_allclose(z.numpy().T.astype(np.float64), normal(exact, (1,)), rtol=2.0**-7)
    requires(device, f64)
    check(lambda x, w, b: autograph.layer_norm(x, w, b, epsilon=EPSILON), random(3, 7), (1,), (7,), device, dtype=f64)


def test_second_derivatives() -> None:
    rng = np.random.default_rng(2)
    x, w, b = (Tensor.from_numpy(rng.uniform(0.5, 2, shape)) for shape in ((2, 3), (3,), (3,)))
    gradcheck(autograph.layer_norm, (x, w, b), order=2)
    gradcheck(lambda x, w, b: autograph.batch_norm_training(x, w, b)[0], (x, w, b), order=2)


def test_rows_do_not_depend_on_the_launch(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.backend == "interpreter":
        pytest.skip("its kernels reach whole memories or nothing")

    def f(x: Tensor, w: Tensor, b: Tensor) -> Any:
        return autograph.layer_norm(x, w, b, epsilon=EPSILON)

    monkeypatch.setattr(autograph.functions.launch, "MAX_THREADS", 1)
    limit_reach(device, 4096, monkeypatch)
    check(f, random(70, 33), (1,), (33,), device)
    monkeypatch.setattr(parts, "LONGEST", 32)
    check(f, random(7, 33), (1,), (33,), device)


def test_beside_torch() -> None:
    torch = pytest.importorskip("torch")
    x, w, b = random(4, 6, 5), random(6), random(6)
    t, tw, tb = (torch.from_numpy(a) for a in (x, w, b))
    x_, w_, b_ = (Tensor.from_numpy(a) for a in (x, w, b))
    functions = torch.nn.functional
    for found, expected in [
        (autograph.layer_norm(x_, axis=(-2, -1)), functions.layer_norm(t, (6, 5))),
        (autograph.group_norm(x_, 3, w_, b_), functions.group_norm(t, 3, tw, tb)),
        (autograph.instance_norm(x_, w_, b_), functions.instance_norm(t, weight=tw, bias=tb)),
        (autograph.batch_norm_training(x_, w_, b_)[0], functions.batch_norm(t, None, None, tw, tb, training=True)),
        (autograph.batch_norm_inference(x_, w_, w_, b_), functions.batch_norm(t, tw, tw, tb)),
        (autograph.rms_norm(x_, Tensor.from_numpy(x[0, 0])), functions.rms_norm(t, (5,), t[0, 0], eps=1e-5)),
    ]:
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12, atol=1e-12)


def test_what_is_refused() -> None:
    x, w = Tensor.ones((2, 3)), Tensor.ones(3)
    wrong: list[tuple[Any, Any]] = [
        (DtypeError, lambda: autograph.layer_norm(untyped(3))),
        (DtypeError, lambda: autograph.layer_norm(x.cast("i32"))),
        (DtypeError, lambda: autograph.layer_norm(x, w.cast(f16))),
        (DtypeError, lambda: autograph.layer_norm(x, untyped(1.0))),
        (ShapeError, lambda: autograph.layer_norm(x, Tensor.ones(2))),
        (ShapeError, lambda: autograph.layer_norm(x, axis=2)),
        (DeviceError, lambda: autograph.rms_norm(x, w.to_device(Device.interpreter()))),
        (AutographError, lambda: autograph.layer_norm(x, epsilon=-1)),
        (AutographError, lambda: autograph.layer_norm(x, epsilon=untyped("1"))),
        (ShapeError, lambda: autograph.group_norm(x, 2)),
        (ShapeError, lambda: autograph.group_norm(x, 0)),
        (ShapeError, lambda: autograph.group_norm(w, 1)),
        (ShapeError, lambda: autograph.instance_norm(x, Tensor.ones(2))),
        (ShapeError, lambda: autograph.batch_norm_training(Tensor.zeros((0, 3)))),
        (ShapeError, lambda: autograph.batch_norm_inference(x, w, Tensor.ones(2))),
        (DtypeError, lambda: autograph.batch_norm_inference(x, w, w.cast("i32"))),
        (DtypeError, lambda: autograph.batch_norm_inference(x, w, untyped(1.0))),
    ]
    for error, call in wrong:
        with pytest.raises(error):
            call()
