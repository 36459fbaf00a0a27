"""A schedule that is told how training goes."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Literal

from autograph.errors import AutographError

from .schedule import described, whole, within


class Plateau:
    """The rate falls where a metric no longer improves: PyTorch's ReduceLROnPlateau.

    It is a schedule, whose rate changes when it is told a metric, say after each epoch.

    Args:
        rate: that of the beginning.
        factor: what the rate is multiplied by, below 1.
        patience: so many times in a row the metric may fail to improve; one more, and the rate falls.
        mode: ``"min"`` if a lower metric is better, as of a loss, ``"max"`` if a higher one is.
        threshold: an improvement is one by more than this share of the best metric.
        cooldown: after the rate fell, so many metrics are not counted.
        least: the rate does not fall below.

    Raises:
        AutographError: a setting is out of range.

    >>> from autograph.optim import schedules
    >>> schedule = schedules.Plateau(1.0, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.update(loss)
    >>> schedule(0)
    0.5
    """

    def __init__(
        self,
        rate: float,
        factor: float = 0.1,
        patience: int = 10,
        *,
        mode: Literal["min", "max"] = "min",
        threshold: float = 1e-4,
        cooldown: int = 0,
        least: float = 0.0,
    ) -> None:
        if not isinstance(mode, str) or mode not in ("min", "max"):
            raise AutographError(f"Plateau: mode={mode!r}; expected 'min' or 'max'")
        self._rate = within("Plateau: rate", rate)
        self._factor = within("Plateau: factor", factor, 0, 1)
        if self._factor == 1:
            raise AutographError("Plateau: factor=1.0; expected a number below 1, or the rate would never fall")
        self._patience = whole("Plateau: patience", patience, 0)
        self._sign = 1 if mode == "min" else -1
        self._threshold = within("Plateau: threshold", threshold)
        self._cooldown = whole("Plateau: cooldown", cooldown, 0)
        self._least = within("Plateau: least", least)
        self._best = inf  # of the metric times the sign
        self._bad, self._cooling = 0, 0
        self._description = described(
            "Plateau", self._rate, factor=self._factor, patience=patience, mode=mode, threshold=threshold,
            cooldown=cooldown, least=least,
        )  # fmt: skip

    def __repr__(self) -> str:
        return self._description

    def __call__(self, step: int) -> float:
        """The rate, whatever the step."""
        return self._rate

    def update(self, metric: float) -> None:
        """Tells the schedule how training goes.

        Args:
            metric: a number, or a tensor of one element, which is waited for. NaN is no improvement.

        Raises:
            AutographError: it is not a number.

        >>> from autograph.optim import schedules
        >>> schedule = schedules.Plateau(1.0, factor=0.5, patience=0, mode="max")
        >>> for accuracy in (0.5, 0.6, 0.55):
        ...     schedule.update(accuracy)
        >>> schedule(0)
        0.5
        """
        try:
            value = self._sign * float(metric)
        except (TypeError, ValueError):
            raise AutographError(f"Plateau: metric={metric!r}; expected a number") from None
        if value < self._best - self._threshold * abs(self._best) if self._best < inf else value < inf:
            self._best, self._bad = value, 0
        else:
            self._bad += 1
        if self._cooling:
            self._cooling, self._bad = self._cooling - 1, 0
        if self._bad > self._patience:
            self._rate = min(self._rate, max(self._rate * self._factor, self._least))
            self._bad, self._cooling = 0, self._cooldown

    def state(self) -> dict[str, float | int]:
        """What it remembers, for a checkpoint.

        >>> from autograph.optim import schedules
        >>> schedule = schedules.Plateau(0.5)
        >>> schedule.update(2.0)
        >>> schedule.state()
        {'rate': 0.5, 'best': 2.0, 'bad': 0, 'cooling': 0}
        """
        return {"rate": self._rate, "best": self._sign * self._best, "bad": self._bad, "cooling": self._cooling}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remembers what :meth:`state` gave.

        Raises:
            AutographError: it is something else.

        >>> from autograph.optim import schedules
        >>> schedule = schedules.Plateau(0.5)
        >>> schedule.restore({"rate": 0.25, "best": 2.0, "bad": 3, "cooling": 0})
        >>> schedule(0)
        0.25
        """
        if not isinstance(state, Mapping) or state.keys() != self.state().keys():
            raise AutographError(f"Plateau: state={state!r}; expected {', '.join(self.state())}")
        best = state["best"]
        if not isinstance(best, int | float):
            raise AutographError(f"Plateau: best={best!r}; expected a number")
        rate = within("Plateau: rate", state["rate"])
        bad, cooling = whole("Plateau: bad", state["bad"], 0), whole("Plateau: cooling", state["cooling"], 0)
        self._rate, self._best, self._bad, self._cooling = rate, self._sign * best, bad, cooling
