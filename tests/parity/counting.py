"""What is tried of order, counts, creation, and of shapes that `arrangement.py` has not."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

import autograph as ag

from . import drawing
from .drawing import Random
from .operations import FLOATS, INTEGERS, NUMBERS, OPERATIONS, Drawn, Operation

torch: Any = import_module("torch")


def _add(name: str, ours: Any, theirs: Any, draw: Callable[[Random], Drawn], **rest: Any) -> None:
    OPERATIONS[name] = Operation(name, ours, theirs, draw, **rest)


def _exact(name: str, ours: Any, theirs: Any, draw: Callable[[Random], Drawn], **rest: Any) -> None:
    rest = {"intervals": ((-20, 20),), "dtypes": NUMBERS, "ulps": 0, "slack": 16} | rest
    _add(name, ours, theirs, draw, **rest)


def _one(random: Random) -> Drawn:
    return [drawing.shape(random)], {}


def _filled(random: Random, least: int = 0, most: int = 4) -> drawing.Shape:
    return tuple(n or 1 for n in drawing.shape(random, least, most))


def _along(random: Random) -> Drawn:
    shape = _filled(random, 1)
    return [shape], {"axis": drawing.axis(random, len(shape)), "keepdims": bool(random.random() < 0.5)}


# Order and counts. Floats are whole numbers, so that there are equal ones; of zeros, either sign may stand for both.

_NO_SLOPES: dict[str, Any] = {"gradient": False, "special": False}


def _rounded(x: Any) -> Any:
    return x.round() if isinstance(x, torch.Tensor) else ag.round(x)


def _unique(of: str) -> Any:
    places = {"values": (0,), "inverse": (0, 1), "counts": (0, 2)}[of]

    def theirs(x: Any) -> Any:
        found = torch.unique(_rounded(x), return_inverse=True, return_counts=True)
        parts = tuple(found[i] if i == 0 else found[i].int() for i in places)
        return parts[0] if len(parts) == 1 else parts

    return theirs


_exact("unique_values", lambda x: ag.unique_values(_rounded(x)), _unique("values"), _one, ulps=1e-3, **_NO_SLOPES)
_exact(
    "unique_inverse", lambda x: tuple(ag.unique_inverse(_rounded(x))), _unique("inverse"), _one, ulps=1e-3, **_NO_SLOPES
)
_exact(
    "unique_counts", lambda x: tuple(ag.unique_counts(_rounded(x))), _unique("counts"), _one, ulps=1e-3, **_NO_SLOPES
)


def _all_ours(x: Any) -> Any:
    found = ag.unique_all(_rounded(x))
    return found.values, _rounded(x).reshape(-1)[found.indices], found.inverse_indices, found.counts


def _all_theirs(x: Any) -> Any:
    values, inverse, counts = torch.unique(_rounded(x), return_inverse=True, return_counts=True)
    return values, values, inverse.int(), counts.int()


_exact("unique_all", _all_ours, _all_theirs, _one, ulps=1e-3, **_NO_SLOPES)
_exact(
    "isin",
    lambda x, y: ag.isin(_rounded(x), _rounded(y)),
    lambda x, y: torch.isin(_rounded(x), _rounded(y)),
    lambda random: ([drawing.shape(random), drawing.shape(random, 1, 2)], {}),
    **_NO_SLOPES,
)
_exact(
    "searchsorted",
    lambda x, y, side: ag.searchsorted(ag.sort(_rounded(x)), _rounded(y), side=side),
    lambda x, y, side: torch.searchsorted(torch.sort(_rounded(x)).values, _rounded(y), side=side),
    lambda random: (
        [drawing.shape(random, 1, 1), drawing.shape(random, 1)],
        {"side": str(random.choice(("left", "right")))},
    ),
    gives="i32",
    **_NO_SLOPES,
)
_exact(
    "bincount",
    lambda x, minlength: ag.bincount(x, minlength=minlength),
    lambda x, minlength: torch.bincount(x, minlength=minlength),
    lambda random: ([drawing.shape(random, 1, 1)], {"minlength": int(random.integers(0, 30))}),
    intervals=((0, 20),),
    dtypes=INTEGERS,
    gives="i32",
    **_NO_SLOPES,
)


def _bins(random: Random) -> Drawn:
    return [drawing.shape(random)], {"bins": int(random.integers(1, 20)), "range": (-8.5, 8.5)}


def _histogram(x: Any, bins: int, range: tuple[float, float]) -> Any:
    return torch.histogram(_rounded(x).reshape(-1), bins, range=range).hist.int()


# Numbers of whole distance from bounds of bins are in one bin, however the bounds are rounded.
_exact("histogram", lambda x, bins, range: ag.histogram(_rounded(x), bins, range).counts, _histogram, _bins,
       dtypes=FLOATS, gives="i32", **_NO_SLOPES)  # fmt: skip
_exact(
    "nonzero",
    lambda x: tuple(ag.nonzero(_rounded(x))),
    lambda x: tuple(i.int() for i in torch.nonzero(_rounded(x), as_tuple=True)),
    lambda random: ([drawing.shape(random, 1)], {}),
    intervals=((-2, 2),),
    **_NO_SLOPES,
)
_exact(
    "one_hot",
    lambda x: ag.one_hot(x, 9),
    lambda x: torch.nn.functional.one_hot(x.long(), 9).double(),
    _one,
    intervals=((0, 8),),
    dtypes=("i32", "i64", "u8"),
    gives="f32",
    **_NO_SLOPES,
)
_exact(
    "embedding",
    lambda x, indices: ag.embedding(x, ag.Tensor.from_numpy(indices, x.device)),
    lambda x, indices: torch.nn.functional.embedding(torch.from_numpy(indices).long(), x),
    lambda random: (
        [(n := int(random.integers(1, 20)), int(random.integers(1, 9)))],
        {"indices": random.integers(0, n, drawing.shape(random, 1, 2)).astype(np.int32)},
    ),
    dtypes=FLOATS,
    slack=64,
)


def _median_theirs(x: Any, axis: int, keepdims: bool) -> Any:
    return torch.quantile(x, 0.5, dim=axis, keepdim=keepdims)


def _quantile_draw(random: Random) -> Drawn:
    shapes, keywords = _along(random)
    return shapes, {**keywords, "q": float(random.random())}


def _quantile_theirs(x: Any, axis: int, keepdims: bool, q: float) -> Any:
    return torch.quantile(x, q, dim=axis, keepdim=keepdims)


# Between two numbers of up to 4; the place between them is rounded. Gradients of equal ones are a convention.
for _name, _ours, _theirs, _draw in (
    ("median", ag.median, _median_theirs, _along),
    (
        "quantile",
        lambda x, axis, keepdims, q: ag.quantile(x, q, axis, keepdims=keepdims),
        _quantile_theirs,
        _quantile_draw,
    ),
):
    _add(_name, _ours, _theirs, _draw, ulps=1500, scale=lambda x, **_: 4 + 0 * x.amax(), special=False, gradient=False)
_add(
    "prod",
    lambda x, axis, keepdims: ag.prod(x, axis, keepdims=keepdims),
    lambda x, axis, keepdims: torch.prod(x, axis, keepdim=keepdims),
    _along,
    intervals=((0.8, 1.25),),
    ulps=1500,  # of up to 1500 factors
    slack=3000,
    special=False,
)
_add(
    "std",
    lambda x, axis, keepdims: ag.std(x, axis, keepdims=keepdims),
    lambda x, axis, keepdims: torch.std(x, axis, correction=0, keepdim=keepdims),
    _along,
    ulps=64,
    scale=lambda x, **_: 4 + 0 * x.amax(),
    gradient=False,  # of one number it is infinite, and of nearly equal ones nearly so
    special=False,
)
_add("trace", ag.trace, lambda x: torch.diagonal(x, 0, -2, -1).sum(-1), lambda random: ([drawing.shape(random, 2)], {}),
     ulps=32, scale=lambda x: 4 + torch.diagonal(x, 0, -2, -1).sum(-1), special=False)  # fmt: skip

# Shapes.


def _squeezed(random: Random) -> Drawn:
    shape = list(_filled(random, 1))
    axis = drawing.axis(random, len(shape))
    shape[axis] = 1
    return [tuple(shape)], {"axis": axis}


def _sections(random: Random) -> Drawn:
    shape = list(_filled(random, 1, 3))
    axis, sections = drawing.axis(random, len(shape)), int(random.integers(1, 5))
    shape[axis] = sections * int(random.integers(1, 5))
    return [tuple(shape)], {"sections": sections, "axis": axis}


def _grids(indexing: Any) -> Any:
    return lambda *x: torch.meshgrid(*x, indexing=indexing)


_exact("squeeze", ag.squeeze, lambda x, axis: torch.squeeze(x, axis), _squeezed)
_exact(
    "split",
    lambda x, sections, axis: ag.split(x, sections, axis=axis),
    lambda x, sections, axis: torch.tensor_split(x, sections, axis),
    _sections,
)
_exact(
    "reshape",
    lambda x, order: x.reshape(tuple(x.shape[i] for i in order)),
    lambda x, order: x.reshape(tuple(x.shape[i] for i in order)),
    lambda random: ([shape := drawing.shape(random)], {"order": tuple(map(int, random.permutation(len(shape))))}),
)
_exact("matrix_transpose", ag.matrix_transpose, lambda x: x.mT, lambda random: ([drawing.shape(random, 2)], {}))
_exact(
    "diag",
    lambda x, k: ag.diag(x, offset=k),
    lambda x, k: torch.diag(x, k),
    lambda random: ([drawing.shape(random, 1, 1)], {"k": int(random.integers(-3, 4))}),
)
for _kind in ("ij", "xy"):
    _exact(
        f"meshgrid {_kind}",
        lambda *x, kind=_kind: ag.meshgrid(*x, indexing=kind),
        _grids(_kind),
        lambda random: ([tuple(map(int, random.integers(0, 7, 1))) for _ in range(random.integers(1, 4))], {}),
    )


def _spread(random: Random) -> Drawn:
    whole = _filled(random)
    return [whole, drawing.broadcasting(random, whole)], {}


_exact("broadcast_arrays", ag.broadcast_arrays, torch.broadcast_tensors, _spread, slack=3000)
_exact(
    "broadcast_to",
    lambda x, y: ag.broadcast_to(y, x.shape) + 0 * x.detach(),
    lambda x, y: torch.broadcast_to(y, x.shape) + 0 * x.detach(),
    _spread,
    slack=3000,
    ulps=1e-3,  # zeros lose their sign
    special=False,
)

# Creation, beside a tensor that says on which device and of which dtype.


def _shaped(random: Random) -> Drawn:
    return [(1,)], {"shape": drawing.shape(random)}


for _name, _value in (("zeros", 0), ("ones", 1), ("full", 3)):
    _exact(
        _name,
        lambda x, shape, name=_name, value=_value: getattr(ag, name)(
            shape, *([value] if name == "full" else []), dtype=x.dtype, device=x.device
        ),
        lambda x, shape, value=_value: torch.full(shape, value, dtype=x.dtype),
        _shaped,
        gradient=False,
    )
    _exact(
        f"{_name}_like",
        lambda x, name=_name, value=_value: getattr(ag, f"{name}_like")(x, *([value] if name == "full" else [])),
        lambda x, value=_value: torch.full_like(x, value),
        _one,
        gradient=False,
    )
_exact(
    "eye",
    lambda x, n, m, k: ag.eye(n, m, k=k, dtype=x.dtype, device=x.device),
    lambda x, n, m, k: torch.diag(torch.ones(n + m + abs(k)), k)[:n, :m].to(x.dtype),
    lambda random: ([(1,)], {name: int(random.integers(0, 9)) for name in "nm"} | {"k": int(random.integers(-4, 5))}),
    gradient=False,
)
_exact(
    "arange",
    lambda x, start, stop, step: ag.arange(start, stop, step, dtype=x.dtype, device=x.device),
    lambda x, start, stop, step: torch.arange(start, stop, step, dtype=x.dtype),
    lambda random: (
        [(1,)],
        {
            "start": int(random.integers(0, 30)),
            "stop": int(random.integers(40, 90)),
            "step": int(random.integers(1, 9)),
        },
    ),
    gradient=False,
)
_add(
    "linspace",
    lambda x, start, stop, num: ag.linspace(start, stop, num, dtype=x.dtype, device=x.device),
    lambda x, start, stop, num: torch.linspace(start, stop, num, dtype=torch.float64),
    lambda random: (
        [(1,)],
        {
            "start": float(random.uniform(-4, 0)),
            "stop": float(random.uniform(1, 4)),
            "num": int(random.integers(1, 200)),
        },
    ),
    ulps=2,
    scale=lambda x, num, **_: torch.full((num,), 8.0),
    gradient=False,
)
