"""What the source of the Rust crate autograph (0.2.2-alpha) has wrong: a section for each defect, and that it is right
here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograph import SGD, Conv1, Conv2, Layer, Parameter, Tensor, load_checkpoint, save_checkpoint
from autograph.errors import ShapeError
from krnlpy import Device, ScalarType
from krnlpy.scalar import bf16, f16, f32, i32, u8, u32
from tests.conformance.values import NUMBERS
from tests.support.devices import requires
from tests.support.typed import present

from .reference import bound, check, conv2, draw, max_pool2, tensor

# 1: Conv1 pads the height of 1 it has not


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_1_conv1_pads_the_width_alone(padding: Any, device: Device) -> None:
    layer = Conv1(2, 3, 3, padding=padding, device=device, seed=0)
    x = draw(1, (2, 2, 7), f32)
    y = layer(tensor(x, f32, device))
    assert y.shape == (2, 3, 5 + 2 * padding)
    weight = layer.weight.numpy().astype(np.float64)
    expected = conv2(x[:, :, None], weight[:, :, None], padding=(0, padding))[:, :, 0]
    np.testing.assert_allclose(y.numpy(), expected, rtol=0, atol=bound(f32, 6, 6))


# 2: the bias is added along the width, or not


@pytest.mark.parametrize("outputs", [1, 3, 4], ids=["one channel", "unlike the width", "as many as columns"])
@pytest.mark.parametrize("layer", [Conv1, Conv2])
def test_2_a_bias_is_of_channels(layer: Any, outputs: Any, device: Device) -> None:
    conv = layer(2, outputs, 2, bias=True, device=device, seed=0)
    x = Tensor.zeros((2, 2, *([5] * (conv.weight.ndim - 2))), f32, device)  # 4 outputs along each axis
    conv.init_parameter_grads()
    y = conv(x)
    assert y.shape == (2, outputs, *([4] * (conv.weight.ndim - 2)))
    per_channel = np.moveaxis(y.numpy(), 1, -1)
    np.testing.assert_array_equal(per_channel, np.broadcast_to(conv.bias.numpy(), per_channel.shape))
    y.sum().backward()
    np.testing.assert_array_equal(conv.bias.grad.numpy(), np.full(outputs, y.size / outputs))


# 3: gradients of convolutions with padding, stride or dilation are refused


@pytest.mark.parametrize(
    "options",
    [{"padding": 1}, {"stride": 2}, {"dilation": 2}, {"padding": 2, "stride": (2, 3), "dilation": (1, 2)}],
    ids=str,
)
def test_3_gradients_of_any_window(options: dict[str, Any], device: Device) -> None:
    x, w = draw(1, (2, 2, 6, 7), f32), draw(2, (3, 2, 2, 3), f32)
    pairs = {name: value if isinstance(value, tuple) else (value, value) for name, value in options.items()}
    check(lambda x, w: x.conv2(w, **options), lambda x, w: conv2(x, w, **pairs), [x, w], f32, device)


# 4: of one channel and 8 columns or more, the input's gradient is zero


@pytest.mark.parametrize("columns", [7, 8, 9, 17])
def test_4_the_gradient_of_one_channel(columns: int, device: Device) -> None:
    x, w = draw(3, (1, 1, 3, columns + 1), f32), draw(4, (2, 1, 2, 2), f32)
    check(lambda x, w: x.conv2(w), conv2, [x, w], f32, device)


# 5: gradients of pooled images that are not square, overlap, or leave pixels out are of the input


def test_5_images_that_are_not_square(device: Device) -> None:
    x = Parameter(tensor(np.arange(24.0).reshape(1, 1, 3, 8) + 1, f32, device))
    x.init_grad()
    x.max_pool2((1, 2)).sum().backward()
    np.testing.assert_array_equal(present(x.grad).numpy()[0, 0], np.tile([0, 1], (3, 4)))


def test_5_pixels_in_no_window_have_no_gradient(device: Device) -> None:
    x = Parameter(Tensor.full((1, 1, 5, 7), 9.0, f32, device))
    x.init_grad()
    x.max_pool2(2, 3).sum().backward()
    expected = np.zeros((5, 7))
    expected[::3, ::3] = 1  # the first pixel of each window
    expected[:, 6] = 0  # no window fits there
    np.testing.assert_array_equal(present(x.grad).numpy()[0, 0], expected)


def test_5_a_pixel_of_several_windows_has_the_sum(device: Device) -> None:
    x = Parameter(tensor([[[[0, 1, 0], [1, 9, 1], [0, 1, 0]]]], f32, device))
    x.init_grad()
    y = x.max_pool2(2, 1)
    np.testing.assert_array_equal(y.numpy(), max_pool2(x.numpy(), (2, 2), (1, 1)))
    y.backward(tensor([[[[1, 2], [3, 4]]]], f32, device))
    np.testing.assert_array_equal(present(x.grad).numpy()[0, 0], [[0, 0, 0], [0, 10, 0], [0, 0, 0]])


# 6 and 7: what a model was is not what a file makes of it


class Weights(Layer):
    def __init__(self, *parameters: Any) -> None:
        self.all = [Parameter(value) for value in parameters]


def test_6_the_velocity_survives_a_file(device: Device, tmp_path: Path) -> None:
    optimizer, ones = SGD(0.5), Tensor.ones(3, f32, device)
    model, loaded = (Weights(Tensor.zeros(3, f32, device)) for _ in range(2))
    optimizer.update(model.all[0], ones, 1.0)
    save_checkpoint(tmp_path / "m", model, optimizer)
    load_checkpoint(tmp_path / "m", loaded, optimizer)
    for weights in (model, loaded):
        optimizer.update(weights.all[0], ones, 1.0)
        # -1, then -(0.5 + 1): with a velocity that starts again it would be -2.
        np.testing.assert_array_equal(weights.all[0].numpy(), [-2.5, -2.5, -2.5])


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 8])
def test_7_every_type_and_length_is_loaded(dtype: ScalarType, length: int, tmp_path: Path) -> None:
    _save_and_load(dtype, length, Device.host(), tmp_path)


def test_7_every_device_loads(device: Device, tmp_path: Path) -> None:
    for dtype in (u8, bf16, f32):
        _save_and_load(dtype, 3, device, tmp_path)


def _save_and_load(dtype: ScalarType, length: int, device: Device, tmp_path: Any) -> None:
    value = np.arange(length).astype(dtype.dtype)
    save_checkpoint(tmp_path / "m", Weights(Tensor.from_numpy(value, device)))
    model = Weights(Tensor.zeros(length, dtype, device))
    load_checkpoint(tmp_path / "m", model)
    assert model.all[0].dtype is dtype and model.all[0].device == device
    np.testing.assert_array_equal(model.all[0].numpy(), value)


# 8: what is not in row-major order is written as if it were


@pytest.mark.parametrize("dtype", [f32, bf16, u8], ids=str)
def test_8_values_of_any_strides_are_written_in_order(dtype: ScalarType, device: Device, tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    x = tensor(array, dtype, device)
    repeated = tensor(array[0, 0], dtype, device).broadcast_to((5, 4))
    views = [x.transpose(), x.transpose(1, 0, 2), x[:, ::2, ::-1], repeated]
    expected = [array.T, array.transpose(1, 0, 2), array[:, ::2, ::-1], np.broadcast_to(array[0, 0], (5, 4))]
    fortran = np.asfortranarray(array[0]).astype(dtype.dtype, order="K")
    assert not fortran.flags.c_contiguous
    save_checkpoint(tmp_path / "m", Weights(*views), fortran=fortran)
    model = Weights(*(Tensor.zeros(view.shape, dtype, device) for view in views))
    metadata = load_checkpoint(tmp_path / "m", model)
    for found, wanted in zip(model.all, expected, strict=True):
        np.testing.assert_array_equal(found.numpy().astype(int), wanted)
    np.testing.assert_array_equal(metadata["fortran"], fortran)


# 9: views that begin later than their memory forget it, or run past its end


@pytest.fixture(params=["last row", "rows to the end", "column", "backwards"])
def late_view(request: pytest.FixtureRequest, device: Device) -> tuple[Tensor, Any, Any]:
    array = draw(9, (4, 6), f32)
    key: dict[str, Any] = {
        "last row": np.s_[3:],
        "rows to the end": np.s_[2:],
        "column": np.s_[:, 5:],
        "backwards": np.s_[::-1, 3:],
    }
    return tensor(array, f32, device)[key[request.param]], array[key[request.param]], array


def test_9_a_view_is_copied_cast_and_moved_from_where_it_begins(late_view: Any, device: Device) -> None:
    x, expected, _ = late_view
    other = Device("interpreter") if device.info.kind == "host" else Device.host()
    np.testing.assert_array_equal(x.numpy(), expected)
    np.testing.assert_array_equal(x.copy().numpy(), expected)
    np.testing.assert_array_equal(x.to_device(other).numpy(), expected)
    np.testing.assert_array_equal(x.cast(bf16).numpy(), expected.astype(np.float32).astype(bf16.dtype))
    np.testing.assert_array_equal(x.scaled_cast(2, f32).numpy(), 2 * expected)
    np.testing.assert_array_equal(x.reshape(-1).numpy(), expected.reshape(-1))
    np.testing.assert_array_equal(x[-1, -1:].numpy(), expected[-1, -1:])
    assert x[0, 0].item() == expected[0, 0] and x.size == expected.size


def test_9_a_view_is_computed_with_from_where_it_begins(late_view: Any, device: Device) -> None:
    x, expected, _ = late_view
    tolerance = bound(f32, expected.size, expected.size)
    np.testing.assert_array_equal((x + x).numpy(), 2 * expected)
    np.testing.assert_array_equal(x.relu().numpy(), np.maximum(expected, 0))
    np.testing.assert_allclose(x.sum().item(), expected.sum(), rtol=0, atol=tolerance)
    np.testing.assert_allclose(x.sum(0).numpy(), expected.sum(0), rtol=0, atol=tolerance)
    np.testing.assert_allclose((x @ x.T).numpy(), expected @ expected.T, rtol=0, atol=tolerance)
    image = x.reshape((1, 1, *x.shape))
    np.testing.assert_array_equal(image.max_pool2((1, 1)).numpy()[0, 0], expected)
    np.testing.assert_array_equal(image.conv2(Tensor.ones((1, 1, 1, 1), f32, device)).numpy()[0, 0], expected)


def test_9_filling_a_view_fills_nothing_else(device: Device) -> None:
    whole = tensor(np.arange(12.0).reshape(3, 4), f32, device)
    row = whole[2]
    row.fill(7)
    np.testing.assert_array_equal(row.numpy(), [7] * 4)
    np.testing.assert_array_equal(whole.numpy(), np.arange(12.0).reshape(3, 4))
    del whole
    row.fill(8)
    np.testing.assert_array_equal(row.numpy(), [8] * 4)
    row[1:].assign(tensor([1, 2, 3], f32, device))
    np.testing.assert_array_equal(row.numpy(), [8] * 4)  # a view of its own is changed, row is not


# 10: a scale of 0 copies, where the types are the same


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_10_scaled_cast_by_zero_is_zero(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    x = tensor(np.arange(1, 7).reshape(2, 3), dtype, device)
    np.testing.assert_array_equal(x.scaled_cast(0, dtype).numpy(), np.zeros((2, 3)))
    np.testing.assert_array_equal(x.scaled_cast(1, dtype).numpy(), x.numpy())
    np.testing.assert_array_equal(x.T.scaled_cast(0, f32).numpy(), np.zeros((3, 2)))


# 11: empty tensors are no arrays and nothing to kernels; column-major ones have no sum


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)], ids=str)
@pytest.mark.parametrize("dtype", [f32, f16, bf16, i32, u8], ids=str)
def test_11_empty_tensors(shape: tuple[int, ...], dtype: ScalarType, device: Device) -> None:
    x = Tensor.zeros(shape, dtype, device)
    assert x.numpy().shape == shape and x.transpose().numpy().shape == shape[::-1]
    for y in (x + x, x * 2, -x, x.relu(), x.copy(), x.cast(f32), x.scaled_cast(2, i32), x.reshape(-1), x[..., :0]):
        assert y.size == 0 and y.numpy().size == 0
    x.fill(1)
    x.assign(Tensor.ones((), dtype, device))
    x.add_assign(x)
    assert x.sum().item() == 0
    for axis, length in enumerate(shape):
        total = x.sum(axis)
        assert total.shape == shape[:axis] + shape[axis + 1 :]
        assert length or not total.numpy().any()


def test_11_empty_parameters_are_trained(device: Device) -> None:
    p = Parameter(Tensor.zeros((0, 3), f32, device))
    p.init_grad()
    (Tensor.ones((2, 0), f32, device) @ p).sum().backward()
    SGD(0.9).update(p, present(p.take_grad()), 0.1)
    assert p.shape == (0, 3)


def test_11_sums_of_any_order_of_axes(device: Device) -> None:
    array = np.arange(60.0).reshape(3, 4, 5)
    x = tensor(array, f32, device)
    for axes in ((2, 1, 0), (1, 0, 2), (0, 2, 1)):
        view, expected = x.transpose(*axes), array.transpose(axes)
        assert view.sum().item() == expected.sum()  # whole numbers, exact in f32
        for axis in range(3):
            np.testing.assert_array_equal(view.sum(axis).numpy(), expected.sum(axis))


# 12: the class after the last is taken for one of the classes


@pytest.mark.parametrize("wrong", [4, 5, 255])
@pytest.mark.parametrize("dtype", [u8, u32, i32], ids=str)
def test_12_the_class_after_the_last_is_none(wrong: Any, dtype: ScalarType, device: Device) -> None:
    logits = Parameter(tensor(draw(12, (3, 4), f32), f32, device))
    right = np.argmax(logits.numpy(), axis=1)
    right[1] = wrong
    classes = tensor(right, dtype, device)
    logits.init_grad()
    if device.is_host:
        for operation in (logits.accuracy, logits.cross_entropy_loss):
            with pytest.raises(ShapeError, match=f"class {wrong} of row 1 is out of range"):
                operation(classes)
        return
    assert logits.accuracy(classes).item() == pytest.approx(2 / 3)
    loss = logits.cross_entropy_loss(classes)
    assert np.isnan(loss.item())
    loss.backward()
    np.testing.assert_array_equal(np.isnan(present(logits.grad).numpy()).all(axis=1), [False, True, False])
    assert np.isfinite(present(logits.grad).numpy()[[0, 2]]).all()
