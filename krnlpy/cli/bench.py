"""``krnlpy bench``: how fast devices are, each result verified before it is timed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from krnlpy.device import Device, devices
from krnlpy.errors import KrnlpyError

if TYPE_CHECKING:
    from rich.console import Console

    from krnlpy.bench.results import Report

_WIDTH = 140
"""Of tables that go to a file or a pipe."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks (default: all)")
    parser.add_argument(
        "--device",
        action="extend",
        nargs="+",
        metavar="DEVICE",
        help="'host', an index, or a part of a name (default: the host and every Vulkan device)",
    )
    parser.add_argument("--quick", action="store_true", help="take half a minute a device instead of three")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured, and where")
    parser.add_argument("--list", action="store_true", help="say which benchmarks there are, and run none")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs, prints and writes; returns 1 where a result is wrong or a benchmark failed, 2 where it can't be done as
    asked for."""
    try:
        return _list() if arguments.list else _run(arguments)
    except KrnlpyError as error:
        print(f"krnlpy bench: {error}", file=sys.stderr)
        return 2


def _list() -> int:
    from krnlpy.bench.benchmark import benchmarks
    from krnlpy.columns import in_columns

    print("\n".join(in_columns([(benchmark.name, benchmark.title) for benchmark in benchmarks()])))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from krnlpy.bench import results, running
    from krnlpy.bench.benchmark import benchmarks, chosen

    every = benchmarks()
    wanted = chosen(arguments.names, every) if arguments.names else every
    report = running.run(_devices(arguments.device), wanted, arguments.quick)
    if arguments.json:
        results.write(arguments.json, report)
    _print(_console(), report)
    return int(any(result.status in ("wrong", "failed") for device in report.devices for result in device.results))


def _devices(wishes: list[str] | None) -> list[Device]:
    if wishes is None:
        return [Device.host(), *map(Device, devices())]
    return [Device(int(wish) if wish.isdecimal() else wish) for wish in wishes]


def _console() -> Console:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def _print(console: Console, report: Report) -> None:
    from krnlpy.bench.tables import tables

    for part in tables(report):
        console.print(part, highlight=False)
