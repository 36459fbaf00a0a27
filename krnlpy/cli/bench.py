"""``krnlpy bench``: how fast devices are, each result verified before it is timed."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from krnlpy.device import Device, devices
from krnlpy.errors import BenchmarkError, KrnlpyError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from krnlpy.bench.running import Watcher

_WIDTH = 140
"""Of tables that go to a file or a pipe."""

_WORDS = ("compare", "describe", "submit")
"""Which do something else than to run; no benchmark has such a name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="benchmarks (default: all); or 'compare FILE FILE ...': reports side by side; or 'describe NAME ...': what"
        " figures mean; or 'submit FILE': make a report ready to be sent",
    )
    parser.add_argument(
        "--device",
        action="extend",
        nargs="+",
        metavar="DEVICE",
        help="'host', an index, or a part of a name (default: the host and every Vulkan device)",
    )
    parser.add_argument("--quick", action="store_true", help="take half a minute a device instead of three")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="PEER",
        help="measure others' software, too, in a process of its own: torch; may be repeated",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured, and where")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a row for each result")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots that needs no other file")
    parser.add_argument("--list", action="store_true", help="say which benchmarks there are, and run none")
    parser.add_argument(
        "--anyway", action="store_true", help="compare what is not comparable, such as drivers on the CPU with GPUs"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(), metavar="FOLDER", help="where submit writes (default: here)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs, prints and writes; returns 1 where a result is wrong or a benchmark failed, 2 where it can't be done as
    asked for."""
    word = arguments.names[0] if arguments.names and arguments.names[0] in _WORDS else "run"
    try:
        if arguments.list:
            return _list()
        return {"run": _run, "compare": _compare, "describe": _describe, "submit": _submit}[word](arguments)
    except KrnlpyError as error:
        print(f"krnlpy bench: {error}", file=sys.stderr)
        return 2


def _list() -> int:
    from krnlpy.bench.benchmark import benchmarks
    from krnlpy.columns import in_columns

    print("\n".join(in_columns([(benchmark.name, benchmark.title) for benchmark in benchmarks()])))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from krnlpy.bench import peers, results, running
    from krnlpy.bench.benchmark import benchmarks, chosen
    from krnlpy.bench.reports import page, spreadsheet, tables

    every = benchmarks()
    wanted = chosen(arguments.names, every) if arguments.names else every
    with _watched() as watcher:
        report = running.run(_devices(arguments.device), wanted, arguments.quick, watcher)
        theirs = [peers.measured(name, wanted, arguments.quick, watcher) for name in arguments.peer]
        report = replace(report, devices=(*report.devices, *chain.from_iterable(theirs)))
    _print(tables.tables(report))
    for path, write in (
        (arguments.json, results.write),
        (arguments.csv, spreadsheet.write),
        (arguments.html, page.write),
    ):
        if path:
            write(path, report)
    return int(any(result.status in ("wrong", "failed") for device in report.devices for result in device.results))


def _compare(arguments: argparse.Namespace) -> int:
    from krnlpy.bench import results
    from krnlpy.bench.reports import comparison, page, tables

    if arguments.device and len(arguments.device) > 1:
        raise BenchmarkError("compare takes one --device: a part of the names of the devices that are meant")
    wanted = arguments.device[0] if arguments.device else ""
    reports = [(name, results.read(name)) for name in arguments.names[1:]]
    found = comparison.compare(reports, wanted, arguments.anyway)
    _print(tables.comparison_tables(found))
    if arguments.html:
        page.write_comparison(arguments.html, found)
    return 0


def _describe(arguments: argparse.Namespace) -> int:
    from textwrap import fill

    from krnlpy.bench.benchmark import benchmarks, chosen

    every = benchmarks()
    for benchmark in chosen(arguments.names[1:], every) if arguments.names[1:] else every:
        sizes = ["; ".join(case.label for case in series) for series in benchmark.series()]
        print(f"{benchmark.name}: {benchmark.title}", end="\n\n")
        print(fill(benchmark.text, 100), end="\n\n")
        print(f"Unit: {benchmark.unit}, where {'less' if benchmark.unit == 's' else 'more'} is better", end="")
        print(f"; revision {benchmark.revision}. Cases:")
        print("\n".join(fill(size, 100, initial_indent="  ", subsequent_indent="    ") for size in sizes), end="\n\n")
    return 0


def _submit(arguments: argparse.Namespace) -> int:
    from krnlpy.bench import results
    from krnlpy.bench.reports import submission

    if len(arguments.names) != 2:
        raise BenchmarkError(
            "submit takes the report of a full run: krnlpy bench --json FILE; krnlpy bench submit FILE"
        )
    sent = submission.submit(results.read(arguments.names[1]), arguments.folder)
    print(f"title: {sent.title}", end="\n\n")
    print(sent.text)
    print("written: " + ", ".join(map(str, sent.files)), file=sys.stderr)
    return 0


def _devices(wishes: list[str] | None) -> list[Device]:
    if wishes is None:
        return [Device.host(), *map(Device, devices())]
    return [Device(int(wish) if wish.isdecimal() else wish) for wish in wishes]


def _console() -> Console:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def _watched() -> AbstractContextManager[Watcher | None]:
    """Shows a run where there is a terminal."""
    from rich.console import Console

    from krnlpy.bench.display import Display

    console = Console(stderr=True)
    return Display(console) if console.is_terminal else nullcontext()


def _print(parts: list[RenderableType]) -> None:
    console = _console()
    for part in parts:
        console.print(part, highlight=False)
