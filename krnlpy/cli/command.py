"""The command ``krnlpy``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from krnlpy import __version__

from . import bench, cache, compile, completion, doctor, info, inspect


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    try:
        try:
            return _run(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; what is left goes nowhere, at the end of the process too
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 0


def _run(arguments: Sequence[str] | None) -> int:
    chosen = make_parser().parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


def make_parser() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(prog="krnlpy", description="Compute kernels in Python, on any GPU and on the CPU.")
    parser.add_argument("--version", action="version", version=f"krnlpy {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    info.add_arguments(
        commands.add_parser(
            "info",
            help="list the devices, what they can do, and why others can't be used",
            description="Lists devices, drivers, versions and caches, and why the rest can't be used. A report of a bug"
            " contains what `krnlpy info --verbose` prints.",
        )
    )
    doctor.add_arguments(
        commands.add_parser(
            "doctor",
            help="try every device and all that kernels need, and say what to do",
            description="Runs and checks kernels on every device, each in a process of its own; looks at drivers, the"
            " compiler and the cache; and says what to do about what is wrong. The exit status is 1 where anything is.",
        )
    )
    bench.add_arguments(
        commands.add_parser(
            "bench",
            help="measure how fast the devices are",
            description="Runs benchmarks on devices. Each result is compared with a reference before anything is timed;"
            " times are repeated until they agree.",
        )
    )
    inspect.add_arguments(
        commands.add_parser(
            "inspect",
            help="print what the compiler makes of a kernel",
            description="Prints a stage of the compilation of a kernel.",
        )
    )
    cache.add_arguments(commands.add_parser("cache", help="say what the cache of compiled kernels holds, or empty it"))
    compile.add_arguments(
        commands.add_parser(
            "compile",
            help="compile the kernels of a package into a file that it ships",
            description=compile.__doc__,
        )
    )
    completion.add_arguments(
        commands.add_parser(
            "completion",
            help="print a script by which a shell completes this command",
            description='Prints a script for a shell: in ~/.bashrc, `eval "$(krnlpy completion bash)"` uses it.',
        ),
        make_parser,
    )
    return parser
