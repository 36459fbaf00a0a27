"""gradcheck: right gradients pass, wrong ones are named with their element and both numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Tensor, dropout, exp, floor, gradcheck, maximum, random, sin, softmax, tanh
from autograph.autograd import differentiable, saved
from autograph.errors import AutographError, DtypeError
from krnlpy import Device, f16, f32, f64
from tests.support.devices import requires
from tests.support.typed import untyped

X = Tensor.from_numpy(np.array([[0.3, -0.7, 1.2], [2.0, 0.5, -30.0]]))


def doubled_wrongly(x: Tensor) -> Any:
    """x ** 2, whose gradient is off by 1 % at elements above 1, and whose second derivative is 1."""
    kept = saved(x)
    return differentiable(
        x.detach() * x.detach(), [(x, lambda dy: dy * kept * (2 + 0.02 * (kept > 1).cast(f64)))], higher_order=True
    )


def test_right_gradients_pass(device: Device) -> None:
    rng = np.random.default_rng(0)
    x, y = (Tensor.from_numpy(rng.uniform(0.5, 2, shape).astype(np.float32), device) for shape in ((2, 2), (2,)))
    n = Tensor.from_numpy(np.array([1, 2], np.int32), device)
    gradcheck(lambda x, y, n: (x * y * n, sin(x).sum()), (x, y, n), order=2)
    requires(device, f64)
    gradcheck(lambda x, y: exp(x) / y, (x.cast(f64), y.cast(f64)), order=2)


def test_higher_orders() -> None:
    gradcheck(lambda x: tanh(x) * x, X, order=3)
    gradcheck(lambda x: softmax(x, 0), X, order=2)
    gradcheck(floor, X + 0.1, order=2)  # constant between its steps
    gradcheck(lambda x, y: (x, y.cast(f32)), [X, Tensor.ones(2, f64)])  # a result that is an input, one that is rounded
    gradcheck(lambda x, y: x * 2, (X, Tensor.ones(2, f64)))  # what nothing depends on


def test_wrong_gradients_are_named() -> None:
    with pytest.raises(AutographError, match=r"gradient by input 1 at element \(0, 2\) is -?\d.*differences.* -?\d"):
        gradcheck(lambda s, x: doubled_wrongly(x) * s, (Tensor.ones((), f64), X))
    gradcheck(doubled_wrongly, X, rtol=0.02)
    below = X[:, :2]
    gradcheck(doubled_wrongly, below[:1])
    detached = differentiable

    def without_second(x: Tensor) -> Any:
        kept = x.detach()
        return detached(kept * kept, [(x, lambda dy: 2 * dy * kept)], higher_order=True)

    gradcheck(without_second, X)
    with pytest.raises(AutographError, match=r"derivative of order 2 by input 0 at element \(0, 0\) is 0,"):
        gradcheck(without_second, X, order=2)
    with pytest.raises(AutographError, match="is nan"):
        gradcheck(lambda x: differentiable(x.detach(), [(x, lambda dy: dy * float("nan"))]), X)
    # A kink is no derivative.
    with pytest.raises(AutographError, match=r"element \(1,\)"):
        gradcheck(lambda x: maximum(x, 0.0) + maximum(x, 0.0 * x), Tensor.from_numpy(np.array([1.0, 2.0**-22])))


def test_what_cannot_be_checked() -> None:
    generator = random.Generator(0)
    with pytest.raises(AutographError, match="other values"):
        gradcheck(lambda x: dropout(x, 0.5, generator), X)
    gradcheck(lambda x: dropout(x, 0.5, random.Generator(0)), X, order=2)
    with pytest.raises(AutographError, match="no gradient"):
        gradcheck(lambda x: differentiable(x.detach() * 2, [(x, lambda dy: dy * 2)]), X, order=2)
    wrong: list[tuple[Any, Any]] = [
        (AutographError, lambda: gradcheck(untyped(3), X)),
        (AutographError, lambda: gradcheck(sin, [])),
        (AutographError, lambda: gradcheck(sin, X, order=0)),
        (AutographError, lambda: gradcheck(sin, X, order=untyped("2"))),
        (AutographError, lambda: gradcheck(sin, X, step=0)),
        (AutographError, lambda: gradcheck(sin, X, rtol=float("nan"))),
        (DtypeError, lambda: gradcheck(sin, X.cast(f16))),
        (DtypeError, lambda: gradcheck(lambda n: n, Tensor.from_numpy(np.arange(3)))),
        (DtypeError, lambda: gradcheck(lambda x: 3, X)),
    ]
    for error, call in wrong:
        with pytest.raises(error):
            call()
