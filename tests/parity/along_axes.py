"""What is tried of operations that rearrange, accumulate, order, multiply and convolve."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import autograph as ag

from . import drawing
from .drawing import Random, Shape
from .operations import INTEGERS, NUMBERS, OPERATIONS, Drawn, Operation

torch: Any = import_module("torch")
functional: Any = import_module("torch.nn.functional")

WIDE = ("f32", "f32", "f64", "f16", "bf16")


def _add(name: str, ours: Any, theirs: Any, draw: Callable[[Random], Drawn], **rest: Any) -> None:
    OPERATIONS[name] = Operation(name, ours, theirs, draw, **rest)


def _exact(name: str, ours: Any, theirs: Any, draw: Callable[[Random], Drawn], **rest: Any) -> None:
    """What moves elements."""
    _add(name, ours, theirs, draw, intervals=((-100, 100),), dtypes=NUMBERS, ulps=0, slack=16, **rest)


def _with_axes(random: Random) -> tuple[Shape, int]:
    shape = drawing.shape(random, 1)
    return shape, drawing.axis(random, len(shape))


def _some(random: Random) -> Drawn:
    shape, axis = _with_axes(random)
    place, shapes = axis % len(shape), []
    for _ in range(random.integers(1, 4)):
        shapes.append((*shape[:place], int(random.integers(0, 9)), *shape[place + 1 :]))
    return shapes, {"axis": axis}


def _alike(random: Random) -> Drawn:
    shape = drawing.shape(random)
    return [shape] * int(random.integers(1, 4)), {"axis": drawing.axis(random, len(shape) + 1)}


def _one_axis(random: Random) -> Drawn:
    shape, axis = _with_axes(random)
    return [shape], {"axis": axis}


def _of_elements(random: Random) -> Drawn:
    shape = tuple(n or 1 for n in drawing.shape(random, 1))
    return [shape], {"axis": drawing.axis(random, len(shape))}


def _diagonal(random: Random) -> Drawn:
    return [drawing.shape(random, 2)], {"k": int(random.integers(-6, 7))}


# Rearranged.

_exact("concat", lambda *x, axis: ag.concat(x, axis=axis), lambda *x, axis: torch.cat(x, axis), _some)
_exact("stack", lambda *x, axis: ag.stack(x, axis=axis), lambda *x, axis: torch.stack(x, axis), _alike)
_exact("flip", ag.flip, lambda x, axis: torch.flip(x, (axis,)), _one_axis)
_exact(
    "roll",
    ag.roll,
    lambda x, shift, axis: torch.roll(x, shift, axis),
    lambda random: (_one_axis(random)[0], {"shift": int(random.integers(-9, 10)), "axis": 0}),
)
_exact(
    "tile",
    lambda x, times: ag.tile(x, times),
    lambda x, times: torch.tile(x, times),
    lambda random: ([drawing.shape(random, 0, 3)], {"times": tuple(map(int, random.integers(0, 4, 3)))}),
)
_exact(
    "repeat",
    lambda x, times, axis: ag.repeat(x, times, axis=axis),
    lambda x, times, axis: torch.repeat_interleave(x, times, axis),
    lambda random: (_one_axis(random)[0], {"times": int(random.integers(0, 5)), "axis": 0}),
)
_exact(
    "permute_dims",
    ag.permute_dims,
    lambda x, axes: torch.permute(x, axes),
    lambda random: ([shape := drawing.shape(random)], {"axes": tuple(map(int, random.permutation(len(shape))))}),
)
_exact(
    "moveaxis",
    lambda x, a, b: ag.moveaxis(x, a, b),
    lambda x, a, b: torch.movedim(x, a, b),
    lambda random: (
        [shape := drawing.shape(random, 1)],
        {"a": drawing.axis(random, len(shape)), "b": drawing.axis(random, len(shape))},
    ),
)
_exact("tril", ag.tril, lambda x, k: torch.tril(x, k), _diagonal)
_exact("triu", ag.triu, lambda x, k: torch.triu(x, k), _diagonal)
_exact("diagonal", lambda x, k: ag.diagonal(x, offset=k), lambda x, k: torch.diagonal(x, k, -2, -1), _diagonal)
_exact("expand_dims", ag.expand_dims, lambda x, axis: torch.unsqueeze(x, axis), _one_axis)
_exact(
    "unstack",
    ag.unstack,
    lambda x, axis: torch.unbind(x, axis),
    lambda random: ([shape := tuple(n % 9 or 1 for n in drawing.shape(random, 1))], {"axis": -len(shape)}),
)


def _padded(random: Random) -> Drawn:
    # PyTorch reflects and repeats the last axes of three and four only, by less than their lengths.
    shape = tuple(int(n) for n in random.integers(4, 9, 4))
    mode = str(random.choice(("constant", "reflect", "edge")))
    return [shape], {"width": tuple(map(int, random.integers(0, 4, 4))), "mode": mode}


_exact(
    "pad",
    lambda x, width, mode: ag.pad(x, ((0, 0), (0, 0), width[2:], width[:2]), mode),
    lambda x, width, mode: functional.pad(x, width, {"edge": "replicate"}.get(mode, mode)),
    _padded,
)
OPERATIONS["pad"] = Operation(**{**vars(OPERATIONS["pad"]), "dtypes": WIDE})

# Accumulated: sums are compared by the magnitudes that were added.

_add(
    "cumulative_sum",
    ag.cumulative_sum,
    lambda x, axis: torch.cumsum(x, axis),
    _one_axis,
    ulps=16,
    scale=lambda x, axis: torch.cumsum(x, axis),
)
_add(
    "cumulative_prod",
    ag.cumulative_prod,
    lambda x, axis: torch.cumprod(x, axis),
    lambda random: ([(int(random.integers(0, 40)), 3)], {"axis": 0}),
    intervals=((0.5, 2),),
    ulps=64,
    slack=1024,
    special=False,
)
for _name, _theirs in (("cumulative_max", torch.cummax), ("cumulative_min", torch.cummin)):
    _add(
        _name,
        lambda x, axis, _of=_name: getattr(ag, _of)(x, axis)[0],
        lambda x, axis, _of=_theirs: _of(x, axis)[0],
        _of_elements,
        dtypes=NUMBERS,
        ulps=1e-3,  # zeros are equal, whichever sign they have
        gradient=False,
    )
_add(
    "logcumsumexp",
    ag.logcumsumexp,
    lambda x, axis: torch.logcumsumexp(x, axis),
    _of_elements,
    ulps=32,
    slack=256,
    scale=lambda x, axis: 1 + torch.cummax(x, axis)[0],
    special=False,
)
_add(
    "diff",
    ag.diff,
    lambda x, axis, n: torch.diff(x, n, axis),
    lambda random: (_one_axis(random)[0], {"axis": 0, "n": int(random.integers(1, 3))}),
    dtypes=("f32", "f64"),  # others are rounded each time
    ulps=4,
    scale=lambda x, axis, n: x.sum() + 0 * torch.diff(x, n, axis),
    special=False,
)

# Ordered. Of equal elements the first comes first; NaN is the greatest.


def _sorted(random: Random) -> Drawn:
    shape, axis = _with_axes(random)
    return [shape], {"axis": axis, "descending": bool(random.random() < 0.4)}


_add(
    "sort",
    ag.sort,
    lambda x, axis, descending: torch.sort(x, dim=axis, descending=descending, stable=True)[0],
    _sorted,
    dtypes=NUMBERS,
    intervals=((-100, 100),),
    ulps=1e-3,  # the signs of zeros, which are equal, may be in any order
    special=False,
)
_add(
    "argsort",
    ag.argsort,
    lambda x, axis, descending: torch.argsort(x, dim=axis, descending=descending, stable=True),
    _sorted,
    dtypes=(*NUMBERS, *INTEGERS),
    intervals=((-9, 9),),
    ulps=0,
    gradient=False,
    special=False,
    gives="i32",
)
_add(
    "topk",
    lambda x, k, axis: ag.topk(x, k, axis)[0],
    lambda x, k, axis: torch.topk(x, k, axis)[0],
    lambda random: ([shape := tuple(n or 1 for n in drawing.shape(random, 1))],
                    {"k": int(random.integers(0, shape[0] + 1)), "axis": 0}),
    ulps=0,
    special=False,
    gradient=False,  # which of equal elements are taken is not said
)  # fmt: skip

# Products.


def _stacks(random: Random) -> Drawn:
    batch = drawing.shape(random, 0, 2)
    n, k, m = (int(i) for i in random.integers(0, 40, 3))
    left, right = (drawing.broadcasting(random, batch) for _ in range(2))
    a, b = (*left, n, k), (*right, k, m)
    which = random.random()
    return [(k,) if which < 0.15 else a, (k,) if which > 0.85 else b], {}


def _contracted(random: Random) -> Drawn:
    a = tuple(int(n) for n in random.integers(0, 9, 3))
    count = int(random.integers(0, 4))
    return [a, (*a[3 - count :], int(random.integers(0, 9)))], {"axes": count}


_PRODUCT = {"ulps": 32, "special": False}
_add("matmul", ag.matmul, torch.matmul, _stacks, scale=torch.matmul, **_PRODUCT)


def _tensordot(x: Any, y: Any, axes: int) -> Any:
    return torch.tensordot(x, y, axes)


def _vecdot(x: Any, y: Any, axis: int) -> Any:
    return torch.linalg.vecdot(x, y, dim=axis)


def _two_vectors(random: Random) -> Drawn:
    return [drawing.shape(random, 1, 1), drawing.shape(random, 1, 1)], {}


_add(
    "tensordot", lambda x, y, axes: ag.tensordot(x, y, axes=axes), _tensordot, _contracted, scale=_tensordot, **_PRODUCT
)
_add("outer", ag.outer, torch.outer, _two_vectors, ulps=1)

_add(
    "vecdot",
    ag.vecdot,
    _vecdot,
    lambda random: ([shape := drawing.shape(random, 1)] * 2, {"axis": drawing.axis(random, len(shape))}),
    scale=_vecdot,
    **_PRODUCT,
)


def _einsum(text: str) -> None:
    def draw(random: Random) -> Drawn:
        lengths = {letter: int(random.integers(1, 9)) for letter in "bdhijklq"}
        return [tuple(lengths[letter] for letter in part) for part in text.partition("->")[0].split(",")], {}

    def theirs(*x: Any) -> Any:
        return torch.einsum(text, *x)

    _add(f"einsum {text}", lambda *x: ag.einsum(text, *x), theirs, draw, scale=theirs, **_PRODUCT)


for _text in ("ij,jk->ik", "bij,bjk->bik", "ijk,jil->kl", "ii->i", "ij->ji", "bhqd,bhkd->bhqk", "i,j->ij", "ij,ij->"):
    _einsum(_text)

# Convolved.


def _convolved(axes: int, *, transposed: bool = False) -> Callable[[Random], Drawn]:
    def draw(random: Random) -> Drawn:
        groups = int(random.choice((1, 1, 2, 3)))
        ins, outs = (int(n) * groups for n in random.integers(1, 4, 2))
        filters = tuple(map(int, random.integers(1, 4, axes)))
        lengths = tuple(map(int, random.integers(7, 12 if axes > 1 else 60, axes)))
        channels = (ins, outs // groups) if transposed else (outs, ins // groups)
        keywords = {
            "stride": int(random.integers(1, 4)),
            "padding": int(random.integers(0, 2)) if not transposed else 0,
            "dilation": int(random.integers(1, 3)),
            "groups": groups,
        }
        return [(int(random.integers(1, 4)), ins, *lengths), (*channels, *filters), (outs,)], keywords

    return draw


for _axes in (1, 2, 3):
    for _name, _theirs, _draw in (
        (f"conv{_axes}", getattr(functional, f"conv{_axes}d"), _convolved(_axes)),
        (f"conv_transpose{_axes}", getattr(functional, f"conv_transpose{_axes}d"), _convolved(_axes, transposed=True)),
    ):
        _add(
            _name,
            getattr(ag, _name, None) or getattr(ag.Tensor, _name),
            _theirs,
            _draw,
            dtypes=WIDE,
            scale=_theirs,
            rounds=2,  # before the bias is added, and after
            **_PRODUCT,
        )
