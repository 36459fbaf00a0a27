"""Logs of training: tables, lines of JSON, events for TensorBoard.

What goes on from a checkpoint goes on in its log: rows of steps that are done once more are dropped first.
"""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from os import PathLike
from typing import TYPE_CHECKING, Any

from autograph.errors import AutographError
from krnlpy import files
from krnlpy.errors import FileMissing

from .callbacks import Callback, Entry
from .curves import make_folder, require

if TYPE_CHECKING:
    from .trainer import Trainer


class CsvLog(Callback):
    """Writes the history as a table: a row for each epoch, a column for each of its numbers and strings.

    Args:
        path: the file; at any moment it is whole. Its folder is made if it is not there.

    Raises:
        FileError: it is no path.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from autograph import SGD, Dense, Tensor
    >>> from autograph.train import CsvLog, Trainer
    >>> batch = (Tensor.ones((2, 3)), Tensor.from_numpy([0, 1]))
    >>> trainer = Trainer(Dense(3, 2), SGD(), 0.1, loss=lambda y, t: y.cross_entropy_loss(t))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = trainer.fit([batch], epochs=3, callbacks=[CsvLog(f"{folder}/log.csv")], progress="none")
    ...     lines = Path(f"{folder}/log.csv").read_text().splitlines()
    >>> len(lines), lines[0][:10]
    (4, 'epoch,step')
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = files.checked_path(path)

    def on_epoch(self, trainer: Trainer, entry: Entry) -> None:
        rows = [plain(row) for row in trainer.history]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
        make_folder(self.path)
        files.write(self.path, text.getvalue().encode())


class JsonLinesLog(Callback):
    """Writes a line of JSON for each epoch and, if asked, for steps: each is an object with the ``step``.

    Args:
        path: the file; its folder is made if it is not there. Lines are added as training goes on.
        every: so many steps give a line with the step, its loss and learning rate; None for epochs alone.

    Raises:
        AutographError: ``every`` is not a whole number above 0.
        FileError: the path is none.

    >>> from autograph.train import JsonLinesLog
    >>> callbacks = [JsonLinesLog("run/log.jsonl", every=100)]
    """

    def __init__(self, path: str | PathLike[str], every: int | None = None) -> None:
        self.path, self.every = files.checked_path(path), checked_every("JsonLinesLog", every)

    def on_start(self, trainer: Trainer) -> None:
        kept = []
        if trainer.step:
            with suppress(FileMissing):
                lines = files.read(self.path).splitlines()
                kept = [line for line in lines if _is_before(line, trainer.step, trainer.epoch)]
        make_folder(self.path)
        files.write(self.path, b"".join(line + b"\n" for line in kept))

    def on_step(self, trainer: Trainer) -> None:
        if self.every and trainer.step % self.every == 0:
            self._add({"step": trainer.step, "loss": float(trainer.loss), "rate": trainer.rate})

    def on_epoch(self, trainer: Trainer, entry: Entry) -> None:
        self._add({name: value for name, value in entry.items() if isinstance(value, int | float | str | list)})

    def _add(self, row: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class TensorBoardLog(Callback):
    """Writes events for TensorBoard, by tensorboardX.

    Args:
        folder: of the run; TensorBoard shows all runs in the folder above it.
        every: so many steps give their loss and learning rate; None for epochs alone.

    Raises:
        AutographError: tensorboardX is not installed, or ``every`` is not a whole number above 0.

    >>> from autograph.train import TensorBoardLog
    >>> callbacks = [TensorBoardLog("runs/first")]  # then: tensorboard --logdir runs
    """

    def __init__(self, folder: str | PathLike[str], every: int | None = 25) -> None:
        require("tensorboardX", "TensorBoardLog", "tensorboard")
        self.folder, self.every = files.checked_path(folder), checked_every("TensorBoardLog", every)
        self._writer: Any = None

    def on_start(self, trainer: Trainer) -> None:
        from tensorboardX import SummaryWriter

        # Files are named by the second: the step tells those apart that a quick restart begins within one.
        first = trainer.step + 1
        self._writer = SummaryWriter(
            str(self.folder), purge_step=first if trainer.step else None, filename_suffix=f".{first}"
        )

    def on_step(self, trainer: Trainer) -> None:
        if self.every and trainer.step % self.every == 0:
            self._writer.add_scalar("step/loss", float(trainer.loss), trainer.step)
            self._writer.add_scalar("step/rate", trainer.rate, trainer.step)

    def on_epoch(self, trainer: Trainer, entry: Entry) -> None:
        for name, value in plain(entry).items():
            if isinstance(value, float):
                part, _, rest = name.partition("_")
                tag = f"{rest}/{part}" if part in ("train", "evaluation") else f"epoch/{name}"
                self._writer.add_scalar(tag, value, trainer.step)

    def on_end(self, trainer: Trainer) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def plain(entry: Entry) -> dict[str, Any]:
    """The numbers and strings of an epoch."""
    return {name: value for name, value in entry.items() if isinstance(value, int | float | str)}


def checked_every(what: str, every: Any) -> int | None:
    """A number of steps, or None.

    Raises:
        AutographError: it is something else.
    """
    if every is None or (type(every) is int and every > 0):
        return every
    raise AutographError(f"{what}: every={every!r}; expected a whole number of steps above 0, or None")


def _is_before(line: bytes, step: int, epoch: int) -> bool:
    """Whether a line is of what was done then. One that was cut off, or is another's, is not."""
    try:
        found = json.loads(line)
        # An epoch's line has the number of its last step, after which it was not yet done.
        return bool(found["step"] <= step and found.get("epoch", 0) <= epoch)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
