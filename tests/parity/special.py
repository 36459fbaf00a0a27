"""What is tried of special functions, and of the other functions of numbers that `operations.py` has not.

PyTorch's Bessel functions and airy_ai are off by up to 9e-7 in f64, its trigamma by 5e-10: SciPy's stand for them where
it is installed, with slopes in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import autograph as ag
from autograph import special

from . import drawing
from .drawing import Random
from .operations import INTEGERS, NUMBERS, OPERATIONS, Drawn, Operation

torch: Any = import_module("torch")
functional: Any = import_module("torch.nn.functional")


def _add(name: str, ours: Any, theirs: Any, draw: Callable[[Random], Drawn], **rest: Any) -> None:
    OPERATIONS[name] = Operation(name, ours, theirs, draw, **rest)


def _one(random: Random) -> Drawn:
    return [drawing.shape(random)], {}


def _two(random: Random) -> Drawn:
    whole = drawing.shape(random)
    shapes = [whole, drawing.broadcasting(random, whole)]
    return shapes if random.random() < 0.5 else shapes[::-1], {}


def _with(**choices: tuple[Any, ...]) -> Callable[[Random], Drawn]:
    """One tensor, and keywords of which each is one of some values."""

    def draw(random: Random) -> Drawn:
        chosen = {name: values[int(random.integers(len(values)))] for name, values in choices.items()}
        return [drawing.shape(random)], chosen

    return draw


def _of_magnitude_1(*x: Any, **_: Any) -> Any:
    return 1 + 0 * sum(x)


_EXACT: dict[str, Any] = {"dtypes": NUMBERS, "ulps": 0}
# Bounds of values are those of docs/numerics.md; of gradients, where exp(y**2) or a difference stands in them, more.
for _name, _interval, _rest in (
    ("erfcx", (-4, 20), {"ulps": 12, "slack": 256}),
    ("erfinv", (-0.98, 0.98), {"ulps": 6, "slack": 512}),
    ("i0", (-20, 20), {"ulps": 8}),
    ("i0e", (-50, 50), {"ulps": 8}),
    ("i1", (-20, 20), {"ulps": 8}),
    ("i1e", (-50, 50), {"ulps": 8}),
    ("log_ndtr", (-20, 4), {"ulps": 64, "slack": 256}),  # 4 (1 + x**2)
    ("ndtri", (0.02, 0.98), {"ulps": 6, "slack": 512}),
    ("spherical_bessel_j0", (-20, 20), {"ulps": 4, "gradient": False}),
    ("modified_bessel_k0", (0.1, 20), {"ulps": 8, "gradient": False}),
    ("modified_bessel_k1", (0.1, 20), {"ulps": 8, "gradient": False}),
    ("scaled_modified_bessel_k0", (0.1, 20), {"ulps": 8, "gradient": False}),
    ("scaled_modified_bessel_k1", (0.1, 20), {"ulps": 8, "gradient": False}),
):
    # At infinity PyTorch's i0 and i1 are NaN.
    _rest.setdefault("special", _name not in ("i0", "i1"))
    _add(_name, getattr(special, _name), getattr(torch.special, _name), _one, intervals=(_interval,), **_rest)

if find_spec("scipy"):
    scipy: Any = import_module("scipy.special")

    def _with_slope(value: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Any:
        class Function(torch.autograd.Function):  # type: ignore[misc]
            @staticmethod
            def forward(context: Any, x: Any) -> Any:
                context.save_for_backward(x)
                return torch.as_tensor(value(x.detach().numpy()))

            @staticmethod
            def backward(context: Any, dy: Any) -> Any:
                (x,) = context.saved_tensors
                return dy * torch.as_tensor(slope(x.numpy()))

        return Function.apply

    for _name, _value, _slope, _interval, _ulps in (
        ("airy_ai", lambda x: scipy.airy(x)[0], lambda x: scipy.airy(x)[1], (-20, 6), 400),  # 4 (1 + abs(x)**1.5)
        ("bessel_j0", scipy.j0, lambda x: -scipy.j1(x), (-40, 40), 4),
        ("bessel_j1", scipy.j1, lambda x: scipy.jvp(1, x), (-40, 40), 4),
        ("bessel_y0", scipy.y0, lambda x: -scipy.y1(x), (0.1, 40), 8),
        ("bessel_y1", scipy.y1, lambda x: scipy.yvp(1, x), (0.1, 40), 8),
    ):
        _add(
            _name,
            getattr(special, _name),
            _with_slope(_value, _slope),
            _one,
            intervals=(_interval,),
            ulps=_ulps,
            slack=512,
            scale=(lambda x: 1 + 0 * x) if "y" not in _name[7:] else (lambda x: 1 + 1 / x),
            special=False,
        )

    _add(
        "digamma",
        ag.digamma,
        _with_slope(scipy.digamma, lambda x: scipy.polygamma(1, x)),
        _one,
        intervals=((0.1, 20),),
        ulps=32,
        scale=lambda x: 1 + torch.digamma(x).abs(),
        slack=256,
        special=False,
    )

    def _polygamma(x: Any, n: int) -> Any:
        of = _with_slope(lambda a: scipy.polygamma(n, a), lambda a: scipy.polygamma(n + 1, a))
        return of(x)

    _add(
        "polygamma",
        lambda x, n: special.polygamma(n, x),
        _polygamma,
        _with(n=(0, 1, 2, 3, 5)),
        intervals=((0.5, 20),),
        ulps=20,
        scale=lambda x, n: 1 + _polygamma(x, n).abs() if n == 0 else _polygamma(x, n).abs(),
        special=False,
    )

for _name in ("gammainc", "gammaincc"):
    # 12 (1 + abs(log(y))): down to 1e-6. PyTorch has no gradient by the first.
    _add(
        _name,
        lambda x, y, name=_name: getattr(special, name)(x.detach(), y),
        lambda x, y, name=_name: getattr(torch.special, name)(x.detach(), y),
        _two,
        intervals=((0.5, 12), (0.5, 12)),
        ulps=200,
        slack=512,
        special=False,
    )
_add(
    "zeta",
    lambda x, y: special.zeta(x.detach(), y),
    lambda x, y: torch.special.zeta(x.detach(), y),
    _two,
    intervals=((1.5, 8), (0.5, 20)),
    ulps=8,
    slack=256,
    special=False,
)
_add(
    "multigammaln",
    special.multigammaln,
    torch.special.multigammaln,
    _with(p=(1, 2, 3, 5)),
    intervals=((2.1, 20),),
    ulps=8,
    scale=lambda x, p: p * p + p * torch.lgamma(x).abs(),
    slack=256,
    special=False,
)
for _name in special.__all__:
    if "polynomial" in _name:
        # A step of a recurrence is rounded thrice; PyTorch has no gradients of these, test_accuracy.py has.
        _add(
            _name,
            getattr(special, _name),
            getattr(torch.special, _name),
            _with(n=tuple(range(-1, 9))),
            intervals=((-1, 1),),
            ulps=32,
            scale=lambda x, n, name=_name: 1 + 0 * x + _greatest_of_polynomial(name, n),
            gradient=False,
            special=False,
        )


def _greatest_of_polynomial(name: str, n: int) -> float:
    """What terms of a recurrence are at most, between -1 and 1."""
    one = torch.tensor(1.0, dtype=torch.float64)
    if "hermite" in name:
        of = 2.0 if name.endswith("_h") else 1.0
        before, p = 1.0, of
        for k in range(1, n):
            before, p = p, of * (p + k * before)
        return p
    if "laguerre" in name:
        return float(torch.special.laguerre_polynomial_l(-one, max(n, 0)))
    return float(2 * max(n, 0) + 1)


# What stands at the top level of autograph.

for _name, _theirs, _interval, _options in (
    ("cbrt", lambda x: torch.sign(x) * x.abs() ** (1 / 3), (0.1, 50), {"special": False}),
    ("entr", torch.special.entr, (0.05, 8), {"ulps": 8, "scale": lambda x: 1 + x * torch.log(x).abs()}),
    ("gammaln", torch.special.gammaln, (0.1, 20), {"ulps": 4, "scale": lambda x: 1 + torch.lgamma(x).abs()}),
    ("logit", torch.logit, (0.02, 0.98), {"ulps": 8, "scale": _of_magnitude_1, "slack": 256, "special": False}),
    # PyTorch adds to 1, and has no digits left in the tail.
    ("ndtr", torch.special.ndtr, (-4, 4), {"ulps": 8, "scale": _of_magnitude_1}),
    ("tanh_shrink", functional.tanhshrink, (-8, 8), {"ulps": 8, "scale": lambda x: 1 + x}),
):
    _add(_name, getattr(ag, _name), _theirs, _one, intervals=(_interval,), **_options)
_add("xlog1py", ag.xlog1py, torch.special.xlog1py, _two, intervals=((-8, 8), (0.1, 8)), ulps=8)
_add(
    "threshold",
    ag.threshold,
    functional.threshold,
    lambda random: (_one(random)[0], {"threshold": float(random.uniform(-4, 4)), "value": float(random.integers(5))}),
    intervals=((-8, 8),),
    ulps=0,
    special=False,
)
for _name in ("logical_and", "logical_or", "logical_xor"):
    _add(_name, getattr(ag, _name), getattr(torch, _name), _two, intervals=((-1, 1),), gradient=False, **_EXACT)
_add("bitwise_invert", ag.bitwise_invert, torch.bitwise_not, _one, intervals=((-128, 127),), dtypes=INTEGERS,
     gradient=False, ulps=0)  # fmt: skip
for _name in ("bitwise_left_shift", "bitwise_right_shift"):
    _add(_name, getattr(ag, _name), getattr(torch, _name), _two, intervals=((-128, 127), (0, 7)), dtypes=INTEGERS,
         gradient=False, ulps=0)  # fmt: skip
