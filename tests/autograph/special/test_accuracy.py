"""How far the special functions and their gradients are from 30 digits, on every device."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, special
from krnlpy import Device, ScalarType, f64, scalar_type
from tests.support.devices import requires
from tests.support.tiers import sampled
from tests.support.typed import present

from .bounds import bound

pytest.importorskip("mpmath")  # which PyTorch brings

from .references import CASES, Array, mp

COUNT = 80
GRID = [(name, type) for type in ("f32", "f64") for name in sorted(CASES)]


@cache
def expected(name: str, dtype: ScalarType) -> tuple[list[Array], Array, Array]:
    """Operands, what the function is of them, and the units of errors."""
    case = CASES[name]
    operands = case.drawn(COUNT, dtype.dtype)
    rows = list(zip(*(x.tolist() for x in operands), strict=True))
    values = [case.reference(*[mp.mpf(x) for x in row]) for row in rows]
    units = [float(case.unit(y, *row)) for y, row in zip(values, rows, strict=True)]
    return operands, np.array([float(y) for y in values]), np.array(units)


@cache
def expected_slopes(name: str, dtype: ScalarType, place: int) -> Array:
    case = CASES[name]
    slopes = []
    for row in zip(*(x.tolist() for x in expected(name, dtype)[0]), strict=True):
        numbers = [mp.mpf(x) for x in row]

        def of(t: Any, numbers: Any = numbers) -> Any:
            return case.reference(*numbers[:place], t, *numbers[place + 1 :])

        slopes.append(float(case.slope(*numbers) if case.slope else mp.diff(of, numbers[place])))
    return np.array(slopes)


@pytest.mark.parametrize(("name", "dtype"), sampled(GRID, 3))
def test_values_and_gradients(name: str, dtype: str, device: Device) -> None:
    type = scalar_type(dtype)
    requires(device, type)
    case, eps = CASES[name], float(np.finfo(type.dtype).eps)
    limit = bound(name)[type is f64] * eps
    tiny = 4 * float(np.finfo(type.dtype).smallest_normal)  # numbers below may be taken for 0
    operands, values, units = expected(name, type)
    tensors = [Parameter(Tensor.from_numpy(x, device)) for x in operands]
    for place, x in enumerate(tensors):
        if place not in case.fixed:
            x.init_grad()
    y = getattr(special, name)(*tensors)
    assert y.dtype is type
    errors = np.abs(y.numpy() - values)
    worst = int((errors - limit * units - tiny).argmax())
    assert errors[worst] <= limit * units[worst] + tiny, (
        f"{errors[worst] / units[worst] / eps:.3g} at {[float(x[worst]) for x in operands]}: {y.numpy()[worst]}, not"
        f" {values[worst]}"
    )
    y.backward(Tensor.ones(y.shape, type, device))
    for place, x in enumerate(tensors):
        if place in case.fixed:
            continue
        slopes = expected_slopes(name, type, place)
        # Slopes of slopes are of the order of the function for some, of the slope for others.
        sizes = np.abs(slopes) * (1 + units / np.maximum(np.abs(values), units * 1e-3)) + units
        errors = np.abs(present(x.grad).numpy() - slopes)
        worst = int((errors - case.slack * limit * sizes - tiny).argmax())
        assert errors[worst] <= case.slack * limit * sizes[worst] + tiny, (
            f"gradient {place}: {errors[worst] / sizes[worst] / eps:.3g} at {[float(x[worst]) for x in operands]}:"
            f" {present(x.grad).numpy()[worst]}, not {slopes[worst]}"
        )


def test_every_function_is_tested() -> None:
    assert set(CASES) == set(special.__all__)
