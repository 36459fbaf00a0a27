"""Means over an epoch, which are left on the device until somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograph.errors import AutographError
from autograph.tensor.tensor import Tensor


class Scores:
    """The mean loss of batches, and metrics. The mean is over what the batches hold: a larger batch counts for more.

    Args:
        metrics: by name; each has ``update``, ``compute`` and ``reset``.
    """

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self._metrics = metrics
        self._unread: list[tuple[Tensor, int]] = []
        self._total = 0.0
        self.count = 0
        for metric in metrics.values():
            metric.reset()

    def add(self, loss: Tensor, count: int, outputs: tuple[Any, ...]) -> None:
        """Takes a batch's loss, how much the batch holds, and what the model made of it; nothing is read."""
        self._unread.append((loss, count))
        self.count += count
        for metric in self._metrics.values():
            metric.update(*outputs)

    def read(self) -> float:
        """The mean loss so far, NaN of nothing; waits for the device."""
        for loss, count in self._unread:
            self._total += float(loss) * count
        self._unread.clear()
        return self._total / self.count if self.count else float("nan")

    def values(self) -> dict[str, Any]:
        """Loss and metrics, by name, as numbers and lists of numbers; waits for the device."""
        return {"loss": self.read()} | {name: _plain(metric.compute()) for name, metric in self._metrics.items()}

    def state(self) -> dict[str, Any]:
        """What it has to be told to go on."""
        self.read()
        return {
            "total": self._total,
            "count": self.count,
            "metrics": {name: state_of(metric) for name, metric in self._metrics.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes what :meth:`state` gave.

        Raises:
            AutographError: a metric is not that which was saved.
        """
        self._unread.clear()
        self._total, self.count = state["total"], state["count"]
        for name, metric in self._metrics.items():
            restore(metric, state["metrics"].get(name), f"the metric {name}")


def _plain(value: Any) -> Any:
    """A figure as it is saved: a number, or the lists of an array."""
    return value.tolist() if hasattr(value, "tolist") else float(value)


def state_of(thing: Any) -> Any:
    """What is saved of something that has ``state()`` and ``restore(state)``; None of others."""
    return thing.state() if hasattr(thing, "state") and hasattr(thing, "restore") else None


def require_stateful(thing: Any, state: Any, name: str) -> None:
    """A state must be of something that has one.

    Raises:
        AutographError: one of the two is missing.
    """
    if (state is None) != (state_of(thing) is None):
        raise AutographError(f"{name} is not that which was saved: it {'has a' if state is None else 'has no'} state")


def restore(thing: Any, state: Any, name: str) -> None:
    """Hands to something what :func:`state_of` gave.

    Raises:
        AutographError: one of the two is missing.
    """
    require_stateful(thing, state, name)
    if state is not None:
        thing.restore(state)
