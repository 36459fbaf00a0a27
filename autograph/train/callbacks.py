"""What is called while a model is trained, and may stop it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import TYPE_CHECKING, Any, Literal

from autograph.errors import AutographError

if TYPE_CHECKING:
    from .trainer import Trainer

Entry = dict[str, Any]
"""What the history has of an epoch."""
Mode = Literal["min", "max"]


class Callback:
    """Is called by a :class:`Trainer`. A subclass has the methods that it needs.

    What a callback remembers, and training depends on, is what :meth:`state` gives: it is saved with the model.

    >>> import numpy as np
    >>> from autograph import SGD, Dense
    >>> from autograph.train import Callback, Trainer
    >>> class StopAt(Callback):
    ...     def __init__(self, step):
    ...         self.step = step
    ...     def on_step(self, trainer):
    ...         if trainer.step == self.step:
    ...             trainer.stop("far enough")
    >>> batch = (np.ones((2, 3), np.float32), np.array([0, 1]))
    >>> trainer = Trainer(Dense(3, 2), SGD(), 0.1, loss=lambda y, t: y.cross_entropy_loss(t))
    >>> history = trainer.fit([batch] * 10, epochs=5, callbacks=[StopAt(3)], progress="none")
    >>> trainer.step, trainer.stopped
    (3, 'far enough')
    """

    def on_start(self, trainer: Trainer) -> None:
        """Before the first step, and after the state that training goes on from was read.

        Args:
            trainer: what calls.

        Raises:
            Exception: whatever it raises ends training; so for all of these methods.

        >>> from autograph.train import Callback
        >>> class Greeting(Callback):
        ...     def on_start(self, trainer):
        ...         print(f"from step {trainer.step}")
        """

    def on_step(self, trainer: Trainer) -> None:
        """After each step. ``trainer.loss`` is the step's loss, on the device: reading it waits for the step.

        Args:
            trainer: what calls.

        Raises:
            Exception: whatever it raises ends training.

        >>> from autograph.train import Callback
        >>> class Losses(Callback):
        ...     def on_step(self, trainer):
        ...         if trainer.step % 100 == 0:
        ...             print(trainer.loss.item())
        """

    def on_epoch(self, trainer: Trainer, entry: Entry) -> None:
        """After each epoch and its evaluation, before the state is saved.

        Args:
            trainer: what calls.
            entry: what the history has of the epoch; numbers and strings that are added to it stay there.

        Raises:
            Exception: whatever it raises ends training.

        >>> from autograph.train import Callback
        >>> class Overfitting(Callback):
        ...     def on_epoch(self, trainer, entry):
        ...         entry["gap"] = entry["evaluation_loss"] - entry["train_loss"]
        """

    def on_end(self, trainer: Trainer) -> None:
        """When training ends, however it ends; ``trainer.stopped`` says why, if it was before the end.

        Args:
            trainer: what calls.

        Raises:
            Exception: whatever it raises.

        >>> from autograph.train import Callback
        >>> class Farewell(Callback):
        ...     def on_end(self, trainer):
        ...         print(trainer.stopped or "done")
        """

    def state(self) -> dict[str, Any]:
        """What is to be saved: numbers, strings, arrays, and lists and dicts of those.

        >>> from autograph.train import EarlyStopping
        >>> EarlyStopping().state()
        {'best': None, 'waited': 0}
        """
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes what :meth:`state` gave when it was saved.

        Raises:
            AutographError: it is something else.

        >>> from autograph.train import EarlyStopping
        >>> early = EarlyStopping()
        >>> early.restore({"best": 0.25, "waited": 2})
        >>> early.best
        0.25
        """


class EarlyStopping(Callback):
    """Stops training where a quantity no longer improves.

    Args:
        monitor: ``"loss"`` or the name of a metric: that of the evaluation, if there is one, else that of training; or
            a name in the history, such as ``"train_loss"``.
        patience: so many epochs in a row may fail to improve it; one more, and training stops.
        mode: ``"min"`` if less is better, ``"max"`` if more is.
        least: an improvement is one by more than this.

    Raises:
        AutographError: a setting is none.

    >>> from autograph.train import EarlyStopping
    >>> EarlyStopping("accuracy", patience=5, mode="max")
    EarlyStopping('accuracy', patience=5, mode='max', least=0.0)
    """

    def __init__(self, monitor: str = "loss", patience: int = 3, mode: Mode = "min", least: float = 0.0) -> None:
        if type(patience) is not int or patience < 0:
            raise AutographError(f"EarlyStopping: patience={patience!r}; expected a whole number of at least 0")
        self.monitor, self.patience, self.mode, self.least = monitor, patience, checked_mode(mode), least
        self.best: float | None = None
        self.waited = 0

    def __repr__(self) -> str:
        return f"EarlyStopping({self.monitor!r}, patience={self.patience}, mode={self.mode!r}, least={self.least})"

    def on_start(self, trainer: Trainer) -> None:
        self._decide(trainer)  # what had been stopped before it was saved stays so

    def on_epoch(self, trainer: Trainer, entry: Entry) -> None:
        value = watched(entry, self.monitor)
        if better(value, self.best, self.mode, self.least):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        self._decide(trainer)

    def _decide(self, trainer: Trainer) -> None:
        if self.waited > self.patience:
            trainer.stop(f"{self.monitor} did not improve for {self.waited} epochs; its best is {self.best}")

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        if state.keys() != {"best", "waited"}:
            raise AutographError(f"EarlyStopping: state={state!r}; expected best and waited")
        self.best, self.waited = state["best"], state["waited"]


def checked_mode(mode: Any) -> Mode:
    """``"min"`` or ``"max"``.

    Raises:
        AutographError: it is something else.
    """
    if mode == "min" or mode == "max":
        return "max" if mode == "max" else "min"
    raise AutographError(f"mode={mode!r}; expected 'min' or 'max'")


def watched(entry: Entry, name: str) -> float:
    """A quantity of an epoch: by its name in the history, or the evaluation's, or that of training.

    Raises:
        AutographError: the history has no such quantity.
    """
    for key in (name, f"evaluation_{name}", f"train_{name}"):
        if key in entry:
            return float(entry[key])
    names = ", ".join(name for name, value in entry.items() if isinstance(value, float))
    raise AutographError(f"the history has no {name!r}; it has {names}")


def better(value: float, best: float | None, mode: Mode, least: float = 0.0) -> bool:
    """Whether a value is an improvement by more than ``least``. NaN is none."""
    if best is None or isnan(best):
        return not isnan(value)
    return value < best - least if mode == "min" else value > best + least
