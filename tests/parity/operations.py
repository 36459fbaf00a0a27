"""The operations that are tried: what PyTorch has for each, the numbers it takes, and how far it may be off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

import autograph as ag

from . import drawing
from .drawing import Random, Shape

torch: Any = import_module("torch")
functional: Any = import_module("torch.nn.functional")

Drawn = tuple[list[Shape], dict[str, Any]]
Interval = tuple[float, float]

FLOATS = ("f32", "f32", "f64", "f16", "bf16")
INTEGERS = ("i8", "u8", "i16", "i32", "i64")
"""Those with which PyTorch computes."""
NUMBERS = (*FLOATS, *INTEGERS)


@dataclass(frozen=True)
class Operation:
    """An operation.

    Attributes:
        ours, theirs: of the tensors and the keywords that ``draw`` gives.
        draw: the shapes of the tensors, and keywords.
        intervals: the numbers of each tensor; the last one is for all others, too.
        ulps: how far the value may be off, in units in the last place of itself, or of ``scale``: 0 means that it is
            exact, signs of zeros too.
        slack: likewise for gradients, of the greatest one: what is near a pole or a kink is off by more.
        scale: what errors are measured by, where they add up: of the tensors' magnitudes.
        special: whether NaN, infinities and zeros are tried.
        gives: the dtype of the result; "" if it is that of the tensors, or bool where PyTorch's is; "wide" if f16 and
            bf16 give f32.
        rounds: how often a number of f16 or bf16 is rounded until it is the result.
        kinks: whether slopes jump at whole numbers, which are then avoided.
    """

    name: str
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    draw: Callable[[Random], Drawn]
    intervals: tuple[Interval, ...] = ((-4, 4),)
    dtypes: tuple[str, ...] = FLOATS
    ulps: float = 5
    slack: float = 64
    scale: Callable[..., Any] | None = None
    gradient: bool = True
    special: bool = True
    kinks: bool = False
    gives: str = ""
    rounds: int = 1


OPERATIONS: dict[str, Operation] = {}


def _add(name: str, theirs: Any, draw: Callable[[Random], Drawn], **rest: Any) -> None:
    ours = rest.pop("ours", None) or getattr(ag, name)
    OPERATIONS[name] = Operation(name, ours, theirs, draw, **rest)


def _one(random: Random) -> Drawn:
    return [drawing.shape(random)], {}


def _two(random: Random) -> Drawn:
    whole = drawing.shape(random)
    shapes = [whole, drawing.broadcasting(random, whole)]
    return shapes if random.random() < 0.5 else shapes[::-1], {}


def _along(random: Random) -> Drawn:
    shape = drawing.shape(random)
    return [shape], {"axis": drawing.axes(random, len(shape)), "keepdims": bool(random.random() < 0.5)}


def _along_elements(random: Random) -> Drawn:
    shape = tuple(n or 1 for n in drawing.shape(random))
    return [shape], {"axis": drawing.axes(random, len(shape)), "keepdims": bool(random.random() < 0.5)}


def _along_one(random: Random) -> Drawn:
    shape = tuple(n or 1 for n in drawing.shape(random, 1))
    return [shape], {"axis": drawing.axis(random, len(shape))}


# Element by element. The bounds of values are those of docs/numerics.md, or of what an operation is made of.

for _name, _interval, _rest in (
    ("acos", (-0.98, 0.98), {"slack": 256}),
    ("acosh", (1.02, 50), {"slack": 256}),
    ("asin", (-0.98, 0.98), {"slack": 256}),
    ("asinh", (-50, 50), {}),
    ("atan", (-50, 50), {}),
    ("atanh", (-0.98, 0.98), {"slack": 256}),
    ("cos", (-50, 50), {}),
    ("cosh", (-20, 20), {}),
    ("erf", (-4, 4), {}),
    ("erfc", (-4, 4), {"slack": 128}),
    ("exp", (-20, 20), {}),
    ("exp2", (-20, 20), {}),
    ("expm1", (-20, 20), {}),
    ("log", (0.01, 50), {}),
    ("log10", (0.01, 50), {}),
    ("log1p", (-0.98, 50), {}),
    ("log2", (0.01, 50), {}),
    ("reciprocal", (0.1, 50), {}),
    ("rsqrt", (0.1, 50), {}),
    ("sigmoid", (-20, 20), {}),
    ("sin", (-50, 50), {}),
    # Near 0, the terms of the slope of sinc cancel, as PyTorch's do: x is at least 1/1000 in nearly all trials.
    ("sinc", (-4, 4), {"ulps": 16, "slack": 4096, "scale": lambda x: 1 + 0 * x}),
    ("sinh", (-20, 20), {}),
    ("sqrt", (0.1, 50), {}),
    ("square", (-50, 50), {}),
    ("tan", (-1.5, 1.5), {"slack": 256}),
    ("tanh", (-20, 20), {}),
):
    _add(_name, getattr(torch, _name), _one, intervals=(_interval,), **_rest)

_add(
    "sign",
    lambda x: torch.where(torch.isnan(x), x, torch.sign(x)),  # NaN stays NaN, as in the standard
    _one,
    intervals=((-100, 100),),
    dtypes=NUMBERS,
    ulps=0,
)
for _name in ("abs", "negative", "positive"):
    _add(_name, getattr(torch, _name), _one, intervals=((-100, 100),), dtypes=NUMBERS, ulps=0)
for _name in ("ceil", "floor", "round", "trunc"):
    _add(_name, getattr(torch, _name), _one, intervals=((-100, 100),), dtypes=NUMBERS, ulps=0)
for _name in ("isfinite", "isinf", "isnan", "signbit", "logical_not"):
    _add(_name, getattr(torch, _name), _one, dtypes=NUMBERS, gradient=False, ulps=0)

for _name, _theirs, _rest in (
    ("celu", functional.celu, {"ulps": 8}),
    ("elu", functional.elu, {"ulps": 8}),
    ("gelu", functional.gelu, {"ulps": 16, "scale": lambda x: 1 + x}),
    ("hard_shrink", functional.hardshrink, {"ulps": 0}),
    ("hard_sigmoid", lambda x: torch.clip(x / 6 + 0.5, 0, 1), {"ulps": 8, "scale": lambda x: 1 + 0 * x}),
    ("hard_swish", lambda x: x * torch.clip(x / 6 + 0.5, 0, 1), {"ulps": 8, "scale": lambda x: 1 + x}),
    ("hard_tanh", functional.hardtanh, {"ulps": 0}),
    ("leaky_relu", functional.leaky_relu, {}),
    ("log_sigmoid", functional.logsigmoid, {"ulps": 8}),
    ("mish", functional.mish, {"ulps": 16}),
    ("relu", functional.relu, {"ulps": 0}),
    ("relu6", functional.relu6, {"ulps": 0}),
    ("selu", functional.selu, {"ulps": 8}),
    ("silu", functional.silu, {"ulps": 8}),
    ("soft_shrink", functional.softshrink, {"ulps": 1}),
    ("softplus", lambda x: functional.softplus(x, threshold=1e9), {"ulps": 8}),
    ("softsign", functional.softsign, {}),
):
    _add(_name, _theirs, _one, intervals=((-8, 8),), special=False, kinks=True, **_rest)

for _name in ("add", "maximum", "minimum", "multiply", "subtract"):
    _add(_name, getattr(torch, _name), _two, intervals=((-100, 100),), dtypes=NUMBERS, ulps=0.51)
for _name in ("divide", "atan2", "hypot"):
    _add(_name, getattr(torch, _name), _two, intervals=((-50, 50), (0.5, 20)))
_add("logaddexp", torch.logaddexp, _two, intervals=((-20, 20),), ulps=16, scale=lambda x, y: 1 + x + y)
_add("pow", torch.pow, _two, intervals=((0.1, 8), (-4, 4)), ulps=8)
_add("copysign", torch.copysign, _two, ulps=0)
for _name in ("floor_divide", "remainder"):
    _add(_name, getattr(torch, _name), _two, intervals=((-50, 50), (0.5, 20)), ulps=4, special=False, gradient=False)
for _name in ("equal", "greater", "greater_equal", "less", "less_equal", "not_equal"):
    _theirs = torch.eq if _name == "equal" else getattr(torch, _name)
    _add(_name, _theirs, _two, intervals=((-2, 2),), dtypes=NUMBERS, gradient=False, ulps=0)
for _name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    _add(_name, getattr(torch, _name), _two, intervals=((-128, 127),), dtypes=INTEGERS, gradient=False, ulps=0)
_add("xlogy", torch.xlogy, _two, intervals=((-8, 8), (0.1, 8)), ulps=8)
_add(
    "clip",
    lambda x, min, max: torch.clip(x, min, max),
    lambda random: (_one(random)[0], {"min": float(random.uniform(-4, 0)), "max": float(random.uniform(0, 4))}),
    intervals=((-8, 8),),
    ulps=0.51,
)
_add(
    "where",
    lambda x, y, z: torch.where(x > 0, y, z),
    lambda random: ([(shape := drawing.shape(random)), drawing.broadcasting(random, shape), shape], {}),
    ours=lambda x, y, z: ag.where(x.detach() > 0, y, z),
    ulps=0,
    gradient=False,
)

# Along axes: sums are compared by the magnitudes that were added.


def _axes_of(x: Any, axis: Any) -> Any:
    return tuple(range(x.ndim)) if axis is None else axis


def _reduced(theirs: Callable[..., Any]) -> Callable[..., Any]:
    def of(x: Any, axis: Any, keepdims: bool) -> Any:
        return x.clone() if x.ndim == 0 else theirs(x, _axes_of(x, axis), keepdim=keepdims)

    return of


def _truths(theirs: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis, keepdims: theirs(x != 0, _axes_of(x, axis), keepdim=keepdims) if x.ndim else x != 0


def _of_axis(theirs: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis: theirs(x, axis)


def _magnitudes(x: Any, axis: Any, keepdims: bool) -> Any:
    return _reduced(torch.sum)(x, axis, keepdims)


_add("sum", _reduced(torch.sum), _along, ulps=16, scale=_magnitudes)
_add("mean", _reduced(torch.mean), _along_elements, ulps=16, scale=_reduced(torch.mean))
_add("max", _reduced(torch.amax), _along_elements, dtypes=NUMBERS, intervals=((-100, 100),), ulps=0, gradient=False)
_add("min", _reduced(torch.amin), _along_elements, dtypes=NUMBERS, intervals=((-100, 100),), ulps=0, gradient=False)
_add(
    "var",
    lambda x, axis, keepdims: torch.var(x, _axes_of(x, axis), correction=0, keepdim=keepdims),
    _along_elements,
    ulps=64,
    slack=256,
    scale=lambda x, axis, keepdims: _reduced(torch.mean)(x * x, axis, keepdims),
    special=False,
)
_add(
    "vector_norm",
    lambda x, axis, keepdims: torch.linalg.vector_norm(x, dim=_axes_of(x, axis), keepdim=keepdims),
    _along_elements,
    ulps=16,
)
_add(
    "logsumexp",
    _reduced(torch.logsumexp),
    _along_elements,
    ulps=32,
    scale=lambda x, axis, keepdims: 1 + _reduced(torch.amax)(x, axis, keepdims),
)
_add("count_nonzero", lambda x, axis, keepdims: _reduced(torch.sum)((x != 0).int(), axis, keepdims), _along,
     dtypes=NUMBERS, intervals=((-1, 1),), gradient=False, ulps=0, gives="i32")  # fmt: skip
for _name in ("all", "any"):
    _add(
        _name,
        _truths(getattr(torch, _name)),
        _along,
        dtypes=NUMBERS,
        intervals=((-1, 1),),
        gradient=False,
        ulps=0,
    )
for _name in ("argmax", "argmin"):
    _add(
        _name,
        _of_axis(getattr(torch, _name)),
        _along_one,
        dtypes=NUMBERS,
        intervals=((-100, 100),),
        gradient=False,
        ulps=0,
        gives="i32",
    )
for _name in ("softmax", "log_softmax"):
    _add(
        _name,
        _of_axis(getattr(torch, _name)),
        _along_one,
        ulps=16,
        scale=lambda x, axis: 1 + x,
        special=False,
    )

# What stands before each element, and order.

_add("cumulative_sum", torch.cumsum, _along_one, ulps=16, scale=torch.cumsum)
_add("cumulative_prod", torch.cumprod, _along_one, ulps=64, slack=1024, intervals=((-1.5, 1.5),), special=False)
_add("logcumsumexp", torch.logcumsumexp, _along_one, ulps=32, scale=lambda x, axis: 1 + torch.cummax(x, axis).values)
_add("diff", lambda x, axis: torch.diff(x, dim=axis), _along_one, dtypes=(*FLOATS, *INTEGERS))
for _name, _theirs, _ours in (
    ("cumulative_max", torch.cummax, ag.cumulative_max),
    ("cumulative_min", torch.cummin, ag.cumulative_min),
):
    _add(
        _name,
        lambda x, axis, theirs=_theirs: theirs(x, axis).values,
        _along_one,
        ours=lambda x, axis, ours=_ours: ours(x, axis).values,
        dtypes=NUMBERS,
        intervals=((-100, 100),),
        ulps=1e-3,  # zeros are equal, whichever sign they have
    )


def _ordered(random: Random) -> Drawn:
    shapes, keywords = _along_one(random)
    return shapes, {**keywords, "descending": bool(random.random() < 0.5)}


def _greatest(random: Random) -> Drawn:
    shapes, keywords = _along_one(random)
    return shapes, {**keywords, "k": int(random.integers(shapes[0][keywords["axis"]] + 1))}


# Where there are NaN, PyTorch has them first in descending order.
_add(
    "sort",
    lambda x, axis, descending: torch.sort(x, dim=axis, descending=descending, stable=True).values,
    _ordered,
    dtypes=NUMBERS,
    intervals=((-20, 20),),
    ulps=0,
    special=False,
)
_add("sort_ascending", lambda x, axis: torch.sort(x, dim=axis, stable=True).values, _along_one, ours=ag.sort, ulps=0)
_add(
    "argsort",
    lambda x, axis, descending: torch.sort(x, dim=axis, descending=descending, stable=True).indices,
    _ordered,
    dtypes=NUMBERS,
    intervals=((-20, 20),),
    ulps=0,
    special=False,
    gradient=False,
    gives="i32",
)
_add(
    "topk",
    lambda x, axis, k: torch.topk(x, k, axis).values,
    _greatest,
    ours=lambda x, axis, k: ag.topk(x, k, axis).values,
    dtypes=NUMBERS,
    intervals=((-100, 100),),
    ulps=0,
    special=False,
    gradient=False,  # of equal ones PyTorch takes any
)

# Elements by their places: what is taken is exact, what is added at one place is compared by magnitudes.


def _indexed(random: Random) -> tuple[Shape, int, int]:
    """A shape, one of its axes, counted from the front, and the axis as it is named."""
    shape = tuple(n or 1 for n in drawing.shape(random, 1))
    axis = drawing.axis(random, len(shape))
    return shape, axis % len(shape), axis


def _taken(random: Random) -> Drawn:
    shape, place, axis = _indexed(random)
    n = shape[place]
    return [shape], {"indices": random.integers(-n, n, drawing.shape(random, 0, 2)), "axis": axis}


def _taken_along(random: Random, *, distinct: bool = False) -> Drawn:
    shape, place, axis = _indexed(random)
    n = shape[place]
    count = int(random.integers(0, n + 1 if distinct else 2 * n + 2))
    of = (*shape[:place], count, *shape[place + 1 :])
    if distinct:
        order = np.argsort(random.random(shape), place).take(np.arange(count), place)
        return [shape, of], {"indices": order - n * (random.random(of) < 0.3), "axis": axis}
    return [shape], {"indices": random.integers(-n, n, of), "axis": axis}


def _added_along(random: Random) -> Drawn:
    (shape,), keywords = _taken_along(random)
    return [shape, keywords["indices"].shape], keywords


def _added(random: Random) -> Drawn:
    shape, place, axis = _indexed(random)
    n, m = shape[place], int(random.integers(0, 40))
    return [shape, (*shape[:place], m, *shape[place + 1 :])], {"indices": random.integers(-n, n, m), "axis": axis}


def _keyed(random: Random) -> Drawn:
    shape = tuple(n or 1 for n in drawing.shape(random))
    length = int(random.choice((1, 3)))
    key: list[Any] = []
    has_integers = random.random() < 0.4  # beside indices they are indices to NumPy and to us, but not to PyTorch
    for n in shape:
        kind = random.integers(6)
        if kind == 0 and has_integers:
            key.append(int(random.integers(-n, n)))
        elif kind == 1:
            key.append(slice(int(random.integers(n)), None, int(random.integers(1, 4))))
        elif kind >= 4 and not has_integers:
            key.append(random.integers(-n, n, (2, length)[: random.integers(1, 3)][::-1]))
        else:
            key.append(slice(None))
        if random.random() < 0.1:
            key.append(None)
    if shape and random.random() < 0.2:
        key = [random.random(shape[: random.integers(1, len(shape) + 1)]) < 0.5]
    return [shape], {"key": tuple(key[: random.integers(len(key) + 1)])}


def _positive(indices: Any, n: int) -> Any:
    return torch.from_numpy(np.where(indices < 0, indices + n, indices))


def _along_theirs(theirs: Callable[..., Any]) -> Callable[..., Any]:
    def of(x: Any, *others: Any, indices: Any, axis: int) -> Any:
        return theirs(x, axis, _positive(indices, x.shape[axis]), *others)

    return of


def _take_theirs(x: Any, indices: Any, axis: int) -> Any:
    return x[(slice(None),) * (axis % x.ndim) + (_positive(indices, x.shape[axis]),)]


def _as_theirs(key: Any) -> Any:
    return tuple(torch.from_numpy(k) if isinstance(k, np.ndarray) else k for k in key)


_add("take", _take_theirs, _taken, dtypes=NUMBERS, ulps=0)
_add("take_along_axis", _along_theirs(torch.gather), _taken_along, dtypes=NUMBERS, ulps=0)
_add("index", lambda x, key: x[_as_theirs(key)], _keyed, ours=lambda x, key: x[key], dtypes=NUMBERS, ulps=0)
_add(
    "put_along_axis",
    _along_theirs(torch.scatter),
    lambda random: _taken_along(random, distinct=True),
    ours=lambda x, y, indices, axis: ag.put_along_axis(x, indices, y, axis),
    dtypes=NUMBERS,
    ulps=0,
)
for _name, _theirs, _draw in (
    ("scatter_add", torch.scatter_add, _added_along),
    ("index_add", torch.index_add, _added),
):
    _add(
        _name,
        _along_theirs(_theirs),
        _draw,
        ours=lambda x, y, indices, axis, name=_name: getattr(ag, name)(x, indices, y, axis),
        dtypes=NUMBERS,
        ulps=32,
        scale=_along_theirs(_theirs),
        special=False,
    )
