"""Which checkpoints are written when, and which of them are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from autograph.errors import AutographError
from autograph.files.container import write_container
from krnlpy import files

from .callbacks import Entry, Mode, better, checked_mode, watched
from .logs import checked_every


@dataclass(frozen=True)
class Checkpoints:
    """Where a :class:`Trainer` saves what it needs to go on, and when.

    After each epoch, and when training ends, the file is replaced by the newest state, at any moment whole. So
    ``run/model.cbor`` is what to load, and to resume from.

    Args:
        path: the file; its folder is made if it is not there.
        every: so many steps, too, are followed by a save; None for none within an epoch.
        keep: so many of the last states are kept: beside ``model.cbor``, those of steps 100 and 200 as
            ``model-step-100.cbor`` and ``model-step-200.cbor``. With 1, ``model.cbor`` is all.
        best: the quantity whose best epoch is kept as ``model-best.cbor``, named as :class:`EarlyStopping` names it.
        mode: ``"min"`` if less of it is better, ``"max"`` if more is.

    Raises:
        AutographError: a setting is none.
        FileError: the path is none.

    >>> from autograph.train import Checkpoints
    >>> Checkpoints("run/model.cbor", every=1000, keep=3, best="accuracy", mode="max")
    Checkpoints(path='run/model.cbor', every=1000, keep=3, best='accuracy', mode='max')
    """

    path: str | PathLike[str]
    every: int | None = None
    keep: int = 1
    best: str | None = None
    mode: Mode = "min"

    def __post_init__(self) -> None:
        files.checked_path(self.path)
        checked_every("Checkpoints", self.every)
        checked_mode(self.mode)
        if type(self.keep) is not int or self.keep < 1:
            raise AutographError(f"Checkpoints: keep={self.keep!r}; expected a whole number of at least 1")


class Saver:
    """Writes checkpoints and removes those that are no longer kept.

    Args:
        wish: which are.
    """

    def __init__(self, wish: Checkpoints) -> None:
        self.path, self.every = files.checked_path(wish.path), wish.every
        self._wish = wish
        self._best: float | None = None
        self._steps: list[int] = []

    def note(self, step: int, entry: Entry | None) -> bool:
        """Notes, before the state is put together, that a step's is saved; whether it is the best one's.

        Raises:
            AutographError: the history has no such quantity.
        """
        if self._wish.keep > 1:
            self._steps = [*(other for other in self._steps if other != step), step][-self._wish.keep :]
        if self._wish.best is None or entry is None:
            return False
        value = watched(entry, self._wish.best)
        found = better(value, self._best, self._wish.mode)
        if found:
            self._best = value
        return found

    def write(self, payload: bytes, is_best: bool) -> None:
        """Writes the files, and removes those that are no longer kept.

        Raises:
            CheckpointError: one cannot be written.
        """
        # The newest last: what it says of the others is then true.
        if is_best:
            write_container(self._named("best"), payload)
        if self._steps:
            write_container(self._named(f"step-{self._steps[-1]}"), payload)
        write_container(self.path, payload)
        if self._steps:
            name = re.compile(rf"{re.escape(self.path.stem)}-step-(\d+){re.escape(self.path.suffix)}")
            for path in self.path.parent.iterdir():
                found = name.fullmatch(path.name)
                if found and int(found[1]) < self._steps[-1] and int(found[1]) not in self._steps:
                    with suppress(OSError):
                        path.unlink()

    def _named(self, what: str) -> Path:
        return self.path.with_name(f"{self.path.stem}-{what}{self.path.suffix}")

    def state(self) -> dict[str, Any]:
        """The best value so far, and the steps whose states are kept."""
        return {"best": self._best, "steps": list(self._steps)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes what :meth:`state` gave."""
        self._best, self._steps = state["best"], list(state["steps"])
