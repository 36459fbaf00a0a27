"""Reductions: values against NumPy in f64, gradients against their forms, and what users make of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph
from autograph import Parameter, Tensor, argmax, argmin, count_nonzero, reduction
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from krnlpy import Device, bf16, dsl, f16, f32, f64, i8, i32, i64, u8, u16, u32
from tests.support.typed import present, untyped

Array = np.ndarray[Any, Any]

# More rows than a thread of the host takes, columns beside blocks of 256, axes that are split, and none.
SHAPES: list[tuple[tuple[int, ...], Any]] = [
    ((7,), None),
    ((3, 1000), 1),
    ((1000, 3), 0),
    ((5, 300, 4), 1),
    ((4, 5, 6, 7), (0, 2)),
    ((4, 5, 6, 7), (3, 1)),
    ((2, 20_011), -1),
    ((301, 290), 0),
    ((), None),
    ((2, 3), ()),
]


def logsumexp(x: Array, axis: Any, keepdims: bool = False) -> Array:
    return np.asarray(np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)))


def norm(x: Array, axis: Any, keepdims: bool = False) -> Array:
    return np.asarray(np.sqrt((x * x).sum(axis=axis, keepdims=keepdims)))


# Names, what they should be, and the gradient of x for that of the result, of axes that are kept.
REDUCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sum": (np.sum, lambda x, y, n: 1),
    "mean": (np.mean, lambda x, y, n: 1 / n),
    "max": (np.max, lambda x, y, n: x == y),
    "min": (np.min, lambda x, y, n: x == y),
    "logsumexp": (logsumexp, lambda x, y, n: np.exp(x - y)),
    "vector_norm": (norm, lambda x, y, n: x / y),
    "var": (np.var, lambda x, y, n: np.nan),
    "std": (np.std, lambda x, y, n: np.nan),
    "prod": (np.prod, lambda x, y, n: y / x),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_values_and_gradients(name: str, device: Device) -> None:
    reference, slope = REDUCTIONS[name]
    rng = np.random.default_rng(0)
    for shape, axis in SHAPES:
        # Products of thousands stay in range where factors are near 1; slopes of norms need numbers apart from 0.
        x = rng.uniform(0.9, 1.1, shape) if name == "prod" else rng.standard_normal(shape)
        x = np.asarray(x, np.float32).astype(np.float64)
        parameter = Parameter(Tensor.from_numpy(x.astype(np.float32), device))
        parameter.init_grad()
        y = getattr(autograph, name)(parameter, axis, keepdims=True)
        expected = reference(x, axis=axis, keepdims=True)
        # Sums of n numbers are off by less than 30 roundings of 2**-24 of the sum of their magnitudes, by blocks; a
        # product of n factors by n / 2 roundings at worst, some sqrt(n) on average.
        scale = np.abs(x).sum(axis=axis, keepdims=True) if name in ("sum",) else 1
        tolerance = 4e-6 if name != "prod" else 2e-5
        np.testing.assert_allclose(y.numpy(), expected, rtol=tolerance, atol=3e-6 * np.max(scale), err_msg=str(shape))
        assert getattr(autograph, name)(parameter, axis).shape == reference(x, axis=axis).shape
        dy = rng.standard_normal(y.shape).astype(np.float32)
        y.backward(Tensor.from_numpy(dy, device))
        count = x.size // max(1, expected.size)
        if name in ("var", "std"):
            mean = x.mean(axis=axis, keepdims=True)
            wanted = 2 * (x - mean) / count
            if name == "std":
                if not expected.all():
                    continue  # the slope of a root at 0 is infinite
                wanted = (x - mean) / count / expected
        else:
            wanted = np.asarray(slope(x, expected, count), np.float64)
        found = present(parameter.take_grad()).numpy()
        np.testing.assert_allclose(
            found,
            np.broadcast_to(dy * wanted, shape),
            rtol=2e-5,
            atol=4e-6 * np.abs(dy).max(),
            err_msg=f"{shape} {axis}",
        )


PLACES: dict[str, Callable[..., Any]] = {"argmax": np.argmax, "argmin": np.argmin}


@pytest.mark.parametrize("name", PLACES)
def test_places(name: str, device: Device) -> None:
    rng = np.random.default_rng(0)
    for shape, axis in (
        ((7,), None),
        ((3, 1000), 1),
        ((1000, 3), 0),
        ((5, 300, 4), 1),
        ((4, 5), None),
        ((301, 290), 0),
    ):
        x = rng.integers(-9, 9, shape).astype(np.float32)  # many are equal: the first counts
        found = getattr(autograph, name)(Tensor.from_numpy(x, device), axis)
        assert found.dtype is i32
        np.testing.assert_array_equal(found.numpy(), PLACES[name](x, axis=axis))
        if axis is not None:
            kept = getattr(autograph, name)(Tensor.from_numpy(x, device), axis, keepdims=True)
            assert kept.shape == np.expand_dims(PLACES[name](x, axis=axis), axis).shape
    x = np.array([1, np.nan, 5, np.nan, -2], np.float32)
    assert getattr(autograph, name)(Tensor.from_numpy(x, device)).item() == 1
    for narrow in (np.arange(300) == (299 if name == "argmax" else -1), (np.arange(300) % 127).astype(np.int8)):
        place = getattr(autograph, name)(Tensor.from_numpy(narrow, device))  # which i8 and bool do not hold
        assert place.dtype is i32 and place.item() == PLACES[name](narrow)


def test_nan_and_infinities(device: Device) -> None:
    nan, inf = np.nan, np.inf
    x = np.array([[1, nan, 3], [inf, 2, -inf], [-inf, -inf, -inf], [inf, inf, 1]], np.float32)
    tensor = Tensor.from_numpy(x, device)
    np.testing.assert_array_equal(tensor.max(1).numpy(), [nan, inf, -inf, inf])
    np.testing.assert_array_equal(tensor.min(1).numpy(), [nan, -inf, -inf, 1])
    np.testing.assert_array_equal(tensor.sum(1).numpy(), [nan, nan, -inf, inf])
    np.testing.assert_array_equal(tensor.mean(1).numpy(), [nan, nan, -inf, inf])
    np.testing.assert_array_equal(autograph.logsumexp(tensor, 1).numpy(), [nan, inf, -inf, inf])
    np.testing.assert_array_equal(tensor.any(1).numpy(), [True] * 4)
    np.testing.assert_array_equal(tensor.all(1).numpy(), [True] * 4)


def test_truth_and_counts(device: Device) -> None:
    x = np.array([[0, 0, 0], [0, 3, 0], [1, 2, 300]], np.int32)
    tensor = Tensor.from_numpy(x, device)
    assert tensor.any(1).numpy().tolist() == [False, True, True] and tensor.all(1).numpy().tolist() == [
        False,
        False,
        True,
    ]
    assert autograph.count_nonzero(tensor, 0).numpy().tolist() == [1, 2, 1]
    mask = tensor > 1
    assert mask.sum().item() == 3 and mask.sum().dtype is i32 and mask.mean().dtype is f32
    assert mask.max().dtype == bool and mask.max().item() is True
    assert autograph.argmax(mask, 1).numpy().tolist() == [0, 1, 1]


def test_of_no_elements(device: Device) -> None:
    x = Tensor.zeros((3, 0), f32, device)
    assert x.sum(1).numpy().tolist() == [0] * 3 and autograph.prod(x, 1).numpy().tolist() == [1] * 3
    assert np.isnan(x.mean(1).numpy()).all() and np.isnan(autograph.var(x, 1).numpy()).all()
    assert autograph.logsumexp(x, 1).numpy().tolist() == [-np.inf] * 3
    assert x.any(1).numpy().tolist() == [False] * 3 and x.all(1).numpy().tolist() == [True] * 3
    for name in ("max", "min", "argmax", "argmin"):
        with pytest.raises(ShapeError, match=rf"{name} of a tensor of shape \(3, 0\).*there are no elements"):
            getattr(autograph, name)(x, 1)
        assert getattr(autograph, name)(x, 0).shape == (0,)


INTEGERS: list[tuple[Any, Any]] = [(u8, u32), (i8, i32), (u16, u32), (i32, i32), (i64, i64)]


@pytest.mark.parametrize(("dtype", "wide"), INTEGERS, ids=str)
def test_integers_are_exact(dtype: Any, wide: Any) -> None:
    x = Tensor.full(300, 100, dtype)
    assert x.sum().dtype is wide and x.sum().item() == 30_000
    assert x[:2].cast(dtype).max().dtype is dtype
    assert autograph.prod(x[:2]).dtype is wide and autograph.prod(x[:2]).item() == 10_000


@pytest.mark.parametrize("dtype", [f16, bf16], ids=str)
def test_narrow_floats_are_rounded_once(dtype: Any, device: Device) -> None:
    """4,096 ones and as many of a thousandth: in the narrow type the latter would be lost, and the mean with them."""
    x = np.concatenate([np.ones(4096), np.full(4096, 2.0**-10)]).astype(np.float32)
    tensor = Tensor.from_numpy(x, device).cast(dtype)
    total = 4096 * (1 + 2.0**-10)
    assert tensor.sum().dtype is dtype and tensor.mean().dtype is dtype
    expected = Tensor.full((), total, f32, device).cast(dtype).cast(f32).item()
    assert tensor.sum().cast(f32).item() == expected
    assert tensor.mean().cast(f32).item() == Tensor.full((), total / 8192, f32, device).cast(dtype).cast(f32).item()


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1.1, 0.7])
def test_long_sums_keep_their_digits(value: float, device: Device) -> None:
    """Roundings of equal numbers all go one way; added one by one, ten million of them are off by percents."""
    count = 10**7 if device.is_host else 10**6 if device.info.index is not None else 10**3
    total = Tensor.full(count, value, f32, device).sum().item()
    expected = float(np.float32(value)) * count
    assert abs(total - expected) <= 1e-6 * expected


def test_the_same_bits_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from krnlpy import config

    x = Tensor.from_numpy(np.random.default_rng(0).standard_normal((3, 100_003), dtype=np.float32))
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(config, "host_threads", threads)
        found.append([x.sum().numpy(), x.sum(0).numpy(), autograph.logsumexp(x, 1).numpy()])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_equal_extremes_share_the_gradient(device: Device) -> None:
    x = Parameter(Tensor.from_numpy(np.array([[1, 5, 5], [2, 2, 2]], np.float32), device))
    x.init_grad()
    x.max(1).sum().backward()
    np.testing.assert_allclose(present(x.take_grad()).numpy(), [[0, 0.5, 0.5], [1 / 3] * 3], rtol=2e-7)


def test_the_gradient_of_a_product_with_zeros() -> None:
    x = Parameter(Tensor.from_numpy(np.array([[2.0, 3, 4], [0, 3, 4], [0, 3, 0]])))
    x.init_grad()
    autograph.prod(x, 1).sum().backward()
    assert present(x.take_grad()).numpy().tolist() == [[12, 8, 6], [12, 0, 0], [0, 0, 0]]


def test_norms() -> None:
    x = np.array([[3.0, -4.0, 0.0], [1.0, 2.0, -2.0]])
    tensor = Tensor.from_numpy(x)
    for ord in (0, 1, 2, 3, 0.5, np.inf, -np.inf):
        np.testing.assert_allclose(
            autograph.vector_norm(tensor, 1, ord=ord).numpy(), np.linalg.norm(x, ord, axis=1), rtol=1e-14
        )
    with pytest.raises(AutographError, match="ord='fro'"):
        autograph.vector_norm(tensor, ord=untyped("fro"))
    zero = Parameter(Tensor.zeros(3))
    zero.init_grad()
    autograph.vector_norm(zero).backward()
    assert present(zero.take_grad()).numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize("axis", [0, -1])
def test_softmax(axis: int, device: Device) -> None:
    rng = np.random.default_rng(0)
    x = (5 * rng.standard_normal((7, 300))).astype(np.float32).astype(np.float64)
    weight = rng.standard_normal(x.shape).astype(np.float32)
    shares = np.exp(x - logsumexp(x, axis, keepdims=True))
    for operation, value in ((autograph.softmax, shares), (autograph.log_softmax, np.log(shares))):
        parameter = Parameter(Tensor.from_numpy(x.astype(np.float32), device))
        parameter.init_grad()
        y = operation(parameter, axis)
        # Arguments of exp and log are below 32, exp and the quotient some ulp.
        np.testing.assert_allclose(y.numpy(), value, rtol=8e-6, atol=8e-6)
        y.backward(Tensor.from_numpy(weight, device))
        if operation is autograph.softmax:
            expected = shares * (weight - (weight * shares).sum(axis=axis, keepdims=True))
        else:
            expected = weight - shares * weight.sum(axis=axis, keepdims=True)
        np.testing.assert_allclose(present(parameter.take_grad()).numpy(), expected, rtol=2e-5, atol=2e-5)


def test_softmax_of_great_numbers_and_of_none() -> None:
    x = Tensor.from_numpy([[1000.0, 1000.0], [-1000.0, 0.0]])
    assert autograph.softmax(x).numpy().tolist() == [[0.5, 0.5], [0, 1]]
    assert autograph.softmax(Tensor.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(DtypeError, match="softmax of i64: convert"):
        autograph.softmax(Tensor.from_numpy([1, 2]))


def weighted(x: Any, weight: Any) -> Any:
    return x * weight, weight


def quotient(total: Any, weights: Any) -> Any:
    return total / weights


def test_made_of_two_operands_and_a_state_of_two_numbers(device: Device) -> None:
    weighted_mean = reduction(weighted, finish=quotient, name="weighted_mean")
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 70)).astype(np.float32), rng.uniform(1, 2, 70).astype(np.float32)
    p, q = [Parameter(Tensor.from_numpy(a, device)) for a in (x, w)]
    for parameter in (p, q):
        parameter.init_grad()
    y = weighted_mean(p, q, axis=1)
    np.testing.assert_allclose(y.numpy(), (x * w).sum(1) / w.sum(), rtol=2e-6, atol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(present(p.take_grad()).numpy(), np.broadcast_to(w / w.sum(), x.shape), rtol=4e-6)
    slope = (x / w.sum() - ((x * w).sum(1) / w.sum() ** 2)[:, None]).sum(0)
    np.testing.assert_allclose(present(q.take_grad()).numpy(), slope, rtol=1e-4, atol=1e-6)


def test_made_with_another_combination_and_the_count() -> None:
    def magnitude(x: Any) -> Any:
        return abs(x)

    def greater(x: Any, y: Any) -> Any:
        return max(x, y)

    def per_element(x: Any, count: Any) -> Any:
        return x / count, dsl.sqrt(x)

    both = reduction(magnitude, greater, per_element, identity=(0,))
    x, y = both(Tensor.from_numpy([[1.0, -9.0], [4.0, 2.0]]), axis=1)
    assert x.numpy().tolist() == [4.5, 2.0] and y.numpy().tolist() == [3.0, 2.0] and x.dtype is f64


def test_what_it_refuses() -> None:
    x = Tensor.ones((2, 3))
    for axis in (2, -3, (0, 0), (0, -2)):
        with pytest.raises(ShapeError, match=r"mean over axis=.*has the axes 0 to 1, each once"):
            x.mean(axis)
    with pytest.raises(DtypeError, match="mean of i64"):
        Tensor.from_numpy([1, 2]).mean()
    dot = reduction(lambda_product)
    assert dot(x, x, axis=1).numpy().tolist() == [3, 3]
    with pytest.raises(AutographError, match="lambda_product takes 2 operands; given were 1"):
        dot(x)
    with pytest.raises(ShapeError, match=r"lambda_product of shapes \(2, 3\) and \(2,\)"):
        dot(x, Tensor.ones(2))
    with pytest.raises(DeviceError, match="lambda_product of tensors on host and on interpreter"):
        dot(x, Tensor.ones((2, 3), f32, Device.interpreter()))
    with pytest.raises(DtypeError, match="takes a tensor, not list"):
        dot(x, untyped([1]))


def lambda_product(x: Any, y: Any) -> Any:
    return x * y


def test_places_and_counts_are_not_held_by_narrow_dtypes(device: Device) -> None:
    n = 300  # beyond i8, in which sums of i8 are not kept either
    for dtype in ("i8", "i16", "u8", "bool"):
        x = Tensor.from_numpy(np.arange(n + 1) == n, device).cast(dtype)
        for found, expected in ((argmax(x), n), (argmin(1 - x.cast(i8)), n), (count_nonzero(x + x), 1)):
            assert found.dtype is i32 and found.item() == expected
        assert count_nonzero(x == x).item() == n + 1


def test_narrow_floats_are_rounded_once_whether_recorded_or_not(device: Device) -> None:
    x = np.random.default_rng(0).uniform(90, 110, (3, 1001)).astype(np.float16)  # whose sums f16 can't hold
    wide = x.astype(np.float64)
    p = Parameter(Tensor.from_numpy(x, device))
    p.init_grad()
    for name, expected in (("mean", wide.mean(1)), ("var", wide.var(1)), ("std", wide.std(1))):
        recorded, plain = (getattr(autograph, name)(t, axis=1) for t in (p, p.detach()))
        np.testing.assert_array_equal(recorded.numpy(), plain.numpy())
        # Half a unit of f16, and what f32 is off.
        np.testing.assert_allclose(plain.numpy().astype(np.float64), expected, rtol=1.01 * 2.0**-11, err_msg=name)
