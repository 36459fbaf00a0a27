"""What the command lines of these examples share: options, progress, the verdict, and pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from examples._needs import require
from krnlpy import Device
from krnlpy.errors import DeviceError


class Command:
    """The options of an example, read from the command line.

    Args:
        description: its docstring.
        **defaults: numbers that are options too, such as ``epochs=3``; they become attributes.

    Attributes:
        device: where to train.
        seed: of weights, orders and all that is drawn.
    """

    def __init__(self, description: str | None, **defaults: float) -> None:
        parser = argparse.ArgumentParser(
            description=(description or "").strip(), formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--device", default="auto", help="auto, host, an index or a part of a name")
        parser.add_argument("--seed", type=int, default=0, help="default: 0")
        parser.add_argument("--pictures", type=Path, help="a folder for the picture; without it, none is drawn")
        parser.add_argument("--quiet", action="store_true", help="print the result only")
        for name, value in defaults.items():
            parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default: {value}")
        self._options = parser.parse_args()
        if self._options.pictures:
            require("matplotlib")
        wish = self._options.device
        try:
            self.device = Device.best() if wish == "auto" else Device(int(wish) if wish.isdecimal() else wish)
        except DeviceError as error:
            sys.exit(f"error: {error}")
        self.seed: int = self._options.seed
        self._defaults = all(getattr(self._options, name) == value for name, value in defaults.items())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._options, name)

    def say(self, text: str) -> None:
        """Prints a line of progress."""
        if not self.quiet:
            print(text, flush=True)

    def track(self, steps: Sequence[Any]) -> Iterator[Any]:
        """The steps, with a progress bar in terminals."""
        if self.quiet or not sys.stdout.isatty():
            yield from steps
        else:
            from rich.progress import track

            yield from track(steps, description="training")

    def result(self, text: str, good: bool) -> None:
        """Prints the result; where the example was run as it stands and fell short, it ends in an error."""
        print(f"{text} on {self.device.name}", flush=True)
        if self._defaults and not good:
            sys.exit("this is not the result that the example states")

    @contextmanager
    def picture(self, name: str, rows: int = 1, columns: int = 1) -> Iterator[Any]:
        """Axes to draw on (an array of them, where there are several), saved as ``NAME.png`` in the folder of pictures."""
        import matplotlib as mpl

        mpl.use("agg")
        from matplotlib import pyplot

        size = (5, 3) if rows == columns == 1 else (0.7 * columns, 0.7 * rows)
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
