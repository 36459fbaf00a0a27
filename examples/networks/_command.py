"""What the command lines of these examples share: options, loaders, the verdict, and pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from autograph import Tensor
from autograph.data import DataLoader
from autograph.train import plot_curves
from examples._arguments import choose_device, positive, seed
from examples._arguments import run as run_program
from examples._needs import require


class Command:
    """The options of an example, read from the command line.

    Args:
        description: its docstring.
        is_resumable: whether ``--checkpoint`` is an option.
        **defaults: numbers that are options too, such as ``epochs=3``, and choices, of which the first is the default;
            they become attributes.

    Attributes:
        device: where to train.
        seed: of weights, orders and all that is drawn.
        fitting: how :meth:`autograph.train.Trainer.fit` shows its progress, and whether it goes on from a checkpoint.
    """

    def __init__(
        self, description: str | None, *, is_resumable: bool = True, **defaults: int | tuple[str, ...]
    ) -> None:
        parser = argparse.ArgumentParser(
            description=(description or "").strip(), formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--device", default="auto", help="auto, host, an index or a part of a name")
        parser.add_argument("--seed", type=seed, default=0, help="default: 0")
        parser.add_argument("--pictures", type=Path, help="a folder for pictures; without it, none are drawn")
        if is_resumable:
            saved = "a file to save the training in, each epoch and at Ctrl-C; if it is there, training goes on from it"
            parser.add_argument("--checkpoint", type=Path, help=saved)
        parser.add_argument("--quiet", action="store_true", help="print the result only")
        for name, value in defaults.items():
            if isinstance(value, tuple):
                parser.add_argument(f"--{name}", choices=value, default=value[0], help=f"default: {value[0]}")
            else:
                parser.add_argument(f"--{name}", type=positive, default=value, help=f"default: {value}")
        self._options = parser.parse_args()
        if self._options.pictures:
            require("matplotlib")
        self.device, _ = choose_device(self._options.device)
        self.seed: int = self._options.seed
        self.fitting: dict[str, Any] = {
            "progress": "none" if self.quiet else "auto",
            "resume": is_resumable and self.checkpoint is not None,
        }
        self._defaults = all(getattr(self._options, name) == parser.get_default(name) for name in defaults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._options, name)

    def loader(self, dataset: Any, batch_size: int, **options: Any) -> DataLoader:
        """A loader that puts batches on the device."""
        return DataLoader(dataset, batch_size, seed=self.seed, device=self.device, **options)

    def tensor(self, array: Any) -> Tensor:
        """Numbers as f32 on the device."""
        return Tensor.from_numpy(np.asarray(array, np.float32), self.device)

    def say(self, text: str) -> None:
        """Prints something on the way."""
        if not self.quiet:
            print(text, flush=True)

    def result(self, text: str, good: bool) -> None:
        """Prints the result; where the example was run as it stands and fell short, it ends in an error."""
        print(f"{text} on {self.device.name}", flush=True)
        if self._defaults and not good:
            sys.exit("this is not the result that the example states")

    def curves(self, name: str, history: Sequence[dict[str, Any]]) -> None:
        """Draws the loss of each epoch, and its metrics."""
        if self.pictures:
            plot_curves(history, self.pictures / f"{name}-curves.png")

    @contextmanager
    def picture(self, name: str, rows: int = 1, columns: int = 1) -> Iterator[Any]:
        """Axes to draw on (an array of them, where there are several), saved as ``NAME.png`` with the pictures."""
        import matplotlib as mpl

        mpl.use("agg")
        from matplotlib import pyplot

        size = (5, 3) if rows == columns == 1 else (0.5 * columns, 0.5 * rows)
        figure, axes = pyplot.subplots(rows, columns, figsize=size, layout="constrained")
        yield axes
        if self.pictures:
            self.pictures.mkdir(parents=True, exist_ok=True)
            figure.savefig(self.pictures / f"{name}.png", dpi=100)
        pyplot.close(figure)

    def show_images(self, name: str, images: Any, rows: int, columns: int) -> None:
        """Draws images in rows."""
        if self.pictures:
            with self.picture(name, rows, columns) as axes:
                for place, image in zip(axes.flat, images, strict=True):
                    place.imshow(image, cmap="gray", vmin=0, vmax=1)
                    place.axis("off")


def run(main: Callable[[], None]) -> None:
    """Runs an example."""
    run_program(main, "with --checkpoint FILE an example goes on from there when it is called again")
