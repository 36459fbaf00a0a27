"""Curves of a history as a picture."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from autograph.errors import AutographError
from krnlpy import files

from .callbacks import Callback, Entry

if TYPE_CHECKING:
    from .trainer import Trainer


def plot_curves(history: Sequence[Entry], path: str | PathLike[str], title: str = "") -> None:
    """Writes a picture of what each epoch gave: one plot for the loss and one for each metric, in each a curve of
    training and one of the evaluation.

    Args:
        history: what :meth:`Trainer.fit` returns.
        path: the picture; its suffix is the format, PNG without one. Its folder is made if it is not there.
        title: stands above the plots.

    Raises:
        AutographError: matplotlib is not installed, or the history is empty, or the format is not known.
        FileError: the picture cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from autograph.train import plot_curves
    >>> history = [{"epoch": n, "train_loss": 1 / n, "evaluation_loss": 1.5 / n} for n in (1, 2, 3)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_curves(history, f"{folder}/curves.png", "a model")
    ...     Path(f"{folder}/curves.png").read_bytes()[1:4]
    b'PNG'
    """
    require("matplotlib", "plot_curves", "plot")
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    parts = ("train", "evaluation")
    names = [key.removeprefix("train_") for key in (history[0] if history else {}) if key.startswith("train_")]
    if not names:
        raise AutographError("plot_curves: the history has no train_loss and no other quantity of training")
    target = files.checked_path(path)
    figure = Figure(figsize=(5 * len(names), 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for part in parts:
            points = [(entry["epoch"], entry[f"{part}_{name}"]) for entry in history if f"{part}_{name}" in entry]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", label=part)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    picture = io.BytesIO()
    try:
        figure.savefig(picture, format=target.suffix[1:] or "png", dpi=120)
    except ValueError as error:
        raise AutographError(f"plot_curves: {target}: {error}") from None
    make_folder(target)
    files.write(target, picture.getvalue())


class Curves(Callback):
    """Writes the curves of loss and metrics as a picture when training ends.

    Args:
        path: as :func:`plot_curves` takes it.
        title: likewise.

    Raises:
        AutographError: matplotlib is not installed.

    >>> from autograph.train import Curves
    >>> callbacks = [Curves("run/curves.png", "LeNet5")]
    """

    def __init__(self, path: str | PathLike[str], title: str = "") -> None:
        require("matplotlib", "Curves", "plot")
        self.path, self.title = files.checked_path(path), title

    def on_end(self, trainer: Trainer) -> None:
        if trainer.history:
            plot_curves(trainer.history, self.path, self.title)


def require(module: str, what: str, extra: str) -> None:
    """Something needs a package that comes with an extra of ours.

    Raises:
        AutographError: it is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise AutographError(f"{what} needs {module}, which is not installed; `pip install 'krnlpy[{extra}]'`")


def make_folder(path: Any) -> None:
    """Makes the folder of a file.

    Raises:
        AutographError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AutographError(f"the folder of {path} cannot be made: {error}") from error
