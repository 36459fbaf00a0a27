"""The special functions: names, special values, dtypes, shapes, hints. How precise they are: test_accuracy.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph
from autograph import Parameter, Tensor, special
from autograph.errors import DtypeError
from krnlpy import Device, ScalarType, bf16, f16, f32, f64
from tests.support.devices import requires
from tests.support.typed import present

INFINITY, NAN = float("inf"), float("nan")
VALUES = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, -1.5, 2.0, 1e30, -1e30, INFINITY, -INFINITY, NAN)
# Where PyTorch has no number, its function has a limit.
LIMITS: dict[str, dict[float, float]] = {
    "airy_ai": {INFINITY: 0.0},
    "bessel_j0": {INFINITY: 0.0, -INFINITY: 0.0},
    "bessel_j1": {INFINITY: 0.0, -INFINITY: 0.0},
    "bessel_y0": {INFINITY: 0.0},
    "bessel_y1": {INFINITY: 0.0},
    "i0": {INFINITY: INFINITY, -INFINITY: INFINITY},
    "i1": {INFINITY: INFINITY, -INFINITY: -INFINITY},
}
WAVES = ("airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1")  # whose phase at 1e30 PyTorch does not know
UNARY = [name for name in special.__all__ if len(getattr(special, name).parameters) == 1]
BINARY = [name for name in special.__all__ if len(getattr(special, name).parameters) == 2]


def test_every_function_of_torch_special_is_somewhere() -> None:
    torch: Any = pytest.importorskip("torch")
    values = {name: value for name, value in vars(torch.special).items() if name[0] != "_"}
    theirs = {name for name, value in values.items() if callable(value) and not isinstance(value, type)}
    assert theirs <= {*special.__all__, *special.ELSEWHERE}
    assert not {*special.__all__} & {*special.ELSEWHERE}


def test_what_is_elsewhere_is_there_and_the_error_says_so() -> None:
    for name, place in special.ELSEWHERE.items():
        found: Any = autograph
        for part in place.split(".")[1:]:
            found = getattr(found, part)
        assert callable(found)
        with pytest.raises(AttributeError, match=f"it is {place}$"):
            getattr(special, name)
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        special.nothing  # noqa: B018


@pytest.mark.parametrize("name", UNARY)
def test_special_values_are_those_of_pytorch(name: str, device: Device) -> None:
    torch: Any = pytest.importorskip("torch")
    x = np.array(VALUES, np.float32)
    if name in WAVES:
        x = x[np.abs(x) != 1e30]
    found = getattr(special, name)(Tensor.from_numpy(x, device)).numpy()
    expected = getattr(torch.special, name)(torch.from_numpy(x)).numpy()
    for place, limit in LIMITS.get(name, {}).items():
        expected[x == place] = limit
    # PyTorch computes them in f32, by formulas of its own, with polynomials of 10 terms.
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["gammainc", "gammaincc", "zeta"])
def test_special_values_of_two_are_those_of_pytorch(name: str, device: Device) -> None:
    torch: Any = pytest.importorskip("torch")
    if device.info.kind == "interpreter":
        pytest.skip("a continued fraction takes seconds")
    x, y = (a.ravel() for a in np.meshgrid(np.array(VALUES, np.float32), np.array(VALUES, np.float32)))
    if name == "zeta":  # PyTorch adds up to infinity, one by one, and has 0 * inf for great x
        kept = (y > -1e30) & (y != INFINITY) & ~(np.abs(x) >= 1e30)
        x, y = x[kept], y[kept]
    found = getattr(special, name)(Tensor.from_numpy(x, device), Tensor.from_numpy(y, device)).numpy()
    expected = getattr(torch.special, name)(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    expected[np.isnan(x) | np.isnan(y)] = NAN  # which PyTorch passes over where the other operand is 0
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6, err_msg=str(list(zip(x, y, strict=True))))


def test_degrees_and_orders_that_are_none(device: Device) -> None:
    x = Tensor.full(5, 2.5, f32, device)
    n = Tensor.from_numpy(np.array([-1, NAN, INFINITY, -INFINITY, 0], np.float32), device)
    np.testing.assert_array_equal(special.legendre_polynomial_p(x, n).numpy(), [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(special.chebyshev_polynomial_u(x, n).numpy(), [0, 0, 0, 0, 1])
    found = special.polygamma(n, x).numpy()
    assert np.isnan(found[:4]).all() and np.isfinite(found[4])
    assert np.isnan(special.polygamma(1.5, x).numpy()).all()
    p = Tensor.from_numpy(np.array([0, 6, NAN, INFINITY, -1], np.float32), device)
    assert np.isnan(special.multigammaln(x, p).numpy()).all()


def test_polygamma_of_poles_and_below_0(device: Device) -> None:
    x = Tensor.from_numpy(np.array([0.0, -1.0, -0.25], np.float32), device)
    assert special.polygamma(1, x).numpy()[:2].tolist() == [INFINITY, INFINITY]
    # 16 of the pole at 0, and the sum of 1 / (k - 1/4)**2 from k = 1 on.
    np.testing.assert_allclose(special.polygamma(1, x).numpy()[2], 18.541879647671606, rtol=1e-6)


@pytest.mark.parametrize("dtype", [f16, bf16], ids=str)
@pytest.mark.parametrize("name", ["erfinv", "i0e", "bessel_y1", "airy_ai"])
def test_short_floats_are_rounded_once(name: str, dtype: ScalarType, device: Device) -> None:
    x = np.random.default_rng(1).uniform(0.01, 0.99, 40).astype(dtype.dtype)
    found = getattr(special, name)(Tensor.from_numpy(x, device))
    assert found.dtype is dtype
    wide = getattr(special, name)(Tensor.from_numpy(x.astype(np.float32), device)).numpy()
    np.testing.assert_array_equal(found.numpy(), wide.astype(dtype.dtype))


@pytest.mark.parametrize("name", ["zeta", "gammaincc", "polygamma", "laguerre_polynomial_l"])
def test_operands_broadcast_and_gradients_are_summed(name: str, device: Device) -> None:
    first, second = ((2.0, 3.0), (1.5, 0.5, 4.0)) if name != "laguerre_polynomial_l" else ((0.5, 2.0), (0, 1, 3))
    x = Parameter(Tensor.from_numpy(np.array(first, np.float32)[:, None], device))
    y = Parameter(Tensor.from_numpy(np.array(second, np.float32), device))
    for operand in (x, y):
        operand.init_grad()
    result = getattr(special, name)(x, y)
    assert result.shape == (2, 3)
    result.backward(Tensor.ones((2, 3), f32, device))
    moving = x if name == "laguerre_polynomial_l" else y
    step = 1e-2

    def total(change: float) -> Any:
        operands = [t.numpy() + (change if t is moving else 0) for t in (x, y)]
        return getattr(special, name)(*[Tensor.from_numpy(a.astype(np.float32), device) for a in operands]).numpy()

    axis = 1 if moving is x else 0
    expected = ((total(step) - total(-step)) / (2 * step)).sum(axis, keepdims=moving is x)
    # Differences of f32: rounded by 2**-22 over the step, and off by the square of the step, times slopes of up to 30.
    np.testing.assert_allclose(present(moving.grad).numpy(), expected, rtol=2e-2, atol=1e-2)


def test_integers_are_floats(device: Device) -> None:
    x = Tensor.from_numpy(np.array([1, 2, 3], np.int32), device)
    for name in special.__all__:
        function = getattr(special, name)
        operands = (x,) if name in UNARY else (x, 2)
        found = function(*operands)
        floats = function(*[t.cast(f32) if isinstance(t, Tensor) else t for t in operands])
        assert found.dtype is f32, name
        np.testing.assert_array_equal(found.numpy(), floats.numpy(), err_msg=name)


def test_empty_and_0d(device: Device) -> None:
    assert special.i0(Tensor.zeros((0, 3), f32, device)).shape == (0, 3)
    assert special.zeta(Tensor.full((), 2.0, f32, device), 1).shape == ()


def test_second_derivative_of_airy_is_itself_times_x(device: Device) -> None:
    requires(device, f64)
    points = Tensor.from_numpy(np.linspace(-6, 4, 11), device)
    second = autograph.grad(lambda x: autograph.grad(lambda t: special.airy_ai(t).sum())(x).sum())(points)
    expected = points.numpy() * special.airy_ai(points).numpy()
    np.testing.assert_allclose(second.numpy(), expected, rtol=1e-13, atol=1e-14)


def test_what_is_no_number() -> None:
    with pytest.raises(DtypeError, match="i0 takes tensors"):
        special.i0(1.0)
