"""``krnlpy completion``: a script by which a shell completes the command, made by shtab of its arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser, whole: Callable[[], argparse.ArgumentParser]) -> None:
    """Declares the options of the command.

    Args:
        whole: makes the parser that is to be completed.
    """
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to read it")
    parser.set_defaults(run=lambda arguments: run(arguments, whole()))


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Prints the script; returns 1 where shtab is not installed."""
    try:
        import shtab
    except ModuleNotFoundError:
        print("krnlpy completion: the package shtab makes it: `pip install krnlpy[completion]`", file=sys.stderr)
        return 1
    print(shtab.complete(parser, shell=arguments.shell))
    return 0
