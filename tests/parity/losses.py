"""What is tried of losses. Each is a mean, a sum, or as it is; errors are measured by the greatest term."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

import autograph as ag

from .drawing import Random
from .operations import OPERATIONS, Drawn, Operation

torch: Any = import_module("torch")
functional: Any = import_module("torch.nn.functional")

REDUCTIONS = ("mean", "sum", "none")


def _alike(count: int) -> Callable[[Random], Drawn]:
    def draw(random: Random) -> Drawn:
        shape = tuple(map(int, random.integers(1, 9, 2)))
        return [shape] * count, {"reduction": str(random.choice(REDUCTIONS))}

    return draw


def _add(name: str, theirs: Any, draw: Callable[[Random], Drawn] = _alike(2), **rest: Any) -> None:  # noqa: B008
    ours = rest.pop("ours", None) or getattr(ag, name)

    def scale(*x: Any, **keywords: Any) -> Any:
        """The least is 1, the sum of up to 64 terms of up to some hundred the most."""
        result = theirs(*x, **keywords).abs()
        return result + (100 * x[0].numel() if keywords.get("reduction") == "sum" else 100)

    options: dict[str, Any] = {
        "ulps": 16,
        "slack": 256,
        "scale": scale,
        "rounds": 2,
        "special": False,
        "gives": "wide",
    } | rest
    OPERATIONS[name] = Operation(name, ours, theirs, draw, **options)


def _second_is_target(of: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y, **rest: of(x, y.detach(), **rest)


def _sign(y: Any) -> Any:
    return 2.0 * _truth(y) - 1.0


def _truth(y: Any) -> Any:
    if isinstance(y, torch.Tensor):
        return (y.detach() > 0).double()
    return (y.detach() > 0).cast(y.dtype)


def _reduced(of: Callable[..., Any]) -> Callable[..., Any]:
    """A loss that PyTorch has not, of its terms."""

    def loss(*x: Any, reduction: str) -> Any:
        terms = of(*x)
        return terms if reduction == "none" else getattr(torch, reduction)(terms)

    return loss


for _name in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"):
    _add(_name, getattr(functional, _name))
_add(
    "binary_cross_entropy",
    lambda x, y, reduction: functional.binary_cross_entropy(x, _truth(y), reduction=reduction),
    ours=lambda x, y, reduction: ag.binary_cross_entropy(x, _truth(y), reduction),
    intervals=((0.1, 0.9), (-1, 1)),
)
_add(
    "binary_cross_entropy_with_logits",
    lambda x, y, reduction: functional.binary_cross_entropy_with_logits(x, _truth(y), reduction=reduction),
    ours=lambda x, y, reduction: ag.binary_cross_entropy_with_logits(x, _truth(y), reduction),
)


def _focal(x: Any, y: Any) -> Any:
    t = _truth(y)
    alike = functional.binary_cross_entropy_with_logits(x, t, reduction="none")
    return alike * (t - torch.sigmoid(x)) ** 2 * (0.25 * t + 0.75 * (1 - t))


_add("focal_loss", _reduced(_focal), ours=lambda x, y, reduction: ag.focal_loss(x, _truth(y), reduction))
_add(
    "hinge_loss",
    _reduced(lambda x, y: torch.relu(1 - x * _sign(y))),
    ours=lambda x, y, reduction: ag.hinge_loss(x, _sign(y).cast(x.dtype), reduction),
    kinks=True,
)
_add(
    "hinge_embedding_loss",
    lambda x, y, reduction: functional.hinge_embedding_loss(x, _sign(y), reduction=reduction),
    ours=lambda x, y, reduction: ag.hinge_embedding_loss(x, _sign(y).cast(x.dtype), reduction),
    kinks=True,
)
_add("poisson_nll_loss", _second_is_target(functional.poisson_nll_loss), ours=_second_is_target(ag.poisson_nll_loss),
     intervals=((-3, 3), (0, 8)))  # fmt: skip
_add(
    "gaussian_nll_loss",
    lambda x, y, v, reduction: functional.gaussian_nll_loss(x, y, v, reduction=reduction),
    _alike(3),
    ours=lambda x, y, v, reduction: ag.gaussian_nll_loss(x, y, v, reduction),
    intervals=((-2, 2), (-2, 2), (0.5, 4)),
)
_add(
    "kl_divergence",
    lambda x, y, reduction: functional.kl_div(
        x, y.detach(), reduction="batchmean" if reduction == "mean" else reduction
    ),
    ours=_second_is_target(ag.kl_divergence),
    intervals=((-3, 0), (0.1, 1)),
)


def _similarity_theirs(x: Any, y: Any, axis: int) -> Any:
    return functional.cosine_similarity(x, y, dim=axis)


_add(
    "cosine_similarity",
    _similarity_theirs,
    lambda random: ([(shape := tuple(map(int, random.integers(2, 9, 2))))] * 2, {"axis": int(random.integers(2))}),
    intervals=((0.5, 4),),
    scale=lambda x, y, axis: 1 + 0 * _similarity_theirs(x, y, axis),
)
_add(
    "cosine_embedding_loss",
    lambda x, y, z, reduction: functional.cosine_embedding_loss(x, y, _sign(z), reduction=reduction),
    lambda random: ([(n := int(random.integers(1, 9)), d := int(random.integers(2, 9))), (n, d), (n,)],
                    {"reduction": str(random.choice(REDUCTIONS))}),
    ours=lambda x, y, z, reduction: ag.cosine_embedding_loss(x, y, _sign(z).cast(x.dtype), reduction),
    intervals=((0.5, 4), (0.5, 4), (-1, 1)),
)  # fmt: skip
_add(
    "triplet_margin_loss",
    lambda x, y, z, reduction: functional.triplet_margin_loss(x, y, z, margin=20.0, reduction=reduction),
    _alike(3),
    ours=lambda x, y, z, reduction: ag.triplet_margin_loss(x, y, z, reduction, margin=20.0),
    rounds=4,
)


def _classified(random: Random) -> Drawn:
    n, c = map(int, random.integers(1, 9, 2))
    return [(n, c)], {"classes": random.integers(0, c, n), "reduction": str(random.choice(REDUCTIONS))}


def _of_classes(of: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, classes, reduction: of(x, torch.from_numpy(classes), reduction=reduction)


def _given_classes(of: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, classes, reduction: of(x, ag.Tensor.from_numpy(classes.astype(np.int32), x.device), reduction)


_add(
    "cross_entropy_loss", _of_classes(functional.cross_entropy), _classified, ours=_given_classes(ag.cross_entropy_loss)
)
_add("nll_loss", _of_classes(functional.nll_loss), _classified, ours=_given_classes(ag.nll_loss))
