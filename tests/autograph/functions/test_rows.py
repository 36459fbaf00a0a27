"""Softmax and its kin over rows: of any length, layout and float type, beside what other axes give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph.functions.launch
from autograph import Parameter, Tensor, gradcheck, log_softmax, logsumexp, softmax
from autograph.functions.rows import parts
from krnlpy import Device, bf16, f16, f64
from tests.support.devices import limit_reach, requires
from tests.support.typed import present

Array = np.ndarray[Any, Any]
OPERATIONS = {"softmax": softmax, "log_softmax": log_softmax, "logsumexp": logsumexp}


def reference(name: str, x: Array, dy: Array) -> tuple[Array, Array]:
    """The result over the last axis, and the gradient of x, in f64."""
    top = x.max(-1, keepdims=True)
    low = top + np.log(np.exp(x - top).sum(-1, keepdims=True))
    shares = np.exp(x - low)
    if name == "softmax":
        return shares, shares * (dy - (shares * dy).sum(-1, keepdims=True))
    if name == "log_softmax":
        return x - low, dy - shares * dy.sum(-1, keepdims=True)
    return low[..., 0], shares * dy[..., :1]


@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_gradients(name: str, device: Device) -> None:
    """Rows shorter and longer than the lanes of the host and the subgroups of devices, multiples of them and not."""
    rng = np.random.default_rng(0)
    shapes = [(1,), (5, 1), (2, 3, 7), (3, 128), (2, 300), (0, 4)]
    for shape in shapes if device.info.backend == "interpreter" else [*shapes, (3, 1111)]:
        x, dy = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
        expected, gradient = reference(name, 3.0 * x.astype(np.float64), dy.astype(np.float64)) if x.size else (x, x)
        p = Parameter(Tensor.from_numpy(3 * x, device))
        p.init_grad()
        y = OPERATIONS[name](p, -1)
        if not x.size:
            continue
        # Rows of three exponentials of arguments up to 24 ulp in f32, sums of up to 1111 of them.
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=1e-5)
        y.backward(Tensor.from_numpy(dy if y.shape == shape else np.array(dy[..., 0]), device))
        np.testing.assert_allclose(present(p.grad).numpy(), gradient, rtol=2e-5, atol=2e-5)


def test_layouts_and_other_axes(device: Device) -> None:
    x = np.random.default_rng(1).standard_normal((6, 5, 8)).astype(np.float32)
    t = Tensor.from_numpy(x, device)
    for operation in (softmax, log_softmax):
        last = operation(t, -1).numpy()
        # Rows of these lie apart, or in reverse, or their elements do; other axes take another way.
        for view, same in (
            (t[::2], last[::2]),
            (t[:, ::-1], last[:, ::-1]),
            (t.transpose((1, 0, 2)), last.transpose(1, 0, 2)),
            (Tensor.from_numpy(np.ascontiguousarray(x.transpose(2, 1, 0)), device).transpose(), last),
            (t[0, 0].broadcast_to((3, 8)), np.broadcast_to(last[0, 0], (3, 8))),
        ):
            np.testing.assert_array_equal(operation(view, -1).numpy(), same)
        other = operation(Tensor.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)), device), 0).numpy()
        np.testing.assert_allclose(other.transpose(1, 2, 0), last, rtol=2e-6, atol=2e-6)


def test_types(device: Device) -> None:
    x = np.random.default_rng(2).standard_normal((3, 40)).astype(np.float32)
    for dtype, bound in ((f16, 2.0**-11), (bf16, 2.0**-8)):
        rounded = Tensor.from_numpy(x, device).cast(dtype)
        exact = rounded.numpy().astype(np.float64)
        for name, operation in OPERATIONS.items():
            y = operation(rounded, -1)
            assert y.dtype is rounded.dtype
            expected, _ = reference(name, exact, exact)
            # Computed in f32 and rounded once: to the nearest, but where f32 is as near to the middle of two.
            np.testing.assert_allclose(y.numpy().astype(np.float64), expected, rtol=1.01 * bound)
    # 4096 equal numbers: a sum in f16 stops at 2048, and in bf16 at 256.
    for dtype in (f16, bf16):
        assert set(softmax(Tensor.zeros(4096, dtype, device)).numpy().tolist()) == {2.0**-12}
    requires(device, f64)
    wide = Tensor.from_numpy(x.astype(np.float64), device)
    for name, operation in OPERATIONS.items():
        np.testing.assert_allclose(
            operation(wide, -1).numpy(), reference(name, wide.numpy(), wide.numpy())[0], rtol=1e-14, atol=1e-14
        )


def test_infinities_and_nans(device: Device) -> None:
    inf, nan = np.inf, np.nan
    x = Tensor.from_numpy(np.array([[inf, 0, inf], [-inf, 0, 0], [-inf, -inf, -inf], [0, nan, 1]], np.float32), device)
    y = softmax(x).numpy()
    np.testing.assert_allclose(y[:3], [[0.5, 0, 0.5], [0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)
    assert np.isnan(y[3]).all()
    y = log_softmax(x).numpy()
    np.testing.assert_allclose(y[:2], [[-np.log(2), -inf, -np.log(2)], [-inf, -np.log(2), -np.log(2)]], rtol=1e-6)
    assert np.isnan(y[3]).all()
    np.testing.assert_allclose(logsumexp(x, 1).numpy(), [inf, np.log(2), -inf, nan], rtol=1e-6)
    assert np.isnan(softmax(Tensor.from_numpy(np.array([-np.float32(nan), 1], np.float32), device)).numpy()).all()


def test_second_derivatives() -> None:
    x = Tensor.from_numpy(np.random.default_rng(3).standard_normal((2, 5)))
    for operation in OPERATIONS.values():
        gradcheck(lambda x, of=operation: of(x, -1), x, order=2)


def test_rows_do_not_depend_on_the_launch(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.backend == "interpreter":
        pytest.skip("its kernels reach whole memories or nothing")
    x = np.random.default_rng(4).standard_normal((70, 33)).astype(np.float32)
    t = Tensor.from_numpy(x, device)
    whole = [operation(t, -1).numpy() for operation in OPERATIONS.values()]
    monkeypatch.setattr(autograph.functions.launch, "MAX_THREADS", 1)
    limit_reach(device, 4096, monkeypatch)
    for operation, expected in zip(OPERATIONS.values(), whole, strict=True):
        np.testing.assert_array_equal(operation(t, -1).numpy(), expected)


def test_longest_rows(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer ones are taken by the whole device."""
    monkeypatch.setattr(parts, "LONGEST", 64)
    x = np.random.default_rng(5).standard_normal((2, 65)).astype(np.float32)
    for length in (64, 65):
        for name, operation in OPERATIONS.items():
            expected, _ = reference(name, x[:, :length].astype(np.float64), x[:, :length])
            y = operation(Tensor.from_numpy(np.ascontiguousarray(x[:, :length]), device), -1).numpy()
            np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
