"""Muon: steps along the orthogonal matrix that is nearest to the mean of gradients."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import inf, sqrt
from typing import Any, Literal

from autograph.errors import AutographError
from autograph.functions.elementwise.arithmetic import maximum
from autograph.functions.reductions.aggregates import vector_norm
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor

from .adam import AdamW, running_mean
from .groups import Configured
from .rule import Update, UpdateRule, updates_of
from .rule_optimizer import require_settings

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of Jordan's polynomial, of degree 5: the slope at 0 is as high as may be, so that few iterations do."""
_LEAST_NORM = 1e-7


def orthogonalized(x: Tensor, iterations: int) -> Tensor:
    """A matrix of about the singular vectors of another one, and singular values of about 1 (0.7 to 1.2).

    Newton and Schulz's iteration, as Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024
    (https://kellerjordan.github.io/posts/muon), have it.
    """
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    a, b, c = _COEFFICIENTS
    x = x / maximum(vector_norm(x), _LEAST_NORM)
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if is_tall else x


@cache
def _momentum(is_nesterov: bool) -> UpdateRule:
    def muon(w: Any, g: Any, momentum: Any, rate: Any, gain: Any, share: Any) -> Any:
        m = running_mean(momentum, g, gain)
        return g + share * (m - g) if is_nesterov else m, m

    return UpdateRule(muon, state=["momentum"])


class Muon(Configured):
    """Matrices go along the orthogonalized mean of their gradients, other parameters by :class:`AdamW`: Jordan et al.,
    "Muon: an optimizer for hidden layers in neural networks", 2024.

    Embeddings and the last layer are matrices, but better left to AdamW:
    ``Muon().group("embedding.*", "head.*", optimizer=AdamW())``.

    Args:
        momentum: how much of the mean remains from step to step, below 1.
        weight_decay: each step takes ``learning_rate * weight_decay`` of the weight away; of all parameters.
        nesterov: the step goes along the mean of the gradient and that mean.
        iterations: of Newton and Schulz's method.
        length: ``"adamw"`` for steps about as long as AdamW's, so that all parameters have one rate: Liu et al., "Muon
            is scalable for LLM training", 2025. They are ``0.2 * sqrt(max(rows, columns))`` times the learning rate and
            the orthogonalized matrix. ``"original"`` for Jordan's ``sqrt(max(1, columns / rows))``; a weight of
            :class:`autograph.Dense` has a row for each input.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import Muon
    >>> weight = Parameter(Tensor.zeros((2, 2)))
    >>> Muon().update(weight, Tensor.from_numpy([[3.0, 0.0], [0.0, 2.0]]).cast("f32"), learning_rate=1.0)
    >>> [round(w, 1) for w in (weight.diagonal() / -0.2 / 2**0.5).tolist()]  # about 1 each
    [1.1, 0.7]
    """

    def __init__(
        self,
        momentum: float = 0.95,
        *,
        weight_decay: float = 0.1,
        nesterov: bool = True,
        iterations: int = 5,
        length: Literal["adamw", "original"] = "adamw",
    ) -> None:
        require_settings(
            "Muon", momentum=(momentum, 0, 1), weight_decay=(weight_decay, 0, inf), iterations=(iterations, 1, 100)
        )
        if length not in ("adamw", "original"):
            raise AutographError(f"Muon: length={length!r}; expected 'adamw' or 'original'")
        self._momentum, self._decay, self._iterations = float(momentum), float(weight_decay), int(iterations)
        super().__init__({
            "momentum": self._momentum, "weight_decay": self._decay, "nesterov": bool(nesterov),
            "iterations": self._iterations, "length": length,
        })  # fmt: skip
        self._is_original = length == "original"
        self._rule, self._others = _momentum(bool(nesterov)), AdamW(weight_decay=self._decay)

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """Changes a parameter by its gradient, in place; nothing is read back.

        Args:
            parameter: what is changed; what the optimizer remembers is in its ``state``.
            gradient: of the parameter's shape, dtype and device.
            learning_rate: a number, or a parameter of the graph that is being captured.

        Raises:
            DtypeError: the parameter is none, or not of floats, or the gradient has another dtype.
            ShapeError: the gradient has another shape.
            LaunchError: the gradient lies on another device, or the learning rate is not a number.

        >>> from autograph import Parameter, Tensor
        >>> from autograph.optim import Muon
        >>> bias = Parameter(Tensor.zeros(1))
        >>> Muon().update(bias, Tensor.ones(1), learning_rate=0.25)  # as AdamW
        >>> round(bias.item(), 6)
        -0.25
        """
        if isinstance(parameter, Parameter) and parameter.ndim == 2:
            self._update(Update(parameter, gradient), learning_rate, 1.0, None)
        else:
            self._others.update(parameter, gradient, learning_rate)

    def update_all(
        self,
        parameters: Mapping[str, Parameter],
        learning_rate: float,
        *,
        scale: float = 1.0,
        factor: Tensor | None = None,
    ) -> None:
        """As :meth:`Configured.update_all`.

        Raises:
            DtypeError, ShapeError, LaunchError: as by :meth:`update`.

        >>> from autograph import Dense
        >>> from autograph.optim import Muon
        >>> Muon().update_all(dict(Dense(2, 1).named_parameters()), 0.1)  # without gradients, nothing changes
        """
        updates = updates_of(parameters)
        others = {name: parameter for name, parameter in parameters.items() if parameter.ndim != 2}
        self._others.update_all(others, learning_rate, scale=scale, factor=factor)
        for update in updates:
            if update.parameter.ndim == 2:
                self._update(update, learning_rate, scale, factor)

    def _update(self, update: Update, rate: float, scale: float, factor: Tensor | None) -> None:
        numbers = (1 - self._momentum, self._momentum)
        change = self._rule.change(update, rate, numbers, factor=factor)
        if not change.size:
            return
        rows, columns = change.shape
        length = sqrt(max(1, columns / rows)) if self._is_original else 0.2 * sqrt(max(rows, columns))
        allowed = None if factor is None else (factor != 0).cast(change.dtype)
        step = orthogonalized(change, self._iterations)
        self._rule.move(update.parameter, step, rate, scale=scale, decay=self._decay, length=length, factor=allowed)
