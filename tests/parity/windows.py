"""What is tried of windows, norms and attention."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import autograph as ag

from .arrangement import WIDE
from .drawing import Random
from .operations import OPERATIONS, Drawn, Operation

torch: Any = import_module("torch")
functional: Any = import_module("torch.nn.functional")


def _add(name: str, ours: Any, theirs: Any, draw: Callable[[Random], Drawn], **rest: Any) -> None:
    OPERATIONS[name] = Operation(name, ours, theirs, draw, dtypes=WIDE, **rest)


def _images(random: Random, axes: int, least: int = 4) -> tuple[int, ...]:
    return tuple(map(int, (*random.integers(1, 4, 2), *random.integers(least, least + 6, axes))))


def _pooled(axes: int, *, counts: bool) -> Callable[[Random], Drawn]:
    def draw(random: Random) -> Drawn:
        filter = int(random.integers(1, 4))
        keywords = {
            "stride": int(random.integers(1, 4)),
            "padding": int(random.integers(0, filter // 2 + 1)),
            "ceil_mode": bool(random.random() < 0.3),
        }
        if counts:
            keywords["count_include_pad"] = bool(random.random() < 0.5)
        else:
            keywords["dilation"] = int(random.integers(1, 3))
        return [_images(random, axes, 6)], {"filter": filter, **keywords}

    return draw


def _adaptive(axes: int) -> Callable[[Random], Drawn]:
    return lambda random: ([_images(random, axes)], {"size": tuple(map(int, random.integers(1, 6, axes)))})


def _of_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, filter, **rest: function(x, filter, **rest)


# Maxima are elements, where equal ones have no part of the gradient in common; means are sums of up to 27.
for _axes in (1, 2, 3):
    for _name, _theirs, _draw, _rest in (
        (f"max_pool{_axes}", _of_filter(getattr(functional, f"max_pool{_axes}d")), _pooled(_axes, counts=False), {}),
        (f"avg_pool{_axes}", _of_filter(getattr(functional, f"avg_pool{_axes}d")), _pooled(_axes, counts=True), {}),
        (f"adaptive_max_pool{_axes}", getattr(functional, f"adaptive_max_pool{_axes}d"), _adaptive(_axes), {}),
        (f"adaptive_avg_pool{_axes}", getattr(functional, f"adaptive_avg_pool{_axes}d"), _adaptive(_axes), {}),
    ):
        _ours = getattr(ag, _name)
        _exact = "max" in _name
        _add(
            _name,
            _of_filter(_ours) if "adaptive" not in _name else _ours,
            (lambda x, size, of=_theirs: of(x, size)) if "adaptive" in _name else _theirs,
            _draw,
            ulps=0 if _exact else 32,
            scale=None if _exact else lambda x, **_: x.amax(),
            # Of equal numbers, which f16 and bf16 have, one is taken: which, is a matter of convention.
            gradient=not _exact,
            special=False,
        )


def _resized(random: Random) -> Drawn:
    axes = int(random.integers(1, 4))
    mode = str(random.choice(("nearest", "linear")))
    size = tuple(map(int, random.integers(1, 12, axes)))
    return [_images(random, axes)], {"size": size, "mode": mode, "align_corners": bool(random.random() < 0.5)}


def _resize_theirs(x: Any, size: Any, mode: str, align_corners: bool) -> Any:
    if mode == "nearest":
        return functional.interpolate(x, size)
    named = {3: "linear", 4: "bilinear", 5: "trilinear"}[x.ndim]
    return functional.interpolate(x, size, mode=named, align_corners=align_corners)


def _resize_ours(x: Any, size: Any, mode: Any, align_corners: bool) -> Any:
    corners = {"align_corners": align_corners} if mode == "linear" else {}
    return ag.interpolate(x, size, mode=mode, **corners)


# The places between elements are rounded to f32: up to 10 places of elements of up to 4, in three axes.
_add("interpolate", _resize_ours, _resize_theirs, _resized, ulps=64, scale=lambda x, **_: x.amax(), slack=256, rounds=3,
     special=False)  # fmt: skip


def _unfolded(random: Random) -> Drawn:
    keywords = {"stride": int(random.integers(1, 3)), "padding": int(random.integers(0, 2)),
                "dilation": int(random.integers(1, 3))}  # fmt: skip
    return [_images(random, 2, 6)], {"filter": tuple(map(int, random.integers(1, 4, 2))), **keywords}


def _folded(random: Random) -> Drawn:
    filter = tuple(map(int, random.integers(1, 4, 2)))
    size = tuple(map(int, random.integers(5, 9, 2)))
    stride = int(random.integers(1, 3))
    places = 1
    for n, f in zip(size, filter, strict=True):
        places *= (n - f) // stride + 1
    channels = int(random.integers(1, 4)) * filter[0] * filter[1]
    return [(int(random.integers(1, 4)), channels, places)], {"size": size, "filter": filter, "stride": stride}


_add("unfold", ag.unfold, lambda x, filter, **rest: functional.unfold(x, filter, **rest), _unfolded, ulps=0, slack=64)
_add("fold", ag.fold, lambda x, size, filter, **rest: functional.fold(x, size, filter, **rest), _folded, ulps=16,
     scale=lambda x, **_: 9 * x.amax(), special=False)  # fmt: skip
_add(
    "pixel_shuffle",
    ag.pixel_shuffle,
    lambda x, factor: functional.pixel_shuffle(x, factor),
    lambda random: ([(2, 3 * (f := int(random.integers(1, 4))) ** 2, 4, 5)], {"factor": f}),
    ulps=0,
)
_add(
    "pixel_unshuffle",
    ag.pixel_unshuffle,
    lambda x, factor: functional.pixel_unshuffle(x, factor),
    lambda random: ([(2, 3, 4 * (f := int(random.integers(1, 4))), 5 * f)], {"factor": f}),
    ulps=0,
)

# Norms divide by a deviation of about 2, of at least eight numbers; gradients subtract means of what is multiplied.


def _normed(random: Random) -> Drawn:
    shape = (*map(int, random.integers(1, 6, 2)), int(random.integers(8, 40)))
    return [shape, shape[-1:], shape[-1:]], {}


def _channels(random: Random) -> Drawn:
    n, c, w = int(random.integers(2, 5)), int(random.integers(1, 4)) * 2, int(random.integers(8, 20))
    return [(n, c, w), (c,), (c,)], {}


_NORM: dict[str, Any] = {"ulps": 64, "slack": 512, "rounds": 2, "special": False,
                         "scale": lambda x, *rest: 16 + x.amax()}  # fmt: skip
_add("layer_norm", ag.layer_norm, lambda x, w, b: functional.layer_norm(x, x.shape[-1:], w, b), _normed, **_NORM)
_add(
    "rms_norm",
    ag.rms_norm,
    lambda x, w: functional.rms_norm(x, x.shape[-1:], w, 1e-5),
    lambda random: (_normed(random)[0][:2], {}),
    **_NORM,
)
_add("group_norm", lambda x, w, b: ag.group_norm(x, 2, w, b), lambda x, w, b: functional.group_norm(x, 2, w, b),
     _channels, **_NORM)  # fmt: skip
_add(
    "instance_norm", ag.instance_norm, lambda x, w, b: functional.instance_norm(x, None, None, w, b), _channels, **_NORM
)
_add(
    "batch_norm_training",
    lambda x, w, b: ag.batch_norm_training(x, w, b)[0],
    lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True),
    _channels,
    **_NORM,
)


def _with_statistics(random: Random) -> Drawn:
    (x, c, _), _ = _channels(random)
    return [x, c, c, c, c], {}


_add(
    "batch_norm_inference",
    lambda x, w, b, mean, var: ag.batch_norm_inference(x, mean.detach(), (var * var + 0.5).detach(), w, b),
    lambda x, w, b, mean, var: functional.batch_norm(x, mean.detach(), (var * var + 0.5).detach(), w, b),
    _with_statistics,
    **{**_NORM, "scale": lambda x, *rest: 64 + x.amax(), "rounds": 4},
)


def _attended(random: Random) -> Drawn:
    batch, heads, n, m, d, e = map(int, random.integers(1, 8, 6))
    causal = bool(random.random() < 0.5)
    m = n if causal else m
    return [(batch, heads, n, d), (batch, heads, m, d), (batch, heads, m, e)], {"causal": causal}


# The backward pass reads the result, which f16 and bf16 have rounded: numbers of up to 1 keep that below the bound.
_add(
    "scaled_dot_product_attention",
    ag.scaled_dot_product_attention,
    lambda q, k, v, causal: functional.scaled_dot_product_attention(q, k, v, is_causal=causal),
    _attended,
    intervals=((-1, 1),),
    ulps=128,
    slack=4096,
    scale=lambda q, k, v, causal: 1 + v.amax() + 0 * functional.scaled_dot_product_attention(q, k, v, is_causal=causal),
    rounds=4,
    special=False,
)
