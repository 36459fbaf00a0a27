"""``python -m benches list``, ``run NAME ...``, ``markdown FILE ...``, ``table``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benches import NAMES, environment, readme, report
from benches.harness import run_case
from benches.selection import Peer, Selection, open_devices
from krnlpy import files
from krnlpy.bench.machine import kind as kind_of
from krnlpy.errors import DeviceError


def main(argv: Sequence[str] | None = None) -> int:
    """The program; returns its exit status: 1 where a result was wrong, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m benches", description="Benchmarks of krnlpy and autograph.")
    commands = parser.add_subparsers(required=True)
    lister = commands.add_parser("list", help="say which benchmarks there are")
    lister.set_defaults(command=_list)
    runner = commands.add_parser("run", help="verify, time and report")
    runner.add_argument("names", nargs="+", choices=NAMES, metavar="NAME", help="one or several benchmarks")
    runner.add_argument(
        "--device",
        action="extend",
        nargs="*",
        metavar="D",
        help="host, interpreter, indices or parts of names (default: the host and every Vulkan device)",
    )
    runner.add_argument(
        "--peer", action="extend", nargs="*", metavar="P", help="peers by name (default: all of the benchmark's)"
    )
    runner.add_argument("--seconds", type=_positive, default=2.0, help="of samples for each contender (default: 2)")
    runner.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="where to write all that was measured; in a folder, a file named after benchmark and kind of machine",
    )
    runner.set_defaults(command=_run)
    tables = commands.add_parser("markdown", help="print the tables of JSON reports as Markdown")
    tables.add_argument("files", nargs="+", type=Path, metavar="FILE")
    tables.set_defaults(command=_markdown)
    table = commands.add_parser("table", help=f"put the tables of {readme.RESULTS} into README.md")
    table.add_argument("--check", action="store_true", help="only look whether they are there")
    table.set_defaults(command=_table)
    arguments = parser.parse_args(argv)
    status: int = arguments.command(arguments)
    return status


def _list(_: argparse.Namespace) -> int:
    for name in NAMES:
        module = _module(name)
        peers = ", ".join(peer.name for peer in module.PEERS)
        print(f"{name:<9} {module.__doc__.splitlines()[0]} Peers: {peers}.")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    try:
        if len(arguments.names) > 1 and arguments.json is not None and not arguments.json.is_dir():
            raise LookupError(f"--json {arguments.json} is no folder: several benchmarks write a file each")
        devices = open_devices(arguments.device)
        selections = {name: Selection(devices, _peers(_module(name).PEERS, arguments.peer)) for name in arguments.names}
    except (DeviceError, LookupError) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 2
    about = environment.describe()
    if warning := report.busy(about["machine"]):
        print(warning, end="\n\n")
    wrong = False
    for name, selection in selections.items():
        cases: list[dict[str, Any]] = []
        for case in _module(name).cases(selection):
            result = run_case(case, arguments.seconds, lambda line: print(line, flush=True))
            cases.append(report.case_as_json(result))
            print(report.table(about["machine"], cases[-1]), end="\n\n", flush=True)
            wrong = wrong or bool(result.wrong)
        if arguments.json is not None:
            path = arguments.json
            if path.is_dir():
                path /= f"{name}-{kind_of(about['machine'])}.json"
            report.write_json(path, report.as_json(name, about, cases))
            print(f"written: {path}", end="\n\n")
    return 1 if wrong else 0


def _markdown(arguments: argparse.Namespace) -> int:
    for path in arguments.files:
        try:
            print(report.markdown(json.loads(files.read(path))))
        except (OSError, ValueError, KeyError) as error:
            print(f"error: {path} is no report: {error}", file=sys.stderr)
            return 2
    return 0


def _module(name: str) -> Any:
    return importlib.import_module(f"benches.{name}")


def _peers(known: Sequence[Peer], wishes: Sequence[str] | None) -> tuple[Peer, ...]:
    names = [peer.name for peer in known]
    for wish in wishes or ():
        if wish not in names:
            raise LookupError(f"no peer {wish!r} in this benchmark; there are: {', '.join(names)}")
    return tuple(peer for peer in known if wishes is None or peer.name in wishes)


def _table(arguments: argparse.Namespace) -> int:
    try:
        if readme.rewrite(arguments.check):
            print("README.md: the tables are up to date")
            return 0
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.check:
        print(
            "README.md: the tables are not those of the reports; python -m benches table writes them", file=sys.stderr
        )
        return 1
    print("README.md: written")
    return 0


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
