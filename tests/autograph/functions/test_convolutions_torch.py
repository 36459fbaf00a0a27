"""Convolutions of all ranks, transposed and grouped, beside PyTorch's: values, gradients, and gradients of gradients.

Numbers are whole and small, so that all sums are exact in f32, in any order, and nothing may be off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph
from autograph import Conv2, Conv3, ConvTranspose1, ConvTranspose2, ConvTranspose3, Parameter, Tensor, grad
from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.convolution import host, pointwise
from krnlpy import Device, DTypeLike, ScalarType, bf16, f16, f32, f64, i32
from tests.autograph.reference import draw, tensor
from tests.support.devices import requires
from tests.support.typed import present, untyped

torch = pytest.importorskip("torch")


def some(rng: np.random.Generator, low: int, high: int, count: int) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(low, high, count))


def whole(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.integers(-3, 4, shape).astype(np.float32)


def drawn(seed: int, ndim: int, is_transposed: bool) -> tuple[Any, Any, dict[str, Any]]:
    """Images, filters and options at random: paddings beyond filters, steps beyond images, up to 3 groups, depthwise
    ones among them, and any count of images down to none."""
    rng = np.random.default_rng((seed, ndim, is_transposed))
    groups, ic, oc = (5, 1, 1) if rng.random() < 0.2 else some(rng, 1, 4, 3)
    filter, stride, padding, dilation = (some(rng, low, high, ndim) for low, high in ((1, 4), (1, 4), (0, 5), (1, 3)))
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    reach = [d * (f - 1) + 1 - 2 * p for d, f, p in zip(dilation, filter, padding, strict=True)]
    if is_transposed:
        size = tuple(max(2 - r, 0) // s + 1 + int(rng.integers(3)) for r, s in zip(reach, stride, strict=True))
        options["output_padding"] = tuple(int(rng.integers(max(s, d))) for s, d in zip(stride, dilation, strict=True))
        weight = groups * ic, oc, *filter
    else:
        size = tuple(max(1, r + int(rng.integers(5))) for r in reach)
        weight = groups * oc, ic, *filter
    return whole(rng, (int(rng.integers(4)), groups * ic, *size)), whole(rng, weight), options


def opened(array: Any, device: Device, dtype: DTypeLike = f32) -> Parameter:
    result = Parameter(tensor(array, dtype, device))
    result.init_grad()
    return result


@pytest.mark.parametrize("is_transposed", [False, True], ids=["conv", "conv_transpose"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_value_and_gradients(ndim: int, is_transposed: bool, device: Device) -> None:
    ours = getattr(autograph, f"conv_transpose{ndim}" if is_transposed else f"conv{ndim}")
    theirs = getattr(torch.nn.functional, f"conv_transpose{ndim}d" if is_transposed else f"conv{ndim}d")
    for seed in range({"host": 5, "interpreter": 2}.get(device.info.kind, 4)):
        a, b, options = drawn(seed, ndim, is_transposed)
        x, w, bias = opened(a, device), opened(b, device), None
        p, q, c = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True), None
        if seed % 2:
            channels = b.shape[1] * options["groups"] if is_transposed else b.shape[0]
            bias, c = opened(np.arange(channels), device), torch.arange(float(channels), requires_grad=True)
        y, z = ours(x, w, bias, **options), theirs(p, q, c, **options)
        g = whole(np.random.default_rng(seed), y.shape)
        y.backward(tensor(g, f32, device))
        z.backward(torch.tensor(g))
        where = f"images {a.shape}, filters {b.shape}, {options}"
        np.testing.assert_array_equal(y.numpy(), z.detach().numpy(), err_msg=where)
        for parameter, other in ((x, p), (w, q), *([(bias, c)] if bias is not None else [])):
            np.testing.assert_array_equal(present(parameter.grad).numpy(), other.grad.numpy(), err_msg=where)


@pytest.mark.parametrize(
    ("shape", "filters", "options"),
    [
        ((2, 3, 9, 36), (7, 3, 4, 5), {}),  # rows of 32: the volumes' gradient is made of whole rows, and shifted
        ((2, 4, 8, 35), (10, 2, 3, 11), {"stride": (2, 3), "padding": (2, 1), "dilation": (1, 2), "groups": 2}),
        ((1, 3, 5, 23), (5, 3, 2, 2), {"stride": 3, "dilation": 3}),  # a third of the pixels has all taps
    ],
    ids=["valid", "strided", "untouched"],
)
def test_rows_longer_than_vectors(shape: Any, filters: Any, options: Any) -> None:
    """As the host computes them: the last vector of a row, and the last block of channels, overlap those before."""
    rng = np.random.default_rng(1)
    a, b, device = whole(rng, shape), whole(rng, filters), Device.host()
    for dtype in (f32, f64):
        x, w = opened(a, device, dtype), opened(b, device, dtype)
        p, q = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
        y, z = x.conv2(w, **options), torch.nn.functional.conv2d(p, q, **options)
        g = whole(rng, y.shape)
        y.backward(tensor(g, dtype, device))
        z.backward(torch.tensor(g))
        for found, wanted in ((y, z.detach()), (x.grad, p.grad), (w.grad, q.grad)):
            np.testing.assert_array_equal(present(found).numpy(), wanted.numpy())


@pytest.mark.parametrize("is_transposed", [False, True], ids=["conv", "conv_transpose"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_what_vectors_are_on_the_host(ndim: int, is_transposed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels, too, where there are as few as in these cases."""
    monkeypatch.setattr(host, "_FEW", 0)
    monkeypatch.setattr(host, "_MANY", 1)
    test_value_and_gradients(ndim, is_transposed, Device.host())


def test_products_of_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 x 1 filters, for which the host multiplies matrices where there are many channels."""
    monkeypatch.setattr(pointwise, "_CHANNELS", 1)
    x, w = (whole(np.random.default_rng(5), shape) for shape in ((3, 4, 5), (6, 2, 1)))
    for dtype in (f32, f16):
        a, b = opened(x, Device.host(), dtype), opened(w, Device.host(), dtype)
        y = a.conv1(b, groups=2)
        y.backward(y.detach())
        p, q = torch.tensor(x, requires_grad=True), torch.tensor(w, requires_grad=True)
        z = torch.nn.functional.conv1d(p, q, groups=2)
        z.backward(z.detach())
        for found, wanted in (
            (y, z.detach()),
            (a.grad, p.grad),
            (b.grad, q.grad),
        ):  # up to 1,000, whole numbers that f16 holds
            ours = present(found).numpy()
            np.testing.assert_array_equal(ours, wanted.numpy().astype(ours.dtype))


@pytest.mark.parametrize("filter", [1, 3])
def test_strides_of_many_channels(filter: int, device: Device) -> None:
    """Every other pixel of the gradient of images is a product of matrices on the host, into part of that gradient."""
    rng = np.random.default_rng(filter)
    x, w = whole(rng, (2, 16, 9, 8)), whole(rng, (18, 16, filter, filter))
    a, b = opened(x, device, f32), opened(w, device, f32)
    p, q = torch.tensor(x, requires_grad=True), torch.tensor(w, requires_grad=True)
    y = a.conv2(b, stride=2, padding=filter // 2)
    z = torch.nn.functional.conv2d(p, q, stride=2, padding=filter // 2)
    g = whole(rng, y.shape)
    y.backward(tensor(g, f32, device))
    z.backward(torch.tensor(g))
    for found, wanted in ((y, z.detach()), (a.grad, p.grad), (b.grad, q.grad)):
        np.testing.assert_array_equal(present(found).numpy(), wanted.numpy())


@pytest.mark.parametrize("is_transposed", [False, True], ids=["conv", "conv_transpose"])
def test_second_derivatives(is_transposed: bool, device: Device) -> None:
    """Of sums of cubes, so that all mixed ones take part. Sums of whole numbers below 2**24 are exact."""
    name, other = ("conv_transpose2", "conv_transpose2d") if is_transposed else ("conv2", "conv2d")
    ours, theirs = getattr(autograph, name), getattr(torch.nn.functional, other)
    options = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}
    rng = np.random.default_rng(1)
    a, b = rng.integers(-1, 2, (2, 4, 4, 5)).astype(np.float32), rng.integers(-1, 2, (4, 2, 2, 3)).astype(np.float32)

    def f(x: Tensor, w: Tensor) -> Any:
        y = ours(x, w, **options)
        return (y * y * y).sum()

    def of_gradients(x: Tensor, w: Tensor) -> Any:
        dx, dw = grad(f, (0, 1))(x, w)
        return (dx * dx).sum() + dw.sum()

    found = grad(of_gradients, (0, 1))(tensor(a, f32, device), tensor(b, f32, device))
    p, q = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    dp, dq = torch.autograd.grad((theirs(p, q, **options) ** 3).sum(), (p, q), create_graph=True)
    for mine, wanted in zip(found, torch.autograd.grad((dp * dp).sum() + dq.sum(), (p, q)), strict=True):
        assert np.abs(wanted.numpy()).max() < 2**24
        np.testing.assert_array_equal(mine.numpy(), wanted.numpy())


@pytest.mark.parametrize("dtype", [f16, bf16, f64], ids=str)
def test_every_dtype(dtype: ScalarType, device: Device) -> None:
    """f16 and bf16 are summed in f32 and rounded once: what they give is the rounded sum, which is exact in f64."""
    requires(device, dtype)
    a, b = draw(1, (2, 4, 5, 6), dtype), draw(2, (6, 2, 3, 2), dtype)
    options: dict[str, Any] = {"padding": 1, "groups": 2}
    x, w = opened(a, device, dtype), opened(b, device, dtype)
    p, q = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    y, z = x.conv2(w, **options), torch.nn.functional.conv2d(p, q, **options)
    g = draw(3, y.shape, dtype)
    y.backward(tensor(g, dtype, device))
    z.backward(torch.tensor(g))
    # Sums of at most 2 * 6 * 7 products below 1. Of f64 each product and sum is rounded, in an order of its own on
    # both sides; else in f32, and the result.
    rounding = 2.0**-11 if dtype is f16 else 2.0**-8 if dtype is bf16 else 2.0**-53
    unit = 2.0**-53 if dtype is f64 else 2.0**-24
    results = y.numpy(), present(x.grad).numpy(), present(w.grad).numpy()
    for found, wanted in zip(results, (z.detach(), p.grad, q.grad), strict=True):
        expected = wanted.numpy()
        bound = rounding * np.abs(expected) + 2 * 84 * 84 * unit + (2.0**-25 if dtype is f16 else 0)
        assert np.all(np.abs(found.astype(np.float64) - expected) <= bound)
        if dtype is not f64:
            assert np.any(found.astype(np.float64) != expected)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # PyTorch copies then
@pytest.mark.parametrize("filter", [(3, 3), (2, 4), (1, 5)], ids=str)
def test_same_and_valid(filter: tuple[int, int], device: Device) -> None:
    rng = np.random.default_rng(3)
    a, b = whole(rng, (2, 2, 6, 7)), whole(rng, (3, 2, *filter))
    for padding in ("same", "valid"):
        x, p = opened(a, device), torch.tensor(a, requires_grad=True)
        w, q = opened(b, device), torch.tensor(b, requires_grad=True)
        y = x.conv2(w, padding=padding, dilation=(2, 1))
        z = torch.nn.functional.conv2d(p, q, padding=padding, dilation=(2, 1))
        g = whole(rng, y.shape)
        y.backward(tensor(g, f32, device))
        z.backward(torch.tensor(g))
        np.testing.assert_array_equal(y.numpy(), z.detach().numpy())
        np.testing.assert_array_equal(present(x.grad).numpy(), p.grad.numpy())
        np.testing.assert_array_equal(present(w.grad).numpy(), q.grad.numpy())


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_padding_modes(mode: Any, device: Device) -> None:
    rng = np.random.default_rng(6)
    a, b = whole(rng, (2, 2, 5, 6)), whole(rng, (3, 2, 3, 3))
    x, w = opened(a, device), opened(b, device)
    p, q = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    theirs = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}[mode]
    y = x.conv2(w, stride=(2, 1), padding=(1, 2), padding_mode=mode)
    z = torch.nn.functional.conv2d(torch.nn.functional.pad(p, (2, 2, 1, 1), mode=theirs), q, stride=(2, 1))
    g = whole(rng, y.shape)
    y.backward(tensor(g, f32, device))
    z.backward(torch.tensor(g))
    np.testing.assert_array_equal(y.numpy(), z.detach().numpy())
    np.testing.assert_array_equal(present(x.grad).numpy(), p.grad.numpy())
    np.testing.assert_array_equal(present(w.grad).numpy(), q.grad.numpy())
    layer = Conv2(2, 2, 3, padding="same", padding_mode=mode, device=device)
    assert layer(x).shape == x.shape and f"padding_mode='{mode}'" in repr(layer)
    with pytest.raises(AutographError, match="padding_mode='mirror'"):
        x.conv2(w, padding_mode=untyped("mirror"))


def test_work_for_which_a_kernel_is_made(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there are millions of products; the same bits as without."""
    if device.info.backend != "vulkan":
        pytest.skip("has its own algorithm")
    x, w = tensor(draw(4, (2, 4, 7, 9), f32), f32, device), tensor(draw(5, (6, 4, 3, 3), f32), f32, device)
    results = []
    for least in (1 << 62, 0):
        monkeypatch.setattr("autograph.functions.convolution.direct._MUCH", least)
        for stride in (1, 2):
            y = x.conv2(w, stride=stride, padding=1)
            dx, dw = grad(lambda x, w, s=stride: x.conv2(w, stride=s, padding=1).sum(), (0, 1))(x, w)
            results.append([tensor.numpy() for tensor in (y, dx, dw)])
    for ordinary, made in zip(results[:2], results[2:], strict=True):
        for first, second in zip(ordinary, made, strict=True):
            np.testing.assert_array_equal(first, second)


def test_layers(device: Device) -> None:
    layer = Conv3(4, 6, (1, 2, 3), stride=(1, 2, 1), padding=1, groups=2, bias=True, device=device, seed=1)
    x = tensor(draw(6, (2, 4, 3, 4, 5), f32), f32, device)
    assert layer.weight.shape == (6, 2, 1, 2, 3) and np.abs(layer.weight.numpy()).max() < np.sqrt(2 / 12)
    expected = autograph.conv3(x, layer.weight, layer.bias, stride=(1, 2, 1), padding=1, groups=2)
    np.testing.assert_array_equal(layer(x).numpy(), expected.numpy())
    back = ConvTranspose2(4, 6, 3, stride=2, output_padding=1, groups=2, device=device, seed=1)
    assert back.weight.shape == (4, 3, 3, 3) and np.abs(back.weight.numpy()).max() < np.sqrt(2 / 18)
    assert back(x[:, :, 0]).shape == (2, 6, 10, 12)
    assert repr(back) == "ConvTranspose2(4, 6, (3, 3), stride=(2, 2), groups=2, output_padding=(1, 1))  108 parameters"
    assert repr(ConvTranspose1(2, 3, 4, bias=True)) == "ConvTranspose1(2, 3, 4, bias=True)  27 parameters"
    assert (
        repr(ConvTranspose3(1, 1, 2, dilation=2)) == "ConvTranspose3(1, 1, (2, 2, 2), dilation=(2, 2, 2))  8 parameters"
    )
    same = Conv2(2, 2, 3, padding="same", device=device)
    assert repr(same).startswith("Conv2(2, 2, (3, 3), padding='same')") and same(x[:, :2, 0]).shape == (2, 2, 4, 5)


def test_what_does_not_fit() -> None:
    x, w = Tensor.zeros((2, 4, 5, 5)), Tensor.zeros((4, 2, 3, 3))
    with pytest.raises(ShapeError, match=r"in 3 groups: the images have 4 channels, the filters take 2 a group"):
        x.conv2(w, groups=3)
    with pytest.raises(ShapeError, match="groups=0"):
        x.conv2(w, groups=0)
    with pytest.raises(ShapeError, match="padding='same' and stride=2: expected a stride of 1"):
        x.conv2(w, groups=2, padding="same", stride=2)
    with pytest.raises(ShapeError, match="padding='full'"):
        x.conv2(w, groups=2, padding="full")
    with pytest.raises(ShapeError, match="or three of them"):
        autograph.conv3(Tensor.zeros((1, 1, 2, 2, 2)), Tensor.zeros((1, 1, 1, 1, 1)), stride=untyped((1, 2)))
    with pytest.raises(ShapeError, match="the filters take 4"):
        autograph.conv_transpose2(x[:, :2], w)
    with pytest.raises(ShapeError, match=r"bias of shape \(2,\), not \(4,\)"):
        autograph.conv_transpose2(x, w, Tensor.zeros(4))
    with pytest.raises(ShapeError, match="below the stride or the dilation"):
        autograph.conv_transpose2(x, w, stride=2, output_padding=2)
    with pytest.raises(ShapeError, match=r"gives images of size \(-1, -1\)"):
        autograph.conv_transpose2(x, w, padding=4)
    with pytest.raises(DtypeError, match="conv_transpose2 takes f16, bf16, f32, f64, not i32"):
        autograph.conv_transpose2(x.cast(i32), w)
    with pytest.raises(ShapeError, match="4 to 6 channels: not in 4 equal groups"):
        Conv2(4, 6, 3, groups=4)
