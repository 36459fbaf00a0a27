"""``python -m tests.soak [--minutes M] [--threads T] [--device D]... [--seed S]``, or ``--leaks [--scale F]``,
or ``--training [--scale F]``: the networks of the examples for 10,000 steps each.

A device is named as for the tests: host, an index, or a part of a name; each found is soaked by itself, and all of
them together, unless some are named.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import traceback

os.environ.setdefault("KRNLPY_CACHE_DIR", tempfile.mkdtemp(prefix="krnlpy-soak-"))

from krnlpy import Device
from tests.support.devices import selectors

from . import training
from .leaks import COUNTS, measure
from .soak import soak


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--device", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--leaks", action="store_true", help="measure what is left of many repetitions")
    parser.add_argument("--training", action="store_true", help="measure what is held over many steps of training")
    parser.add_argument("--scale", type=float, default=1.0, help="of the repetitions")
    options = parser.parse_args()
    found = [(name, s) for name, s in selectors(options.device) if s != "interpreter"]
    if options.training:
        return _training([selector for _, selector in found], int(training.STEPS * options.scale))
    return _leaks(found, options.scale) if options.leaks else _soak(found, options)


def _soak(found: list[tuple[str, int | str]], options: argparse.Namespace) -> int:
    devices = [Device(selector) for _, selector in found]
    figures = soak(devices, options.threads, 60 * options.minutes, options.seed)
    print(f"{', '.join(name for name, _ in found)}: {options.threads} threads, {figures.seconds:.0f} s")
    print(f"{figures.operations.total()} operations: {dict(sorted(figures.operations.items()))}")
    print(f"resident MiB over time: {[n >> 20 for n in figures.resident]}")
    for error in figures.failures:
        traceback.print_exception(error)
    print("wrong" if figures.failures else "all as NumPy has it")
    return 1 if figures.failures else 0


def _training(found: list[int | str], steps: int) -> int:
    """Each network in a process of its own, so that one does not use what another left."""
    module = "tests.soak.training"
    status = 0
    for selector in found:
        for network in training.NETWORKS:
            program = [sys.executable, "-m", module, network, str(selector), str(steps)]
            status |= subprocess.run(program, check=False).returncode
    return status


def _leaks(found: list[tuple[str, object]], scale: float) -> int:
    status = 0
    for name, selector in found:
        if not isinstance(selector, int):
            continue
        for task, count in COUNTS.items():
            leak = measure(selector, task, int(count * scale))
            print(
                f"{name}: {leak.count} {task}: {leak.growth:.0f} bytes each; resident KiB"
                f" {[n >> 10 for n in leak.resident]}, handles {leak.handles}, files {leak.files}",
                flush=True,
            )
            status |= not leak.is_flat
    return status


if __name__ == "__main__":
    sys.exit(main())
