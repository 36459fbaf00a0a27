"""``krnlpy cache``: what the cache of compiled kernels holds, and a way to empty it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from krnlpy import config
from krnlpy.cache.store import KINDS, Cache

from .info_text import size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands and their options."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="print where the cache is and what it holds")
    info.add_argument("--json", action="store_true", help="print JSON instead of lines")
    info.set_defaults(run=_info)
    clear = commands.add_parser("clear", help="remove all compiled kernels and choices of tuned ones, and nothing else")
    clear.set_defaults(run=_clear)


def report() -> dict[str, Any]:
    """Where the cache is, its limit, and how much it holds of each kind; ``folder`` is None where none is kept."""
    kinds = {}
    for kind, contents in KINDS.items():
        entries, nbytes = Cache.of(kind).size()
        kinds[kind] = {"contents": contents, "entries": entries, "bytes": nbytes}
    folder = None if config.cache_dir is None else str(config.cache_dir)
    return {"folder": folder, "limit_bytes": config.cache_bytes, "kinds": kinds}


def _info(arguments: argparse.Namespace) -> int:
    found = report()
    if arguments.json:
        json.dump(found, sys.stdout, indent=2)
        print()
        return 0
    print(f"folder  {found['folder'] or 'none: nothing is kept (KRNLPY_NO_CACHE)'}")
    print(f"limit   {size(found['limit_bytes'])} of each kind (KRNLPY_CACHE_BYTES)")
    for kind, held in found["kinds"].items():
        print(f"{kind:<7} {held['entries']} entries, {size(held['bytes'])} of {held['contents']}")
    return 0


def _clear(_: argparse.Namespace) -> int:
    try:
        removed = sum(Cache.of(kind).clear() for kind in KINDS)
    except OSError as error:
        print(f"krnlpy cache clear: {error}", file=sys.stderr)
        return 1
    print(f"removed {removed} entries from {config.cache_dir or 'nowhere: nothing is kept'}")
    return 0
