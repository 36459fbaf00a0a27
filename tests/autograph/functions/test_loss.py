"""Cross-entropy loss and accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, gradcheck
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.rows import parts
from krnlpy import Device, Feature, ScalarType, bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from tests.autograph.reference import DTYPES, ROUNDING, cross_entropy, draw, numeric_gradient, tensor
from tests.support.devices import requires
from tests.support.typed import present, untyped

CLASSES = [u8, i8, u16, i16, u32, i32, u64, i64]


def supports(device: Device, dtype: ScalarType) -> Any:
    return dtype.size < 8 or Feature.INT64 in device.info.features


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [(1, 8), (7, 3), (31, 16)], ids=str)
def test_value_and_gradient(shape: tuple[int, ...], reduction: Any, dtype: ScalarType, device: Device) -> None:
    logits = draw(1, shape, dtype, -4, 4)
    classes = np.random.default_rng(2).integers(0, shape[1], shape[0])
    x = Parameter(tensor(logits, dtype, device))
    x.init_grad()
    loss = x.cross_entropy_loss(Tensor.from_numpy(classes.astype(np.uint8), device), reduction)
    assert (loss.shape, loss.dtype, loss.device) == ((), f32, device)
    expected = cross_entropy(logits, classes, reduction)
    # Each row: exp and log to 2**-21 (Vulkan grants exp 3 + 2|x| ulp, log 3 ulp; |x| <= 8 here), a sum of up to 16
    # terms; loss per row below 11.
    np.testing.assert_allclose(loss.item(), expected, rtol=32 * 2.0**-24, atol=shape[0] * 32 * 2.0**-24)
    loss.backward()
    assert present(x.grad).dtype is dtype
    numeric = numeric_gradient(lambda x: cross_entropy(x, classes, reduction), logits.copy(), np.ones(()))
    # exp(-y) is off by 3 + 2y ulp, of 1 at most 3; the sum of up to 16 by as many of itself and 16 roundings, the
    # quotient by 2.5 ulp, the difference by one rounding: 6 + 6 + 16 + 5 + 1 halves of an ulp. Then to the dtype.
    tolerance = 40 * 2.0**-24 + ROUNDING[dtype]
    np.testing.assert_allclose(present(x.grad).numpy().astype(np.float64), numeric, rtol=0, atol=tolerance)


@pytest.mark.parametrize("longest", [2, 64])
def test_doubles(longest: int, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """In f64, also where rows are longer than a thread takes."""
    requires(device, f64)
    monkeypatch.setattr(parts, "LONGEST", longest)
    logits, classes = draw(1, (7, 3), f64, -4, 4), np.arange(7) % 3
    x = Parameter(tensor(logits, f64, device))
    x.init_grad()
    loss = x.cross_entropy_loss(classes)
    assert loss.dtype is x.dtype
    np.testing.assert_allclose(loss.item(), cross_entropy(logits, classes), rtol=1e-14)
    loss.backward()
    shares = np.exp(logits - np.log(np.exp(logits).sum(1, keepdims=True)))
    np.testing.assert_allclose(present(x.grad).numpy(), (shares - np.eye(3)[classes]) / 7, rtol=0, atol=1e-15)


def test_second_derivatives() -> None:
    classes = np.array([0, 2])
    logits = Tensor.from_numpy(np.array([[0.3, -1.0, 0.5], [2.0, 0.1, 0.0]]))
    gradcheck(lambda x: x.cross_entropy_loss(classes, "sum"), logits, order=2)


@pytest.mark.parametrize("dtype", CLASSES, ids=str)
def test_any_integer_is_a_class(dtype: ScalarType, device: Device) -> None:
    if not supports(device, dtype):
        pytest.skip("no 64-bit integers")
    logits, classes = draw(3, (5, 4), f32), np.array([0, 3, 1, 2, 3])
    targets = Tensor.from_numpy(classes.astype(dtype.dtype), device)
    x = tensor(logits, f32, device)
    np.testing.assert_allclose(x.cross_entropy_loss(targets).item(), cross_entropy(logits, classes), rtol=1e-5)
    assert x.accuracy(targets).item() == pytest.approx(np.mean(logits.argmax(1) == classes))


def test_large_logits_do_not_overflow(device: Device) -> None:
    logits = np.array([[1000.0, -1000.0], [-88.0, -200.0], [3e38, 0.0]])
    x = Parameter(tensor(logits, f32, device))
    x.init_grad()
    loss = x.cross_entropy_loss(np.array([0, 0, 0]))
    assert abs(loss.item()) < 1e-6
    loss.backward()
    np.testing.assert_allclose(present(x.grad).numpy(), np.zeros((3, 2)), atol=1e-5)
    assert x.cross_entropy_loss(np.array([1, 0, 0])).item() == pytest.approx(2000 / 3, rel=1e-5)


@pytest.mark.parametrize("operation", ["cross_entropy_loss", "accuracy"])
@pytest.mark.parametrize("wrong", [4, -1, 255, 2**32 + 3])
def test_classes_out_of_range_in_an_array(operation: Any, wrong: Any, device: Device) -> None:
    x = Tensor.zeros((3, 4), f32, device)
    with pytest.raises(ShapeError, match=rf"{operation}: class {wrong} of row 1 is out of range.*4 classes, 0 to 3"):
        getattr(x, operation)(np.array([0, wrong, 1]))


def test_classes_out_of_range_on_the_host() -> None:
    with pytest.raises(ShapeError, match="class 9 of row 2"):
        Tensor.zeros((3, 4)).cross_entropy_loss(Tensor.from_numpy(np.array([0, 1, 9], np.uint8)))


@pytest.mark.parametrize("dtype", CLASSES, ids=str)
def test_classes_out_of_range_on_a_device(dtype: ScalarType, device: Device) -> None:
    if device.is_host:
        pytest.skip("an error there")
    if not supports(device, dtype):
        pytest.skip("no 64-bit integers")
    for wrong in {4, 127, dtype.min, dtype.max, (dtype.max + 1) // 2 + 3 if dtype.size == 8 else 100} - {0, 1, 2, 3}:
        x = Parameter(Tensor.zeros((3, 4), f32, device))
        x.init_grad()
        classes = Tensor.from_numpy(np.array([1, wrong, 2], dtype.dtype), device)
        loss = x.cross_entropy_loss(classes)
        assert np.isnan(loss.item())
        assert x.accuracy(classes).item() == 0
        loss.backward()
        np.testing.assert_array_equal(np.isnan(present(x.grad).numpy()).any(axis=1), [False, True, False])


@pytest.mark.parametrize("dtype", [f16, bf16, f32, f64], ids=str)
def test_accuracy_is_a_share_with_the_ties_of_argmax(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    logits = np.array(
        [[1, 2, 3], [3, 2, 3], [0, 1, 0], [np.nan, 0, 1], [0, np.nan, 1], [1, 1, 1], [3, 2, 3], [2, 1, 0]]
    )
    x = tensor(logits, dtype, device)
    share = x.accuracy(np.array([2, 0, 1, 2, 1, 0, 2, 0]))
    assert (share.shape, share.dtype, share.device, share.item()) == ((), f32, device, 6 / 8)
    assert np.isnan(x[:0].accuracy(np.zeros(0, np.int64)).item())


def test_strided_classes_and_logits(device: Device) -> None:
    logits, classes = draw(4, (6, 10), f32), np.array([0, 9, 1, 9, 2, 9, 0, 9, 1, 9], np.int32)
    x = tensor(logits, f32, device).T[::2, 1:4]
    t = Tensor.from_numpy(classes, device)[::2]
    expected = cross_entropy(logits.T[::2, 1:4], classes[::2])
    np.testing.assert_allclose(x.cross_entropy_loss(t).item(), expected, rtol=1e-5)


def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.zeros((3, 4), f32, device)
    with pytest.raises(ShapeError, match=r"\[batch, classes, ...\], not \(3,\)"):
        x[:, 0].cross_entropy_loss(np.zeros(3, np.int64))
    with pytest.raises(ShapeError, match=r"of shape \(3,\), not \(4,\)"):
        x.cross_entropy_loss(np.zeros(4, np.int64))
    with pytest.raises(DtypeError, match="integers, not float64"):
        x.cross_entropy_loss(np.zeros(3))
    with pytest.raises(DtypeError, match="integers, not f32"):
        x.accuracy(Tensor.zeros(3, f32, device))
    with pytest.raises(AutographError, match="'mean', 'sum' or 'none'"):
        x.cross_entropy_loss(np.zeros(3, np.int64), untyped("max"))
    with pytest.raises(ShapeError, match="empty batch"):
        x[:0].cross_entropy_loss(np.zeros(0, np.int64))
    other = Device.interpreter() if device.is_host else Device.host()
    with pytest.raises(DeviceError, match="to_device"):
        x.cross_entropy_loss(Tensor.zeros(3, i32, other))
