"""What is shown of training: a bar in a terminal, a line that changes in a notebook, else a line an epoch."""

from __future__ import annotations

import sys
from math import inf
from typing import Any, Literal, Protocol

from autograph.errors import AutographError

from .callbacks import Entry

Progress = Literal["auto", "bar", "lines", "none"]


class Display(Protocol):
    """Shows what happens."""

    def begin(self, title: str, total: int | None, done: int) -> None:
        """An epoch or an evaluation of so many batches begins, or goes on after some; None where nobody knows."""

    def advance(self, batches: int, text: str | None = None) -> None:
        """So many batches more are done; a text replaces the one before."""

    def line(self, text: str) -> None:
        """Something that stays to be read."""

    def close(self) -> None:
        """Nothing more comes."""


def display(progress: Progress) -> Display:
    """The display that is asked for; ``"auto"`` looks where the output goes.

    Raises:
        AutographError: there is no such display.
    """
    if progress not in ("auto", "bar", "lines", "none"):
        raise AutographError(f"progress={progress!r}; expected 'auto', 'bar', 'lines' or 'none'")
    if progress == "auto":
        from rich.console import Console

        console = Console()
        # Rich's own bars in notebooks need ipywidgets, and print a line for each change where they are missing.
        if console.is_jupyter:
            return Notebook()
        progress = "bar" if console.is_terminal and not console.is_dumb_terminal else "lines"
    if progress == "bar":
        return Bar()
    return Lines() if progress == "lines" else Silent()


class Silent:
    """Shows nothing."""

    def begin(self, title: str, total: int | None, done: int) -> None:
        pass

    def advance(self, batches: int, text: str | None = None) -> None:
        pass

    def line(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class Lines(Silent):
    """Shows what stays."""

    def line(self, text: str) -> None:
        print(text, flush=True)


class Bar:
    """Shows a bar of the epoch with the time left, and above it what stays."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(),
        )
        self._bars = Bars(*columns, transient=True)
        self._task: Any = None
        self._text = ""

    def begin(self, title: str, total: int | None, done: int) -> None:
        if self._task is None:
            self._bars.start()
        else:
            self._bars.remove_task(self._task)
        self._text = ""
        self._task = self._bars.add_task(title, total=total, completed=done, text="")

    def advance(self, batches: int, text: str | None = None) -> None:
        self._text = self._text if text is None else text
        self._bars.update(self._task, advance=batches, text=self._text)

    def line(self, text: str) -> None:
        self._bars.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._bars.stop()


class Notebook(Lines):
    """Shows a line that changes below what stays."""

    def __init__(self) -> None:
        from IPython import display

        self._handle: Any = display.display({"text/plain": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._title, self._text, self._total, self._done, self._shown = "", "", 0, 0, 0

    def begin(self, title: str, total: int | None, done: int) -> None:
        self._title, self._text, self._total, self._done, self._shown = title, "", total or 0, done, 0
        self._show()

    def advance(self, batches: int, text: str | None = None) -> None:
        self._done += batches
        if text is not None:
            self._text = text
        if text is not None or self._done >= self._shown + max(self._total // 50, 10):
            self._show()

    def _show(self) -> None:
        self._shown = self._done
        count = f"{self._done}/{self._total}" if self._total else f"{self._done}"
        self._handle.update({"text/plain": f"{self._title}  {count}  {self._text}"}, raw=True)

    def close(self) -> None:
        self._handle.update({"text/plain": ""}, raw=True)


def numbered(epoch: int, epochs: float) -> str:
    """Which epoch it is, of how many."""
    return f"epoch {epoch}" + (f"/{epochs}" if epochs < inf else "")


def summary(entry: Entry, epochs: float, unit: str) -> str:
    """An epoch as a line."""
    scores = {name: value for name, value in entry.items() if name.startswith(("train_", "evaluation_"))}
    return f"{numbered(entry['epoch'], epochs)}  {scored(scores)}  {entry['per_second']:,.0f} {unit}/s"


def scored(scores: Entry) -> str:
    """The numbers among some figures, as text."""
    return "  ".join(
        f"{name.replace('_', ' ')} {value:.4f}" for name, value in scores.items() if isinstance(value, float)
    )


def complain(text: str) -> None:
    """Says something on the standard error."""
    print(text, file=sys.stderr, flush=True)
