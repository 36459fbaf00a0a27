"""Losses and their gradients beside PyTorch's, at the ends of the range, and where they don't fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import Parameter, Tensor, gradcheck
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.rows import columns, parts
from krnlpy import Device, ScalarType, bf16, f16, f32, f64, scalar_type
from tests.autograph.reference import ROUNDING
from tests.support.devices import requires
from tests.support.tiers import deep, one_vulkan_device
from tests.support.typed import untyped

torch: Any = pytest.importorskip("torch")
functional: Any = torch.nn.functional

Array = np.ndarray[Any, Any]
F32 = scalar_type(f32)
RANDOM = np.random.default_rng(0)


def numbers(*shape: int, low: float = -3, high: float = 3) -> Array:
    return RANDOM.uniform(low, high, shape).astype(np.float32)


def shares(n: int, count: int) -> Array:
    return RANDOM.dirichlet(np.ones(count), n).astype(np.float32)


def signs(*shape: int) -> Array:
    return np.sign(numbers(*shape)).astype(np.float32)


PROBABILITIES = np.concatenate([numbers(18, low=0, high=1), [0, 1]]).reshape(4, 5).astype(np.float32)
TRUTHS = np.concatenate([numbers(18) > 0, [True, False]]).reshape(4, 5).astype(np.float32)
LOGITS = np.concatenate([numbers(12), [-1000, -1000, 1000, 1000, -50, 50, 0, 0]]).reshape(4, 5).astype(np.float32)
LOGIT_TRUTHS = np.concatenate([numbers(12) > 0, [0, 1, 0, 1, 0, 1, 0, 1]]).reshape(4, 5).astype(np.float32)
SHAPE = (4, 5)


def focal(x: Any, target: Any, reduction: str) -> Any:
    """As in torchvision."""
    p, loss = torch.sigmoid(x), functional.binary_cross_entropy_with_logits(x, target, reduction="none")
    loss = loss * (1 - (p * target + (1 - p) * (1 - target))) ** 2 * (0.25 * target + 0.75 * (1 - target))
    return loss if reduction == "none" else getattr(loss, reduction)()


def divergence(x: Any, target: Any, reduction: str, log_target: bool = False) -> Any:
    """The mean is over distributions."""
    name = "batchmean" if reduction == "mean" else reduction
    return functional.kl_div(x, target, reduction=name, log_target=log_target)


def hinge(x: Any, target: Any, reduction: str) -> Any:
    loss = torch.relu(1 - target * x)
    return loss if reduction == "none" else getattr(loss, reduction)()


# The losses, what PyTorch has for them, keywords, the arrays, and of how many of these there are gradients.
CASES: list[tuple[Any, Any, dict[str, Any], Sequence[Array], int]] = [
    (ag.mse_loss, functional.mse_loss, {}, [numbers(*SHAPE), numbers(*SHAPE)], 2),
    (ag.l1_loss, functional.l1_loss, {}, [numbers(*SHAPE), numbers(*SHAPE)], 2),
    (ag.huber_loss, functional.huber_loss, {"delta": 0.5}, [numbers(*SHAPE), numbers(*SHAPE)], 2),
    (ag.smooth_l1_loss, functional.smooth_l1_loss, {"beta": 0.5}, [numbers(*SHAPE), numbers(*SHAPE)], 2),
    (ag.smooth_l1_loss, functional.smooth_l1_loss, {"beta": 0.0}, [numbers(*SHAPE), numbers(*SHAPE)], 2),
    (ag.binary_cross_entropy, functional.binary_cross_entropy, {}, [PROBABILITIES, TRUTHS], 1),
    (ag.binary_cross_entropy, functional.binary_cross_entropy, {"weight": numbers(5)}, [PROBABILITIES, TRUTHS], 1),
    (
        ag.binary_cross_entropy_with_logits,
        functional.binary_cross_entropy_with_logits,
        {},
        [LOGITS, LOGIT_TRUTHS],
        1,
    ),
    (
        ag.binary_cross_entropy_with_logits,
        functional.binary_cross_entropy_with_logits,
        {"pos_weight": numbers(5), "weight": numbers(4, 1)},
        [numbers(*SHAPE), numbers(*SHAPE, low=0, high=1)],
        2,
    ),
    (ag.focal_loss, focal, {}, [numbers(*SHAPE), TRUTHS], 1),
    (ag.kl_divergence, divergence, {}, [np.log(shares(4, 5)), shares(4, 5)], 2),
    (ag.kl_divergence, divergence, {"log_target": True}, [np.log(shares(4, 5)), np.log(shares(4, 5))], 2),
    (
        ag.poisson_nll_loss,
        functional.poisson_nll_loss,
        {"full": True},
        [numbers(*SHAPE), np.round(numbers(*SHAPE, low=0, high=9))],
        1,
    ),
    (
        ag.poisson_nll_loss,
        functional.poisson_nll_loss,
        {"log_input": False},
        [numbers(*SHAPE, low=0.1), np.round(numbers(*SHAPE, low=0, high=9))],
        1,
    ),
    (
        ag.gaussian_nll_loss,
        functional.gaussian_nll_loss,
        {"full": True},
        [numbers(*SHAPE), numbers(*SHAPE), numbers(*SHAPE, low=0.1)],
        3,
    ),
    (
        ag.cosine_embedding_loss,
        functional.cosine_embedding_loss,
        {"margin": 0.1},
        [numbers(*SHAPE), numbers(*SHAPE), signs(4)],
        2,
    ),
    (
        ag.triplet_margin_loss,
        functional.triplet_margin_loss,
        {"swap": True},
        [numbers(*SHAPE), numbers(*SHAPE), numbers(*SHAPE)],
        3,
    ),
    (
        ag.triplet_margin_loss,
        functional.triplet_margin_loss,
        {"p": 1, "margin": 0.5},
        [numbers(*SHAPE), numbers(*SHAPE), numbers(*SHAPE)],
        3,
    ),
    (ag.hinge_loss, hinge, {}, [numbers(*SHAPE), signs(*SHAPE)], 1),
    (ag.hinge_embedding_loss, functional.hinge_embedding_loss, {}, [numbers(*SHAPE), signs(*SHAPE)], 1),
]


def compare(
    ours: Callable[..., Tensor],
    theirs: Callable[..., Any],
    arrays: Sequence[Array],
    count: int,
    device: Device,
    dtype: ScalarType = F32,
    rounding: float = 64 * ROUNDING[F32],
) -> None:
    """Compares a loss and its gradients with PyTorch's in f64, of numbers that the dtype holds.

    What is computed of a loss is some exponentials and logarithms, to 4 ulp of f32 each, and sums of 20 numbers: 64
    halves of an ulp, of what is near 1 or greater. A gradient of f16 and bf16 is rounded once.
    """
    held = [array.astype(dtype.dtype) if array.dtype.kind == "f" else array for array in arrays]
    given = [Tensor.from_numpy(array, device) for array in held]
    wide = [torch.tensor(array.astype(np.float64)) for array in held]
    parameters = [Parameter(x) for x in given[:count]]
    for parameter, x in zip(parameters, wide, strict=False):
        parameter.init_grad()
        x.requires_grad_()
    found, expected = ours(*parameters, *given[count:]), theirs(*wide)
    assert found.shape == tuple(expected.shape)
    assert found.dtype is scalar_type(dtype).compute
    reference = expected.detach().numpy()
    np.testing.assert_allclose(found.numpy(), reference, rtol=rounding, atol=rounding)
    weights = RANDOM.uniform(0.5, 1.5, found.shape).astype(np.float32)
    found.backward(Tensor.from_numpy(weights.astype(found.dtype.dtype), device))
    expected.backward(torch.tensor(weights.astype(np.float64)))
    tolerance = rounding + ROUNDING.get(dtype, 0)
    for parameter, x in zip(parameters, wide, strict=False):
        assert parameter.grad is not None
        close = parameter.grad.numpy().astype(np.float64)
        np.testing.assert_allclose(close, x.grad.numpy(), rtol=tolerance, atol=tolerance)


def on(device: Device, keywords: dict[str, Any], *, theirs: bool = False) -> dict[str, Any]:
    """Keywords of which arrays are tensors."""

    def made(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        return torch.tensor(value.astype(np.float64)) if theirs else Tensor.from_numpy(value, device)

    return {name: made(value) for name, value in keywords.items()}


@one_vulkan_device
@pytest.mark.parametrize(
    ("ours", "theirs", "keywords", "arrays", "count"), CASES, ids=lambda x: getattr(x, "__name__", "")
)
def test_beside_pytorch(ours: Any, theirs: Any, keywords: Any, arrays: Any, count: int, device: Device) -> None:
    for reduction in ("none", "mean", "sum"):
        compare(
            lambda *x, r=reduction: ours(*x, r, **on(device, keywords)),
            lambda *x, r=reduction: theirs(*x, reduction=r, **on(device, keywords, theirs=True)),
            arrays,
            count,
            device,
        )


@deep
@pytest.mark.parametrize("dtype", [f16, bf16, f64], ids=str)
@pytest.mark.parametrize(
    ("ours", "theirs", "keywords", "arrays", "count"), CASES, ids=lambda x: getattr(x, "__name__", "")
)
def test_dtypes(
    ours: Any, theirs: Any, keywords: Any, arrays: Any, count: int, dtype: ScalarType, device: Device
) -> None:
    requires(device, dtype)
    if ours is ag.binary_cross_entropy:  # the slope of 0 and 1 is 1e12, which f16 has not, and PyTorch in f32
        arrays = [np.clip(arrays[0], 0.05, 0.95), arrays[1]]
    compare(
        lambda *x: ours(*x, "none", **on(device, keywords)),
        lambda *x: theirs(*x, reduction="none", **on(device, keywords, theirs=True)),
        arrays,
        count,
        device,
        dtype,
        64 * ROUNDING[F32] if dtype is not f64 else 1e-13,
    )


OPTIONS: list[dict[str, Any]] = [
    {},
    {"weight": numbers(5, low=0.1)},
    {"ignore_index": 1},
    {"weight": numbers(5, low=0.1), "ignore_index": 1},
    {"label_smoothing": 0.1},
    {"label_smoothing": 0.2, "weight": numbers(5, low=0.1), "ignore_index": -100},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
def test_cross_entropy_of_long_rows(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made of other operations, where rows are longer than a thread takes."""
    monkeypatch.setattr(parts, "LONGEST", 2)
    monkeypatch.setattr(columns, "MAX_PASSES", 2)
    test_cross_entropy_of_classes(options, Device.host())


def test_class_weights_have_gradients() -> None:
    logits, classes = Tensor.from_numpy(numbers(4, 3).astype(np.float64)), np.array([0, 2, 1, 2])
    gradcheck(
        lambda weight: ag.cross_entropy_loss(logits, classes, weight=weight, label_smoothing=0.1, ignore_index=1),
        Tensor.from_numpy(np.array([0.5, 1.0, 1.5])),
    )


@one_vulkan_device
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
def test_cross_entropy_of_classes(options: dict[str, Any], device: Device) -> None:
    """Of rows, and of rows at each place of other axes; with the softmax inside, and of logarithms."""
    for shape in ((6, 5), (1, 5, 7, 10)):  # more places than a block of the host has
        classes = RANDOM.integers(0, 5, (shape[0], *shape[2:]))
        classes.flat[0] = options.get("ignore_index", 0)
        classes.flat[1] = 3  # one that is not ignored
        for reduction in ("none", "mean", "sum"):
            ours, theirs = on(device, options), on(device, options, theirs=True)
            compare(
                lambda x, r=reduction, c=classes, k=ours: ag.cross_entropy_loss(x, c, r, **k),
                lambda x, r=reduction, c=classes, k=theirs: functional.cross_entropy(
                    x, torch.tensor(c), reduction=r, **k
                ),
                [numbers(*shape)],
                1,
                device,
            )
            if "label_smoothing" not in options:
                compare(
                    lambda x, r=reduction, c=classes, k=ours: ag.nll_loss(x, c, r, **k),
                    lambda x, r=reduction, c=classes, k=theirs: functional.nll_loss(
                        x, torch.tensor(c), reduction=r, **k
                    ),
                    [numbers(*shape)],
                    1,
                    device,
                )


@one_vulkan_device
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1, "weight": numbers(5, low=0.1)}], ids=len)
def test_cross_entropy_of_probabilities(options: dict[str, Any], device: Device) -> None:
    for shape in ((6, 5), (2, 5, 3)):
        targets = np.moveaxis(shares(6, 5).reshape(shape[0], *shape[2:], 5), -1, 1).copy()
        for reduction in ("none", "mean", "sum"):
            compare(
                lambda x, t, r=reduction: ag.cross_entropy_loss(x, t, r, **on(device, options)),
                lambda x, t, r=reduction: functional.cross_entropy(
                    x, t, reduction=r, **on(device, options, theirs=True)
                ),
                [numbers(*shape), targets],
                2,
                device,
            )


def test_ignored_rows_and_classes_out_of_range(device: Device) -> None:
    """On a device a class out of range makes NaN; a row that is ignored adds nothing, whatever is in it."""
    x = numbers(3, 4)
    x[1] = np.nan
    logits = Parameter(Tensor.from_numpy(x, device))
    logits.init_grad()
    loss = ag.cross_entropy_loss(logits, np.array([0, 255, 2], np.uint8), ignore_index=255)
    expected = functional.cross_entropy(torch.tensor(x[[0, 2]]), torch.tensor([0, 2]))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    if device.is_host:
        with pytest.raises(ShapeError, match="class 9 of row 1 is out of range"):
            ag.nll_loss(logits, np.array([0, 9, 255]), ignore_index=255)
        return
    classes = Tensor.from_numpy(np.array([0, 9, 2], np.int32), device)
    losses = ag.nll_loss(Tensor.from_numpy(numbers(3, 4), device), classes, "none", ignore_index=2)
    np.testing.assert_array_equal(np.isnan(losses.numpy()), [False, True, False])
    assert losses.numpy()[2] == 0


def test_at_the_ends_of_the_range(device: Device) -> None:
    """No NaN, and no infinity, where the true value is finite."""
    ends = np.array([-3e38, -1e30, -1000, 0, 1000, 1e30, 3e38], np.float32)
    for target in (0.0, 1.0):
        x = Parameter(Tensor.from_numpy(ends, device))
        x.init_grad()
        losses = ag.binary_cross_entropy_with_logits(x, Tensor.full(7, target, f32, device), "none")
        losses.sum().backward()
        wrong = ends if target == 0 else -ends
        np.testing.assert_allclose(
            losses.numpy(), np.where(wrong > 0, wrong, wrong == 0) * [1, 1, 1, np.log(2), 1, 1, 1]
        )
        assert x.grad is not None
        np.testing.assert_allclose(x.grad.numpy(), (0.5 + 0.5 * np.sign(ends)) - target, atol=1e-6)
        x.init_grad()
        focal = ag.focal_loss(x, Tensor.full(7, target, f32, device), "none", gamma=0.5)
        focal.sum().backward()
        assert np.isfinite(focal.numpy()).all() and np.isfinite(x.grad.numpy()).all()
    # What never happens may have the probability 0, also of both.
    never = Tensor.from_numpy(np.array([-np.inf, 0.0], np.float32), device)
    assert ag.kl_divergence(never, Tensor.from_numpy(np.array([0.0, 1.0], np.float32), device), "sum").item() == 0
    assert ag.kl_divergence(never, never, "sum", log_target=True).item() == 0
    logits = Tensor.from_numpy(np.array([[-np.inf, 0.0]], np.float32), device)
    assert ag.cross_entropy_loss(logits, np.array([[0.0, 1.0]], np.float32)).item() == 0
    # Vectors of zeros, and equal ones, have slopes.
    zero = Parameter(Tensor.zeros((2, 3), f32, device))
    zero.init_grad()
    (ag.cosine_similarity(zero, zero).sum() + ag.triplet_margin_loss(zero, zero, zero)).backward()
    assert zero.grad is not None and np.isfinite(zero.grad.numpy()).all()


@pytest.mark.parametrize("loss", ["smooth_l1_loss", "binary_cross_entropy_with_logits", "kl_divergence", "hinge_loss"])
def test_second_derivatives(loss: str) -> None:
    rng = np.random.default_rng(3)
    x, target = rng.uniform(0.1, 0.9, (2, 3)), Tensor.from_numpy(rng.uniform(1.2, 1.9, (2, 3)))
    gradcheck(lambda x: getattr(ag, loss)(x * x, target, "mean"), Tensor.from_numpy(x), order=2)


def test_second_derivatives_of_cross_entropy() -> None:
    logits, classes = Tensor.from_numpy(np.random.default_rng(4).uniform(-1, 1, (3, 4))), np.array([0, 2, 1])
    weight = Tensor.from_numpy(np.array([0.5, 1.0, 1.5, 1.0]))
    gradcheck(
        lambda x: ag.cross_entropy_loss(x, classes, weight=weight, ignore_index=1, label_smoothing=0.1), logits, order=2
    )
    gradcheck(lambda x: ag.cross_entropy_loss(x, classes, "none").sum(), logits, order=2)
    places = Tensor.from_numpy(np.random.default_rng(6).uniform(-1, 1, (1, 4, 3)))
    gradcheck(lambda x: ag.cross_entropy_loss(x, classes[None], weight=weight, label_smoothing=0.1), places, order=2)
    shares = Tensor.from_numpy(np.random.default_rng(5).dirichlet(np.ones(4), 3))
    gradcheck(lambda x: ag.cross_entropy_loss(x, shares), logits, order=2)


@one_vulkan_device
def test_strides_integers_and_batches_of_nothing(device: Device) -> None:
    a, b = numbers(5, 8), numbers(8, 5)
    x, y = Tensor.from_numpy(a, device).T[::2], Tensor.from_numpy(b, device)[::2]
    assert ag.mse_loss(x, y).item() == pytest.approx(np.mean((a.T[::2] - b[::2]) ** 2), rel=1e-5)
    truths = Tensor.from_numpy(np.array([True, False]), device)
    logits = Tensor.from_numpy(np.array([0.0, 0.0], np.float32), device)
    assert ag.binary_cross_entropy_with_logits(logits, truths).item() == pytest.approx(np.log(2), rel=1e-6)
    nothing = Tensor.zeros((0, 3), f32, device)
    assert ag.mse_loss(nothing, nothing, "none").shape == (0, 3)
    assert ag.mse_loss(nothing, nothing, "sum").item() == 0
    assert ag.cross_entropy_loss(nothing, np.zeros(0, np.int64), "sum").item() == 0
    assert ag.cross_entropy_loss(nothing, np.zeros(0, np.int64), "none").shape == (0,)
    with pytest.raises(ShapeError, match="empty batch"):
        ag.mse_loss(nothing, nothing)


@one_vulkan_device
def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.zeros((3, 4), f32, device)
    with pytest.raises(ShapeError, match=r"mse_loss of \(3, 4\) and targets \(4,\): expected the same shape"):
        ag.mse_loss(x, x[0])
    with pytest.raises(AutographError, match="reduction='middle'"):
        ag.l1_loss(x, x, untyped("middle"))
    with pytest.raises(AutographError, match="delta=-1"):
        ag.huber_loss(x, x, delta=-1)
    with pytest.raises(DtypeError, match="huber_loss of i32"):
        ag.huber_loss(x.cast("i32"), x)
    with pytest.raises(DtypeError):
        ag.mse_loss(x, untyped(1.0))
    with pytest.raises(ShapeError, match="pos_weight"):
        ag.binary_cross_entropy_with_logits(x[:1], x[:1], pos_weight=x)
    with pytest.raises(ShapeError, match="one number a class"):
        ag.cross_entropy_loss(x, np.zeros(3, int), weight=Tensor.ones(3, f32, device))
    with pytest.raises(AutographError, match="label_smoothing=2"):
        ag.cross_entropy_loss(x, np.zeros(3, int), label_smoothing=2)
    with pytest.raises(AutographError, match="ignore_index=1"):
        ag.cross_entropy_loss(x, x, ignore_index=1)
    with pytest.raises(ShapeError, match="vectors"):
        ag.cosine_embedding_loss(x[0], x[0], x[0])
    other = Device.interpreter() if device.is_host else Device.host()
    with pytest.raises(DeviceError, match="to_device"):
        ag.mse_loss(x, Tensor.zeros((3, 4), f32, other))
